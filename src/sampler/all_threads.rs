//! A tick of all threads. Each is read and proven by itself, from a fetch of its own: what
//! changes in one does not cost the others, and a tick grows with the threads that run.
//!
//! A thread that has not run since its last stack was proven has that stack still. So
//! a server with a thousand threads that wait costs a look of the kernel at each of them.
//! A tick that takes too long is cut short, and the next one begins where it ended: with
//! however many threads, each has its turn.

use std::time::Instant;

use rustc_hash::FxHashSet;

use crate::cpython::abi::{Abi, Standing};
use crate::cpython::memory::{Memory, Remote};
use crate::cpython::read::frames::{Broken, first_word};
use crate::cpython::read::objects::Thread;
use crate::cpython::read::threads::ThreadInfo;
use crate::profile::stats::Account;
use crate::profile::{Profile, TornReason};
use crate::sampler::engine::Engine;
use crate::sampler::fetch::prefetch::Prefetch;
use crate::sampler::kept::{Reader, Rest};
use crate::sampler::read::deferred::Moment;
use crate::sampler::read::frame_chain::Copied;
use crate::sampler::stop::held::StoppedThreads;
use crate::sampler::tick::{ATTEMPTS, Proof, Tick, TickTime, Unproven};

/// What a tick has come to so far.
#[derive(Default)]
pub(super) struct Sum {
    /// Stacks that were proven, or are deferred.
    stacks: usize,
    /// Threads of which there is none.
    lost: u64,
    /// Whether any thread was read more than once.
    retried: bool,
    /// Why the last of the lost ones could not be read.
    last: Option<Unproven>,
    /// Whether there is no process any more.
    is_gone: bool,
}

impl Sum {
    pub(super) fn add(&mut self, sampled: Result<Sampled, Unproven>) {
        match sampled {
            Ok(Sampled::Nothing) => {}
            Ok(Sampled::Stack { retried, .. }) => {
                self.stacks += 1;
                self.retried |= retried;
            }
            Err(unproven) => {
                self.lost += 1;
                self.is_gone |= Tick::from(&unproven) == Tick::Gone;
                self.last = Some(unproven);
            }
        }
    }
}

/// What one thread has come to.
pub(super) enum Sampled {
    /// Its stack is proven, or deferred.
    Stack { is_deferred: bool, retried: bool },
    /// It runs no Python code, or is not to be sampled.
    Nothing,
}

impl<A: Abi, M: Memory + Clone> Engine<A, M> {
    /// Takes one sample of all threads.
    pub(super) fn tick_of_all(
        &mut self,
        time: TickTime,
        held: &mut StoppedThreads<'_>,
        profile: &mut Profile,
        account: &mut Account,
    ) -> Tick {
        let threads = match self.list_threads(time) {
            Ok(threads) => threads,
            Err(unproven) => return Tick::from(&unproven),
        };
        self.forget_ended(&threads);
        account.suspended += self.suspended.len() as u64 * u64::from(self.weight.ticks);
        let threads = self.those_to_sample(threads);
        let is_alone = threads.len() == 1;
        let is_free =
            |t: &ThreadInfo| self.holding.contains(&t.state) && !held.holds(t.state, t.id);
        if held.is_exact() && threads.iter().any(is_free) {
            return Tick::Torn(TornReason::Disturbed);
        }
        let in_turn = self.in_turn(threads).into_iter();
        // Those that stand still go first, so that they need not stand for the others.
        let (still, others): (Vec<_>, Vec<_>) = in_turn.partition(|t| held.holds(t.state, t.id));
        let mut sum = Sum::default();
        let waiting = self.pending.len();
        for thread in &still {
            sum.add(self.sample_thread(time, *thread, is_alone, held, profile));
        }
        if held.is_disturbed() {
            self.owing.clear();
            self.pending.truncate(waiting);
            return Tick::Torn(TornReason::Disturbed);
        }
        held.release_read();
        self.sample_others(time, &others, is_alone, &mut sum, profile);
        self.conclude_tick(sum, account)
    }

