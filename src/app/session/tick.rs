//! One tick of a run: a sample, or what there is to say in its place.

use std::time::{Duration, Instant};

use super::search::Found;
use super::{LONGEST_TICK, Session};
use crate::app::signals::Signals;
use crate::cpython::abi::Abi;
use crate::profile::{NativeTorn, Source, TornReason};
use crate::sampler::clock::Clock;
use crate::sampler::stop::held::StoppedThreads;
use crate::sampler::{Tick, Unknown};
use crate::target::live::nap;

/// How often the first sample is tried, and for how long where it is the only one.
const FIRST_LOOKS: u32 = 100;
const ONLY_SAMPLE: Duration = Duration::from_secs(1);

/// The pause between two of these, if the limit of stops asks for one.
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

impl<A: Abi> Session<'_, A> {
    /// Takes one sample, stopping the process if it is the clock's turn to. `false`
    /// if there is nothing left to sample.
    pub(super) fn tick(&mut self, moment: Instant, signals: &Signals) -> bool {
        let now = self.window.microseconds(moment);
        let is_lost = self.has_lost_it(now);
        // The kernel's engine counts the ticks itself.
        self.account.ticks += u64::from(is_lost);
        if is_lost {
            match self.search() {
                Found::Interpreter => {}
                Found::NothingYet => {
                    if let Some(interrupts) = &mut self.interrupts {
                        interrupts.put_off_look(moment);
                    }
                    self.fail(now);
                    return true;
                }
                Found::TheEnd => return false,
            }
        }
        if self.interrupts.is_some() {
            return self.tick_by_interrupts(moment, now);
        }
        let is_only = self.options.duration.is_some_and(|duration| duration.is_zero());
        let mut tick = match self.sample(moment, now) {
            Some(tick) => tick,
            None if is_only => Tick::Torn(TornReason::Disturbed),
            None => return true,
        };
        self.account.ticks += u64::from(!is_lost);
        // Nothing is known of the program's calls yet: the first sample takes a
        // few looks more. That something is owed a stack is not enough: a run may be one tick.
        let patience = if is_only { ONLY_SAMPLE } else { LONGEST_TICK };
        for look in 0.. {
            let is_missing = matches!(tick, Tick::Torn(_)) || self.engine.owes_stacks();
            let is_first = self.account.at_once + self.account.retried == 0;
            let may_go_on = moment.elapsed() < patience && !signals.ask_for_end();
            let is_enough = look >= FIRST_LOOKS && !is_only;
            if !(is_missing && is_first && may_go_on) || is_enough {
                break;
            }
            if look >= FIRST_LOOKS {
                nap(BETWEEN_LOOKS);
            }
            self.engine.forget_owed();
            if is_only {
                self.skipped = 0; // It stands for no other tick.
            }
            match self.sample(Instant::now(), now) {
                Some(next) => tick = next,
                None if is_only => nap(BETWEEN_LOOKS),
                None => break,
            }
        }
        match tick {
            Tick::Gone => return false,
            Tick::Proven(stacks) => {
                self.failures = 0;
                if stacks == 0 {
                    let late = std::mem::take(&mut self.late);
                    self.account.ticks += u64::from(late);
                    self.account.skipped += u64::from(late);
                    self.count_idle(now, late + 1);
                }
            }
            Tick::Torn(reason) => self.account.note_torn(reason, 1),
            Tick::Failed(broken) => {
                log::debug!("a tick has failed: {broken}");
                self.account.last_failure = Some(broken.to_string());
                self.fail(now);
            }
        }
        true
    }

    /// Counts so many ticks at which nobody ran Python code that is to be sampled.
    pub(super) fn count_idle(&mut self, now: u64, ticks: u32) {
        self.account.idle += u64::from(ticks);
        if !self.options.exclude_idle {
            (0..ticks).for_each(|_| self.profile.record_idle(now));
        }
    }

    /// Lets the next sample count for ticks that this program came too late for, if each stands
    /// for the time since the one before it. Not if that is long: then this program was stopped
    /// itself, perhaps with the command that it samples.
    pub(super) fn note_late(&mut self, clock: &Clock) {
        let late = clock.late() - self.seen_late;
        self.seen_late += late;
        let ticks = u32::try_from(late).unwrap_or(u32::MAX);
        let is_short = self.interval.saturating_mul(ticks) <= LONGEST_TICK;
        if is_short && self.source.reads_what_stands() {
            self.window.late += late;
            self.late = self.late.saturating_add(ticks);
        }
    }

    /// Counts a moment at which the process could not be read.
    pub(super) fn fail(&mut self, now: u64) {
        self.account.failed += 1;
        self.profile.record_failed(now);
        self.failures += 1;
    }

    /// Takes a sample. `None` if the thread that runs would have to be stopped for it, and
    /// that is not allowed yet.
    fn sample(&mut self, moment: Instant, now: u64) -> Option<Tick> {
        let deadline = Instant::now() + LONGEST_TICK;
        let noted = self.account.native_stacks();
        let tick = match self.source {
            Source::Stop | Source::Turn => self.sample_in_stop(moment, now, deadline),
            Source::Interrupt | Source::Read => Some(self.sample_unstopped(moment, now, deadline)),
        };
        if let (Some(Tick::Proven(stacks)), true) = (tick, self.options.native.is_any()) {
            // Of threads that did not stand still by themselves nobody has asked.
            let rest = (stacks as u64).saturating_sub(self.account.native_stacks() - noted);
            self.account.note_native(Err(NativeTorn::Absent), rest);
        }
        tick
    }

    /// Takes a sample while nobody is stopped.
    pub(super) fn sample_unstopped(
        &mut self,
        moment: Instant,
        now: u64,
        deadline: Instant,
    ) -> Tick {
        let Self { engine, profile, account, .. } = self;
        let mut nobody = StoppedThreads::default();
        let tick = engine.tick(moment, now, deadline, &mut nobody, profile, account);
        let has_learnt = engine.has_unknown() && self.learn_unknown(moment, deadline);
        if !has_learnt || !matches!(tick, Tick::Torn(_)) {
            return tick;
        }
        let Self { engine, profile, account, .. } = self;
        engine.tick(moment, now, deadline, &mut nobody, profile, account)
    }

    /// Meets the threads whose calls were not known, where they stand still or may wait for
    /// their turn. Whether anything new was learnt.
    pub(super) fn learn_unknown(&mut self, moment: Instant, deadline: Instant) -> bool {
        let Self { engine, pauses, account, process, memory, roots, .. } = self;
        let (mut is_any, mut is_new) = (false, false);
        for Unknown { thread, holds_gil } in engine.take_unknown() {
            // In stops and turns one that holds a GIL is held to be read, and teaches nothing more.
            let is_read = self.source == Source::Read || !holds_gil;
            let may_wait = is_read && pauses.may_learn(moment);
            if holds_gil && !may_wait || Instant::now() >= deadline {
                continue;
            }
            let there = (&*process, &*memory, &*roots);
            let mut held = pauses.hold_to_learn::<A, _>(there, thread, may_wait);
            let is_free = held.is_any_free();
            is_any |= may_wait || !is_free;
            let has_stood = |identity| held.holds(thread, identity) && held.has_stood(thread);
            is_new |= !is_free && engine.meet(moment, thread, has_stood);
            if let Some(time) = held.end() {
                account.turns.add(time);
                pauses.note_cost(time);
            }
        }
        if is_any {
            pauses.end_learning(moment, is_new);
        }
        is_new
    }
}
