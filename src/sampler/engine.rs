//! The state of the engine, and a tick that is read while threads run, or are stopped.
//! [`super::stop`] has the tick of one thread that stands still by itself.
//!
//! Such a tick fetches all that the last walk of the thread touched, in one system
//! call, and walks inside of it. The sample counts if nothing was missing, the top
//! is known ([`super::read::chain`]), every call was seen in a thread that stood still
//! ([`super::read::call_sites`]), the frames were copied twice alike, every position lies
//! inside its code object, and every code object is what it was before and after
//! ([`crate::cpython::read::code`]). What is not proven is tried again with what was learnt,
//! then given up and counted. Where all threads are sampled, each has a fetch of its own
//! ([`super::all_threads`]).

use std::collections::HashMap;
use std::time::Instant;

use rustc_hash::{FxBuildHasher, FxHashSet};

use crate::cpython::abi::Abi;
use crate::cpython::memory::{Memory, Remote};
use crate::cpython::read::code::{CodeCache, Named};
use crate::cpython::read::frames::Broken;
use crate::cpython::read::objects::Thread;
use crate::cpython::read::threads::{GilRef, ProcessRoots, thread_info};
use crate::profile::stats::Account;
use crate::profile::{self, Profile, TornReason};
use crate::sampler::commit_queue::{Pending, Weight};
use crate::sampler::fetch::prefetch::{Prefetch, Side};
use crate::sampler::kept::{Reader, Remembered, Still};
use crate::sampler::native::StillNative;
use crate::sampler::read::call_sites::CallSites;
use crate::sampler::read::callees::Callees;
use crate::sampler::read::chain::Part;
use crate::sampler::read::deferred::{Claim, Deferred, Moment};
use crate::sampler::read::frame_chain::{Calls, Copied};
use crate::sampler::selection::Selection;
use crate::sampler::stop::held::StoppedThreads;
use crate::sampler::tick::{ATTEMPTS, Proof, Tick, TickTime, Unknown, Unproven};

/// Takes proven samples of one process, with or without stopping it.
pub(crate) struct Engine<A, M> {
    /// What is fetched for a tick; while one thread of all is read, what is fetched for that.
    pub(super) prefetch: Prefetch<M>,
    pub(super) roots: ProcessRoots,
    pub(super) code: CodeCache<A>,
    pub(super) sites: CallSites,
    pub(super) callees: Callees,
    pub(super) every_thread: bool,
    /// Which threads are walked; `None`: all.
    pub(super) selection: Option<Selection>,
    /// Where the threads of the profile belong.
    pub(super) process: profile::ProcessId,
    pub(super) gils: Vec<GilRef>,
    /// The threads that held a GIL at this tick, if the profile keeps that.
    pub(super) holding: FxHashSet<Remote<Thread>>,
    /// The threads that their interpreter had suspended at this tick.
    pub(super) suspended: FxHashSet<Remote<Thread>>,
    pub(super) gils_read: Option<Instant>,
    pub(super) threads: HashMap<u64, Remembered, FxBuildHasher>,
    /// What is fetched for each thread, by thread state, where all are sampled.
    pub(super) readers: HashMap<u64, Reader<M>, FxBuildHasher>,
    /// The thread with which the next tick begins, if the last one did not come to it.
    pub(super) unreached: Option<Remote<Thread>>,
    pub(super) pending: Pending,
    /// How many ticks the samples of this one count for.
    pub(super) weight: Weight,
    pub(super) deferred: Deferred,
    /// What the attempt adds to that.
    pub(super) owing: Vec<Claim>,
    /// Ticks of which a later stack told what they came to.
    pub(super) paid: u64,
    pub(super) copied: Copied,
    pub(super) still: Still,
    /// Tells native frames, if they are asked for.
    pub(super) native: Option<StillNative>,
    /// The stack under proof.
    pub(super) stack: Part,
    /// With how much of it the last stack of the thread began.
    pub(super) common: usize,
    pub(super) young: Vec<Named>,
    /// When the fetch began, if there were any.
    pub(super) fetched: Option<Instant>,
    /// Threads that were met in calls that are not known, at this tick.
    pub(super) unknown: Vec<Unknown>,
}

/// What an attempt came to.
#[derive(Default)]
struct Found {
    /// Stacks that were proven, or are deferred.
    stacks: usize,
    /// Threads of which there is none.
    lost: u64,
}

