//! Images with unwind tables that a test or the fuzzer makes up.

use std::sync::Arc;

use super::Unwinder;
use super::image::CodeImage;
use crate::target::elf::{Bytes, Image};

/// Where the entries of a made image are, if its header has `pairs` pairs.
pub(in crate::target) fn entries_at(pairs: usize) -> usize {
    HEADER + 12 + pairs * 8
}

/// Where the header of the tables is.
const HEADER: usize = 64 + 2 * 56;

/// An ELF file that is one segment, linked for the address 0: the header of its tables with pairs
/// of a first address and where among the entries its entry is, and the entries.
pub(in crate::target) fn file(pairs: &[(u32, u32)], entries: &[u8]) -> Vec<u8> {
    let start = entries_at(pairs.len());
    let size = (start + entries.len()) as u64;
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    let machine = if cfg!(target_arch = "x86_64") { 62_u16 } else { 183 };
    for half in [3, machine] {
        file.extend(half.to_le_bytes());
    }
    file.extend(1_u32.to_le_bytes());
    for word in [0_u64, 64, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, 2, 64, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    let loaded = (1_u32, 5_u32, 0_u64, size);
    let tables = (0x6474_e550, 4, HEADER as u64, size - HEADER as u64);
    for (kind, flags, offset, length) in [loaded, tables] {
        file.extend(kind.to_le_bytes());
        file.extend(flags.to_le_bytes());
        for word in [offset, offset, offset, length, length, 8] {
            file.extend(word.to_le_bytes());
        }
    }
    file.extend([1, 0x1b, 0x03, 0x3b]);
    let from_header = |address: u32| address.wrapping_sub(HEADER as u32).to_le_bytes();
    file.extend((start as u32).wrapping_sub(HEADER as u32 + 4).to_le_bytes());
    file.extend((pairs.len() as u32).to_le_bytes());
    for (address, entry) in pairs {
        file.extend(from_header(*address));
        file.extend(from_header(entry.wrapping_add(start as u32)));
    }
    file.extend(entries);
    file
}

/// An unwinder that knows one image, all of which is code, loaded at `start`.
pub(in crate::target) fn unwinder(bytes: Vec<u8>, start: u64) -> Option<Unwinder> {
    let end = start.checked_add(bytes.len() as u64)?;
    let image = Image::parse(Bytes::Copied(bytes)).ok()?;
    let mut unwinder = Unwinder::new();
    unwinder.modules.load(Arc::new(CodeImage::new(image, None)), start..end);
    Some(unwinder)
}
