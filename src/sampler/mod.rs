//! The engine: one fetch for one sample, and a proof that the stack existed.
//!
//! A tick fetches all that the last walk of the thread touched, in one system
//! call, and walks inside of it. The sample counts if nothing was missing, the top
//! is known ([`chain`]), every position lies inside its code object, and every code
//! object is what it was before and after ([`crate::python::code`]). What is not
//! proven is tried again with what was learnt, then given up and counted.

mod begun;
mod callees;
pub mod calls;
pub mod careful;
pub mod chain;
mod confirm;
mod copied;
mod counting;
mod first;
mod glance;
mod held;
mod holders;
mod loops;
mod owed;
pub mod pause;
mod pending;
pub mod processor;
mod proving;
mod rivals;
pub mod selection;
pub mod thread_ids;
mod trial;
pub mod witness;

use std::collections::HashMap;
use std::time::Instant;

use rustc_hash::FxBuildHasher;

use self::begun::Begun;
use self::callees::Callees;
use self::calls::CallSites;
use self::chain::Part;
use self::copied::{Calls, Copied};
use self::counting::Remembered;
use self::glance::Glance;
use self::held::Held;
use self::owed::{Callee, Claim, Moment, Owed};
use self::pending::Pending;
use self::selection::Selection;
use self::witness::Disagreement;
use crate::abi::Abi;
use crate::account::Account;
use crate::memory::prefetch::{Prefetch, Side};
use crate::memory::{Memory, Remote};
use crate::profile::{self, Profile};
use crate::python::code::{CodeCache, Named};
use crate::python::frames::Broken;
use crate::python::objects::Thread;
use crate::python::threads::{GilRef, ProcessRoots};

/// How often a tick is tried before it counts as torn.
const ATTEMPTS: usize = 6;

/// How many glances are free at first, and how many there can be in reserve.
const FIRST_CREDIT: u32 = 4000;

/// Takes proven samples of one process, with or without stopping it.
pub struct Engine<A, M> {
    prefetch: Prefetch<M>,
    roots: ProcessRoots,
    code: CodeCache<A>,
    sites: CallSites,
    callees: Callees,
    held: Held,
    every_thread: bool,
    /// Which threads are walked; `None`: all.
    selection: Option<Selection>,
    /// Where the threads of the profile belong.
    process: profile::ProcessId,
    gils: Vec<GilRef>,
    /// The threads that held a GIL at this tick, if the profile keeps that.
    holding: Vec<Remote<Thread>>,
    gils_read: Option<Instant>,
    threads: HashMap<u64, Remembered, FxBuildHasher>,
    pending: Pending,
    owed: Owed,
    /// What the attempt adds to that.
    owing: Vec<Claim>,
    begun: Begun,
    /// Ticks of which a later stack told what they came to.
    paid: u64,
    copied: Copied,
    /// The stack under proof.
    stack: Part,
    /// With how much of it the last stack of the thread began.
    common: usize,
    young: Vec<Named>,
    /// When the fetch began, if there were any.
    fetched: Option<Instant>,
    glance: Glance,
    /// So many glances may be taken.
    credit: u32,
    /// When credit was earned.
    earned: Instant,
    /// For one glance: the frames that the thread may be in.
    tops: Vec<u64>,
}

/// What one tick came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// So many stacks were proven and wait to be counted, or are owed; none when idle.
    Proven(usize),
    /// The stack changed under every attempt.
    Torn,
    /// The process could not be read.
    Failed(Broken),
    /// The process is gone.
    Gone,
}

/// What is known of a thread at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// Its whole stack.
    Stack,
    /// Its stack but for what its last frame had called.
    Callers(Callee),
    /// That it runs no Python code.
    Idle,
}

/// Why an attempt proved nothing.
#[derive(Debug)]
enum Unproven {
    /// Something was missing or new. The next attempt may have it.
    Incomplete,
    /// What was read is not one moment's.
    Torn,
    /// The roots lead nowhere.
    Broken(Broken),
}

