//! What a profile tells beside its stacks, found out beside the sampling: names and ids
//! of threads, and where the program looks for its modules.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::app::attach::Objects;
use crate::cpython::abi::Abi;
use crate::cpython::memory::Memory;
use crate::cpython::read::search_path;
use crate::cpython::read::thread_names::{Names, ThreadNames};
use crate::cpython::read::threads::ProcessRoots;
use crate::profile::{LONGEST_SEARCH_PATH, ProcessId, Profile};
use crate::sampler::thread_ids::ThreadIds;
use crate::target::live::Process;

/// How long is waited between two looks for names: a thread that has just begun has
/// none yet.
const PAUSE: Duration = Duration::from_millis(50);

/// What part of a run may be spent on such looks: one in so many.
const SHARE: u32 = 20;

/// How often a thread is looked up that has no name, before it is taken to have none.
const LOOKS: u32 = 20;

/// Looks for the names of threads that were sampled.
pub(crate) struct ThreadMetadata {
    names: ThreadNames,
    ids: ThreadIds,
    last: Option<Instant>,
    /// How long the next look has to wait after that.
    pause: Duration,
    /// How many threads of the profile have been looked up.
    known: usize,
    /// How often those that are still without a name will be looked up again.
    looks_left: u32,
}

impl ThreadMetadata {
    /// For a process whose objects are at `objects`.
    #[must_use]
    pub(crate) fn new(objects: Objects) -> Self {
        Self {
            names: objects.names(),
            ids: ThreadIds::default(),
            last: None,
            pause: PAUSE,
            known: 0,
            looks_left: 0,
        }
    }

    /// ThreadMetadata the threads of `profile` that belong to a process: those that have no name
    /// yet, or `all`. A thread that has ended keeps the name that it had.
    pub(crate) fn label<A: Abi, M: Memory>(
        &mut self,
        process: &Process,
        memory: &M,
        roots: &ProcessRoots,
        process_id: ProcessId,
        profile: &mut Profile,
        all: bool,
    ) {
        let number = profile.thread_count();
        // There are fewer in the profile of a window that has just begun.
        if number != self.known {
            self.looks_left = LOOKS;
        }
        if !all
            && (self.looks_left == 0 || self.last.is_some_and(|last| last.elapsed() < self.pause))
        {
            return;
        }
        let begin = Instant::now();
        self.known = number;
        self.looks_left = self.looks_left.saturating_sub(1);
        let names = self.names.read::<A, M>(memory, roots);
        let again = self.names.read::<A, M>(memory, roots);
        let settled: Names = names.into_iter().filter(|(id, n)| again.get(id) == Some(n)).collect();
        self.ids.forget();
        let mut lacking = false;
        for thread in roots.threads::<A, M>(memory).unwrap_or_default() {
            let Some(id) = profile.known_thread(process_id, thread.id) else { continue };
            let has_name = settled.contains_key(&thread.id);
            let known = profile.thread(id);
            if !all && known.name.is_some() && known.native_id.is_some() && !has_name {
                continue;
            }
            let native = self.ids.get::<A, M>(process, memory, roots, thread.state);
            let kernels = || {
                let stat = process.thread_stat(native?).ok()?;
                Some(Arc::from(stat.name))
            };
            let name = settled.get(&thread.id).cloned().or_else(kernels);
            lacking |= !has_name;
            let labelled = profile.thread_mut(id);
            labelled.native_id = native.or(labelled.native_id);
            labelled.name = name.or(labelled.name.take());
        }
        if !lacking {
            self.looks_left = 0;
        }
        self.pause = PAUSE.max(begin.elapsed() * SHARE);
        self.last = Some(Instant::now());
    }
}

/// How long `sys.path` is taken to stay the same: not long at the beginning, when programs
/// add to it.
const PATH_HOLD: [Duration; 2] = [Duration::from_millis(5), Duration::from_secs(1)];

/// `sys.path` of a process, as it was when it could last be read.
pub(crate) struct SearchPath {
    objects: Objects,
    entries: Vec<String>,
    first_read: Option<Instant>,
    read: Option<Instant>,
}

impl SearchPath {
    /// Not read yet.
    #[must_use]
    pub(crate) fn new(objects: Objects) -> Self {
        Self { objects, entries: Vec::new(), first_read: None, read: None }
    }

    /// Goes on with another program of the same process, whose objects are at `objects`. The
    /// entries of the last one are kept, as its samples are.
    pub(crate) fn go_on(&mut self, objects: Objects) {
        *self = Self { entries: std::mem::take(&mut self.entries), ..Self::new(objects) };
    }

    /// Reads it, `at_once` or unless that was done a moment ago. Entries are added only: a
    /// program may take one out again that it has imported from.
    pub(crate) fn refresh<A: Abi, M: Memory>(
        &mut self,
        memory: &M,
        roots: &ProcessRoots,
        at_once: bool,
    ) {
        let now = Instant::now();
        let first = *self.first_read.get_or_insert(now);
        let hold = (now.duration_since(first) / 4).clamp(PATH_HOLD[0], PATH_HOLD[1]);
        if !at_once && self.read.is_some_and(|read| now.duration_since(read) < hold) {
            return;
        }
        self.read = Some(now);
        let Objects { types, system } = &self.objects;
        for entry in search_path::read::<A, M>(memory, types, system, roots) {
            if self.entries.len() < LONGEST_SEARCH_PATH && !self.entries.contains(&entry) {
                self.entries.push(entry);
            }
        }
    }

    /// Its absolute entries.
    #[must_use]
    pub(crate) fn get(&self) -> &[String] {
        &self.entries
    }
}
