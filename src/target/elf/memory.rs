//! An ELF image out of the memory of a process, for a file that is gone.
//!
//! The dynamic section, the symbols it names and their hash table all lie in
//! loaded segments, so what is mapped is enough to look symbols up. So do the tables for
//! unwinding.

use super::Bytes;
use super::image::{ElfError, Image, LoadSegment};
use crate::cpython::memory::Memory;
use crate::target::mapped::Segment;

/// No more than this is copied.
const MAX_SIZE: u64 = 256 << 20;
/// The ELF header and the program headers lie within this.
const HEAD: usize = 4096;
/// There are five tables; damaged headers may show the same bytes many times.
const MAX_TABLES: usize = 5;
/// How much is read at a time; what cannot be read is tried page by page.
const CHUNK: u64 = 256 << 10;
const PAGE: u64 = 4096;

/// Copies what a process has loaded of a file, laid out as in the file, as far
/// as lookups of symbols need it, and parses it. Returns it with its load bias.
///
/// Everything else, and what cannot be read, is zero.
pub(crate) fn copy_from_memory<M: Memory>(
    memory: &M,
    mapped: &[Segment],
) -> Result<(Image<Bytes>, u64), ElfError> {
    let first = mapped.iter().find(|segment| segment.offset == 0).ok_or(ElfError::NotElf)?;
    let head = memory.read_bytes(first.range.start, HEAD).map_err(|_| ElfError::Damaged)?;
    let image = Image::parse(&head[..])?;
    let bias = image.load_bias(mapped).ok_or(ElfError::Damaged)?;
    let ends = image.segments().iter().map(|part| part.offset.saturating_add(part.file_size));
    let size = ends.max().filter(|size| *size <= MAX_SIZE).ok_or(ElfError::Damaged)?;
    let mut copy = Copy { memory, bias, bytes: vec![0; size as usize] };

    let start = copy.bytes.get_mut(..HEAD.min(size as usize)).unwrap_or_default();
    start.copy_from_slice(head.get(..start.len()).unwrap_or_default());
    for part in image.dynamic_part.iter().chain(image.notes()) {
        copy.fill(part);
    }
    let with_dynamic = Image::parse_loaded(&copy.bytes[..], bias)?;
    let unwinding = image.unwind_part().map(|part| part.offset);
    let tables: Vec<u64> = with_dynamic.dynamic.tables().chain(unwinding).collect();
    let holds_table = |part: &&LoadSegment| {
        tables
            .iter()
            .any(|table| table.checked_sub(part.offset).is_some_and(|at| at < part.file_size))
    };
    for part in image.segments().iter().filter(holds_table).take(MAX_TABLES) {
        copy.fill(part);
    }
    Image::parse_loaded(Bytes::Copied(copy.bytes), bias).map(|image| (image, bias))
}

/// A file that is being put together.
struct Copy<'a, M> {
    memory: &'a M,
    bias: u64,
    bytes: Vec<u8>,
}

impl<M: Memory> Copy<'_, M> {
    fn fill(&mut self, part: &LoadSegment) {
        let end = part.offset.saturating_add(part.file_size);
        if let Some(space) = self.bytes.get_mut(part.offset as usize..end as usize) {
            read_what_is_there(self.memory, part.address.wrapping_add(self.bias), space, CHUNK);
        }
    }
}

/// Fills `space` from `address` on, piece by piece, and leaves out what cannot be read.
fn read_what_is_there<M: Memory>(memory: &M, address: u64, space: &mut [u8], piece: u64) {
    let mut address = address;
    let mut rest = space;
    while !rest.is_empty() {
        // Up to the next multiple of the piece, so that pages are never split.
        let length = (piece - address % piece).min(rest.len() as u64);
        let (now, later) = rest.split_at_mut(length as usize);
        if memory.read_into(address, now).is_err() {
            now.fill(0);
            if piece > PAGE {
                read_what_is_there(memory, address, now, PAGE);
            }
        }
        address = address.wrapping_add(length);
        rest = later;
    }
}
