//! One code object, decoded, with the bytes that it is recognised by.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

use super::frames::{Broken, Position, RawFrame};
use super::interpreter_frames::bytes_from;
use super::lines::LineTable;
use super::objects::{Bytes, Code, Text as TextObject, Types};
use super::probation::Probation;
use super::text::Text;
use crate::cpython::abi::{Abi, CodeLength};
use crate::cpython::memory::read_set::ReadSet;
use crate::cpython::memory::{Fault, Memory, Remote, Span};
use crate::stack::{Frame, FrameId, FrameTable};

/// The longest line table that is read, in bytes. A code object with a longer
/// one shows line 0.
const MAX_LINE_TABLE: usize = 16 * 1024 * 1024;

/// How much of a line table is compared to recognise it, in bytes.
const LINE_TABLE_WITNESS: usize = 1024;

/// Bytes of an instruction, in every version that has frames in the making.
const INSTRUCTION: i32 = 2;

/// Which code object it is, by what it says of itself: a text that is compiled again and
/// again makes one that has the same identity each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CodeId(u64);

impl CodeId {
    pub(super) fn of(decoded: &DecodedCode) -> Self {
        let mut hasher = DefaultHasher::new();
        decoded.content().hash(&mut hasher);
        Self(hasher.finish())
    }

    /// An identity out of thin air.
    #[cfg(test)]
    pub(crate) fn for_tests(number: u32) -> Self {
        Self(number.into())
    }
}

/// Where a frame stands in its code object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On an instruction.
    Inside(CodeId),
    /// Before the first traceable instruction: not a frame yet, or one of the
    /// interpreter's own.
    Incomplete,
    /// Nowhere: the frame is a mixture of two, copied while it changed.
    Outside,
}

/// A code object that has been decoded.
#[derive(Debug)]
pub(super) struct DecodedCode {
    name: Arc<str>,
    file: Arc<str>,
    first_line: i32,
    first_traceable: i32,
    /// Bytes of bytecode.
    length: i32,
    line_table: Vec<u8>,
    frames: HashMap<Position, FrameId, FxBuildHasher>,
    /// Copies of its instructions, by index: where each begins. A copy stays while a thread
    /// executes it, and is as long as the instructions, so that no two of them overlap in part.
    copies: HashMap<u32, u64, FxBuildHasher>,
    spans: [Span; 4],
    expected: Vec<u8>,
    /// Whether it is trusted to stay.
    pub probation: Probation,
}

impl DecodedCode {
    /// Reads the code object at `code`, which must be one by its type.
    ///
    /// # Errors
    /// [`Broken`] if it cannot be read, or is not what it should be.
    pub(super) fn decode<A: Abi, M: Memory>(
        memory: &M,
        code: Remote<Code>,
        types: Types,
        probation: Probation,
    ) -> Result<Self, Broken> {
        let read_set = ReadSet::new(memory);
        let parts = Parts::read::<A, _>(&read_set, code, types)?;
        let mut expected = vec![0; parts.spans.iter().map(|span| span.length).sum()];
        let whole = memory.read_spans(&parts.spans, &mut expected)? == expected.len();
        // What is remembered must have been there when these bytes were taken.
        if !whole || !read_set.is_still_so() {
            return Err(Broken::NotCode(code.address()));
        }
        Ok(Self {
            name: parts.name.into(),
            file: parts.file.into(),
            first_line: parts.first_line,
            first_traceable: parts.first_traceable.saturating_mul(INSTRUCTION),
            length: parts.length,
            line_table: parts.line_table,
            frames: HashMap::default(),
            copies: HashMap::default(),
            spans: parts.spans,
            expected,
            probation,
        })
    }

    /// What it says of itself, for a hash: of two that say the same, each may do as the
    /// other, and be named so.
    pub(super) fn content(&self) -> impl Hash {
        let Self { name, file, first_line, length, line_table, .. } = self;
        (name, file, first_line, length, line_table)
    }

    /// What has to be read to recognise it.
    pub(super) fn spans(&self) -> impl Iterator<Item = Span> {
        self.spans.into_iter()
    }

    /// What those spans hold while it is the same.
    #[must_use]
    pub(super) fn expected(&self) -> &[u8] {
        &self.expected
    }

