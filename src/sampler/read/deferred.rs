//! Moments of which all is known but the innermost frames.
//!
//! A frame that says that it is inside a call, where it is known to make one, was not on
//! top. Which frame it had called, and where that stood, its copy does not say, and the
//! callee's may be of another moment: a short function comes and goes while all is copied.
//! To give such a moment to the caller, or to look until some callee is met, would give the
//! time of short functions to others. So it is deferred: the next proven stack that goes
//! through the same call is counted for it too. Up to 3.10 a pointer named the innermost
//! frame, and it has left ([`crate::sampler::read::top_pointer`]): the next proven stack with that on top, and
//! the same functions below, is counted for it.

use std::mem;

use crate::cpython::read::code::CodeId;
use crate::cpython::read::frames::Position;
use crate::profile::{State, ThreadId};
use crate::sampler::frame_record::FrameRecord;

/// The most calls that moments wait for at a time. Beyond that the oldest is given up.
const MOST_CALLS: usize = 1024;

/// After so many proven stacks that do not go through it, a call is given up.
const PATIENCE: u32 = 1 << 16;

/// A moment that waits for its stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// When, since the epoch.
    pub microseconds: u64,
    /// What the profile knows the thread by.
    pub owner: Option<ThreadId>,
    /// What the thread did.
    pub state: State,
    /// Whether no other thread was sampled at that tick.
    pub is_alone: bool,
}

/// What was called by the innermost frame of which more is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Callee {
    /// The frame at this address, which was on top.
    Top(u64),
    /// Whichever is called from where that frame stood.
    Any,
}

/// A moment, and what is known of its stack.
#[derive(Debug)]
pub(crate) struct Claim {
    /// The thread, by address.
    pub thread: u64,
    /// The stack up to the frame that made a call, outermost first.
    pub callers: Vec<FrameRecord>,
    /// What that had called.
    pub callee: Callee,
    /// When, and the like.
    pub moment: Moment,
}

/// Moments that wait for one call.
#[derive(Debug)]
struct DeferredCall {
    /// The thread, by address.
    thread: u64,
    /// The stack up to the frame that made the call, outermost first: functions, and where
    /// they stood.
    callers: Vec<(CodeId, Position)>,
    /// How many held the frame of the last.
    references: u32,
    callee: Callee,
    moments: Vec<Moment>,
    /// The number of the proven stack after which it began.
    since: u32,
}

/// All moments that wait.
#[derive(Debug, Default)]
pub(crate) struct Deferred {
    /// The oldest first.
    calls: Vec<DeferredCall>,
    /// How many proven stacks there were.
    stacks: u32,
    given_up: Vec<Moment>,
}

impl Deferred {
    /// Owes a moment to the call that its last caller was inside of, or to a frame that it
    /// led to.
    pub(crate) fn note(&mut self, claim: &Claim) {
        let Claim { thread, ref callers, callee, moment } = *claim;
        let is_same = |call: &&mut DeferredCall| {
            call.callee == callee
                && call.callers.len() == callers.len()
                && call.has_callers(thread, callers)
        };
        let known = self.calls.iter_mut().find(is_same);
        if let Some(call) = known {
            call.moments.push(moment);
            return;
        }
        if self.calls.len() >= MOST_CALLS {
            self.given_up.append(&mut self.calls.remove(0).moments);
        }
        let references = callers.last().map_or(0, |last| last.references);
        let callers = callers.iter().map(|link| (link.code, link.position)).collect();
        let moments = vec![moment];
        self.calls.push(DeferredCall {
            thread,
            callers,
            references,
            callee,
            moments,
            since: self.stacks,
        });
    }

    /// Whether no moment waits.
    pub(crate) fn is_none(&self) -> bool {
        self.calls.is_empty()
    }

    /// The moments that a proven stack stands for, besides its own.
    pub(crate) fn resolve(&mut self, thread: u64, stack: &[FrameRecord]) -> Vec<Moment> {
        let mut resolved = Vec::new();
        self.stacks = self.stacks.wrapping_add(1);
        let Self { calls, stacks, given_up } = self;
        calls.retain_mut(|call| {
            let ended = if call.is_resolved_by(thread, stack) {
                &mut resolved
            } else if stacks.wrapping_sub(call.since) > PATIENCE {
                &mut *given_up
            } else {
                return true;
            };
            ended.append(&mut call.moments);
            false
        });
        resolved
    }

    /// The moments for which no stack was found.
    pub(crate) fn given_up(&mut self) -> Vec<Moment> {
        mem::take(&mut self.given_up)
    }

    /// Gives up all that still wait.
    pub(crate) fn give_up(&mut self) {
        self.calls.drain(..).for_each(|mut call| self.given_up.append(&mut call.moments));
    }
}

