//! Moments of which all is known but the innermost frames.
//!
//! A frame that says that it is inside a call, where it is known to make one, was not on
//! top. Which frame it had called, and where that stood, its copy does not say, and the
//! callee's may be of another moment: a short function comes and goes while all is copied.
//! To give such a moment to the caller, or to look until some callee is met, would give the
//! time of short functions to others. So it is owed: the next proven stack that goes
//! through the same call is counted for it too.

use std::mem;

use super::chain::Link;
use crate::profile::{State, ThreadId};

/// The most calls that something is owed to at a time. Beyond that the oldest is given up.
const MOST_CALLS: usize = 256;

/// After so many proven stacks that do not go through it, a call is given up.
const PATIENCE: u32 = 1 << 16;

/// A moment that is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// When, since the epoch.
    pub microseconds: u64,
    /// What the profile knows the thread by.
    pub owner: Option<ThreadId>,
    /// What the thread did.
    pub state: State,
    /// Whether no other thread was sampled at that tick.
    pub is_alone: bool,
}

/// What is owed to one call.
#[derive(Debug)]
struct Debt {
    thread: u64,
    /// The stack up to the frame that made the call, outermost first.
    callers: Vec<Link>,
    moments: Vec<Moment>,
    /// The number of the proven stack after which it began.
    since: u32,
}

/// All that is owed.
#[derive(Debug, Default)]
pub struct Owed {
    /// The oldest first.
    debts: Vec<Debt>,
    /// How many proven stacks there were.
    stacks: u32,
    given_up: Vec<Moment>,
}

impl Owed {
    /// Owes a moment to the call that the last of `callers` was inside of.
    pub fn note(&mut self, thread: u64, callers: &[Link], moment: Moment) {
        let known = self.debts.iter_mut().find(|debt| debt.is_owed_to(thread, callers));
        if let Some(debt) = known {
            debt.moments.push(moment);
            return;
        }
        if self.debts.len() >= MOST_CALLS {
            self.given_up.append(&mut self.debts.remove(0).moments);
        }
        let (callers, moments) = (callers.to_vec(), vec![moment]);
        self.debts.push(Debt { thread, callers, moments, since: self.stacks });
    }

    /// Whether nothing is owed.
    pub fn is_none(&self) -> bool {
        self.debts.is_empty()
    }

    /// The moments that a proven stack stands for, besides its own.
    pub fn pay(&mut self, thread: u64, stack: &[Link]) -> Vec<Moment> {
        let mut paid = Vec::new();
        self.stacks = self.stacks.wrapping_add(1);
        let Self { debts, stacks, given_up } = self;
        debts.retain_mut(|debt| {
            let goes_on = stack.len() > debt.callers.len();
            let ended = if goes_on && debt.is_owed_to(thread, &stack[..debt.callers.len()]) {
                &mut paid
            } else if stacks.wrapping_sub(debt.since) > PATIENCE {
                &mut *given_up
            } else {
                return true;
            };
            ended.append(&mut debt.moments);
            false
        });
        paid
    }

    /// The moments for which no stack was found.
    pub fn given_up(&mut self) -> Vec<Moment> {
        mem::take(&mut self.given_up)
    }

    /// Gives up all that is still owed.
    pub fn give_up(&mut self) {
        self.debts.drain(..).for_each(|mut debt| self.given_up.append(&mut debt.moments));
    }
}

impl Debt {
    /// Whether these are the same callers, in the same frames or later ones, of whom the
    /// last stands on the same call and is held by as many.
    fn is_owed_to(&self, thread: u64, callers: &[Link]) -> bool {
        let held = |callers: &[Link]| callers.last().map(|caller| caller.references);
        // The innermost first: they differ most.
        let mut pairs = self.callers.iter().zip(callers).rev();
        self.thread == thread
            && self.callers.len() == callers.len()
            && pairs.all(|(owed, link)| owed.stands_as(link))
            && held(&self.callers) == held(callers)
    }
}

#[cfg(test)]
mod tests {
    use super::super::chain::fixtures::chain;
    use super::*;

    fn moment(microseconds: u64) -> Moment {
        let state = State { holds_gil: true, on_cpu: None };
        Moment { microseconds, owner: None, state, is_alone: true }
    }

    fn callers() -> Vec<Link> {
        let mut callers = chain(&[(1, 10, 4), (2, 20, 6)]);
        callers[1].references = 2;
        callers
    }

    /// A stack that goes on from such callers.
    fn on(callers: &[Link]) -> Vec<Link> {
        let mut stack = callers.to_vec();
        stack.extend(chain(&[(3, 30, 8)]));
        stack
    }

    #[test]
    fn the_next_stack_through_the_same_call_pays_for_all_moments() {
        let mut owed = Owed::default();
        owed.note(7, &callers(), moment(1));
        owed.note(7, &callers(), moment(2));
        assert_eq!(owed.pay(7, &callers()), [], "it has to go on from there");
        assert_eq!(owed.pay(8, &on(&callers())), [], "of another thread");
        let mut elsewhere = callers();
        elsewhere[1].position = chain(&[(2, 20, 8)])[0].position;
        assert_eq!(owed.pay(7, &on(&elsewhere)), []);
        let mut held = callers();
        held[1].references = 3;
        assert_eq!(owed.pay(7, &on(&held)), [], "the caller was held by more than its callee");
        let mut later = callers();
        later[0].frame = 11;
        assert_eq!(owed.pay(7, &on(&later)), [moment(1), moment(2)], "in other frames");
        assert_eq!(owed.pay(7, &on(&callers())), []);
        assert_eq!(owed.given_up(), []);
    }

    #[test]
    fn what_no_stack_pays_for_is_given_up() {
        let mut owed = Owed::default();
        owed.note(7, &callers(), moment(1));
        for _ in 0..PATIENCE {
            assert_eq!(owed.pay(7, &callers()), []);
        }
        assert_eq!(owed.given_up(), []);
        assert_eq!(owed.pay(7, &callers()), []);
        assert_eq!(owed.given_up(), [moment(1)]);
    }

    #[test]
    fn of_too_many_calls_the_oldest_is_given_up() {
        let mut owed = Owed::default();
        for call in 0..=MOST_CALLS as u32 {
            owed.note(7, &chain(&[(1, call, 4)]), moment(u64::from(call)));
        }
        assert_eq!(owed.given_up(), [moment(0)]);
        owed.give_up();
        assert_eq!(owed.given_up().len(), MOST_CALLS);
        assert_eq!(owed.given_up(), []);
    }
}
