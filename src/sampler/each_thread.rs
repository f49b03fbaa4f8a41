//! A tick of a free-threaded process whose threads are held: each by itself.
//!
//! Threads that are attached run side by side, and their stacks have no moment in common. So
//! each is held for as long as it takes to read that one: however many run, none waits until
//! all others have come to a stop.

use std::time::Instant;

use crate::cpython::abi::{Abi, Standing};
use crate::cpython::memory::{Memory, Remote};
use crate::cpython::read::objects::Thread;
use crate::cpython::read::threads::ThreadInfo;
use crate::profile::stats::Account;
use crate::profile::{Profile, TornReason};
use crate::sampler::all_threads::Sum;
use crate::sampler::engine::Engine;
use crate::sampler::stop::held::StoppedThreads;
use crate::sampler::tick::{Tick, TickTime, Unproven};

/// A tick at which each thread is held by itself.
pub(crate) struct TickOfEach {
    time: TickTime,
    /// The threads that were attached when it began.
    pub(crate) attached: Vec<ThreadInfo>,
    /// All others, if they are sampled too.
    others: Vec<ThreadInfo>,
    sum: Sum,
}

impl<A: Abi, M: Memory + Clone> Engine<A, M> {
    /// Whether threads are attached side by side: there is no GIL.
    #[must_use]
    pub(crate) fn is_free_threaded(&self) -> bool {
        self.roots.attached().is_some()
    }

    /// Begins a tick `now`, that many `microseconds` after the epoch.
    ///
    /// # Errors
    /// What the tick came to, if the threads could not be listed.
    pub(crate) fn begin_tick_of_each(
        &mut self,
        now: Instant,
        microseconds: u64,
        deadline: Instant,
    ) -> Result<TickOfEach, Tick> {
        self.unknown.clear();
        self.owing.clear();
        let time = TickTime { now, microseconds, deadline };
        let threads = self.list_threads(time).map_err(|unproven| Tick::from(&unproven))?;
        self.forget_ended(&threads);
        let threads = self.in_turn(threads);
        let is_attached = |thread: &ThreadInfo| self.holding.contains(&thread.state);
        let (attached, mut others): (Vec<_>, Vec<_>) = threads.into_iter().partition(is_attached);
        if !self.every_thread {
            others.clear();
        }
        Ok(TickOfEach { time, attached, others, sum: Sum::default() })
    }

    /// Whether a thread is attached now.
    #[must_use]
    pub(crate) fn is_attached(&self, thread: Remote<Thread>) -> bool {
        let standing = self.roots.standing(self.prefetch.direct(), thread);
        standing == Ok(Some(Standing::Attached))
    }

    /// Samples a thread that is held. `false` if it did not stand still until it had been read.
    pub(crate) fn sample_held(
        &mut self,
        tick: &mut TickOfEach,
        thread: ThreadInfo,
        held: &mut StoppedThreads<'_>,
        profile: &mut Profile,
        account: &mut Account,
    ) -> bool {
        if !held.holds(thread.state, thread.id) {
            return false;
        }
        if self.native.is_some() {
            let sampled = self.sample_still(tick.time, thread, held, profile, account);
            let is_disturbed = matches!(sampled, Err(Unproven::Torn(TornReason::Disturbed)));
            if !is_disturbed {
                tick.sum.add(sampled);
            }
            return !is_disturbed;
        }
        let (waiting, owing) = (self.pending.len(), self.owing.len());
        let sampled = self.sample_thread(tick.time, thread, false, held, profile);
        let is_disturbed = matches!(sampled, Err(Unproven::Torn(TornReason::Disturbed)));
        if held.is_disturbed() || is_disturbed {
            self.pending.truncate(waiting);
            self.owing.truncate(owing);
            return false;
        }
        tick.sum.add(sampled);
        true
    }

    /// Samples the threads that nobody holds, and counts those that could not be held, and the
    /// `rest` of those that were attached: the deadline came first, so the next tick begins with
    /// them.
    pub(crate) fn end_tick_of_each(
        &mut self,
        tick: TickOfEach,
        unheld: usize,
        rest: &[ThreadInfo],
        profile: &mut Profile,
        account: &mut Account,
    ) -> Tick {
        let TickOfEach { time, others, mut sum, .. } = tick;
        account.suspended += self.suspended.len() as u64 * u64::from(self.weight.ticks);
        for _ in 0..unheld + rest.len() {
            sum.add(Err(Unproven::Torn(TornReason::Disturbed)));
        }
        self.sample_others(time, &others, false, &mut sum, profile);
        if let Some(first) = rest.first() {
            self.unreached = Some(first.state);
        }
        self.conclude_tick(sum, account)
    }
}
