//! Frames of 3.11 and later: `_PyInterpreterFrame`s on the data stack, inside
//! generators, or inside frame objects, linked by `previous`.
//!
//! `Include/internal/pycore_frame.h` (3.11–3.13) and `pycore_interpframe.h`
//! (3.14 and later): a frame that belongs to a generator is always complete;
//! another one is complete once it has reached the first traceable instruction.
//! Shims that the interpreter or the C stack owns run no Python code.
//!
//! Nuitka makes machine code of functions, and frames for those who look at the stack
//! (`nuitka/build/static_src/CompiledFrameType.c`). Such a frame says that a generator owns
//! it, but lies inside its own frame object, where CPython keeps none that is linked to
//! others. Its pointer to an instruction, `is_entry` and `stacktop` are made up, or were
//! never written.

use super::frames::{Decoded, Frames, Pointers, Position, RawFrame};
use super::objects::{Code, Frame};
use crate::cpython::abi::{Abi, Entry, InterpreterFrameLayout};
use crate::cpython::memory::Remote;

/// The walker for `previous` chains.
pub enum InterpreterFrames {}

impl<A: Abi<Frames = Self>> Frames<A> for InterpreterFrames {
    type Layout = InterpreterFrameLayout;

    const SIZE: usize = A::FRAME.size;
    const SHIMS: bool = matches!(A::FRAME.entry, Entry::AboveShim);
    const ON_HEAP: bool = false;
    const TELLS_CALLS: bool = A::FRAME.stack_top.is_some();
    const POINTERS: Pointers = Pointers {
        caller: A::FRAME.previous.offset(),
        code: A::FRAME.code.offset(),
        code_tag: A::FRAME.code_tag,
        shims: Some((A::FRAME.owner.offset(), A::FRAME.first_shim_owner)),
    };

    fn decode(frame: Remote<Frame>, copy: &[u8]) -> Option<Decoded> {
        let layout = A::FRAME;
        let caller = layout.previous.of(copy)?;
        let owner = layout.owner.of(copy)?;
        if owner >= layout.first_shim_owner {
            return Some(Decoded { raw: None, caller, begins: true });
        }
        let code = layout.code.of(copy)? & !layout.code_tag;
        let is_generator = owner == layout.generator_owner;
        let object = layout.object.of(copy)?;
        let distance = frame.address().wrapping_sub(object);
        if is_generator && (1..layout.object_distance).contains(&distance) {
            let raw = Some(foreign(frame, caller, Remote::new(code)));
            return Some(Decoded { raw, caller, begins: false });
        }
        let pointer = layout.instruction.of(copy)?;
        let index = A::COPIES.map_or(Some(0), |copies| copies.index.of(copy))?;
        let position = match u32::try_from(index) {
            Ok(0) => {
                let first = code.wrapping_add(layout.first_instruction as u64);
                Position::Instruction(bytes_from(first, pointer))
            }
            Ok(index) => Position::Copied { index, pointer },
            Err(_) => return None,
        };
        let begins = match layout.entry {
            Entry::Says(field) => field.of(copy)? != 0,
            Entry::AboveShim => false,
        };
        let runs = match layout.stack_top {
            Some(field) => field.of(copy)? == -1,
            None => false,
        };
        let raw = RawFrame {
            frame,
            caller,
            code: Remote::new(code),
            position,
            may_be_incomplete: !is_generator,
            // `throw` links a generator to a caller that is in C code.
            is_told_by_caller: !begins && !is_generator,
            calls_none: runs,
            may_call: layout.stack_top.is_some() && !runs,
            references: 0,
            is_alive: true,
            is_executed: runs,
            is_foreign: false,
        };
        Some(Decoded { raw: Some(raw), caller, begins })
    }
}

/// Bytes from the `first` instruction to where a frame points. Outside the 2 GiB that a code
/// object can span, the pointer belongs to another: such a frame is in the making.
pub(super) fn bytes_from(first: u64, pointer: u64) -> i32 {
    i32::try_from(pointer.wrapping_sub(first) as i64).unwrap_or(i32::MIN)
}

/// A frame of machine code: all that it tells is its function, and who called it.
fn foreign(frame: Remote<Frame>, caller: Remote<Frame>, code: Remote<Code>) -> RawFrame {
    RawFrame {
        frame,
        caller,
        code,
        // Before the first instruction: that is on the first line.
        position: Position::Instruction(-1),
        may_be_incomplete: false,
        is_told_by_caller: false,
        calls_none: false,
        may_call: false,
        references: 0,
        is_alive: true,
        is_executed: false,
        is_foreign: true,
    }
}

#[cfg(all(test, feature = "py27", feature = "py36", feature = "py310"))]
#[cfg(all(feature = "py311", feature = "py312", feature = "py314"))]
#[path = "foreign_tests.rs"]
mod tests;