    /// Samples threads that nobody holds.
    pub(super) fn sample_others(
        &mut self,
        time: TickTime,
        others: &[ThreadInfo],
        is_alone: bool,
        sum: &mut Sum,
        profile: &mut Profile,
    ) {
        let mut nobody = StoppedThreads::default();
        for (done, thread) in others.iter().enumerate() {
            // One is always reached: a tick does not come to nothing for its length alone.
            if done > 0 && time.is_over() {
                self.unreached = Some(thread.state);
                sum.lost += (others.len() - done) as u64;
                break;
            }
            sum.add(self.sample_thread(time, *thread, is_alone, &mut nobody, profile));
            if sum.is_gone {
                break;
            }
        }
    }

    /// Of all threads those that are sampled: all, or of a free-threaded process those that are
    /// attached.
    fn those_to_sample(&self, mut threads: Vec<ThreadInfo>) -> Vec<ThreadInfo> {
        if !self.every_thread {
            threads.retain(|thread| self.holding.contains(&thread.state));
        }
        threads
    }

    /// All threads, beginning with the one to which the last tick did not come.
    pub(super) fn in_turn(&mut self, mut threads: Vec<ThreadInfo>) -> Vec<ThreadInfo> {
        let first = self.unreached.take();
        let begin = threads.iter().position(|thread| Some(thread.state) == first);
        threads.rotate_left(begin.unwrap_or(0));
        threads
    }

    pub(super) fn conclude_tick(&mut self, sum: Sum, account: &mut Account) -> Tick {
        if sum.is_gone {
            return Tick::Gone;
        }
        if sum.stacks == 0 && sum.lost > 0 {
            return sum.last.as_ref().map_or(Tick::Torn(TornReason::NotFetched), Tick::from);
        }
        account.lost_threads += sum.lost;
        if !self.owe_all() {
            account.note_proven(sum.retried);
        }
        Tick::Proven(sum.stacks)
    }

    /// All threads, and those that hold a GIL, as they were at one moment.
    pub(super) fn list_threads(&mut self, time: TickTime) -> Result<Vec<ThreadInfo>, Unproven> {
        self.refresh_gils(time.now)?;
        for attempt in 0..ATTEMPTS {
            if attempt > 0 && time.is_over() {
                break;
            }
            self.prefetch.fetch()?;
            let threads = self.roots.threads::<A, _>(&self.prefetch.body());
            let holding = self.holders_of_fetch();
            let suspended = self.suspended_in_fetch(threads.as_deref().unwrap_or_default());
            if self.prefetch.misses() == 0 {
                (self.holding, self.suspended) = (holding?.into_iter().collect(), suspended);
                return Ok(threads?);
            }
        }
        Err(Unproven::Torn(TornReason::NotFetched))
    }

    /// Which of these threads their interpreter had suspended when everything was copied.
    fn suspended_in_fetch(&self, threads: &[ThreadInfo]) -> FxHashSet<Remote<Thread>> {
        if !self.is_free_threaded() {
            return FxHashSet::default();
        }
        let body = self.prefetch.body();
        let is_suspended =
            |thread| self.roots.standing(&body, thread) == Ok(Some(Standing::Suspended));
        threads.iter().map(|thread| thread.state).filter(|thread| is_suspended(*thread)).collect()
    }

    /// Forgets what is known of threads that are not there any more.
    pub(super) fn forget_ended(&mut self, threads: &[ThreadInfo]) {
        if self.readers.len().max(self.threads.len()) <= threads.len() {
            return;
        }
        let mut states: Vec<u64> = threads.iter().map(|thread| thread.state.address()).collect();
        states.sort_unstable();
        self.readers.retain(|state, _| states.binary_search(state).is_ok());
        self.threads.retain(|state, _| states.binary_search(state).is_ok());
    }

    pub(super) fn sample_thread(
        &mut self,
        time: TickTime,
        thread: ThreadInfo,
        is_alone: bool,
        held: &mut StoppedThreads<'_>,
        profile: &mut Profile,
    ) -> Result<Sampled, Unproven> {
        let TickTime { now, microseconds, .. } = time;
        let direct = self.prefetch.direct();
        let selection = self.selection.as_mut();
        if selection.is_some_and(|selection| !selection.admits::<A, _>(direct, thread, now)) {
            return Ok(Sampled::Nothing);
        }
        let state = thread.state;
        let rest = self.rest(thread)?;
        if rest.is_some_and(|rest| self.has_rested(state, rest)) {
            self.count_again(now, microseconds, state);
            return Ok(Sampled::Stack { is_deferred: false, retried: false });
        }
        let keeps_threads = profile.keeps_threads();
        let owner = keeps_threads.then(|| profile.intern_thread(self.process, thread.id));
        let moment = Moment { microseconds, owner, state: self.state(state), is_alone };
        self.turn_to(state);
        let sampled = self.read_thread(time, thread, moment, held, profile);
        self.turn_to(state);
        if let (Ok(Sampled::Stack { is_deferred: false, .. }), Some(rest)) = (&sampled, rest) {
            self.note_rest(state, rest);
        }
        sampled
    }

