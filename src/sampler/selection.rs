//! Which threads are walked at a tick, decided before anything is read of their stacks:
//! those that were asked for, and in some modes those that were on a processor. Where all
//! threads are looked at, it also tells which of them have not run.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use rustc_hash::FxBuildHasher;

use crate::cpython::abi::Abi;
use crate::cpython::memory::{Memory, Remote};
use crate::cpython::read::objects::Thread;
use crate::cpython::read::thread_names::{Names, ThreadNames};
use crate::cpython::read::threads::{ProcessRoots, ThreadInfo};
use crate::profile::filter::ThreadFilter;
use crate::sampler::cpu_time::{Look, Processor};
use crate::sampler::thread_ids::ThreadIds;
use crate::target::live::{Process, RunCount};

/// How long names and ids are taken to stay the same.
const NAMES_HOLD: Duration = Duration::from_secs(2);

/// How long they are when there is a new thread without a name: one that has just begun
/// has not got it yet.
const NEW_NAMES_HOLD: Duration = Duration::from_millis(50);

/// So often is a new thread's name looked for before it is taken to have none.
const LOOKS: u32 = 20;

/// So many threads are remembered as not new.
const MAX_SEEN: usize = 10_000;

/// What a thread has to do to be sampled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeMode {
    /// Hold a GIL.
    #[default]
    Gil,
    /// Nothing: what is counted is time on the wall clock.
    Wall,
    /// Nothing, but it is told whether it was on a processor.
    Idle,
    /// Be on a processor.
    Cpu,
}

impl TimeMode {
    /// Whether threads are looked at that do not hold a GIL.
    #[must_use]
    pub fn is_of_all_threads(self) -> bool {
        self != Self::Gil
    }

    /// Whether each sample tells whether its thread was on a processor.
    pub(super) fn tells_cpu(self) -> bool {
        matches!(self, Self::Idle | Self::Cpu)
    }
}

/// The decisions about the threads of one process.
pub(crate) struct Selection {
    process: Process,
    roots: ProcessRoots,
    mode: TimeMode,
    filter: ThreadFilter,
    names: ThreadNames,
    known: Names,
    /// When `known` was read.
    read: Option<Instant>,
    ids: ThreadIds,
    /// Ids by thread state, each with the identity for which it was found.
    natives: HashMap<u64, (u64, Option<i32>), FxBuildHasher>,
    /// By thread state and identity.
    wanted: HashMap<(u64, u64), bool, FxBuildHasher>,
    /// Whether a thread that was asked for has been met.
    has_met: bool,
    /// Threads that are not new, by state and identity.
    seen: HashSet<(u64, u64), FxBuildHasher>,
    /// How often names will be looked for soon.
    looks_left: u32,
    processor: Processor,
    tick: Option<Instant>,
    /// What the kernel said of threads at this tick.
    looks: HashMap<u64, Look, FxBuildHasher>,
}

impl Selection {
    /// For a process that is sampled every `interval`.
    #[must_use]
    pub(crate) fn new(
        process: Process,
        roots: ProcessRoots,
        names: ThreadNames,
        mode: TimeMode,
        filter: ThreadFilter,
        interval: Duration,
    ) -> Self {
        Self {
            processor: Processor::new(process.pid(), interval, mode.tells_cpu()),
            process,
            roots,
            mode,
            filter,
            names,
            known: Names::new(),
            read: None,
            ids: ThreadIds::default(),
            natives: HashMap::default(),
            wanted: HashMap::default(),
            has_met: false,
            seen: HashSet::default(),
            looks_left: 0,
            tick: None,
            looks: HashMap::default(),
        }
    }

    /// Whether a thread is to be walked at the tick of `now`. The answer stays the same
    /// however often that tick is tried.
    pub(crate) fn admits<A: Abi, M: Memory>(
        &mut self,
        memory: &M,
        thread: ThreadInfo,
        now: Instant,
    ) -> bool {
        if !self.wants::<A, M>(memory, thread, now) {
            return false;
        }
        if !self.mode.is_of_all_threads() {
            return true;
        }
        let address = thread.state.address();
        if !self.looks.contains_key(&address) {
            let native = self.native::<A, M>(memory, thread);
            if let Some(look) = native.map(|tid| self.processor.look(tid)) {
                if look == Look::Ended {
                    // Another may have got its thread state.
                    self.natives.remove(&address);
                    self.ids.forget();
                }
                self.looks.insert(address, look);
            }
        }
        self.mode != TimeMode::Cpu || self.on_cpu(thread.state) == Some(true)
    }

