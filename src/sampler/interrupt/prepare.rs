//! Prepares the program for one process: loads it, and finds out what tells which thread is which.

use std::time::{Duration, Instant};

use super::KernelError;
use super::constants::Constants;
use super::load::Loaded;
use super::plan::Plan;
use crate::cpython::abi::Abi;
use crate::cpython::memory::{Field, Memory};
use crate::cpython::read::objects::Thread;
use crate::cpython::read::threads::{ProcessRoots, ThreadInfo};
use crate::sampler::thread_ids::{Tasks, ThreadIds};
use crate::target::live::memory::LiveMemory;
use crate::target::live::{Process, nap};

/// How long it is looked for where the C library keeps the ids of threads.
const TIME_FOR_IDS: Duration = Duration::from_millis(500);

/// How long it is looked whether all thread states tell of threads.
const TIME_FOR_STATES: Duration = Duration::from_millis(20);

/// The pause between two looks for that.
const NAP: Duration = Duration::from_millis(1);

/// Loads the program for a process. With it comes where in the C library's record of a thread
/// its id is, if thread states do not tell that.
pub(super) fn load<A: Abi>(
    process: &Process,
    memory: &LiveMemory,
    roots: &ProcessRoots,
    plan: &Plan,
) -> Result<(Loaded, Option<u64>), KernelError> {
    let pid = process.pid();
    let record_id = match A::THREAD.native_id {
        Some(field) if states_tell_ids::<A>(process, memory, roots, field) => None,
        _ => Some(record_id::<A>(process, memory, roots).ok_or(KernelError::NoIds { pid })?),
    };
    let constants = Constants::of::<A>(process, roots, record_id, plan)?;
    Ok((Loaded::load(&constants, ring_size(plan))?, record_id))
}

/// How large the ring buffer is: for a while of deep stacks, and for those of the beginning
/// with all their code objects. A power of two, as the kernel wants it.
fn ring_size(plan: &Plan) -> u32 {
    const WHILE: Duration = Duration::from_millis(50);
    const DEEP: u128 = 32 << 10;
    const NATIVE: u128 = 96 << 10;
    let samples = WHILE.as_nanos() / plan.interval.as_nanos().max(1);
    let (each, least) = if plan.native { (DEEP + NATIVE, 16 << 20) } else { (DEEP, 4 << 20) };
    let size = (samples * each).clamp(least, 64 << 20);
    u32::try_from(size).unwrap_or(u32::MAX >> 1).next_power_of_two()
}

/// Whether the ids that thread states have are those of threads. Where C code has forked
/// without Python, they are of the parent's.
fn states_tell_ids<A: Abi>(
    process: &Process,
    memory: &LiveMemory,
    roots: &ProcessRoots,
    field: Field<Thread, u64>,
) -> bool {
    // A thread that begins or ends is in one of the lists only.
    let are_all_told = || {
        let (tasks, threads) = (Tasks::of(process)?, roots.threads::<A, _>(memory).ok()?);
        let is_there = |info: &ThreadInfo| {
            memory.field(info.state, field).is_ok_and(|id| tasks.outside(id).is_some())
        };
        threads.iter().all(is_there).then_some(())
    };
    look_for(TIME_FOR_STATES, are_all_told).is_some()
}

/// Where in the C library's record of a thread its id is. While threads start and end it is
/// looked for until all of them are there.
fn record_id<A: Abi>(process: &Process, memory: &LiveMemory, roots: &ProcessRoots) -> Option<u64> {
    look_for(TIME_FOR_IDS, || ThreadIds::record_offset::<A, _>(process, memory, roots))
}

/// Looks once, and again for so long as nothing is found: with many threads a look takes long.
fn look_for<T>(time: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        let found = look();
        if found.is_some() || start.elapsed() >= time {
            return found;
        }
        nap(NAP);
    }
}
