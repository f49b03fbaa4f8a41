//! Where the callees of a frame were found lately.
//!
//! The frame that a caller calls mostly lies where its last callee lay: next to it on
//! the data stack, or in the block that its code object keeps for it. A caller that
//! says that it is inside a call, while the top-frame pointer says that it is on top,
//! was copied just before or after: its callee's frame is looked for there.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use crate::sampler::frame_record::FrameRecord;

/// How many places are remembered for one caller.
const PLACES: usize = 4;

/// How many calls may lie between a frame and one that it leads to, and one more.
const DEPTH: usize = 3;

/// The most callers that are remembered, before all are forgotten.
const MAX_CALLERS: usize = 1 << 16;

/// Places by caller, the latest first; 0 is none.
#[derive(Debug, Default)]
pub(crate) struct Callees {
    places: HashMap<u64, [u64; PLACES], FxBuildHasher>,
}

impl Callees {
    /// Takes note of a call that was on a stack.
    pub(crate) fn note(&mut self, caller: &FrameRecord, callee: &FrameRecord) {
        if callee.caller != caller.frame {
            return; // There is a shim between them.
        }
        if self.places.len() >= MAX_CALLERS {
            self.places.clear();
        }
        let places = self.places.entry(caller.frame).or_default();
        if places[0] != callee.frame {
            let seen = places.iter().position(|place| *place == callee.frame);
            places[..=seen.unwrap_or(PLACES - 1)].rotate_right(1);
            places[0] = callee.frame;
        }
    }

    /// Where the callees of the frame at `caller` were, the latest first.
    pub(crate) fn of(&self, caller: u64) -> impl Iterator<Item = u64> + use<> {
        let places = self.places.get(&caller).copied().unwrap_or_default();
        places.into_iter().take_while(|place| *place != 0)
    }

    /// Whether the frame at `callee` was called by the one at `caller`, or by a callee of
    /// that, or by one of those.
    pub(crate) fn leads_to(&self, caller: u64, callee: u64) -> bool {
        self.leads_within(caller, callee, DEPTH)
    }

    fn leads_within(&self, caller: u64, callee: u64, depth: usize) -> bool {
        let goes_on = |place| depth > 1 && self.leads_within(place, callee, depth - 1);
        self.of(caller).any(|place| place == callee) || self.of(caller).any(goes_on)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampler::read::chain::fixtures::chain;

    /// Notes a call of the frame at 1, and returns where its callees were.
    fn note(callees: &mut Callees, callee: u64) -> Vec<u64> {
        let mut pair = chain(&[(1, 10, 4), (callee, 20, 0)]);
        pair[1].caller = 1;
        callees.note(&pair[0], &pair[1]);
        callees.of(1).collect()
    }

    #[test]
    fn the_latest_comes_first_and_the_oldest_is_forgotten() {
        let mut callees = Callees::default();
        assert_eq!(note(&mut callees, 2), [2]);
        assert_eq!(note(&mut callees, 3), [3, 2]);
        assert_eq!(note(&mut callees, 2), [2, 3]);
        (4..6).for_each(|callee| drop(note(&mut callees, callee)));
        assert_eq!(note(&mut callees, 6), [6, 5, 4, 2]);
    }

    #[test]
    fn a_frame_leads_to_those_that_its_callees_called() {
        let stack: Vec<FrameRecord> = (1..=5)
            .map(|frame| FrameRecord { caller: frame - 1, ..chain(&[(frame, 10, 0)])[0] })
            .collect();
        let mut callees = Callees::default();
        stack.windows(2).for_each(|pair| callees.note(&pair[0], &pair[1]));
        assert!(callees.leads_to(1, 2));
        assert!(callees.leads_to(1, 4));
        assert!(!callees.leads_to(1, 5), "too many calls lie between them");
        assert!(!callees.leads_to(2, 1));
    }

    #[test]
    fn a_callee_behind_a_shim_is_not_one() {
        let mut callees = Callees::default();
        let pair = chain(&[(1, 10, 4), (2, 20, 0)]);
        callees.note(&pair[0], &pair[1]);
        assert_eq!(callees.of(1).count(), 0);
    }
}
