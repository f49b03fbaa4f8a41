//! The image of a module, and what is read out of it when it is needed.

use std::ops::Range;
use std::sync::OnceLock;

use gimli::UnwindContext;
use goblin::elf::section_header::SHT_SYMTAB;

use super::arch;
use super::debug::packed_image;
use super::step::{Frame, Step};
use super::symbols::{Found, Symbols};
use super::tables::{Row, Tables};
use super::types::{StackCopy, UnwindEnd};
use crate::target::elf::{Bytes, Image, Symbol};

/// An image with its tables.
#[derive(Debug)]
pub(super) struct CodeImage {
    image: Image<Bytes>,
    /// The file with the symbols that were taken out of it.
    debug: Option<Image<Bytes>>,
    /// What is packed in it of such symbols.
    packed: OnceLock<Option<Image<Bytes>>>,
    tables: OnceLock<Tables>,
    symbols: OnceLock<Symbols>,
}

/// How the caller is found from an address on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// As a table says.
    Table(Row),
    /// There is none: a program begins here.
    Root,
    /// By the frame pointer: there is no table.
    FramePointer,
    /// Not at all: the tables leave this address out.
    Uncovered,
}

impl CodeImage {
    /// `debug` has the symbols that were taken out of `image`. Neither is read much yet.
    pub(super) fn new(image: Image<Bytes>, debug: Option<Image<Bytes>>) -> Self {
        let (packed, tables, symbols) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Self { image, debug, packed, tables, symbols }
    }

    /// All that have symbols of this file.
    fn images(&self) -> Vec<&Image<Bytes>> {
        let packed = self.packed.get_or_init(|| {
            let is_needed = self.debug.is_none() && self.image.symbol_table(SHT_SYMTAB).is_none();
            is_needed.then(|| packed_image(&self.image)).flatten()
        });
        self.debug.iter().chain(packed).chain(std::iter::once(&self.image)).collect()
    }

    /// The symbol of the function at an address as linked.
    pub(super) fn function_symbol(&self, address: u64) -> Option<Found> {
        let images = self.images();
        let symbols = self.symbols.get_or_init(|| Symbols::of(&images));
        symbols.at(&images, address, self.function(address).as_ref())
    }

    /// Where a symbol is, as linked: an exported one, else a local one.
    pub(super) fn symbol(&self, name: &str) -> Option<Symbol> {
        let local = |image: &&Image<Bytes>| {
            let [found] = image.local_symbols([name]);
            found
        };
        self.image.symbol(name).or_else(|| self.images().iter().find_map(local))
    }

    fn tables(&self) -> &Tables {
        self.tables.get_or_init(|| Tables::of(&self.image))
    }

    /// The function that an address, as linked, belongs to, as the tables say.
    pub(super) fn function(&self, address: u64) -> Option<Range<u64>> {
        self.tables().function(self.image.bytes(), address)
    }

    /// How to find the caller at an address as linked.
    pub(super) fn rule(&self, address: u64, context: &mut UnwindContext<usize>) -> Rule {
        /// No program's first function is longer, in bytes.
        const LONGEST_START: u64 = 64;
        let tables = self.tables();
        if let Some(row) = tables.row(self.image.bytes(), address, context) {
            return Rule::Table(row);
        }
        let entry = self.image.entry();
        let from_entry = address.checked_sub(entry).filter(|_| entry != 0);
        match from_entry {
            // musl's `_start` has no entry in the tables.
            Some(inside) if inside < LONGEST_START => Rule::Root,
            _ if tables.is_empty() => Rule::FramePointer,
            _ => Rule::Uncovered,
        }
    }

    /// The caller of a frame, as a row of this image says.
    pub(super) fn step(
        &self,
        row: &Row,
        frame: &Frame,
        stack: &StackCopy<'_>,
    ) -> Result<Frame, UnwindEnd> {
        Step { row, tables: self.tables(), bytes: self.image.bytes(), stack }.caller(frame)
    }

    /// Whether the instruction before an address, as linked, is a call.
    pub(super) fn is_after_call(&self, address: u64) -> bool {
        let length = arch::LONGEST_CALL as u64;
        let code = address.checked_sub(length).and_then(|start| self.image.bytes_at(start, length));
        code.is_some_and(arch::ends_in_call)
    }
}
