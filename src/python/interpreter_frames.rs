//! Frames of 3.11 and later: `_PyInterpreterFrame`s on the data stack, inside
//! generators, or inside frame objects, linked by `previous`.
//!
//! `Include/internal/pycore_frame.h` (3.11–3.13) and `pycore_interpframe.h`
//! (3.14 and later): a frame that belongs to a generator is always complete;
//! another one is complete once it has reached the first traceable instruction.
//! Shims that the interpreter or the C stack owns run no Python code.

use super::frames::{Broken, Frames, Position, RawFrame, Walk};
use super::objects::Frame;
use crate::abi::{Entry, InterpreterFrameAbi};
use crate::memory::{Memory, Remote};

/// The walker for `previous` chains.
pub enum InterpreterFrames {}

/// Room for the part of a frame that is read, in bytes.
const COPY: usize = 96;

impl<A: InterpreterFrameAbi> Frames<A> for InterpreterFrames {
    fn walk<M: Memory>(memory: &M, walk: &mut Walk) -> Result<(), Broken> {
        const { assert!(A::FRAME.size <= COPY) };
        let mut frame = walk.top;
        let mut steps = 0;
        let mut copy = [0; COPY];
        walk.is_whole = true; // A thread may have no frame at all.
        while !frame.is_null() && walk.step(&mut steps) {
            let copy = &mut copy[..A::FRAME.size];
            memory.read_into(frame.address(), copy)?;
            let (raw, previous) =
                decode::<A>(frame, copy).ok_or(Broken::NotAFrame(frame.address()))?;
            // Every chain begins with a call of the evaluation loop.
            walk.is_whole = match A::FRAME.entry {
                Entry::Says(field) => field.of(copy).is_some_and(|says| says != 0),
                Entry::AboveShim => raw.is_none(),
            };
            if walk.is_whole && walk.loop_caller.is_none() {
                walk.loop_caller = Some(previous);
            }
            walk.frames.extend(raw);
            frame = previous;
        }
        walk.is_whole |= walk.truncated;
        Ok(())
    }
}

/// The frame, unless it is a shim, and the one that called it.
fn decode<A: InterpreterFrameAbi>(
    frame: Remote<Frame>,
    copy: &[u8],
) -> Option<(Option<RawFrame>, Remote<Frame>)> {
    let layout = A::FRAME;
    let previous = layout.previous.of(copy)?;
    let owner = layout.owner.of(copy)?;
    if owner >= layout.first_shim_owner {
        return Some((None, previous));
    }
    let code = layout.code.of(copy)? & !layout.code_tag;
    let first = code.wrapping_add(layout.first_instruction as u64);
    let distance = layout.instruction.of(copy)?.wrapping_sub(first) as i64;
    // Outside the 2 GiB that a code object can span, the pointer belongs to
    // another code object: such a frame is in the making.
    let offset = i32::try_from(distance).unwrap_or(i32::MIN);
    let raw = RawFrame {
        frame,
        code: Remote::new(code),
        position: Position::Instruction(offset),
        may_be_incomplete: owner != layout.generator_owner,
    };
    Some((Some(raw), previous))
}
