//! Frames of 2.7 to 3.10: objects on the heap, linked by `f_back`.
//!
//! `Objects/frameobject.c` and `Python/ceval.c` of each version: a frame is
//! complete before it becomes a thread's top frame, so there are none in the
//! making to recognise.

use super::frames::{Broken, Frames, Position, RawFrame, Walk};
use super::objects::Frame;
use crate::abi::{HeapFrameAbi, LineIsSet};
use crate::memory::{Memory, Remote};

/// The walker for `f_back` chains.
pub enum HeapFrames {}

/// Room for the part of a frame that is read, in bytes.
const COPY: usize = 160;

impl<A: HeapFrameAbi> Frames<A> for HeapFrames {
    fn walk<M: Memory>(memory: &M, walk: &mut Walk) -> Result<(), Broken> {
        const { assert!(A::FRAME.size <= COPY) };
        let mut frame = walk.top;
        let mut steps = 0;
        let mut copy = [0; COPY];
        while !frame.is_null() && walk.step(&mut steps) {
            let copy = &mut copy[..A::FRAME.size];
            memory.read_into(frame.address(), copy)?;
            let (raw, back) = decode::<A>(frame, copy).ok_or(Broken::NotAFrame(frame.address()))?;
            walk.frames.push(raw);
            frame = back;
        }
        walk.is_whole = true;
        Ok(())
    }
}

fn decode<A: HeapFrameAbi>(frame: Remote<Frame>, copy: &[u8]) -> Option<(RawFrame, Remote<Frame>)> {
    let layout = A::FRAME;
    let line = layout.line.of(copy)?;
    let line_is_set = match layout.line_is_set {
        LineIsSet::WhileTraced => !layout.trace.of(copy)?.is_null(),
        LineIsSet::UnlessZero => line != 0,
    };
    let position = if line_is_set {
        Position::Line(line)
    } else {
        let unit = layout.last_instruction.of(copy)?;
        Position::Instruction(unit.saturating_mul(layout.instruction_unit))
    };
    let raw = RawFrame { frame, code: layout.code.of(copy)?, position, may_be_incomplete: false };
    Some((raw, layout.back.of(copy)?))
}
