//! Which thread of the kernel a Python thread is: ptrace knows no other.
//!
//! From 3.11 a thread state says so itself, unless C code has forked without Python: then
//! it still tells the id of the parent's thread. Before, and there, the `pthread_t` leads
//! on, the address of the C library's record of the thread. That record holds the kernel's
//! id, and is kept right by `fork`. Where the id is in it, glibc tells; else it is looked for.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use crate::cpython::abi::Abi;
use crate::cpython::memory::{Memory, Remote};
use crate::cpython::read::objects::Thread;
use crate::cpython::read::threads::ProcessRoots;
use crate::target::Target;
use crate::target::locate::thread_id_offset;

/// How much of a C library's thread record is searched, in bytes. musl has the id at 48.
const RECORD: usize = 1024;

/// The threads of one process, by thread state.
#[derive(Debug, Default)]
pub(crate) struct ThreadIds {
    known: HashMap<u64, Option<i32>>,
    /// What the thread states said of themselves when that was found out.
    told: HashMap<u64, Told>,
    record_offset: Option<u64>,
    /// What the C library says of that, once it was asked.
    described_offset: Option<Option<u64>>,
    /// Whether that offset was looked for in vain since [`ThreadIds::begin_round`].
    lacks_offset: bool,
    /// Thread states whose record is another's, once they were looked for.
    shadowed: Option<HashSet<u64>>,
    /// The kernel's list, as it was when an id was last missing in it.
    tasks: Option<Rc<Tasks>>,
    /// Whether that list was made since [`ThreadIds::begin_round`].
    is_fresh: bool,
}

/// What a thread state, and the C library's record of its thread, say of the thread. Whose
/// thread state has become another thread's says something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    /// `threading.get_ident()`.
    id: u64,
    /// The kernel's id in the thread state, if its version has it.
    native: Option<u64>,
    /// That in the C library's record, if it is known where.
    record: Option<u32>,
}

impl ThreadIds {
    /// The kernel's id of a thread, in this program's own numbering. `None` where
    /// it cannot be told.
    pub(crate) fn get<A: Abi, M: Memory>(
        &mut self,
        target: &impl Target,
        memory: &M,
        roots: &ProcessRoots,
        thread: Remote<Thread>,
    ) -> Option<i32> {
        match self.known.get(&thread.address()).copied() {
            Some(Some(known)) => return Some(known),
            Some(None) if self.is_as_told::<A, M>(memory, thread) => return None,
            _ => {}
        }
        // What a list of one thread tells holds only while there is one.
        let is_usable =
            self.tasks.as_ref().is_some_and(|tasks| self.is_fresh || tasks.only().is_none());
        let find = |ids: &mut Self| ids.find::<A, M>(target, memory, roots, thread);
        let mut id = is_usable.then(|| find(self)).flatten();
        if id.is_none() && !self.is_fresh {
            self.tasks = Tasks::of(target).map(Rc::new);
            self.is_fresh = true;
            id = find(self);
        }
        self.known.insert(thread.address(), id);
        id
    }

    /// What the thread that a thread state was of called itself (`threading.get_ident()`) when
    /// its id was found.
    #[must_use]
    pub(crate) fn identity(&self, thread: Remote<Thread>) -> Option<u64> {
        self.told.get(&thread.address()).map(|told| told.id)
    }

    /// Whether a thread state is still the same thread's as when its id was found. If not, the
    /// id is forgotten. A thread that has ended leaves its thread state to the next one.
    pub(crate) fn is_as_told<A: Abi, M: Memory>(
        &mut self,
        memory: &M,
        thread: Remote<Thread>,
    ) -> bool {
        let told = self.told.get(&thread.address()).copied();
        let is_same = told.is_some() && told == self.tell::<A, M>(memory, thread);
        if !is_same {
            self.known.remove(&thread.address());
            self.told.remove(&thread.address());
        }
        is_same
    }

    fn tell<A: Abi, M: Memory>(&self, memory: &M, thread: Remote<Thread>) -> Option<Told> {
        let id: u64 = memory.field(thread, A::THREAD.id).ok()?;
        let native = match A::THREAD.native_id {
            Some(field) => Some(memory.field(thread, field).ok()?),
            None => None,
        };
        let record = match self.record_offset {
            Some(offset) => Some(memory.read::<u32>(id.wrapping_add(offset)).ok()?),
            None => None,
        };
        Some(Told { id, native, record })
    }

    /// Begins a round of questions. The kernel lists the threads of a process anew at most
    /// once in a round, however many of them are not in the list.
    pub(crate) fn begin_round(&mut self) {
        self.is_fresh = false;
        self.lacks_offset = false;
    }