    /// All frames that it has given its name to.
    pub(super) fn frames(&self) -> impl Iterator<Item = FrameId> {
        self.frames.values().copied()
    }

    /// Forgets the frames that it has given its name to, when their table is.
    pub(super) fn forget_frames(&mut self) {
        self.frames = HashMap::default();
    }

    /// Where a frame stands in this code object, which has the identity `id`. `None` if it
    /// executes a copy of the instructions that is not known yet.
    #[must_use]
    pub(super) fn place(&self, raw: &RawFrame, id: CodeId) -> Option<Place> {
        let position = self.in_code(raw.position)?;
        Some(if !self.is_inside(position) {
            Place::Outside
        } else if raw.may_be_incomplete && self.is_incomplete(position) {
            Place::Incomplete
        } else {
            Place::Inside(id)
        })
    }

    /// A position as one in the code object itself; `None` if it is in a copy that is not known.
    fn in_code(&self, position: Position) -> Option<Position> {
        let Position::Copied { index, pointer } = position else { return Some(position) };
        let first = self.copies.get(&index)?;
        Some(Position::Instruction(bytes_from(*first, pointer)))
    }

    /// Whether the copy is known that a frame executes, if it executes one.
    #[must_use]
    pub(super) fn knows_copy(&self, position: Position) -> bool {
        self.in_code(position).is_some()
    }

    /// Notes where a copy of the instructions begins.
    pub(super) fn note_copy(&mut self, index: u32, first: u64) {
        self.copies.insert(index, first);
    }

    /// Forgets where the copy begins that a frame at `position` should be in, and is not: the
    /// index may belong to another thread now, and the copy be another.
    pub(super) fn forget_copy(&mut self, position: Position) {
        if let Position::Copied { index, .. } = position {
            self.copies.remove(&index);
        }
    }

    /// Whether a frame may stand at `position`.
    fn is_inside(&self, position: Position) -> bool {
        match position {
            Position::Line(_) => true,
            // One instruction before the first: not begun (3.11 and 3.12), or -1.
            Position::Instruction(offset) => (-INSTRUCTION..self.length).contains(&offset),
            Position::Copied { .. } => false,
        }
    }

    /// Whether a frame at `position` has yet to reach the first traceable instruction.
    fn is_incomplete(&self, position: Position) -> bool {
        matches!(position, Position::Instruction(offset) if offset < self.first_traceable)
    }

    /// The function, file and line at `position`; `None` if that is in a copy that is not known
    /// any more.
    pub(super) fn frame<A: Abi>(
        &mut self,
        position: Position,
        line_numbers: bool,
        table: &mut FrameTable,
    ) -> Option<FrameId> {
        let position = self.in_code(position).filter(|position| self.is_inside(*position))?;
        if let Some(id) = self.frames.get(&position) {
            return Some(*id);
        }
        let line = if line_numbers { self.line::<A>(position) } else { 0 };
        let frame = Frame::python(Arc::clone(&self.file), Arc::clone(&self.name), line);
        let id = table.intern(frame);
        self.frames.insert(position, id);
        Some(id)
    }

    /// The line at `position`; 0 where the line table has none.
    fn line<A: Abi>(&self, position: Position) -> i32 {
        match position {
            Position::Line(line) => line,
            Position::Instruction(offset) => {
                A::Lines::line(&self.line_table, self.first_line, offset).unwrap_or(0)
            }
            Position::Copied { .. } => 0,
        }
    }
}

/// What is read of a code object.
struct Parts {
    name: String,
    file: String,
    first_line: i32,
    first_traceable: i32,
    length: i32,
    line_table: Vec<u8>,
    spans: [Span; 4],
}

impl Parts {
    fn read<A: Abi, M: Memory>(
        memory: &M,
        code: Remote<Code>,
        types: Types,
    ) -> Result<Self, Broken> {
        if object_type::<A, M>(memory, code.address())? != types.code {
            return Err(Broken::NotCode(code.address()));
        }
        let name = read_text::<A, M>(memory, memory.field(code, A::CODE.name)?, types)?;
        let file = read_text::<A, M>(memory, memory.field(code, A::CODE.file)?, types)?;
        let table = memory.field(code, A::CODE.line_table)?;
        let (line_table, table_span) = read_line_table::<A, M>(memory, table, types)?;
        let first_traceable = match A::CODE.first_traceable {
            Some(field) => memory.field(code, field)?,
            None => 0,
        };
        Ok(Self {
            name: name.text,
            file: file.text,
            first_line: memory.field(code, A::CODE.first_line)?,
            first_traceable,
            length: length::<A, M>(memory, code)?,
            line_table,
            spans: [identity::<A>(code), name.span, file.span, table_span],
        })
    }
}

