//! Whether a frame that is held by more than its own loop is inside a call.
//!
//! A callee holds the frame of its caller; but so does a traceback, in an `except` block
//! and often after it, and whoever asked for the frame. By the count alone, the time of the
//! one would be taken for the other's. What tells them apart is where the frame stands: at
//! a call, or where a callee of it is seen now and again.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use super::chain::Link;
use crate::python::code::CodeId;
use crate::python::frames::Position;

/// Where nothing else is known, a frame is inside a call if a callee was seen in so large a
/// part of the looks that found it held. A callee that takes the part x of the time is met by
/// one of two pointers in x·(2 − x) of all looks, and in x·(1 − x)·(1 − x), half of that at
/// most, by neither, though the frame between them was copied inside the call.
const ONE_IN: u32 = 4;

/// So many looks are remembered, and of older ones half the weight.
const LOOKS: u32 = 64;

/// The most places that are remembered before they are learnt anew.
const MAX_PLACES: usize = 1 << 16;

/// What is known of the places where frames were found held.
#[derive(Debug, Default)]
pub struct Held {
    /// What made calls, and how many held a frame of it when it last did.
    usual: HashMap<CodeId, u32, FxBuildHasher>,
    places: HashMap<(CodeId, Position), Place, FxBuildHasher>,
}

/// One place in a code object.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// How many held the frame when it last made a call there; 0 if it is not known to.
    calling: u32,
    /// How often it was seen held.
    looks: u32,
    /// How often a callee was seen with it.
    called: u32,
}

impl Held {
    /// Takes note of a caller that was on a proven stack.
    pub fn note_caller(&mut self, caller: &Link) {
        if !caller.says_inside() {
            return;
        }
        self.usual.insert(caller.code, caller.references);
        if caller.references > 0 {
            self.place(caller).calling = caller.references;
        }
    }

    /// Takes note of a frame of which it is asked whether it is inside a call, and whether
    /// a callee of it was copied too.
    pub fn note(&mut self, link: &Link, has_callee: bool) {
        if link.references <= 1 {
            return;
        }
        let place = self.place(link);
        if place.looks >= LOOKS {
            (place.looks, place.called) = (place.looks / 2, place.called / 2);
        }
        place.looks += 1;
        place.called += u32::from(has_callee);
    }

    /// Whether a frame is inside a call, where it is known to make one. `has_callee`: whether
    /// a callee of it was copied too, perhaps at another moment.
    #[must_use]
    pub fn is_inside(&self, link: &Link, has_callee: bool) -> bool {
        if link.references == 0 {
            return link.may_call && (has_callee || self.usual.contains_key(&link.code));
        }
        let place = self.places.get(&(link.code, link.position)).copied().unwrap_or_default();
        if place.calling > 0 {
            return link.references >= place.calling;
        }
        let usual = self.usual.get(&link.code).copied().unwrap_or_default();
        link.references > 1
            && link.references >= usual
            && place.called > 0
            && place.called * ONE_IN >= place.looks
    }

    fn place(&mut self, link: &Link) -> &mut Place {
        if self.places.len() >= MAX_PLACES {
            *self = Self::default();
        }
        self.places.entry((link.code, link.position)).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::chain::fixtures::chain;
    use super::*;

    /// A frame at a place of one code object, held by so many.
    fn held(place: i32, references: u32) -> Link {
        Link { references, ..chain(&[(1, 10, place)])[0] }
    }

    #[test]
    fn at_a_call_a_frame_is_inside_if_as_many_hold_it_as_when_it_made_one() {
        let mut frames = Held::default();
        frames.note_caller(&held(4, 2));
        assert!(frames.is_inside(&held(4, 2), false));
        assert!(!frames.is_inside(&held(4, 1), false), "nothing but its own loop holds it");
        frames.note_caller(&held(4, 3));
        assert!(!frames.is_inside(&held(4, 2), true), "a traceback held it too");
    }

    #[test]
    fn what_is_held_where_no_callee_was_ever_seen_is_in_no_call() {
        let mut frames = Held::default();
        frames.note_caller(&held(4, 2));
        frames.note(&held(8, 2), false);
        assert!(!frames.is_inside(&held(8, 2), false), "it is in an `except` block");
    }

    #[test]
    fn a_callee_that_is_seen_now_and_again_tells_a_call() {
        let mut frames = Held::default();
        frames.note(&held(8, 2), true);
        for _ in 1..ONE_IN {
            assert!(frames.is_inside(&held(8, 2), false));
            frames.note(&held(8, 2), false);
        }
        assert!(frames.is_inside(&held(8, 2), false));
        frames.note(&held(8, 2), false);
        assert!(!frames.is_inside(&held(8, 2), false), "that callee was of another moment");
        frames.note(&held(8, 2), true);
        assert!(frames.is_inside(&held(8, 2), false));
        frames.note_caller(&held(4, 3));
        assert!(!frames.is_inside(&held(8, 2), false), "more hold it in a call");
    }

    #[test]
    fn old_looks_lose_their_weight() {
        let mut frames = Held::default();
        (0..10 * LOOKS).for_each(|_| frames.note(&held(8, 2), false));
        (0..LOOKS).for_each(|_| frames.note(&held(8, 2), true));
        assert!(frames.is_inside(&held(8, 2), false));
    }

    #[test]
    fn a_frame_that_tells_and_is_not_counted_is_believed_if_calls_are_known() {
        let mut frames = Held::default();
        let telling = Link { may_call: true, ..held(4, 0) };
        assert!(!frames.is_inside(&telling, false));
        assert!(frames.is_inside(&telling, true));
        frames.note_caller(&telling);
        assert!(frames.is_inside(&telling, false));
        assert!(!frames.is_inside(&held(4, 0), true));
    }
}