    /// Where in the C library's record of a thread the kernel's id is, if it can be told.
    pub(crate) fn record_offset<A: Abi, M: Memory>(
        target: &impl Target,
        memory: &M,
        roots: &ProcessRoots,
    ) -> Option<u64> {
        let found = || find_offset::<A, M>(memory, roots, &Tasks::of(target)?);
        thread_id_offset(target, memory).or_else(found)
    }

    /// Forgets everything: threads end, and their states are used again.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
        self.told.clear();
        self.shadowed = None;
        self.begin_round();
    }

    /// The id of a thread, if the list has it. It follows from what is told of the thread, which
    /// is kept: as long as that is the same, so is the id.
    fn find<A: Abi, M: Memory>(
        &mut self,
        target: &impl Target,
        memory: &M,
        roots: &ProcessRoots,
        thread: Remote<Thread>,
    ) -> Option<i32> {
        let tasks = self.tasks.clone()?;
        let mut told = self.tell::<A, M>(memory, thread)?;
        // A process that was forked by C code has thread states of the parent's other threads.
        let only = tasks.only().filter(|_| is_of_only::<A, M>(memory, roots, thread, told.id));
        let mut id = only.or_else(|| tasks.outside(told.native?));
        if id.is_none() {
            self.look_for_offset::<A, M>(target, memory, roots, &tasks);
            told = self.tell::<A, M>(memory, thread)?;
            id = told.record.and_then(|record| tasks.outside(record.into()));
            id = id.filter(|_| !self.is_shadowed::<A, M>(memory, roots, thread));
        }
        self.told.insert(thread.address(), told);
        id
    }

    /// Whether a later thread state of the same interpreter has the same `pthread_t`: then
    /// the record may have become another thread's, and tells nothing of this one.
    fn is_shadowed<A: Abi, M: Memory>(
        &mut self,
        memory: &M,
        roots: &ProcessRoots,
        thread: Remote<Thread>,
    ) -> bool {
        let find = || shadowed::<A, M>(memory, roots).unwrap_or_default();
        self.shadowed.get_or_insert_with(find).contains(&thread.address())
    }

    /// Finds out where the record of a thread has the kernel's id, if that is not known.
    fn look_for_offset<A: Abi, M: Memory>(
        &mut self,
        target: &impl Target,
        memory: &M,
        roots: &ProcessRoots,
        tasks: &Tasks,
    ) {
        if self.record_offset.is_some() || self.lacks_offset {
            return;
        }
        self.record_offset = self
            .described_offset
            .get_or_insert_with(|| thread_id_offset(target, memory))
            .or_else(|| find_offset::<A, M>(memory, roots, tasks));
        self.lacks_offset = self.record_offset.is_none();
    }
}

/// The thread states that are not the latest of their interpreter with their `pthread_t`.
fn shadowed<A: Abi, M: Memory>(memory: &M, roots: &ProcessRoots) -> Option<HashSet<u64>> {
    let mut latest = HashSet::new();
    let mut shadowed = HashSet::new();
    // In the list of an interpreter the latest comes first.
    for thread in roots.states::<A, M>(memory).ok()? {
        let interpreter = memory.field(thread.state, A::THREAD.interpreter).ok()?;
        if !latest.insert((interpreter.address(), thread.id)) {
            shadowed.insert(thread.state.address());
        }
    }
    Some(shadowed)
}

/// Whether a thread state is one of a list in which all are of the thread with this `identity`.
/// That of a thread that has ended is in no list.
fn is_of_only<A: Abi, M: Memory>(
    memory: &M,
    roots: &ProcessRoots,
    thread: Remote<Thread>,
    identity: u64,
) -> bool {
    let threads = roots.states::<A, M>(memory).unwrap_or_default();
    threads.iter().any(|known| known.state == thread)
        && threads.iter().all(|known| known.id == identity)
}

/// The first offset at which the record of every Python thread holds the id of a
/// thread, and of a different one each.
fn find_offset<A: Abi, M: Memory>(memory: &M, roots: &ProcessRoots, tasks: &Tasks) -> Option<u64> {
    let threads = roots.states::<A, M>(memory).ok()?;
    // A thread has a state in each interpreter that it has been in.
    let mut addresses: Vec<u64> = threads.iter().map(|thread| thread.id).collect();
    addresses.sort_unstable();
    addresses.dedup();
    let records: Vec<Vec<u8>> =
        addresses.iter().filter_map(|record| memory.read_bytes(*record, RECORD).ok()).collect();
    let ids_at = |offset: usize| -> Option<Vec<i32>> {
        let id = |record: &Vec<u8>| {
            let bytes = record.get(offset..offset + 4)?.try_into().ok()?;
            tasks.outside(u32::from_ne_bytes(bytes).into())
        };
        records.iter().map(id).collect()
    };
    let is_unique = |mut ids: Vec<i32>| {
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        count > 0 && ids.len() == count
    };
    let offset = (0..RECORD).step_by(4).find(|offset| ids_at(*offset).is_some_and(is_unique))?;
    Some(offset as u64)
}

