//! Which calls that were asked for are the only ones of their kind.
//!
//! What looks like a call may be a mixture of two moments: the caller stood on its call of
//! another, or called this one from elsewhere. With x and y for the shares of the two callees,
//! a mixture is met in x·y·y of all looks (the callee once, between two looks at a caller that
//! stands on its other call), and the two calls in x·x·x and y·y·y, the larger of which is no
//! less. So at each tick a rival is as likely to be asked for, and in a few ticks one is.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use super::chain::Link;
use crate::python::code::CodeId;
use crate::python::frames::Position;

/// A call must have been asked for at so many ticks, and at one in so many a rival may have
/// been. A frame that changes while it is copied can look like one.
const TICKS: u32 = 16;

/// The most calls that are remembered before they are learnt anew.
const MOST: usize = 1 << 16;

/// Calls that have a caller in common: from one place or from any, of one callee or of any.
type Calls = (CodeId, Option<Position>, Option<CodeId>);

/// At how many ticks calls were asked for.
#[derive(Debug, Default)]
pub struct Rivals {
    ticks: HashMap<Calls, u32, FxBuildHasher>,
}

impl Rivals {
    /// Takes note that a call is asked for at a tick.
    pub fn note(&mut self, caller: &Link, callee: &Link) {
        if self.ticks.len() >= MOST {
            *self = Self::default();
        }
        for calls in kinds(caller, callee) {
            *self.ticks.entry(calls).or_default() += 1;
        }
    }

    /// Whether a call was asked for often, and hardly ever one from the same place, or of the
    /// same callee by the same caller.
    #[must_use]
    pub fn is_sole(&self, caller: &Link, callee: &Link) -> bool {
        let ticks = |calls| self.ticks.get(&calls).copied().unwrap_or_default();
        let [own, from, of] = kinds(caller, callee).map(ticks);
        let rivals = (from - own).saturating_add(of - own);
        own >= TICKS && rivals <= own / TICKS
    }
}

/// A call, all from the same place, and all of the same callee.
fn kinds(caller: &Link, callee: &Link) -> [Calls; 3] {
    let (place, callee) = (Some(caller.position), Some(callee.code));
    [(place, callee), (place, None), (None, callee)].map(|(from, of)| (caller.code, from, of))
}

#[cfg(test)]
mod tests {
    use super::super::chain::fixtures::chain;
    use super::*;

    /// A caller that stands at a place, and a callee.
    fn pair(place: i32, callee: u32) -> Vec<Link> {
        chain(&[(1, 10, place), (2, callee, 0)])
    }

    fn note(rivals: &mut Rivals, pair: &[Link], ticks: u32) {
        (0..ticks).for_each(|_| rivals.note(&pair[0], &pair[1]));
    }

    fn is_sole(rivals: &Rivals, pair: &[Link]) -> bool {
        rivals.is_sole(&pair[0], &pair[1])
    }

    #[test]
    fn a_call_is_the_only_one_if_it_is_asked_for_often_and_no_other_is() {
        let mut rivals = Rivals::default();
        note(&mut rivals, &pair(4, 20), TICKS - 1);
        assert!(!is_sole(&rivals, &pair(4, 20)));
        note(&mut rivals, &pair(4, 20), 1);
        note(&mut rivals, &pair(6, 30), 8);
        assert!(is_sole(&rivals, &pair(4, 20)), "the other is of another callee, from elsewhere");
        assert!(!is_sole(&rivals, &pair(4, 30)), "it was never asked for");
    }

    #[test]
    fn a_rival_is_from_the_same_place_or_of_the_same_callee() {
        for rival in [pair(4, 30), pair(6, 20)] {
            let mut rivals = Rivals::default();
            note(&mut rivals, &pair(4, 20), 2 * TICKS - 1);
            note(&mut rivals, &rival, 1);
            assert!(is_sole(&rivals, &pair(4, 20)), "once may be by chance");
            note(&mut rivals, &rival, 1);
            assert!(!is_sole(&rivals, &pair(4, 20)));
            note(&mut rivals, &pair(4, 20), 1);
            assert!(is_sole(&rivals, &pair(4, 20)), "twice, among so many");
        }
    }
}
