//! The unwind tables of an image: `.eh_frame`, by its header or without, and `.debug_frame`.
//!
//! gimli reads the entries. What it would do without a bound is bounded here: the length of an
//! entry, since it is read anew for each address, and the number of entries that are indexed. The
//! binary search over `.eh_frame_hdr` is our own, because gimli's trusts the count of entries.

use std::fmt::Debug;
use std::ops::Range;

use gimli::{
    BaseAddresses, CfaRule, DebugFrame, EhFrame, Encoding, EndianSlice, FrameDescriptionEntry,
    LittleEndian, RegisterRule, UnwindContext, UnwindSection,
};

use super::arch;
use crate::target::elf::{Bytes, Image, Section};

/// Bytes of a section.
type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// Entries beyond this are not found.
const MAX_ENTRIES: usize = 4 << 20;
/// A larger section without a header is not used, in bytes: all of it is read.
const MAX_INDEXED: usize = 256 << 20;
/// An entry that is longer than this is not used, in bytes. That of the evaluation loop of CPython
/// 3.14 has 7,516.
const MAX_LENGTH: usize = 64 << 10;

/// How to find the caller from some address on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The canonical frame address.
    pub cfa: CfaRule<usize>,
    /// The caller's frame pointer.
    pub fp: RegisterRule<usize>,
    /// The return address.
    pub ip: RegisterRule<usize>,
    /// How expressions are encoded.
    pub encoding: Encoding,
    /// Whether the kernel called this, so that the caller was interrupted and did not call.
    pub is_signal_frame: bool,
    /// In which table this is, for its expressions.
    pub table: usize,
}

/// All tables of an image.
#[derive(Debug)]
pub(super) struct Tables {
    tables: Vec<Table>,
}

#[derive(Debug)]
struct Table {
    kind: Kind,
    bases: BaseAddresses,
    /// Where the entries are in the file.
    place: Range<usize>,
    search: Search,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Eh,
    Debug,
}

/// How the entry of an address is found.
#[derive(Debug)]
enum Search {
    /// By the header, a table of pairs that the linker made.
    Header {
        /// Its address, to which its numbers are relative.
        address: u64,
        /// Where its pairs are in the file.
        pairs: Range<usize>,
        /// The address of the entries.
        entries: u64,
    },
    /// First addresses and where in the section the entry is, in order.
    Index(Vec<(u64, usize)>),
}

impl Tables {
    /// The tables that an image has.
    pub(super) fn of(image: &Image<Bytes>) -> Self {
        let by_header = Table::by_header(image);
        let eh = by_header.or_else(|| Table::indexed(image, Kind::Eh));
        let tables = eh.into_iter().chain(Table::indexed(image, Kind::Debug)).collect();
        Self { tables }
    }

    /// Whether there are none at all.
    pub(super) fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// The function that an address, as linked, belongs to.
    pub(super) fn function(&self, bytes: &[u8], address: u64) -> Option<Range<u64>> {
        self.tables.iter().find_map(|table| match table.kind {
            Kind::Eh => table.function(&table.eh(bytes)?, bytes, address),
            Kind::Debug => table.function(&table.debug(bytes)?, bytes, address),
        })
    }

    /// How to find the caller at an address as linked.
    pub(super) fn row(
        &self,
        bytes: &[u8],
        address: u64,
        context: &mut UnwindContext<usize>,
    ) -> Option<Row> {
        self.tables.iter().enumerate().find_map(|(number, table)| {
            let row = match table.kind {
                Kind::Eh => table.row(&table.eh(bytes)?, bytes, address, context),
                Kind::Debug => table.row(&table.debug(bytes)?, bytes, address, context),
            };
            row.map(|row| Row { table: number, ..row })
        })
    }

