//! Which thread of the kernel a Python thread is: ptrace knows no other.
//!
//! From 3.11 a thread state says so itself. Before, it holds the `pthread_t`, which
//! is the address of the C library's record of the thread; that record holds the
//! kernel's id, at an offset that is found by looking for it.

use std::collections::HashMap;
use std::fs;

use crate::abi::Abi;
use crate::memory::{Memory, Remote};
use crate::process::Process;
use crate::python::objects::Thread;
use crate::python::threads::ProcessRoots;

/// How much of a C library's thread record is searched, in bytes. glibc has the
/// id at 720 (`sysdeps/x86/nptl`, `struct pthread`), musl at 48.
const RECORD: usize = 1024;

/// The threads of one process, by thread state.
#[derive(Debug, Default)]
pub struct ThreadIds {
    known: HashMap<u64, Option<i32>>,
    record_offset: Option<u64>,
}

impl ThreadIds {
    /// The kernel's id of a thread, in this program's own numbering. `None` where
    /// it cannot be told.
    pub fn get<A: Abi, M: Memory>(
        &mut self,
        process: &Process,
        memory: &M,
        roots: &ProcessRoots,
        thread: Remote<Thread>,
    ) -> Option<i32> {
        if let Some(known) = self.known.get(&thread.address()) {
            return *known;
        }
        let tasks = Tasks::of(process)?;
        let id = match (tasks.only(), A::THREAD.native_id) {
            (Some(only), _) => return Some(only),
            (None, Some(field)) => tasks.outside(memory.field(thread, field).ok()?),
            (None, None) => self.by_record::<A, M>(memory, roots, thread, &tasks),
        };
        self.known.insert(thread.address(), id);
        id
    }

    /// Forgets everything: threads end, and their states are used again.
    pub fn forget(&mut self) {
        self.known.clear();
    }

    fn by_record<A: Abi, M: Memory>(
        &mut self,
        memory: &M,
        roots: &ProcessRoots,
        thread: Remote<Thread>,
        tasks: &Tasks,
    ) -> Option<i32> {
        let offset = match self.record_offset {
            Some(offset) => offset,
            None => find_offset::<A, M>(memory, roots, tasks)?,
        };
        self.record_offset = Some(offset);
        let record = memory.field(thread, A::THREAD.id).ok()?;
        tasks.outside(memory.read::<u32>(record.wrapping_add(offset)).ok()?.into())
    }
}

/// The first offset at which the record of every Python thread holds the id of a
/// thread, and of a different one each.
fn find_offset<A: Abi, M: Memory>(memory: &M, roots: &ProcessRoots, tasks: &Tasks) -> Option<u64> {
    let threads = roots.threads::<A, M>(memory).ok()?;
    let records: Vec<Vec<u8>> =
        threads.iter().filter_map(|thread| memory.read_bytes(thread.id, RECORD).ok()).collect();
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
struct Tasks {
    inside_to_outside: HashMap<u64, i32>,
}

impl Tasks {
    fn of(process: &Process) -> Option<Self> {
        let pid = process.pid();
        let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let same = namespace(&pid.to_string()) == namespace("self");
        let threads = process.threads().ok()?;
        let inside = |tid: i32| {
            if same { u64::try_from(tid).ok() } else { innermost_id(pid, tid) }
        };
        let pairs = threads.into_iter().filter_map(|tid| Some((inside(tid)?, tid)));
        Some(Self { inside_to_outside: pairs.collect() })
    }

    fn outside(&self, inside: u64) -> Option<i32> {
        self.inside_to_outside.get(&inside).copied()
    }

    /// The only thread, if there is just one.
    fn only(&self) -> Option<i32> {
        let mut ids = self.inside_to_outside.values();
        ids.next().filter(|_| ids.next().is_none()).copied()
    }
}

/// The last number of `NSpid` in `status`: the id in the innermost namespace.
fn innermost_id(pid: i32, tid: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/task/{tid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    line.split_ascii_whitespace().last()?.parse().ok()
}
