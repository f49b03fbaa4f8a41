//! A tick of a run whose samples are taken in stops, or in turns alone.
//!
//! What runs stands still to be read: it waits for its turn on the processor that this program
//! has taken, or is stopped. A thread that does not run has the stack that it has.
//! If the limit of stops allows none at a tick, nothing is read: the next sample counts for
//! that tick too, and for those that this program came too late for. So each sample stands for the time since the one before it, and the shares
//! of a run with few stops are those of one with many.

use std::time::{Duration, Instant};

use super::Session;
use crate::abi::Abi;
use crate::sampler::pending::Weight;
use crate::sampler::{Source, Tick, TornReason};

/// How often threads are held at one tick: another may have got the GIL meanwhile, or one of
/// them its turn before it had been read.
const TRIES: usize = 4;

/// For how long a thread that runs may have no turn to be read in, before it is read while it
/// runs.
const LONGEST_FREE: Duration = Duration::from_secs(1);

impl<A: Abi> Session<'_, A> {
    /// Takes a sample of the threads that hold a GIL, or of all while those stand still.
    /// `None` if the limit of stops does not allow it now, or one that may not be stopped has
    /// not waited for its turn.
    pub(super) fn sample_in_stop(
        &mut self,
        moment: Instant,
        now: u64,
        deadline: Instant,
    ) -> Option<Tick> {
        self.pauses.release_late();
        let holders = self.engine.holders_now();
        if holders.as_ref().is_ok_and(Vec::is_empty) && !self.options.every_thread {
            self.account.note_proven(false);
            return Some(Tick::Proven(0));
        }
        // A process that cannot be read says so when it is sampled.
        let mut holders = holders.unwrap_or_default();
        if holders.is_empty() {
            return Some(self.sample_unstopped(moment, now, deadline));
        }
        if !self.pauses.is_due(moment) {
            self.skipped = self.skipped.saturating_add(1);
            return None;
        }
        let is_turn = self.source == Source::Turn;
        if is_turn && holders.len() > 1 {
            return Some(self.read_from_now_on(moment, now, deadline));
        }
        let every_thread = self.options.every_thread;
        let before = self.skipped.saturating_add(self.late);
        self.weigh(before.saturating_add(1));
        let Self { engine, pauses, profile, account, .. } = self;
        let mut tick = Tick::Torn(TornReason::Disturbed);
        let mut is_free = false;
        for attempt in 1..=TRIES {
            let (process, memory, roots) = (&self.process, &self.memory, &self.roots);
            let mut held = pauses.hold::<A, _>(process, memory, roots, &holders);
            let holding = engine.holders_now().unwrap_or_default();
            let have_changed = holding.iter().any(|thread| !holders.contains(thread));
            is_free = held.is_any_free();
            if !is_free && (!have_changed || attempt == TRIES) {
                tick = match holding.as_slice() {
                    [only] if held.is_by_turn() && held.holds(*only) && !every_thread => {
                        engine.tick_still(moment, now, *only, &mut held, profile, account)
                    }
                    _ => engine.tick(moment, now, deadline, &mut held, profile, account),
                };
            }
            let again = is_free || have_changed || held.is_disturbed();
            if let Some(time) = held.end() {
                let times = if is_turn { &mut account.turns } else { &mut account.stops };
                times.add(time);
                pauses.note_cost(time);
            }
            if !again {
                break;
            }
            if attempt + 1 == TRIES && !is_turn {
                pauses.take_no_turns();
            }
            holders = holding;
        }
        if let Tick::Proven(stacks) = tick {
            account.ticks += u64::from(before);
            account.skipped += u64::from(before);
            (self.skipped, self.late) = (0, 0);
            if stacks == 0 {
                // Its holder is none of those that were asked for: nor is that others' time.
                self.count_idle(now, before);
            }
        }
        self.weigh(1);
        if self.engine.has_unknown() {
            self.learn_unknown(moment, deadline);
        }
        if !is_free {
            return Some(tick);
        }
        let has_long_been_free = self.interval.saturating_mul(self.skipped) > LONGEST_FREE;
        if !self.pauses.may_take_turns() || has_long_been_free {
            return Some(self.read_from_now_on(moment, now, deadline));
        }
        self.skipped = self.skipped.saturating_add(1);
        None
    }

    /// Takes a sample while nobody stands still, as from now on: the thread that runs can be
    /// kept from running in no way that is allowed, or there are several.
    fn read_from_now_on(&mut self, moment: Instant, now: u64, deadline: Instant) -> Tick {
        self.source = Source::Read;
        self.pauses.give_up_turns();
        let before = u64::from(std::mem::take(&mut self.skipped) + std::mem::take(&mut self.late));
        self.account.ticks += before;
        self.account.note_torn(TornReason::Disturbed, before);
        self.sample_unstopped(moment, now, deadline)
    }

    /// Lets the samples to come count for so many ticks each.
    fn weigh(&mut self, ticks: u32) {
        let apart = u64::try_from(self.interval.as_micros()).unwrap_or(u64::MAX);
        self.engine.weigh(Weight { ticks, apart });
    }
}