    /// Whether a thread is one that was asked for.
    pub(super) fn wants<A: Abi, M: Memory>(
        &mut self,
        memory: &M,
        thread: ThreadInfo,
        now: Instant,
    ) -> bool {
        if self.tick != Some(now) {
            self.tick = Some(now);
            self.looks.clear();
            self.ids.begin_round();
            self.refresh::<A, M>(memory, now);
        }
        self.filter.is_open() || self.is_wanted::<A, M>(memory, thread)
    }

    /// Lets the samples of the ticks to come stand for so many each.
    pub(crate) fn weigh(&mut self, ticks: u32) {
        self.processor.weigh(ticks);
    }

    /// Whether a thread was on a processor at the last tick, if that is to be told.
    #[must_use]
    pub(crate) fn on_cpu(&self, thread: Remote<Thread>) -> Option<bool> {
        match self.looks.get(&thread.address()).filter(|_| self.mode.tells_cpu())? {
            Look::Ended => None,
            Look::Waits(_) => Some(false),
            Look::Runs { is_due } => Some(*is_due),
        }
    }

    /// How often a thread had run when it was seen to wait at the last tick, before anything
    /// was read of it; if it was. While this is the same, it has not run.
    #[must_use]
    pub(crate) fn waits(&self, thread: Remote<Thread>) -> Option<RunCount> {
        match self.looks.get(&thread.address())? {
            Look::Waits(count) => *count,
            Look::Ended | Look::Runs { .. } => None,
        }
    }

    /// Whether threads were asked for and none has been met.
    #[must_use]
    pub(crate) fn lacks_threads(&self) -> bool {
        !self.filter.is_open() && !self.has_met
    }

    fn refresh<A: Abi, M: Memory>(&mut self, memory: &M, now: Instant) {
        let age = self.read.map(|read| now.saturating_duration_since(read));
        let hold = if self.looks_left == 0 { NAMES_HOLD } else { NEW_NAMES_HOLD };
        if age.is_some_and(|age| age < hold) {
            return;
        }
        self.read = Some(now);
        self.looks_left = self.looks_left.saturating_sub(1);
        self.processor.sweep();
        self.natives.clear();
        self.wanted.clear();
        self.ids.forget();
        if !self.filter.words.is_empty() {
            self.known = self.names.read::<A, M>(memory, &self.roots);
        }
    }

    fn is_wanted<A: Abi, M: Memory>(&mut self, memory: &M, thread: ThreadInfo) -> bool {
        let ThreadInfo { state, id, .. } = thread;
        if let Some(wanted) = self.wanted.get(&(state.address(), id)) {
            return *wanted;
        }
        let native = self.native::<A, M>(memory, thread);
        let name = self.known.get(&id).map(AsRef::as_ref);
        let wanted = self.filter.accepts(self.process.pid(), id, native, name);
        let is_new = self.seen.len() < MAX_SEEN && self.seen.insert((state.address(), id));
        if is_new && name.is_none() && !self.filter.words.is_empty() {
            self.looks_left = LOOKS;
        }
        self.wanted.insert((state.address(), id), wanted);
        self.has_met |= wanted;
        wanted
    }

    fn native<A: Abi, M: Memory>(&mut self, memory: &M, thread: ThreadInfo) -> Option<i32> {
        let ThreadInfo { state, id, .. } = thread;
        match self.natives.get(&state.address()) {
            Some((of, native)) if *of == id => return *native,
            Some(_) => self.ids.forget(),
            None => {}
        }
        let native = self.ids.get::<A, M>(&self.process, memory, &self.roots, state);
        self.natives.insert(state.address(), (id, native));
        native
    }
}