impl<A: Abi, M: Memory + Clone> Engine<A, M> {
    /// An engine for a process whose layout has been proven. It samples the
    /// threads that hold a GIL, or `every_thread`. `process` is what the profile calls the
    /// process.
    pub(crate) fn new(
        memory: M,
        roots: ProcessRoots,
        code: CodeCache<A>,
        every_thread: bool,
        process: profile::ProcessId,
    ) -> Self {
        Self {
            prefetch: Prefetch::new(memory),
            roots,
            code,
            sites: CallSites::default(),
            callees: Callees::default(),
            every_thread,
            selection: None,
            process,
            gils: Vec::new(),
            holding: FxHashSet::default(),
            suspended: FxHashSet::default(),
            gils_read: None,
            threads: HashMap::default(),
            readers: HashMap::default(),
            unreached: None,
            pending: Pending::new(),
            weight: Weight::ONE,
            deferred: Deferred::default(),
            owing: Vec::new(),
            paid: 0,
            copied: Copied::default(),
            still: Still::default(),
            native: None,
            stack: Part { side: Side::Before, length: 0 },
            common: 0,
            young: Vec::new(),
            fetched: None,
            unknown: Vec::new(),
        }
    }

    /// Adds native frames to the stacks of threads that stand still.
    #[must_use]
    pub(crate) fn with_native(mut self, native: Option<StillNative>) -> Self {
        self.native = native;
        self
    }

    /// Walks only the threads that `selection` admits.
    #[must_use]
    pub(crate) fn select(mut self, selection: Option<Selection>) -> Self {
        self.selection = selection;
        self
    }

    /// Whether threads were asked for and none has been met.
    #[must_use]
    pub(crate) fn lacks_threads(&self) -> bool {
        self.selection.as_ref().is_some_and(Selection::lacks_threads)
    }

    /// Takes one sample, which began `now`: that many `microseconds` after the epoch.
    /// The threads that are `held` stand still, and are let go when they have been read.
    /// Nothing is tried again, and no further thread is looked at, after `deadline`.
    pub(crate) fn tick(
        &mut self,
        now: Instant,
        microseconds: u64,
        deadline: Instant,
        held: &mut StoppedThreads<'_>,
        profile: &mut Profile,
        account: &mut Account,
    ) -> Tick {
        self.unknown.clear();
        self.owing.clear();
        let time = TickTime { now, microseconds, deadline };
        if self.every_thread || self.is_free_threaded() {
            self.tick_of_all(time, held, profile, account)
        } else {
            self.tick_of_holders(time, held, profile, account)
        }
    }

    /// The threads that were met in calls that are not known, at the last tick: they are to
    /// be met while they stand still ([`Self::meet`]).
    pub(crate) fn take_unknown(&mut self) -> Vec<Unknown> {
        std::mem::take(&mut self.unknown)
    }

    /// Whether there are such threads.
    pub(crate) fn has_unknown(&self) -> bool {
        !self.unknown.is_empty()
    }

    /// Lets the samples of the ticks to come count for so many each.
    pub(crate) fn weigh(&mut self, weight: Weight) {
        self.weight = weight;
        self.selection.iter_mut().for_each(|selection| selection.weigh(weight.ticks));
    }

    /// Takes a sample and counts nothing: what is new is learnt before the first tick, and
    /// while nobody stands still for it. `false` if `deadline` came first, and there is more
    /// to read.
    pub(crate) fn rehearse(&mut self, deadline: Instant) -> bool {
        let (mut profile, mut account) = (Profile::default(), Account::default());
        let mut nobody = StoppedThreads::default();
        self.tick(Instant::now(), 0, deadline, &mut nobody, &mut profile, &mut account);
        self.settle(None, &mut profile, &mut account);
        self.begin_profile(self.process);
        self.unreached.is_none()
    }

    /// Takes one sample of the threads that hold a GIL.
    fn tick_of_holders(
        &mut self,
        time: TickTime,
        held: &mut StoppedThreads<'_>,
        profile: &mut Profile,
        account: &mut Account,
    ) -> Tick {
        let mut last = Unproven::Torn(TornReason::Moved);
        let waiting = self.pending.len();
        for attempt in 0..ATTEMPTS {
            if attempt > 0 && time.is_over() {
                break;
            }
            self.pending.truncate(waiting);
            self.owing.clear();
            let is_last = attempt + 1 == ATTEMPTS;
            match self.attempt(time, held, is_last, profile) {
                Ok(Found { stacks, lost }) => {
                    account.lost_threads += lost;
                    if !self.owe_all() {
                        account.note_proven(attempt > 0);
                    }
                    return Tick::Proven(stacks);
                }
                Err(Unproven::Broken(Broken::Fault(fault))) if fault.is_process_gone() => {
                    return Tick::Gone;
                }
                Err(unproven @ Unproven::Torn(TornReason::Disturbed)) => {
                    last = unproven;
                    break;
                }
                Err(unproven) => last = unproven,
            }
        }
        self.pending.truncate(waiting);
        self.owing.clear();
        Tick::from(&last)
    }