    /// The bytes of an expression of a row.
    pub(super) fn expression<'a>(
        &self,
        bytes: &'a [u8],
        table: usize,
        expression: &gimli::UnwindExpression<usize>,
    ) -> Option<Slice<'a>> {
        let section = bytes.get(self.tables.get(table)?.place.clone())?;
        let end = expression.offset.checked_add(expression.length)?;
        Some(EndianSlice::new(section.get(expression.offset..end)?, LittleEndian))
    }
}

impl Table {
    /// `.eh_frame` by its header, which is loaded, as all linkers write it: `udata4` for the
    /// count, `datarel sdata4` for the pairs (Linux Standard Base, "Exception Frames").
    fn by_header(image: &Image<Bytes>) -> Option<Self> {
        const HEAD: u64 = 12;
        const PAIR: u64 = 8;
        let part = image.unwind_part()?;
        let head = image.bytes_at(part.address, HEAD)?;
        let number = |at: usize| Some(*head.get(at..)?.first_chunk::<4>()?);
        if head.get(..4)? != [1, 0x1b, 0x03, 0x3b] {
            return None;
        }
        let entries =
            part.address.wrapping_add(4).wrapping_add_signed(i32::from_le_bytes(number(4)?).into());
        let count = u64::from(u32::from_le_bytes(number(8)?));
        let pairs = place_of(image, part.address.checked_add(HEAD)?)?;
        let length = usize::try_from(count.checked_mul(PAIR)?).ok()?;
        let pairs = pairs.start..pairs.start.checked_add(length)?;
        image.bytes().get(pairs.clone()).filter(|pairs| !pairs.is_empty())?;
        let search = Search::Header { address: part.address, pairs, entries };
        let place = place_of(image, entries)?;
        let bases = bases(image, entries).set_eh_frame_hdr(part.address);
        Some(Self { kind: Kind::Eh, bases, place, search })
    }

    /// A section without a header, all of whose entries are looked at.
    fn indexed(image: &Image<Bytes>, kind: Kind) -> Option<Self> {
        let name = if kind == Kind::Eh { ".eh_frame" } else { ".debug_frame" };
        let Section { address, offset, bytes } = image.section(name)?;
        if bytes.len() > MAX_INDEXED {
            return None;
        }
        let start = usize::try_from(offset).ok()?;
        let place = start..start.checked_add(bytes.len())?;
        let search = Search::Index(Vec::new());
        let mut table = Self { kind, bases: bases(image, address), place, search };
        let index = match kind {
            Kind::Eh => table.index(&table.eh(image.bytes())?),
            Kind::Debug => table.index(&table.debug(image.bytes())?),
        };
        table.search = Search::Index(index);
        Some(table)
    }

    fn index<'a, S: UnwindSection<Slice<'a>>>(&self, section: &S) -> Vec<(u64, usize)> {
        let mut index = Vec::new();
        let mut entries = section.entries(&self.bases);
        // What comes after one that is damaged cannot be found.
        while let Ok(Some(entry)) = entries.next() {
            let gimli::CieOrFde::Fde(entry) = entry else { continue };
            let Ok(entry) = entry.parse(S::cie_from_offset) else { continue };
            index.push((entry.initial_address(), entry.offset()));
            if index.len() == MAX_ENTRIES {
                break;
            }
        }
        index.sort_unstable();
        index
    }

