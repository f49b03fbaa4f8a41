//! Whether the samples that were stopped and those that were not tell the same.
//!
//! The clock alone decides which are stopped, so both are fair; where their
//! shares of a function differ by more than chance, one kind is wrong, and the
//! account says so.

use std::collections::HashMap;
use std::fmt;

use rustc_hash::FxBuildHasher;

use crate::profile::Profile;
use crate::stack::FrameId;

/// Standard deviations that a difference must exceed.
const SIGNIFICANT: f64 = 5.0;

/// Points by which shares must differ to matter.
const NOTABLE: f64 = 0.02;

/// How often each frame was the innermost, in samples that were stopped and in
/// others.
#[derive(Debug, Default)]
pub struct Witness {
    leaves: HashMap<FrameId, [u64; 2], FxBuildHasher>,
}

/// A function whose shares differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Disagreement {
    /// `file:function`.
    pub function: String,
    /// Its share of the samples that were stopped, from 0 to 1.
    pub stopped: f64,
    /// Its share of the others.
    pub unstopped: f64,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (stopped, unstopped) = (self.stopped * 100.0, self.unstopped * 100.0);
        write!(f, "{}: {stopped:.1} % stopped, {unstopped:.1} % not", self.function)
    }
}

impl Witness {
    /// Counts one sample by its innermost frame.
    pub fn count(&mut self, leaf: FrameId, stopped: bool) {
        self.leaves.entry(leaf).or_default()[usize::from(!stopped)] += 1;
    }

    /// The function whose shares differ most, if one does by more than chance.
    #[must_use]
    pub fn disagreement(&self, profile: &Profile) -> Option<Disagreement> {
        let mut functions: HashMap<(&str, &str), [u64; 2]> = HashMap::new();
        for (leaf, counts) in &self.leaves {
            let frame = profile.frames.frame(*leaf);
            let sums = functions.entry((&frame.file, &frame.function)).or_default();
            sums[0] += counts[0];
            sums[1] += counts[1];
        }
        let totals = functions.values().fold([0, 0], |sum, n| [sum[0] + n[0], sum[1] + n[1]]);
        let differing = functions.iter().filter_map(|((file, function), counts)| {
            let (stopped, unstopped) = significant(*counts, totals)?;
            Some(Disagreement { function: format!("{file}:{function}"), stopped, unstopped })
        });
        let difference = |d: &Disagreement| (d.stopped - d.unstopped).abs();
        differing.max_by(|a, b| difference(a).total_cmp(&difference(b)))
    }
}

/// Both shares, if they differ by more than chance and enough to matter.
fn significant(counts: [u64; 2], totals: [u64; 2]) -> Option<(f64, f64)> {
    let [n, m] = totals.map(|total| total as f64);
    if n < 1.0 || m < 1.0 {
        return None;
    }
    let (one, other) = (counts[0] as f64 / n, counts[1] as f64 / m);
    let pooled = (counts[0] + counts[1]) as f64 / (n + m);
    let deviation = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
    let difference = (one - other).abs();
    (difference > NOTABLE && difference > SIGNIFICANT * deviation).then_some((one, other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_not_a_disagreement() {
        assert_eq!(significant([50, 480], [100, 1000]), None);
        assert_eq!(significant([0, 0], [0, 1000]), None);
        assert_eq!(significant([505, 5000], [1000, 10_000]), None);
    }

    #[test]
    fn a_large_difference_is() {
        assert_eq!(significant([300, 1000], [1000, 10_000]), Some((0.3, 0.1)));
    }
}