    /// Counts the samples that have waited long enough, or all if `now` is `None`. Then what
    /// is still deferred is torn.
    pub(crate) fn settle(
        &mut self,
        now: Option<Instant>,
        profile: &mut Profile,
        account: &mut Account,
    ) {
        if now.is_none_or(|now| self.pending.is_due(now)) {
            let memory = self.prefetch.direct();
            let (counted, dropped) = self.pending.settle(memory, &mut self.code, profile);
            account.samples += counted;
            account.dropped += dropped;
        }
        if now.is_none() {
            self.deferred.give_up();
        }
        self.account_for_deferred(account);
    }

    /// Turns to another profile, which calls the process `process`. What has been learnt
    /// of the program is kept. All samples must have been settled.
    pub(crate) fn begin_profile(&mut self, process: profile::ProcessId) {
        self.process = process;
        self.threads = HashMap::default();
        if let Some(native) = &mut self.native {
            native.stacks.begin_profile();
        }
        self.code.forget_frames();
    }

    fn attempt(
        &mut self,
        time: TickTime,
        held: &mut StoppedThreads<'_>,
        is_last: bool,
        profile: &mut Profile,
    ) -> Result<Found, Unproven> {
        let TickTime { now, microseconds, .. } = time;
        self.refresh_gils(now)?;
        self.fetched = self.code.has_young().then(Instant::now);
        self.prefetch.fetch()?;
        let threads = self.holders_of_fetch()?;
        let mut missed = self.prefetch.misses() > 0;
        let mut found = Found::default();
        // Of many threads one is given up at the last attempt, so that it does not cost the others.
        let may_lose = is_last && threads.len() > 1;
        for (index, thread) in threads.iter().enumerate() {
            if let Some(selection) = &mut self.selection {
                let direct = self.prefetch.direct();
                let info = thread_info::<A, _>(direct, *thread)?;
                if !selection.admits::<A, _>(direct, info, now) {
                    continue;
                }
            }
            if held.is_exact() && !held.knows(*thread) {
                return Err(Unproven::Torn(TornReason::Disturbed));
            }
            let owner = self.owner(*thread, profile)?;
            match self.read_chains(*thread) {
                Ok(()) => {}
                Err(Unproven::Torn(TornReason::NotFetched)) => missed = true,
                // A pointer that leads nowhere was copied while it changed.
                Err(_) if may_lose => {
                    found.lost += 1;
                    continue;
                }
                Err(unproven) => return Err(Unproven::Torn(unproven.reason())),
            }
            let state = self.state(*thread);
            let moment = Moment { microseconds, owner, state, is_alone: threads.len() == 1 };
            let identity = match held.knows(*thread) {
                true => Some(self.prefetch.body().field(*thread, A::THREAD.id)?),
                false => None,
            };
            if missed || self.prefetch.misses() > 0 {
                missed = true;
                continue; // Go on, so that the next fetch has the other threads too.
            }
            let stopped = identity.is_some_and(|identity| held.holds(*thread, identity));
            if held.is_exact() && !stopped {
                return Err(Unproven::Torn(TornReason::Disturbed));
            }
            let proof = self.prove(*thread, stopped);
            if stopped && !held.has_stood(*thread) {
                return Err(Unproven::Torn(TornReason::Disturbed));
            }
            if stopped && proof.is_ok() {
                self.learn();
            }
            if proof.is_ok() && index + 1 == threads.len() {
                held.release(); // Nobody waits while the sample is counted.
            }
            match proof {
                Ok(Proof::Stack) => {
                    self.count(now, *thread, moment, profile);
                    found.stacks += 1;
                }
                Ok(Proof::Callers(callee)) => {
                    self.owe(*thread, callee, moment);
                    found.stacks += 1;
                }
                Ok(Proof::Idle) => {
                    self.threads.remove(&thread.address());
                }
                Err(_) if may_lose => found.lost += 1,
                Err(unproven) => return Err(Unproven::Torn(unproven.reason())),
            }
        }
        if missed {
            return Err(Unproven::Torn(TornReason::NotFetched));
        }
        if found.stacks == 0 && found.lost > 0 {
            // Not one stack was told: that is no tick that went well otherwise.
            return Err(Unproven::Torn(TornReason::Moved));
        }
        Ok(found)
    }
}

impl<A: Abi, M: Memory> Engine<A, M> {
    /// Reads the chains of a thread that begin at its top-frame pointer before and
    /// after everything else was copied.
    pub(super) fn read_chains(&mut self, thread: Remote<Thread>) -> Result<(), Unproven> {
        let calls = Calls { sites: &self.sites, callees: &self.callees };
        let read = self.copied.read(&self.prefetch, &mut self.code, &calls, thread);
        // While it is not called, such a frame shows no caller: its chain ends too early.
        for raw in self.copied.foreign_callees() {
            if let Some(code) = self.code.get(raw.code) {
                self.sites.note_callee(raw.frame.address(), code);
            }
        }
        read
    }
}