    fn eh<'a>(&self, bytes: &'a [u8]) -> Option<EhFrame<Slice<'a>>> {
        let mut section = EhFrame::new(bytes.get(self.place.clone())?, LittleEndian);
        section.set_address_size(8);
        section.set_vendor(arch::VENDOR);
        Some(section)
    }

    fn debug<'a>(&self, bytes: &'a [u8]) -> Option<DebugFrame<Slice<'a>>> {
        let mut section = DebugFrame::new(bytes.get(self.place.clone())?, LittleEndian);
        section.set_address_size(8);
        section.set_vendor(arch::VENDOR);
        Some(section)
    }

    fn function<'a, S: UnwindSection<Slice<'a>>>(
        &self,
        section: &S,
        bytes: &[u8],
        address: u64,
    ) -> Option<Range<u64>> {
        let entry = self.entry(section, bytes, address)?;
        Some(entry.initial_address()..entry.end_address())
    }

    fn row<'a, S: UnwindSection<Slice<'a>>>(
        &self,
        section: &S,
        bytes: &[u8],
        address: u64,
        context: &mut UnwindContext<usize>,
    ) -> Option<Row> {
        let entry = self.entry(section, bytes, address)?;
        let row = entry.unwind_info_for_address(section, &self.bases, context, address).ok()?;
        Some(Row {
            cfa: row.cfa().clone(),
            fp: row.register(arch::FP),
            ip: row.register(entry.cie().return_address_register()),
            encoding: entry.cie().encoding(),
            is_signal_frame: entry.is_signal_trampoline(),
            table: 0,
        })
    }

    /// The entry that covers an address.
    fn entry<'a, S: UnwindSection<Slice<'a>>>(
        &self,
        section: &S,
        bytes: &[u8],
        address: u64,
    ) -> Option<FrameDescriptionEntry<Slice<'a>>> {
        let offset = S::Offset::from(self.search.find(bytes, address)?);
        let entry = section.fde_from_offset(&self.bases, offset, S::cie_from_offset).ok()?;
        let is_short = entry.entry_len() <= MAX_LENGTH && entry.cie().entry_len() <= MAX_LENGTH;
        (is_short && entry.contains(address)).then_some(entry)
    }
}

impl Search {
    /// Where in the section the last entry is that begins at an address or before it.
    fn find(&self, bytes: &[u8], address: u64) -> Option<usize> {
        match self {
            Self::Index(index) => {
                let after = index.partition_point(|(start, _)| *start <= address);
                index.get(after.checked_sub(1)?).map(|(_, offset)| *offset)
            }
            Self::Header { address: header, pairs, entries } => {
                let pairs = bytes.get(pairs.clone())?;
                // The last pair that begins at the address or before it is among these.
                let mut among = 0..pairs.len() / 8;
                while among.len() > 1 {
                    let middle = among.start + among.len() / 2;
                    let (first, _) = pair(pairs, middle, *header)?;
                    among = if first <= address { middle..among.end } else { among.start..middle };
                }
                let (_, entry) = pair(pairs, among.start, *header)?;
                usize::try_from(entry.checked_sub(*entries)?).ok()
            }
        }
    }
}

/// A pair of the header: the first address that an entry covers, and the address of the entry.
fn pair(pairs: &[u8], number: usize, header: u64) -> Option<(u64, u64)> {
    let bytes = pairs.get(number * 8..)?;
    let at = |position: usize| {
        let number = i32::from_le_bytes(*bytes.get(position..)?.first_chunk()?);
        Some(header.wrapping_add_signed(number.into()))
    };
    Some((at(0)?, at(4)?))
}

/// Where in the file an address lies, up to the end of what is loaded with it.
fn place_of(image: &Image<Bytes>, address: u64) -> Option<Range<usize>> {
    let holds = |start: u64, size: u64| address.checked_sub(start).is_some_and(|at| at < size);
    let part = image.segments().iter().find(|part| holds(part.address, part.file_size))?;
    let start = part.offset.checked_add(address - part.address)?;
    let end = part.offset.checked_add(part.file_size)?.min(image.bytes().len() as u64);
    let place = usize::try_from(start).ok()?..usize::try_from(end).ok()?;
    (place.start < place.end).then_some(place)
}

/// What pointers in entries may be relative to.
fn bases(image: &Image<Bytes>, eh_frame: u64) -> BaseAddresses {
    let address = |name| image.section(name).map_or(0, |section| section.address);
    BaseAddresses::default()
        .set_eh_frame(eh_frame)
        .set_text(address(".text"))
        .set_got(address(".got"))
}