impl<E: Into<Broken>> From<E> for Unproven {
    fn from(error: E) -> Self {
        Self::Broken(error.into())
    }
}

impl<A: Abi, M: Memory> Engine<A, M> {
    /// An engine for a process whose layout has been proven. It samples the
    /// threads that hold a GIL, or `every_thread`, and learns from stops if it
    /// `has_stops`. `process` is what the profile calls the process.
    pub fn new(
        memory: M,
        roots: ProcessRoots,
        code: CodeCache<A>,
        every_thread: bool,
        has_stops: bool,
        process: profile::ProcessId,
    ) -> Self {
        Self {
            prefetch: Prefetch::new(memory),
            roots,
            code,
            sites: CallSites::new(has_stops),
            callees: Callees::default(),
            held: Held::default(),
            every_thread,
            selection: None,
            process,
            gils: Vec::new(),
            holding: Vec::new(),
            gils_read: None,
            threads: HashMap::default(),
            pending: Pending::new(),
            owed: Owed::default(),
            owing: Vec::new(),
            begun: Begun::default(),
            paid: 0,
            copied: Copied::default(),
            stack: Part { side: Side::Before, length: 0 },
            common: 0,
            young: Vec::new(),
            fetched: None,
            glance: Glance::new(),
            credit: FIRST_CREDIT,
            earned: Instant::now(),
            tops: Vec::new(),
        }
    }

    /// Walks only the threads that `selection` admits.
    #[must_use]
    pub fn select(mut self, selection: Option<Selection>) -> Self {
        self.selection = selection;
        self
    }

    /// Whether threads were asked for and none has been met.
    #[must_use]
    pub fn lacks_threads(&self) -> bool {
        self.selection.as_ref().is_some_and(Selection::lacks_threads)
    }

    /// Takes one sample, which began `now`: that many `microseconds` after the epoch.
    /// `is_held` tells whether a thread is known to stand still.
    pub fn tick(
        &mut self,
        now: Instant,
        microseconds: u64,
        is_held: impl Fn(Remote<Thread>) -> bool,
        profile: &mut Profile,
        account: &mut Account,
    ) -> Tick {
        self.earn_glances(now);
        self.begun.begin_tick();
        let mut last = Unproven::Torn;
        let waiting = self.pending.len();
        for attempt in 0..ATTEMPTS {
            self.pending.truncate(waiting);
            self.owing.clear();
            let is_last = attempt + 1 == ATTEMPTS;
            let lost = if is_last { Some(&mut account.lost_threads) } else { None };
            match self.attempt(now, microseconds, &is_held, lost, profile) {
                Ok(stacks) => {
                    if !self.owe_all() {
                        let retried = attempt > 0;
                        *(if retried { &mut account.retried } else { &mut account.at_once }) += 1;
                    }
                    return Tick::Proven(stacks);
                }
                Err(Unproven::Broken(Broken::Fault(fault))) if fault.is_process_gone() => {
                    return Tick::Gone;
                }
                Err(unproven) => last = unproven,
            }
            if attempt == 0 {
                self.note_begun();
            }
        }
        self.pending.truncate(waiting);
        self.owing.clear();
        if let Some(claim) = self.begun.take() {
            self.owing.push(claim);
            self.owe_all();
            return Tick::Proven(1);
        }
        match last {
            Unproven::Broken(broken) => Tick::Failed(broken),
            Unproven::Torn | Unproven::Incomplete => Tick::Torn,
        }
    }

    /// Counts the samples that have waited long enough, or all if `now` is `None`. Then what
    /// is still owed is torn.
    pub fn settle(&mut self, now: Option<Instant>, profile: &mut Profile, account: &mut Account) {
        if now.is_none_or(|now| self.pending.is_due(now)) {
            let memory = self.prefetch.direct();
            let (counted, dropped) = self.pending.settle(memory, &mut self.code, profile);
            account.samples += counted;
            account.dropped += dropped;
        }
        if now.is_none() {
            self.owed.give_up();
        }
        self.account_for_owed(account);
    }

