//! A tick of a run whose samples are taken in stops, or in turns alone.
//!
//! What runs stands still to be read: it waits for its turn on the processor that this program
//! has taken, or is stopped. A thread that does not run has the stack that it has.
//! If the limit of stops allows none at a tick, or the thread could not be held, nothing is read:
//! the next sample counts for that tick too, and for those that this program came too late for. So
//! each sample stands for the time since the one before it, and the shares of a run with few stops
//! are those of one with many.

use std::time::{Duration, Instant};

use super::Session;
use crate::cpython::abi::Abi;
use crate::cpython::memory::Remote;
use crate::cpython::read::objects::Thread;
use crate::profile::{Source, TornReason};
use crate::sampler::Tick;
use crate::sampler::commit_queue::Weight;

/// How often threads are held at one tick: another may have got the GIL meanwhile, or one of
/// them its turn before it had been read.
pub(super) const TRIES: usize = 4;

/// For how long, and at how many ticks that were to be read, no thread could be held. Then one
/// that is never stopped is read while it runs, and of others these ticks are torn.
const LONGEST_FREE: Duration = Duration::from_secs(1);
const MANY_FREE: u32 = 8;

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
        let holders = holders.unwrap_or_default();
        if !holders.is_empty() && !self.pauses.is_due(moment) {
            self.skipped = self.skipped.saturating_add(1);
            return None;
        }
        if self.source == Source::Turn && holders.len() > 1 {
            return Some(self.read_from_now_on(moment, now, deadline));
        }
        // Ticks are skipped while somebody holds a GIL, and it is that time that they stand for.
        let skipped = if holders.is_empty() { 0 } else { self.skipped };
        let before = skipped.saturating_add(self.late);
        self.weigh(before.saturating_add(1));
        let (mut tick, is_free) = self.read_holders(moment, now, deadline, &holders);
        if self.engine.has_unknown() {
            let has_learnt = self.learn_unknown(moment, deadline);
            if has_learnt && holders.is_empty() && matches!(tick, Tick::Torn(_)) {
                (tick, _) = self.read_holders(moment, now, deadline, &holders);
            }
        }
        self.weigh(1);
        if let Tick::Proven(stacks) = tick {
            self.account.ticks += u64::from(before);
            self.account.skipped += u64::from(before);
            (self.skipped, self.late) = (self.skipped - skipped, 0);
            if stacks == 0 {
                // Its holder is none of those that were asked for: nor is that others' time.
                self.count_idle(now, before);
            }
        }
        if !is_free && tick != Tick::Torn(TornReason::Disturbed) {
            self.unheld = None;
            return Some(tick);
        }
        let (since, ticks) = self.unheld.map_or((moment, 1), |(since, ticks)| (since, ticks + 1));
        self.unheld = Some((since, ticks));
        let for_long = moment.saturating_duration_since(since) > LONGEST_FREE && ticks >= MANY_FREE;
        let is_barred = is_free && !self.pauses.may_take_turns();
        if self.source == Source::Turn && (is_barred || for_long) {
            return Some(self.read_from_now_on(moment, now, deadline));
        }
        if for_long {
            self.unheld = None;
            self.give_up_skipped();
            return Some(tick);
        }
        self.skipped = self.skipped.saturating_add(1);
        None
    }

    /// Reads the threads that hold a GIL while they stand still, and all others if they are
    /// asked for. Whether one of them ran on throughout.
    fn read_holders(
        &mut self,
        moment: Instant,
        now: u64,
        deadline: Instant,
        holders: &[Remote<Thread>],
    ) -> (Tick, bool) {
        if self.engine.is_free_threaded() {
            return self.read_each(moment, now, deadline);
        }
        let is_turn = self.source == Source::Turn;
        let every_thread = self.options.every_thread;
        let with_native = self.options.native.is_any();
        let Self { engine, pauses, profile, account, process, memory, roots, .. } = self;
        let mut holders = holders.to_vec();
        let mut tick = Tick::Torn(TornReason::Disturbed);
        let mut is_free = false;
        for attempt in 1..=TRIES {
            if attempt > 1 && !holders.is_empty() && !pauses.is_due(moment) {
                break;
            }
            let is_last = attempt == TRIES;
            let mut held = pauses.hold::<A, _>((process, memory, roots), &holders, is_last);
            let holding = engine.holders_now().unwrap_or_default();
            let have_changed = holding.iter().any(|thread| !held.knows(*thread));
            is_free = held.is_any_free();
            if !is_free && (!have_changed || is_last) {
                tick = match holding.as_slice() {
                    [only] if !every_thread && (held.is_by_turn(*only) || with_native) => {
                        engine.tick_still(moment, now, *only, &mut held, profile, account)
                    }
                    _ => engine.tick(moment, now, deadline, &mut held, profile, account),
                };
            }
            let is_disturbed = tick == Tick::Torn(TornReason::Disturbed);
            // One that is late would not be waited for again.
            let is_any_late = held.is_any_late();
            if let Some(time) = held.end() {
                let times = if is_turn { &mut account.turns } else { &mut account.stops };
                times.add(time);
                pauses.note_cost(time);
            }
            if !is_disturbed || is_any_late {
                break;
            }
            if attempt + 1 == TRIES && !is_turn {
                pauses.take_no_turns();
            }
            holders = joined(holders, holding);
        }
        (tick, is_free)
    }

    /// Counts the ticks as torn that no sample has stood for.
    pub(super) fn give_up_skipped(&mut self) {
        let before = u64::from(std::mem::take(&mut self.skipped) + std::mem::take(&mut self.late));
        self.account.ticks += before;
        self.account.note_torn(TornReason::Disturbed, before);
    }

    /// Takes a sample while nobody stands still, as from now on: the thread that runs can be
    /// kept from running in no way that is allowed, or there are several.
    fn read_from_now_on(&mut self, moment: Instant, now: u64, deadline: Instant) -> Tick {
        self.source = Source::Read;
        self.pauses.give_up_turns();
        self.give_up_skipped();
        self.sample_unstopped(moment, now, deadline)
    }

    /// Lets the samples to come count for so many ticks each.
    fn weigh(&mut self, ticks: u32) {
        let apart = u64::try_from(self.interval.as_micros()).unwrap_or(u64::MAX);
        self.engine.weigh(Weight { ticks, apart });
    }
}

/// Whom to hold at the next try: those that hold a GIL now, and where there are several those
/// that held one before, and may again.
fn joined(before: Vec<Remote<Thread>>, mut now: Vec<Remote<Thread>>) -> Vec<Remote<Thread>> {
    if before.len() > 1 || now.len() > 1 {
        let others = before.into_iter().filter(|thread| !now.contains(thread));
        now.extend(others.collect::<Vec<_>>());
    }
    now
}
