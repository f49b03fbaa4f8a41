//! What the first attempt of a tick tells, though it proves nothing.
//!
//! A tick that is tried again looks at a later moment, and what lasts is met then: to count
//! that would give it the time of all that does not. The pointer of the first attempt was
//! copied at the moment that the clock chose. So a later proof counts only if it begins with
//! the functions that were on the stack then beyond doubt: those that both chains of the first
//! attempt have. If it does not, or if there is none, the moment is owed to these
//! ([`super::owed`]).

use super::owed::{Callee, Claim, Moment};
use super::{Engine, Remote, Thread};
use crate::abi::Abi;
use crate::memory::Memory;

/// The moment of a tick whose attempts may come too late.
#[derive(Debug, Default)]
pub(super) struct Begun {
    /// The thread whose chains were read by this attempt, if it is the only one, and runs.
    thread: Option<(Remote<Thread>, Moment)>,
    /// What the first attempt told.
    claim: Option<Claim>,
}

impl Begun {
    /// Forgets the tick before.
    pub(super) fn begin_tick(&mut self) {
        *self = Self::default();
    }

    /// Forgets the attempt before.
    pub(super) fn begin_attempt(&mut self) {
        self.thread = None;
    }

    /// Notes that the chains of a thread were read whole.
    pub(super) fn note_chains(&mut self, thread: Remote<Thread>, moment: Moment) {
        self.thread = Some((thread, moment));
    }

    /// What is owed if the tick comes to nothing that its first attempt admits.
    pub(super) fn take(&mut self) -> Option<Claim> {
        self.claim.take()
    }
}

impl<A: Abi, M: Memory> Engine<A, M> {
    /// Remembers what the first attempt told.
    pub(super) fn note_begun(&mut self) {
        let Some((thread, moment)) = self.begun.thread else { return };
        let chains = self.copied.chains();
        let callers = chains.before[..chains.common()].to_vec();
        let claim = Claim { thread: thread.address(), callers, callee: Callee::Maybe, moment };
        self.begun.claim = Some(claim).filter(|claim| !claim.callers.is_empty());
    }

    /// Whether the stack under proof may be of the moment of the tick.
    pub(super) fn is_of_tick(&self, thread: Remote<Thread>) -> bool {
        let claim = self.begun.claim.as_ref();
        claim.is_none_or(|claim| claim.admits(thread.address(), self.stack()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::chain::Chains;
    use super::super::chain::fixtures::chain;
    use super::*;
    use crate::profile::State;

    #[test]
    fn what_both_chains_have_from_the_outermost_on_is_beyond_doubt() {
        let before = chain(&[(1, 10, 4), (2, 20, 6), (3, 30, 8)]);
        let after = chain(&[(1, 10, 6), (2, 20, 6), (3, 31, 8), (4, 40, 0)]);
        assert_eq!(Chains { before: &before, after: &after }.common(), 2, "another function");
        assert_eq!(Chains { before: &before, after: &before }.common(), 3);
        assert_eq!(Chains { before: &before, after: &[] }.common(), 0);
    }

    #[test]
    fn a_later_stack_is_of_the_moment_if_it_begins_alike() {
        let state = State { holds_gil: true, on_cpu: None };
        let moment = Moment { microseconds: 1, owner: None, state, is_alone: true };
        let callers = chain(&[(1, 10, 4), (2, 20, 6)]);
        let claim = Claim { thread: 7, callers, callee: Callee::Maybe, moment };
        assert!(claim.admits(7, &chain(&[(1, 10, 8), (5, 20, 2)])), "wherever they stand");
        assert!(claim.admits(7, &chain(&[(1, 10, 4), (2, 20, 6), (3, 30, 0)])));
        assert!(!claim.admits(7, &chain(&[(1, 10, 4)])));
        assert!(!claim.admits(7, &chain(&[(1, 10, 4), (2, 21, 6)])));
        assert!(!claim.admits(8, &claim.callers));
    }
}