    /// Turns to another profile, which calls the process `process`. What has been learnt
    /// of the program is kept. All samples must have been settled.
    pub fn begin_profile(&mut self, process: profile::ProcessId) {
        self.process = process;
        self.threads = HashMap::default();
        self.pending.forget_witness();
        self.code.forget_frames();
    }

    /// A function of which stopped and other samples tell different shares.
    #[must_use]
    pub fn disagreement(&self, profile: &Profile) -> Option<Disagreement> {
        self.pending.witness().disagreement(profile)
    }

    fn attempt(
        &mut self,
        now: Instant,
        microseconds: u64,
        is_held: &impl Fn(Remote<Thread>) -> bool,
        mut lost: Option<&mut u64>,
        profile: &mut Profile,
    ) -> Result<usize, Unproven> {
        self.refresh_gils(now)?;
        self.credit = (self.credit + 1).min(FIRST_CREDIT);
        self.fetched = self.code.has_young().then(Instant::now);
        self.begun.begin_attempt();
        self.prefetch.fetch()?;
        let threads = self.threads_of_tick()?;
        if self.every_thread && profile.keeps_threads() {
            self.holding = self.holders_of_fetch()?;
        }
        let mut missed = self.prefetch.misses() > 0;
        let (mut stacks, mut is_met) = (0, false);
        for thread in &threads {
            let direct = self.prefetch.direct();
            let mut selection = self.selection.as_mut();
            if selection.as_mut().is_some_and(|s| !s.admits::<A, _>(direct, *thread, now)) {
                continue;
            }
            if self.every_thread && self.is_as_before(*thread) {
                stacks += usize::from(self.count_again(now, microseconds, *thread));
                continue;
            }
            self.prefetch.watch();
            let owner = self.owner(*thread, profile)?;
            match self.read_chains(*thread) {
                Ok(()) => {}
                Err(Unproven::Incomplete) => missed = true,
                // A pointer that leads nowhere was copied while it changed.
                Err(_) => {
                    give_up(&mut lost, threads.len())?;
                    continue;
                }
            }
            let state = self.state(*thread);
            let moment = Moment { microseconds, owner, state, is_alone: threads.len() == 1 };
            let stopped = is_held(*thread);
            if !self.every_thread && moment.is_alone && !stopped {
                self.begun.note_chains(*thread, moment);
            }
            if missed || self.prefetch.misses() > 0 {
                missed = true;
                continue; // Go on, so that the next fetch has the other threads too.
            }
            match self.prove(now, *thread, stopped) {
                Ok(Proof::Stack) => {
                    let is_of_tick = self.is_of_tick(*thread);
                    self.count(now, *thread, moment, stopped, is_of_tick, profile);
                    is_met |= is_of_tick;
                    stacks += 1;
                }
                Ok(Proof::Callers(callee)) => {
                    if self.is_of_tick(*thread) {
                        self.owe(*thread, callee, moment);
                        is_met = true;
                    }
                    stacks += 1;
                }
                Ok(Proof::Idle) => {
                    self.threads.remove(&thread.address());
                }
                Err(_) => give_up(&mut lost, threads.len())?,
            }
        }
        if missed {
            return Err(Unproven::Incomplete);
        }
        if let Some(claim) = self.begun.take().filter(|_| !is_met) {
            self.owing.push(claim);
            return Ok(1);
        }
        Ok(stacks)
    }

    /// Reads the chains of a thread that begin at its top-frame pointer before and
    /// after everything else was copied.
    fn read_chains(&mut self, thread: Remote<Thread>) -> Result<(), Unproven> {
        let calls = Calls { sites: &self.sites, callees: &self.callees };
        self.copied.read(&self.prefetch, &mut self.code, &calls, thread)
    }
}

/// Gives up one thread of many at the last attempt, so that it does not cost the
/// others; before that, the attempt.
fn give_up(lost: &mut Option<&mut u64>, threads: usize) -> Result<(), Unproven> {
    match lost {
        Some(lost) if threads > 1 => {
            **lost += 1;
            Ok(())
        }
        _ => Err(Unproven::Torn),
    }
}