/// The fields that tell a code object from another. What lies between them does
/// not change in its life either.
///
/// Where the bytecode is an object of its own, that is one of them: line tables up to 3.9
/// do not tell how long it is, and those of two one-line programs are equal. Later ones do.
fn identity<A: Abi>(code: Remote<Code>) -> Span {
    let layout = A::CODE;
    let bytecode = match layout.length {
        CodeLength::Bytes(field) => Some((field.offset(), field.end())),
        CodeLength::Instructions(_) => None,
    };
    let fields = [
        (layout.name.offset(), layout.name.end()),
        (layout.file.offset(), layout.file.end()),
        (layout.first_line.offset(), layout.first_line.end()),
        (layout.line_table.offset(), layout.line_table.end()),
    ];
    let fields = || fields.into_iter().chain(bytecode);
    let start = fields().map(|(start, _)| start).min().unwrap_or(0);
    let end = fields().map(|(_, end)| end).max().unwrap_or(start);
    Span { address: code.address().wrapping_add(start as u64), length: end - start }
}

/// Where the copy of the instructions with that index begins. What lies there proves itself: a
/// frame that executes the copy points into it.
pub(super) fn first_of_copy<A: Abi, M: Memory>(
    memory: &M,
    code: Remote<Code>,
    index: u32,
) -> Result<Option<u64>, Fault> {
    let Some(layout) = A::COPIES else { return Ok(None) };
    let array = memory.field(code, layout.array)?;
    let entry = array.wrapping_add(layout.entries as u64 + u64::from(index) * 8);
    memory.read(entry).map(Some)
}

/// The address of an object's type.
fn object_type<A: Abi, M: Memory>(memory: &M, object: u64) -> Result<u64, Fault> {
    Ok(memory.field(Remote::new(object), A::OBJECT.object_type)?.address())
}

/// A text and where its characters are.
struct TextRead {
    text: String,
    span: Span,
}

fn read_text<A: Abi, M: Memory>(
    memory: &M,
    object: Remote<TextObject>,
    types: Types,
) -> Result<TextRead, Broken> {
    if object_type::<A, M>(memory, object.address())? != types.text {
        return Err(Broken::NotText(object.address()));
    }
    let reading = A::Text::read(memory, object)?;
    let span = Span { address: reading.data, length: reading.data_length };
    Ok(TextRead { text: reading.text, span })
}

/// A line table, and the span of its first bytes. They end with a NUL, so a table
/// that only grew is told apart as well.
fn read_line_table<A: Abi, M: Memory>(
    memory: &M,
    object: Remote<Bytes>,
    types: Types,
) -> Result<(Vec<u8>, Span), Broken> {
    if object_type::<A, M>(memory, object.address())? != types.bytes {
        return Err(Broken::NotText(object.address()));
    }
    let size = usize::try_from(memory.field(object, A::BYTES.size)?).unwrap_or(usize::MAX);
    let address = object.address().wrapping_add(A::BYTES.data as u64);
    let table = if size <= MAX_LINE_TABLE { memory.read_bytes(address, size)? } else { Vec::new() };
    let length = (table.len() + 1).min(LINE_TABLE_WITNESS);
    Ok((table, Span { address, length }))
}

/// Bytes of bytecode.
fn length<A: Abi, M: Memory>(memory: &M, code: Remote<Code>) -> Result<i32, Fault> {
    let length = match A::CODE.length {
        CodeLength::Bytes(field) => memory.field(memory.field(code, field)?, A::BYTES.size)?,
        CodeLength::Instructions(field) => {
            memory.field(code, field)?.saturating_mul(i64::from(INSTRUCTION))
        }
    };
    Ok(i32::try_from(length).unwrap_or(i32::MAX))
}
