//! Up to 3.10, the innermost frame of a moment is the one that the first pointer named.
//!
//! A frame that another holds is inside a call, or just before or after one, or a traceback
//! has it. A callee is made before the thread turns to it, and unmade after the thread has
//! turned back: for a function of a fraction of a microsecond that takes as long as the call
//! itself. The pointer turns at one instant, and the clock alone decides when it is copied.
//! If the frame that it named has left the stack by the time that the frames are copied,
//! the moment is deferred ([`crate::sampler::read::deferred`]).

use crate::cpython::abi::Abi;
use crate::cpython::memory::{Memory, Remote};
use crate::cpython::read::frames::{Broken, Frames};
use crate::cpython::read::objects::Thread;
use crate::sampler::engine::Engine;
use crate::sampler::fetch::prefetch::Side;
use crate::sampler::read::callees::Callees;
use crate::sampler::read::chain::{Chains, Part, position};

/// So many spans between the two copies of the pointer take two or three microseconds. A
/// stack that takes longer to copy, and changes, has other frames by then: nothing would be
/// met again that the first pointer named, and what is deferred would never be resolved.
const BRIEF: usize = 8;

/// So many of the innermost frames may have been the caller of one that has left.
const NEAR: usize = 4;

/// What the first pointer tells of the stack under proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sampler) enum LeafEvidence {
    /// Nothing: the frames themselves have to tell.
    Nothing,
    /// It ends with the frame that the pointer named.
    OnTop,
    /// It ends with a caller of the frame at this address, which the pointer named.
    Left(u64),
}

impl<A: Abi, M: Memory> Engine<A, M> {
    /// Lets the stack under proof of a `thread` end by the first pointer, if it runs.
    /// `is_decided`: whether the frames tell a stack.
    pub(in crate::sampler) fn turn_to_first(
        &mut self,
        thread: Remote<Thread>,
        is_decided: bool,
    ) -> Result<LeafEvidence, Broken> {
        let first = self.copied.before.walk.top.address();
        let is_told = A::Frames::ON_HEAP && first != 0 && self.prefetch.hot() <= BRIEF;
        if !(is_told && self.holds_gil(thread)?) {
            return Ok(LeafEvidence::Nothing);
        }
        let is_top = is_decided && self.stack().last().is_some_and(|top| top.frame == first);
        let chains = self.copied.chains();
        let (told, length) = match told_by(first, &chains, &self.callees) {
            Some(on_top @ (LeafEvidence::OnTop, _)) => on_top,
            _ if is_top => return Ok(LeafEvidence::OnTop), // Through a call that is known.
            Some(left) => left,
            None => return Ok(LeafEvidence::Nothing),
        };
        // If it says itself who called it, that is worth to be remembered.
        if let Some(left) = chains.before.last().filter(|link| link.frame == first) {
            self.callees.note(&chains.after[length - 1], left);
        }
        self.stack = Part { side: Side::After, length };
        self.note_common(thread);
        Ok(told)
    }
}

/// What the pointer to the frame at `first` tells, and how many frames of the last chain
/// were on the stack then. One that is not among them was called by one of them by its own
/// word, or as it once was.
fn told_by(first: u64, chains: &Chains<'_>, callees: &Callees) -> Option<(LeafEvidence, usize)> {
    let after = chains.after;
    if let Some(at) = position(after, first) {
        return Some((LeafEvidence::OnTop, at + 1));
    }
    let left = chains.before.last().filter(|link| link.frame == first);
    let by_its_word = left.and_then(|left| position(after, left.caller));
    let once = || {
        let near = after.len().saturating_sub(NEAR)..after.len();
        near.rev().find(|at| callees.leads_to(after[*at].frame, first))
    };
    by_its_word.or_else(once).map(|at| (LeafEvidence::Left(first), at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampler::frame_record::FrameRecord;
    use crate::sampler::read::chain::fixtures::chain;

    /// A chain of which each frame was called by the one before it.
    fn linked(links: &[(u64, u32, i32)]) -> Vec<FrameRecord> {
        let mut links = chain(links);
        for callee in 1..links.len() {
            links[callee].caller = links[callee - 1].frame;
        }
        links
    }

    fn told(
        first: u64,
        before: &[FrameRecord],
        after: &[FrameRecord],
        callees: &Callees,
    ) -> Option<(LeafEvidence, usize)> {
        told_by(first, &Chains { before, after }, callees)
    }

    #[test]
    fn the_frame_that_was_named_is_on_top_whatever_it_has_called_since() {
        let none = Callees::default();
        let stack = linked(&[(1, 10, 4), (2, 20, 6), (3, 30, 7)]);
        assert_eq!(told(3, &stack, &stack, &none), Some((LeafEvidence::OnTop, 3)));
        assert_eq!(told(2, &stack[..2], &stack, &none), Some((LeafEvidence::OnTop, 2)));
    }

    #[test]
    fn one_that_has_left_says_who_called_it() {
        let none = Callees::default();
        let stack = linked(&[(1, 10, 4), (2, 20, 6), (3, 30, 7)]);
        assert_eq!(told(3, &stack, &stack[..2], &none), Some((LeafEvidence::Left(3), 2)));
        let next = linked(&[(1, 10, 4), (2, 20, 8), (4, 40, 1)]);
        assert_eq!(told(3, &stack, &next, &none), Some((LeafEvidence::Left(3), 2)));
    }

    #[test]
    fn of_one_that_was_given_back_it_is_known_who_once_called_it() {
        let stack = linked(&[(1, 10, 4), (2, 20, 6), (3, 30, 7), (4, 40, 2)]);
        let given_back = chain(&[(4, 40, 2)]);
        let mut callees = Callees::default();
        let told = |callees: &Callees| told(4, &given_back, &stack[..2], callees);
        assert_eq!(told(&callees), None);
        stack.windows(2).for_each(|pair| callees.note(&pair[0], &pair[1]));
        assert_eq!(told(&callees), Some((LeafEvidence::Left(4), 2)));
    }

    #[test]
    fn nobody_far_below_is_taken_for_its_caller() {
        let stack = linked(&[(1, 10, 4), (2, 20, 6), (3, 30, 7), (4, 40, 2), (5, 50, 2)]);
        let callee = FrameRecord { caller: 1, ..chain(&[(9, 90, 2)])[0] };
        let given_back = chain(&[(9, 90, 2)]);
        let mut callees = Callees::default();
        callees.note(&stack[0], &callee);
        assert_eq!(told(9, &given_back, &stack, &callees), None);
        assert_eq!(
            told(9, &given_back, &stack[..NEAR], &callees),
            Some((LeafEvidence::Left(9), 1))
        );
    }
}
