//! A thread's frames, before anything is known of their code.

pub(crate) use super::frame_format::{
    Broken, COPY, Decoded, Frames, MAX_DEPTH, Pointers, Position, RawFrame, Step, Walk,
};
use super::objects::{CFrame, Frame, Thread};
use crate::cpython::abi::{Abi, TopFrame};
use crate::cpython::memory::{Fault, Memory, Remote};

/// The first of the words that lead to the innermost frame of a thread: it lies in the
/// thread state itself.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn first_word<A: Abi, M: Memory>(
    memory: &M,
    thread: Remote<Thread>,
) -> Result<u64, Fault> {
    let offset = match A::THREAD.top {
        TopFrame::Direct(field) => field.offset(),
        TopFrame::CFrame(layout) => layout.newest.offset(),
    };
    memory.read(thread.address().wrapping_add(offset as u64))
}

/// The innermost frame of a thread; null when it runs no Python code.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn top_frame<A: Abi, M: Memory>(
    memory: &M,
    thread: Remote<Thread>,
) -> Result<Remote<Frame>, Fault> {
    match A::THREAD.top {
        TopFrame::Direct(field) => memory.field(thread, field),
        TopFrame::CFrame(layout) => {
            let c_frame = memory.field(thread, layout.newest)?;
            if c_frame.is_null() {
                return Ok(Remote::new(0));
            }
            memory.field(c_frame, layout.current)
        }
    }
}

/// The newest C frame of a thread (3.11 and 3.12): it stands for the innermost call of the
/// evaluation loop. `None` where there are no C frames.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn newest_c_frame<A: Abi, M: Memory>(
    memory: &M,
    thread: Remote<Thread>,
) -> Result<Option<Remote<CFrame>>, Fault> {
    match A::THREAD.top {
        TopFrame::Direct(_) => Ok(None),
        TopFrame::CFrame(layout) => memory.field(thread, layout.newest).map(Some),
    }
}

/// The frame that called the innermost call of the evaluation loop, for a `c_frame` that is
/// the newest: the current frame of the C frame before. `None` where there are no C frames.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn caller_of_loop<A: Abi, M: Memory>(
    memory: &M,
    c_frame: Remote<CFrame>,
) -> Result<Option<Remote<Frame>>, Fault> {
    let TopFrame::CFrame(layout) = A::THREAD.top else { return Ok(None) };
    let before = memory.field(c_frame, layout.previous)?;
    // The first is the thread state's own, and stands for no call.
    let has_caller = !before.is_null();
    let caller = if has_caller { memory.field(before, layout.current)? } else { Remote::new(0) };
    Ok(Some(caller))
}

/// The frames of a thread, innermost first, into `walk`.
pub(crate) fn walk_thread<A: Abi, M: Memory>(
    memory: &M,
    thread: Remote<Thread>,
    walk: &mut Walk,
) -> Result<(), Broken> {
    walk.begin(top_frame::<A, M>(memory, thread)?);
    A::Frames::walk(memory, walk)
}

/// Whether a thread that stood still stood outside of the few instructions in which
/// the evaluation loop is entered: its top-frame pointer is not yet set then, and
/// shows what the C stack held before. `walk` is what was found then.
///
/// In 3.11 and 3.12 (`Python/ceval.c`, `_PyEval_EvalFrameDefault`) the new C frame is
/// linked before it is filled. One that is complete belongs to a call of the loop
/// whose caller is the current frame of the C frame before, and its own current frame
/// is not one that has been given back. Other versions have no such pointer.
///
/// # Errors
/// If the process cannot be read.
pub(crate) fn is_settled<A: Abi, M: Memory>(
    memory: &M,
    thread: Remote<Thread>,
    walk: &Walk,
) -> Result<bool, Fault> {
    let TopFrame::CFrame(layout) = A::THREAD.top else { return Ok(true) };
    if walk.truncated || walk.top.is_null() {
        return Ok(true);
    }
    let newest = memory.field(thread, layout.newest)?;
    let caller = caller_of_loop::<A, M>(memory, newest)?;
    let dead =
        memory.field(thread, layout.frames_top)?..memory.field(thread, layout.frames_limit)?;
    Ok(walk.loop_caller == caller && !dead.contains(&walk.top.address()))
}