/// The kernel's threads of a process: the id that the process itself sees, and
/// the one that this program sees. They differ in a container.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    inside_to_outside: HashMap<u64, i32>,
}

impl Tasks {
    pub(crate) fn of(target: &impl Target) -> Option<Self> {
        let pairs = target.thread_ids().ok()?.into_iter().map(|id| (id.inside, id.outside));
        Some(Self { inside_to_outside: pairs.collect() })
    }

    /// The id by which this program knows the thread that its process knows by `inside`.
    pub(crate) fn outside(&self, inside: u64) -> Option<i32> {
        self.inside_to_outside.get(&inside).copied()
    }

    /// The only thread, if there is just one.
    fn only(&self) -> Option<i32> {
        let mut ids = self.inside_to_outside.values();
        ids.next().filter(|_| ids.next().is_none()).copied()
    }
}

#[cfg(all(test, feature = "py27", feature = "py36", feature = "py310"))]
#[cfg(all(feature = "py311", feature = "py312", feature = "py314"))]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::cpython::abi::Python36;
    use crate::cpython::memory::Fault;
    use crate::cpython::read::fixtures::FakePython;
    use crate::target::live::Process;

    /// The record of a thread, which has nothing but the kernel's id.
    const FIRST: u64 = 0x200;
    const SECOND: u64 = 0x300;

    /// A memory in which the word at an address changes at each read.
    struct Restless<'a> {
        memory: &'a crate::cpython::memory::fake::FakeMemory,
        address: u64,
        words: [u64; 2],
        reads: Cell<usize>,
    }

    impl Memory for Restless<'_> {
        fn read_into(&self, address: u64, buffer: &mut [u8]) -> Result<(), Fault> {
            if address != self.address {
                return self.memory.read_into(address, buffer);
            }
            let word = self.words[self.reads.get() % 2];
            self.reads.set(self.reads.get() + 1);
            buffer.copy_from_slice(&word.to_ne_bytes()[..buffer.len()]);
            Ok(())
        }
    }

    /// A thread state of 3.6 becomes another thread's while it is asked whose it is: it is said
    /// to be the one's or the other's, and that it changed is seen.
    #[test]
    fn an_id_is_that_of_the_thread_that_was_told() {
        let pid = std::process::id() as i32;
        let this = nix::unistd::gettid().as_raw();
        assert_ne!(this, pid, "a test has a thread of its own");
        let mut python = FakePython::<Python36>::new();
        let (state, roots) = python.process(Remote::new(0));
        python.memory.write_word(FIRST, this as u64);
        python.memory.write_word(SECOND, pid as u64);
        let process = Process::open(pid).expect("this process");
        for words in [[FIRST, SECOND], [SECOND, FIRST]] {
            let address = state.address() + Python36::THREAD.id.offset() as u64;
            let reads = Cell::new(0);
            let memory = Restless { memory: &python.memory, address, words, reads };
            let mut ids = ThreadIds { record_offset: Some(0), ..ThreadIds::default() };
            let id = ids.get::<Python36, _>(&process, &memory, &roots, state);
            let told = ids.identity(state).expect("it was told");
            assert_eq!(id, Some(if told == FIRST { this } else { pid }));
            memory.reads.set(usize::from(told == FIRST)); // It is the other's now.
            assert!((0..4).any(|_| !ids.is_as_told::<Python36, _>(&memory, state)));
        }
    }

    /// What is left of the state of a thread that has ended is not said to be the only thread's.
    #[test]
    fn a_state_in_no_list_is_not_the_only_threads() {
        let mut python = FakePython::<Python36>::new();
        let (state, roots) = python.process(Remote::new(0));
        let ended = python.thread(Remote::new(0));
        for thread in [state, ended] {
            python.set(thread, Python36::THREAD.id, FIRST);
        }
        assert!(is_of_only::<Python36, _>(&python.memory, &roots, state, FIRST));
        assert!(!is_of_only::<Python36, _>(&python.memory, &roots, ended, FIRST));
        assert!(!is_of_only::<Python36, _>(&python.memory, &roots, state, SECOND));
    }
}
