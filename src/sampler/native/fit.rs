//! Where the Python frames of a thread lie among its native ones: by address, not by counting.
//!
//! Each call of the evaluation loop is a native frame, and it holds what tells which Python
//! frames it executes:
//!
//! * From 3.12 on the loop has a shim on its own stack, to which its first frame is linked
//!   (`entry_frame`, `entry` in `_PyEval_EvalFrameDefault`, `Python/ceval.c`).
//! * In 3.11 it has the C frame on its stack, to which the thread state leads; the first frame of
//!   a loop says that it is (`is_entry`).
//! * Up to 3.10 each Python frame has a call of its own, which is given the frame's address. It
//!   lies in the native frame, or in a register that the next function has saved.
//!
//! Everything must fit: each loop a native frame, in the same order, and no Python frame without
//! a loop.

use crate::cpython::abi::{Abi, TopFrame};
use crate::cpython::memory::Remote;
use crate::cpython::read::frames::{Frames, Step, Walk};
use crate::cpython::read::objects::CFrame;
use crate::profile::NativeTorn;
use crate::sampler::native::machine::Machine;
use crate::target::unwind::NativeFrame;

/// Bytes at the end of a native frame into which it saves the registers of its caller: at most
/// six and the return address on x86-64; ten and two on aarch64.
const SAVED: u64 = 16 * 8;

/// A call of the evaluation loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Loop {
    /// The number of steps of the walk, innermost first, up to the last that it executes.
    pub steps: usize,
    /// Its native frame.
    pub native: usize,
}

/// A part of a merged stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A step of the walk.
    Python(usize),
    /// A native frame.
    Native(usize),
}

/// The native frames of a thread at one moment.
pub(super) struct Natives<'a> {
    /// Registers and stack.
    pub machine: &'a Machine,
    /// Innermost first.
    pub frames: &'a [NativeFrame],
}

impl Natives<'_> {
    /// The frame that keeps what lies at `address`. One whose end is not known, because unwinding
    /// came no further, keeps nothing.
    fn holder(&self, address: u64) -> Option<usize> {
        let place = self.frames.partition_point(|frame| frame.end <= address);
        let holds = |frame: &NativeFrame| frame.start <= address && frame.end != u64::MAX;
        self.frames.get(place).is_some_and(holds).then_some(place)
    }
}

/// The calls of the evaluation loop that a walk has found, innermost first. `newest` is the
/// thread's newest C frame, where there is one; `is_loop` tells of a native frame whether it is a
/// call of the evaluation loop, where symbols have to tell that.
///
/// # Errors
/// If they do not fit to the native frames.
pub(super) fn loops<A: Abi>(
    walk: &Walk,
    newest: Option<Remote<CFrame>>,
    natives: &Natives<'_>,
    is_loop: impl Fn(&NativeFrame) -> bool,
) -> Result<Vec<Loop>, NativeTorn> {
    if walk.truncated {
        return Err(NativeTorn::Cut);
    }
    if walk.has_foreign {
        return Err(NativeTorn::Mismatch);
    }
    match A::THREAD.top {
        _ if A::Frames::SHIMS => by_shims(&walk.path, natives),
        TopFrame::CFrame(layout) => {
            let (current, previous) = (layout.current.offset(), layout.previous.offset());
            let newest = newest.ok_or(NativeTorn::Mismatch)?.address();
            by_c_frames(&walk.path, newest, (current as u64, previous as u64), natives)
        }
        TopFrame::Direct(_) => by_arguments(&walk.path, natives, is_loop),
    }
}

fn by_shims(path: &[Step], natives: &Natives<'_>) -> Result<Vec<Loop>, NativeTorn> {
    let mut loops: Vec<Loop> = Vec::new();
    for (number, step) in path.iter().enumerate().filter(|(_, step)| step.is_shim) {
        match natives.holder(step.frame.address()) {
            Some(native) => loops.push(Loop { steps: number + 1, native }),
            // The thread state may have one of its own, to which nothing is linked but loops.
            None if number + 1 == path.len() => {}
            None => return Err(NativeTorn::Mismatch),
        }
    }
    let done = loops.last().map_or(0, |last| last.steps);
    match path.get(done..) {
        Some(rest) if rest.iter().any(|step| !step.is_shim) => Err(NativeTorn::Mismatch),
        _ => Ok(loops),
    }
}

