//! Which call of the evaluation loop a thread is in, told without its top-frame pointer.
//!
//! In 3.11 and 3.12 two words lead to the top: the thread state names its newest C frame,
//! which names the current frame. The second lies on the C stack, apart from all else that
//! is fetched. But a frame that says that it is executed is on top of its call of the loop;
//! and which call that is, its outermost frame tells. So once it is known of a C frame
//! with which frame its call begins, the second word is not needed while both stay.
//!
//! That is asked of the process itself ([`caller_of_loop`]), not believed of a pointer: a C
//! frame that is just being entered still points to what it pointed to before.
//!
//! Code that was compiled to machine code may link a frame that no loop executes above the
//! one that says that it is executed ([`crate::cpython::read::frames::RawFrame::is_foreign`]). Where such a frame is met,
//! nothing is told without the pointer any more; that one is called meanwhile is noticed
//! when the process is asked.

use crate::cpython::abi::Abi;
use crate::cpython::memory::{Fault, Memory, Remote};
use crate::cpython::read::frames::{COPY, Frames, Step, caller_of_loop, newest_c_frame, top_frame};
use crate::cpython::read::objects::{CFrame, Thread};

/// So many times a call of the loop must be met, one after the other, before it is worth
/// to ask for it.
const OFTEN: u32 = 64;

/// So many times what is known is used before it is asked for again.
const FOR_LONG: u32 = 1024;

/// So many times it is used before it is looked whether a frame that no loop executes is
/// above it.
const FOR_SHORT: u32 = 16;

/// A thread, its newest C frame, and where the call of the loop begins that it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EvalLoop {
    /// The thread.
    pub thread: Remote<Thread>,
    /// Its newest C frame.
    pub c_frame: Remote<CFrame>,
    /// The outermost frame of the call, or the shim that called it.
    pub first: Step,
}

/// The call of the loop that was met last.
#[derive(Debug, Default)]
pub(super) struct EvalLoops {
    last: Option<EvalLoop>,
    /// How often it was met since it was asked for.
    met: u32,
    is_known: bool,
    /// Whether frames were met that no loop executes.
    has_foreign: bool,
}

impl EvalLoops {
    /// Where the call of the loop begins that a C frame of a thread stands for, if known.
    #[must_use]
    pub(super) fn first(&self, thread: Remote<Thread>, c_frame: Remote<CFrame>) -> Option<Step> {
        let known = self.last.filter(|last| last.thread == thread && last.c_frame == c_frame);
        known.filter(|_| self.is_known).map(|known| known.first)
    }

    /// Takes down that `met` was a thread's innermost call of the loop, by what was copied.
    /// If that is so for some time, the process is asked, by `memory`.
    pub(super) fn note<A: Abi, M: Memory>(&mut self, met: EvalLoop, memory: &M) {
        if self.has_foreign {
            return;
        }
        if self.last != Some(met) {
            *self = Self { last: Some(met), ..Self::default() };
        }
        self.met += 1;
        let is_due = self.met % FOR_SHORT == 0;
        if self.met >= if self.is_known { FOR_LONG } else { OFTEN } {
            self.met = 0;
            self.is_known = is_innermost::<A, M>(&met, memory) == Ok(true);
        }
        if is_due && self.is_known && shows_foreign::<A, M>(&met, memory) {
            self.note_foreign();
        }
    }

    /// Takes down that there are frames that no loop executes.
    pub(super) fn note_foreign(&mut self) {
        *self = Self { has_foreign: true, ..Self::default() };
    }

    /// Asks again, where the process showed something else than what was known.
    pub(super) fn doubt(&mut self) {
        *self = Self { has_foreign: self.has_foreign, ..Self::default() };
    }
}

/// Whether the innermost frame of a call of the loop is one that no loop executes.
fn shows_foreign<A: Abi, M: Memory>(met: &EvalLoop, memory: &M) -> bool {
    let mut copy = [0; COPY];
    let copy = &mut copy[..A::Frames::SIZE];
    let Ok(top) = top_frame::<A, M>(memory, met.thread) else { return false };
    let is_read = memory.read_into(top.address(), copy).is_ok();
    let raw = A::Frames::decode(top, copy).and_then(|decoded| decoded.raw);
    is_read && raw.is_some_and(|raw| raw.is_foreign)
}

/// Whether a call of the loop is the innermost of its thread now. A caller is in one call
/// at a time: the newest C frame that it leads to stands for the one that it called.
fn is_innermost<A: Abi, M: Memory>(met: &EvalLoop, memory: &M) -> Result<bool, Fault> {
    let caller = caller_of_loop::<A, M>(memory, met.c_frame)?;
    let newest = newest_c_frame::<A, M>(memory, met.thread)?;
    Ok(caller == Some(met.first.caller) && newest == Some(met.c_frame))
}