impl DeferredCall {
    /// Whether a stack goes on from the same callers, to the same frame.
    fn is_resolved_by(&self, thread: u64, stack: &[FrameRecord]) -> bool {
        let Some((callers, rest)) = stack.split_at_checked(self.callers.len()) else {
            return false;
        };
        let is_met = match self.callee {
            Callee::Top(frame) => rest.last().is_some_and(|top| top.frame == frame),
            Callee::Any => !rest.is_empty(),
        };
        is_met && self.has_callers(thread, callers)
    }

    /// Whether these are the same callers, in the same frames or later ones; and if that
    /// says whom they called, whether they stand where they stood, and the last is held by as
    /// many.
    fn has_callers(&self, thread: u64, callers: &[FrameRecord]) -> bool {
        let references = callers.last().map_or(0, |last| last.references);
        let anywhere = self.callee != Callee::Any;
        let is_same = |(deferred, link): (&(CodeId, Position), &FrameRecord)| {
            deferred.0 == link.code && (anywhere || deferred.1 == link.position)
        };
        // The innermost first: they differ most.
        self.thread == thread
            && (anywhere || self.references == references)
            && self.callers.iter().zip(callers).rev().all(is_same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampler::read::chain::fixtures::chain;

    fn moment(microseconds: u64) -> Moment {
        let state = State { holds_gil: true, ..State::default() };
        Moment { microseconds, owner: None, state, is_alone: true }
    }

    fn claim(callers: Vec<FrameRecord>, callee: Callee, moment: Moment) -> Claim {
        Claim { thread: 7, callers, callee, moment }
    }

    fn callers() -> Vec<FrameRecord> {
        let mut callers = chain(&[(1, 10, 4), (2, 20, 6)]);
        callers[1].references = 2;
        callers
    }

    /// A stack that goes on from such callers.
    fn on(callers: &[FrameRecord]) -> Vec<FrameRecord> {
        let mut stack = callers.to_vec();
        stack.extend(chain(&[(3, 30, 8)]));
        stack
    }

    #[test]
    fn the_next_stack_through_the_same_call_pays_for_all_moments() {
        let mut deferred = Deferred::default();
        deferred.note(&claim(callers(), Callee::Any, moment(1)));
        deferred.note(&claim(callers(), Callee::Any, moment(2)));
        assert_eq!(deferred.resolve(7, &callers()), [], "it has to go on from there");
        assert_eq!(deferred.resolve(8, &on(&callers())), [], "of another thread");
        let mut elsewhere = callers();
        elsewhere[1].position = chain(&[(2, 20, 8)])[0].position;
        assert_eq!(deferred.resolve(7, &on(&elsewhere)), []);
        let mut referenced = callers();
        referenced[1].references = 3;
        assert_eq!(
            deferred.resolve(7, &on(&referenced)),
            [],
            "the caller was held by more than its callee"
        );
        let mut later = callers();
        later[0].frame = 11;
        assert_eq!(deferred.resolve(7, &on(&later)), [moment(1), moment(2)], "in other frames");
        assert_eq!(deferred.resolve(7, &on(&callers())), []);
        assert_eq!(deferred.given_up(), []);
    }

    #[test]
    fn a_frame_that_was_on_top_is_resolved_by_itself_on_top_of_the_same_functions() {
        let mut deferred = Deferred::default();
        deferred.note(&claim(callers(), Callee::Top(3), moment(1)));
        deferred.note(&claim(callers(), Callee::Top(4), moment(2)));
        let mut moved = callers();
        moved[1].position = chain(&[(2, 20, 8)])[0].position;
        let mut deeper = on(&moved);
        deeper.extend(chain(&[(5, 50, 0)]));
        assert_eq!(deferred.resolve(7, &deeper), [], "it is not on top");
        let mut others = moved.clone();
        others[0].code = chain(&[(1, 11, 4)])[0].code;
        assert_eq!(deferred.resolve(7, &on(&others)), [], "other functions called it");
        assert_eq!(deferred.resolve(7, &on(&moved)), [moment(1)], "wherever its callers stand");
        deferred.give_up();
        assert_eq!(deferred.given_up(), [moment(2)]);
    }

    #[test]
    fn what_no_stack_pays_for_is_given_up() {
        let mut deferred = Deferred::default();
        deferred.note(&claim(callers(), Callee::Any, moment(1)));
        for _ in 0..PATIENCE {
            assert_eq!(deferred.resolve(7, &callers()), []);
        }
        assert_eq!(deferred.given_up(), []);
        assert_eq!(deferred.resolve(7, &callers()), []);
        assert_eq!(deferred.given_up(), [moment(1)]);
    }

    #[test]
    fn of_too_many_calls_the_oldest_is_given_up() {
        let mut deferred = Deferred::default();
        for call in 0..=MOST_CALLS as u32 {
            let callers = chain(&[(1, call, 4)]);
            deferred.note(&claim(callers, Callee::Any, moment(u64::from(call))));
        }
        assert_eq!(deferred.given_up(), [moment(0)]);
        deferred.give_up();
        assert_eq!(deferred.given_up().len(), MOST_CALLS);
        assert_eq!(deferred.given_up(), []);
    }
}
