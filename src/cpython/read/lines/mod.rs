//! Line tables: from the offset of an instruction to its line in the source.
//!
//! A code object stores the line of its first statement and a byte string that
//! encodes how the line changes along the bytecode. CPython has had four such
//! encodings; each is a type here that implements [`LineTable`]:
//!
//! | CPython   | field          | type                |
//! |-----------|----------------|---------------------|
//! | up to 3.5 | `co_lnotab`    | [`UnsignedLnotab`]  |
//! | 3.6–3.9   | `co_lnotab`    | [`SignedLnotab`]    |
//! | 3.10      | `co_linetable` | [`Ranges`]          |
//! | 3.11 on   | `co_linetable` | [`LocationTable`]   |
//!
//! Everything here is a pure function of bytes. The bytes come from another
//! process and may be anything: a malformed table gives some line or none, in
//! time linear in its length, and never a panic.
//!
//! Offsets are in **bytes** from the first instruction, in every version. CPython
//! 3.10 keeps `f_lasti` in units of two bytes, so its reader has to double it
//! (`Objects/frameobject.c`, v3.10.13, `PyFrame_GetLineNumber`).

mod lnotab;
mod location_table;
#[cfg(test)]
mod properties;
mod ranges;

pub use lnotab::{SignedLnotab, UnsignedLnotab};
pub use location_table::LocationTable;
pub use ranges::Ranges;

/// A stretch of bytecode that belongs to one line, or to none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Offset of the first byte, counted from the first instruction.
    pub start: i32,
    /// Offset just past the last byte; `i32::MAX` where the format leaves the
    /// last stretch open.
    pub end: i32,
    /// The line, or `None` where the table says that there is none.
    pub line: Option<i32>,
}

impl Entry {
    /// A negative line is no line: CPython writes -1 for "none", and no source
    /// has such a line.
    fn new(start: i32, end: i32, line: Option<i32>) -> Self {
        let line = line.filter(|&line| line >= 0);
        Self { start, end, line }
    }

    fn is_empty(&self) -> bool {
        self.start >= self.end
    }
}

/// One encoding of the line table of a code object.
pub trait LineTable {
    /// The stretches of `table` in the order of the bytecode, for a code object
    /// whose `co_firstlineno` is `first_line`.
    ///
    /// The first starts at 0, each next one where the one before ends, and none
    /// is empty. There is at most one more of them than `table` has bytes.
    /// Neighbours may have the same line.
    fn entries(table: &[u8], first_line: i32) -> impl Iterator<Item = Entry>;

    /// The line of the instruction at byte offset `instruction`, or `None` where
    /// the table gives it no line.
    ///
    /// A negative offset means that no instruction has run yet (`f_lasti` is -1
    /// up to 3.10); the answer is then `first_line`, as `PyCode_Addr2Line` has it
    /// in every version (`Objects/codeobject.c`).
    fn line(table: &[u8], first_line: i32, instruction: i32) -> Option<i32> {
        if instruction < 0 {
            return before_first(first_line);
        }
        Self::entries(table, first_line)
            .find(|entry| instruction < entry.end)
            .and_then(|entry| entry.line)
    }
}

/// The line of a frame that has not run an instruction.
fn before_first(first_line: i32) -> Option<i32> {
    Entry::new(-1, 0, Some(first_line)).line
}

/// The bytes of `table` two by two; an odd last byte is left out, as CPython does.
fn pairs(table: &[u8]) -> impl Iterator<Item = (u8, u8)> {
    table.chunks_exact(2).filter_map(|pair| match *pair {
        [first, second] => Some((first, second)),
        _ => None,
    })
}