    /// Reads and proves the stack of the thread that this has turned to.
    fn read_thread(
        &mut self,
        time: TickTime,
        ThreadInfo { state: thread, id, .. }: ThreadInfo,
        moment: Moment,
        held: &mut StoppedThreads<'_>,
        profile: &mut Profile,
    ) -> Result<Sampled, Unproven> {
        let is_held = held.holds(thread, id);
        let mut last = Unproven::Torn(TornReason::Moved);
        for attempt in 0..ATTEMPTS {
            if attempt > 0 && time.is_over() {
                break;
            }
            let retried = attempt > 0;
            self.fetched = self.code.has_young().then(Instant::now);
            self.prefetch.fetch()?;
            if self.is_as_before(thread) {
                self.count_again(time.now, time.microseconds, thread);
                return Ok(Sampled::Stack { is_deferred: false, retried });
            }
            let proof = self.prove_thread(thread, is_held);
            let is_it = |id| held.holds(thread, id);
            let body = self.prefetch.body();
            let is_same = !is_held || body.field(thread, A::THREAD.id).is_ok_and(is_it);
            if !is_same || is_held && !held.has_stood(thread) {
                return Err(Unproven::Torn(TornReason::Disturbed));
            }
            if is_held && proof.is_ok() {
                self.learn();
            }
            match proof {
                Ok(Proof::Stack) => {
                    self.count(time.now, thread, moment, profile);
                    return Ok(Sampled::Stack { is_deferred: false, retried });
                }
                Ok(Proof::Callers(callee)) => {
                    self.owe(thread, callee, moment);
                    return Ok(Sampled::Stack { is_deferred: true, retried });
                }
                Ok(Proof::Idle) => {
                    self.threads.remove(&thread.address());
                    return Ok(Sampled::Nothing);
                }
                Err(unproven) => last = unproven,
            }
        }
        Err(last)
    }

    fn prove_thread(&mut self, thread: Remote<Thread>, is_held: bool) -> Result<Proof, Unproven> {
        self.prefetch.watch();
        self.read_chains(thread)?;
        if self.prefetch.misses() > 0 {
            return Err(Unproven::Torn(TornReason::NotFetched));
        }
        self.prove(thread, is_held)
    }

    /// Turns to what is fetched for one thread, or back.
    fn turn_to(&mut self, thread: Remote<Thread>) {
        let reader = self.readers.entry(thread.address()).or_insert_with(|| Reader {
            prefetch: Prefetch::new(self.prefetch.direct().clone()),
            copied: Copied::default(),
        });
        self.prefetch.lend_room(&mut reader.prefetch);
        std::mem::swap(&mut self.prefetch, &mut reader.prefetch);
        std::mem::swap(&mut self.copied, &mut reader.copied);
    }

    /// What stays while a thread does not run, if it did not at the beginning of this tick.
    /// One that holds a GIL may be about to.
    fn rest(&self, thread: ThreadInfo) -> Result<Option<Rest>, Broken> {
        let count = self.selection.as_ref().and_then(|selection| selection.waits(thread.state));
        let Some(count) = count.filter(|_| !self.holding.contains(&thread.state)) else {
            return Ok(None);
        };
        let first_word = first_word::<A, _>(&self.prefetch.body(), thread.state)?;
        Ok(Some(Rest { count, id: thread.id, first_word }))
    }

    /// Notes that a thread has rested since before its stack was proven.
    fn note_rest(&mut self, thread: Remote<Thread>, rest: Rest) {
        if let Some(known) = self.threads.get_mut(&thread.address()) {
            known.rest = Some(rest);
        }
    }
}
