//! The proof that a layout fits a process, on live objects, before any sample.

use std::fmt;

use super::code::CodeCache;
use super::frames::{Broken, RawFrame, Walk, walk_thread};
use super::objects::{Thread, Types};
use super::threads::ProcessRoots;
use crate::cpython::abi::{Abi, SystemLayout, SystemPlace};
use crate::cpython::memory::{Fault, Field, Memory, Remote};

/// What the proof came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Every thread belongs to its interpreter, and the frames of at least one
    /// thread lead to code objects with a name, a file and a line table.
    Proven,
    /// Nothing speaks against the layout, but no thread has a frame yet.
    NoFrames,
    /// There is no interpreter yet: Python is starting.
    NotStarted,
}

/// How that which is read for a proof stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standstill {
    /// It moves: each thread is walked twice, and only the outermost frames that both walks have
    /// found prove something.
    None,
    /// It stands still.
    Held,
    /// It stands for ever, as it was left: a thread may be broken, and that says nothing of the
    /// layout if another one proves it.
    Kept,
}

/// Why a layout does not fit a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mismatch(String);

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Mismatch {}

/// So many frames are proof enough: running threads stand still while they are read.
const ENOUGH_FRAMES: usize = 2000;

/// After so many broken threads no more are read, of what was left so: each may cost a long walk.
const MOST_BROKEN: usize = 100;

/// Reads every thread state, and frames of threads until there are enough, and checks what
/// must be true of them.
///
/// # Errors
/// [`Mismatch`] with the first thing that is not as the layout says.
pub(crate) fn prove<A: Abi, M: Memory>(
    memory: &M,
    roots: &ProcessRoots,
    types: Types,
    standstill: Standstill,
) -> Result<Proof, Mismatch> {
    let fault = |fault: Fault| Mismatch(fault.to_string());
    if roots.interpreters::<A, M>(memory).map_err(fault)?.is_empty() {
        return Ok(Proof::NotStarted);
    }
    let mut code = CodeCache::<A>::new(types);
    let mut walks = (Walk::default(), Walk::default());
    let mut frames = 0;
    let mut first_broken = None;
    let mut broken_threads = 0;
    for thread in roots.states::<A, M>(memory).map_err(fault)? {
        if !thread.is_consistent {
            let state = thread.state;
            return Err(Mismatch(format!("thread state {state:?} is not its interpreter's")));
        }
        if frames >= ENOUGH_FRAMES || broken_threads >= MOST_BROKEN {
            continue;
        }
        match prove_thread(memory, thread.state, standstill, &mut code, &mut walks) {
            Ok(proven) => frames += proven,
            Err(broken) => {
                let mismatch = Mismatch(format!("thread {:#x}: {broken}", thread.id));
                if standstill != Standstill::Kept {
                    return Err(mismatch);
                }
                broken_threads += 1;
                first_broken = first_broken.or(Some(mismatch));
            }
        }
    }
    match (frames, first_broken) {
        (0, Some(mismatch)) => Err(mismatch),
        (0, None) => Ok(Proof::NoFrames),
        _ => Ok(Proof::Proven),
    }
}

/// Proves the frames of one thread. Returns how many they are.
fn prove_thread<A: Abi, M: Memory>(
    memory: &M,
    thread: Remote<Thread>,
    standstill: Standstill,
    code: &mut CodeCache<A>,
    (walk, again): &mut (Walk, Walk),
) -> Result<usize, Broken> {
    walk_thread::<A, M>(memory, thread, walk)?;
    let agreed = if standstill == Standstill::None {
        walk_thread::<A, M>(memory, thread, again)?;
        in_both(&walk.frames, &again.frames)
    } else {
        walk.frames.as_slice()
    };
    for raw in agreed {
        code.decode_of(memory, raw)?;
    }
    Ok(agreed.len())
}

/// The outermost frames that two walks of a thread have in common.
fn in_both<'a>(walk: &'a [RawFrame], again: &[RawFrame]) -> &'a [RawFrame] {
    let pairs = walk.iter().rev().zip(again.iter().rev());
    let is_same =
        |(one, other): &(&RawFrame, &RawFrame)| one.frame == other.frame && one.code == other.code;
    let common = pairs.take_while(is_same).count();
    &walk[walk.len() - common..]
}

/// Where an interpreter keeps its modules, if the process is one of `A` whose `_PyRuntime` is at
/// `runtime`.
///
/// # Errors
/// [`Mismatch`] if the process ought to say it, and does not.
pub(crate) fn system_layout<A: Abi, M: Memory>(
    memory: &M,
    runtime: Option<u64>,
) -> Result<SystemLayout, Mismatch> {
    /// Interpreter states of all versions are smaller, in bytes.
    const LARGEST: u64 = 1 << 24;
    let (modules, sys) = match A::system() {
        SystemPlace::Known(layout) => return Ok(layout),
        SystemPlace::Told { modules, sys } => (modules, sys),
    };
    let runtime = runtime.ok_or_else(|| Mismatch("it has no symbol _PyRuntime".to_owned()))?;
    let told = |position: usize| {
        let told: Result<u64, Fault> = memory.read(runtime.wrapping_add(position as u64));
        let offset = told.map_err(|fault| Mismatch(fault.to_string()))?;
        if offset >= LARGEST || offset % 8 != 0 {
            return Err(Mismatch(format!("it says that a field is at offset {offset}")));
        }
        Ok(offset as usize)
    };
    Ok(SystemLayout { modules: Field::at(told(modules)?), sys: Field::at(told(sys)?) })
}

/// Compares `_Py_DebugOffsets` at the start of `_PyRuntime` (3.13 and later)
/// with the layouts: a witness that the process itself brings.
///
/// # Errors
/// [`Mismatch`] with the first entry that differs.
pub(crate) fn check_debug_offsets<A: Abi, M: Memory>(
    memory: &M,
    runtime: u64,
) -> Result<(), Mismatch> {
    for entry in A::debug_offsets() {
        let position = runtime.wrapping_add(entry.position as u64);
        let said: u64 = memory.read(position).map_err(|fault| Mismatch(fault.to_string()))?;
        if said != entry.offset as u64 {
            let (name, offset) = (entry.name, entry.offset);
            return Err(Mismatch(format!(
                "it says that {name} is at offset {said}, the layout says {offset}"
            )));
        }
    }
    Ok(())
}