fn by_c_frames(
    path: &[Step],
    newest: u64,
    (current, previous): (u64, u64),
    natives: &Natives<'_>,
) -> Result<Vec<Loop>, NativeTorn> {
    let word = |address: u64| natives.machine.word(address).ok_or(NativeTorn::Mismatch);
    let (mut loops, mut c_frame, mut first) = (Vec::new(), newest, true);
    let mut top = 0;
    for (number, step) in path.iter().enumerate() {
        if first {
            let is_its = word(c_frame.wrapping_add(current))? == step.frame.address();
            top = natives.holder(c_frame).filter(|_| is_its).ok_or(NativeTorn::Mismatch)?;
        }
        first = step.begins;
        if step.begins {
            loops.push(Loop { steps: number + 1, native: top });
            c_frame = word(c_frame.wrapping_add(previous))?;
        }
    }
    if first || path.is_empty() { Ok(loops) } else { Err(NativeTorn::Mismatch) }
}

fn by_arguments(
    path: &[Step],
    natives: &Natives<'_>,
    is_loop: impl Fn(&NativeFrame) -> bool,
) -> Result<Vec<Loop>, NativeTorn> {
    let all: Vec<usize> = (0..natives.frames.len())
        .filter(|place| natives.frames.get(*place).is_some_and(&is_loop))
        .collect();
    // The innermost may just have been called, or be about to return.
    let further = all.len().checked_sub(path.len()).ok_or(NativeTorn::Mismatch)?;
    let holds = |place: usize, step: &Step| holds(natives, &all, place, step.frame.address());
    let skipped = if further <= 1 { further } else { return Err(NativeTorn::Mismatch) };
    let mut loops = Vec::with_capacity(path.len());
    for (number, step) in path.iter().enumerate() {
        if !holds(number + skipped, step) {
            return Err(NativeTorn::Mismatch);
        }
        loops.push(Loop { steps: number + 1, native: all[number + skipped] });
    }
    Ok(loops)
}

/// Whether the call of the loop at this place in `all` has the address of a Python frame: among
/// what it keeps, or in what the functions that it called, up to the next loop, have saved.
fn holds(natives: &Natives<'_>, all: &[usize], place: usize, frame: u64) -> bool {
    let Some(own) = all.get(place).and_then(|native| natives.frames.get(*native)) else {
        return false;
    };
    let inner = place.checked_sub(1).and_then(|place| natives.frames.get(*all.get(place)?));
    let top = natives.machine.stack_pointer().unwrap_or(u64::MAX);
    let start = inner.map_or(top, |inner| inner.end.saturating_sub(SAVED).max(inner.start));
    if own.end == u64::MAX {
        return false;
    }
    let in_register = inner.is_none() && natives.machine.has_in_register(frame);
    in_register || natives.machine.has_between(start, own.end, frame)
}

/// The parts of the merged stack, innermost first, of a walk with so many steps.
///
/// # Errors
/// If the loops are not in the order of their native frames.
pub(super) fn merge(loops: &[Loop], natives: usize) -> Result<Vec<Part>, NativeTorn> {
    let mut parts = Vec::with_capacity(natives * 2);
    let (mut step, mut native) = (0, 0);
    for one in loops {
        if one.native < native || one.native >= natives {
            return Err(NativeTorn::Mismatch);
        }
        parts.extend((native..one.native).map(Part::Native));
        parts.extend((step..one.steps).map(Part::Python));
        parts.push(Part::Native(one.native));
        (step, native) = (one.steps, one.native + 1);
    }
    parts.extend((native..natives).map(Part::Native));
    Ok(parts)
}

#[cfg(test)]
#[path = "fit_tests.rs"]
mod tests;
