//! Shares of time against shares of samples: how far from the truth a sampler may be depends
//! on how many samples it has.

use std::fmt;

/// So many standard deviations are allowed for chance. One share of 370 is further off, and
/// what is off is measured again.
const DEVIATIONS: f64 = 3.0;

/// Neighbouring samples tell the same: a program's turns last longer than the time between two,
/// and a thread that waits for its processor is met where it stands, for some milliseconds.
/// So only each fourth is counted as a look of its own.
const SAMPLES_A_LOOK: u64 = 4;

/// A share of samples, and what was expected of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    /// Seen, from 0 to 1.
    pub seen: f64,
    /// Expected, from 0 to 1.
    pub expected: f64,
    /// How far from each other they may be.
    pub tolerance: f64,
    samples: u64,
}

impl Share {
    /// Whether they are as near as chance and what is known to be off allow.
    pub(crate) fn is_near(&self) -> bool {
        self.samples > 0 && (self.seen - self.expected).abs() <= self.tolerance
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seen, expected, tolerance, samples } = self;
        write!(f, "{seen:.3} of {samples} seen, {expected:.3} ± {tolerance:.3} expected")
    }
}

/// How `seen` of `of` samples compare with an expected share: chance has the deviation of a
/// binomial distribution. `beyond` is what may be off however many samples there are; whoever
/// allows something says why.
pub(crate) fn share_within(seen: u64, of: u64, expected: f64, beyond: f64) -> Share {
    share_of_looks(seen, of, of / SAMPLES_A_LOOK, expected, beyond)
}

/// The same where the samples are of so many independent looks: as many as samples, if turns
/// are short and waits count for nothing; fewer, if each counts for several ticks.
pub(crate) fn share_of_looks(seen: u64, of: u64, looks: u64, expected: f64, beyond: f64) -> Share {
    let deviation = (expected * (1.0 - expected) / looks.max(1) as f64).max(0.0).sqrt();
    let seen = seen as f64 / of.max(1) as f64;
    Share { seen, expected, tolerance: beyond + DEVIATIONS * deviation, samples: of }
}

/// What each of some functions has of their samples, which is expected to be equal, and whether
/// all are near that.
pub(crate) fn equal_within<const N: usize>(samples: [u64; N], beyond: f64) -> (bool, String) {
    let whole = samples.iter().sum();
    let expected = 1.0 / N as f64;
    let shares = samples.map(|part| share_within(part, whole, expected, beyond));
    of_all(&shares)
}

/// Whether all are near, and the words for all.
pub(crate) fn of_all(shares: &[Share]) -> (bool, String) {
    let words: Vec<String> = shares.iter().map(|share| format!("{:.3}", share.seen)).collect();
    let first = shares.first().map_or_else(String::new, |s| {
        format!("of {} seen, {:.3} ± {:.3} expected", s.samples, s.expected, s.tolerance)
    });
    (shares.iter().all(Share::is_near), format!("[{}] {first}", words.join(", ")))
}
