//! Frames of 2.7 to 3.10: objects on the heap, linked by `f_back`.
//!
//! `Objects/frameobject.c`, `Objects/genobject.c` and `Python/ceval.c` of each version:
//! a frame is complete before it becomes a thread's top frame, so there are none in
//! the making to recognise. From its creation to its end, for a generator's from
//! resuming to yielding, a frame holds a reference to the one that called it. So one
//! to which there is a single reference, that of the loop that executes it, is not
//! inside a call of Python code.

use super::frames::{Decoded, Frames, Pointers, Position, RawFrame};
use super::objects::Frame;
use crate::cpython::abi::{Abi, Executing, HeapFrameLayout, LineIsSet};
use crate::cpython::memory::Remote;

/// The walker for `f_back` chains.
pub enum HeapFrames {}

impl<A: Abi<Frames = Self>> Frames<A> for HeapFrames {
    type Layout = HeapFrameLayout;

    const SIZE: usize = A::FRAME.size;
    const SHIMS: bool = false;
    const ON_HEAP: bool = true;
    const TELLS_CALLS: bool = matches!(A::FRAME.executing, Executing::When { .. });
    const POINTERS: Pointers = Pointers {
        caller: A::FRAME.back.offset(),
        code: A::FRAME.code.offset(),
        code_tag: 0,
        shims: None,
    };

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
        let references = layout.references.of(copy)?;
        let exists = references > 0;
        let (is_executed, is_alive) = match layout.executing {
            Executing::Untold => (false, exists),
            Executing::When { field, executed, unwinding } => {
                let value = field.of(copy)?;
                // One that has left lives on in a traceback, linked as before.
                (exists && value == executed, exists && [executed, unwinding].contains(&value))
            }
        };
        let raw = RawFrame {
            frame,
            caller,
            code,
            position,
            may_be_incomplete: false,
            is_told_by_caller: true,
            calls_none: references == 1,
            may_call: is_executed && references > 1,
            references: u32::try_from(references).unwrap_or(u32::MAX),
            is_alive,
            is_executed,
            is_foreign: false,
        };
        // Each frame may be the first of a call of the loop, and mostly is.
        Some(Decoded { raw: Some(raw), caller, begins: true })
    }
}
