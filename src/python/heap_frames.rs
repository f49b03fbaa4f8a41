//! Frames of 2.7 to 3.10: objects on the heap, linked by `f_back`.
//!
//! `Objects/frameobject.c` and `Python/ceval.c` of each version: a frame is
//! complete before it becomes a thread's top frame, so there are none in the
//! making to recognise.

use super::frames::{Decoded, Frames, Position, RawFrame};
use super::objects::Frame;
use crate::abi::{HeapFrameAbi, LineIsSet};
use crate::memory::Remote;

/// The walker for `f_back` chains.
pub enum HeapFrames {}

impl<A: HeapFrameAbi> Frames<A> for HeapFrames {
    const SIZE: usize = A::FRAME.size;
    const SHIMS: bool = false;

    fn decode(frame: Remote<Frame>, copy: &[u8]) -> Option<Decoded> {
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
        let code = layout.code.of(copy)?;
        let caller = layout.back.of(copy)?;
        let raw = RawFrame {
            frame,
            caller,
            code,
            position,
            may_be_incomplete: false,
            is_called_by_loop: false,
            runs: false,
            is_alive: layout.references.of(copy)? > 0,
        };
        // Each frame may be the first of a call of the loop, and mostly is.
        Some(Decoded { raw: Some(raw), caller, begins: true })
    }
}
