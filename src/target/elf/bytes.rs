//! The bytes of an image, and numbers and text out of them.

use std::ops::Deref;

use goblin::container::{Container, Ctx, Endian};
use memmap2::Mmap;

/// The layout of every number in a file of this kind.
pub(crate) const CONTEXT: Ctx = Ctx { container: Container::Big, le: Endian::Little };

/// The bytes of an ELF image: a file that is mapped, or a copy.
#[derive(Debug)]
pub(crate) enum Bytes {
    /// A file on disk.
    Mapped(Mmap),
    /// A copy of what a process has in memory.
    Copied(Vec<u8>),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Copied(bytes) => bytes,
        }
    }
}

/// `length` bytes at `offset`.
pub(super) fn slice(bytes: &[u8], offset: u64, length: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(usize::try_from(length).ok()?)?;
    bytes.get(start..end)
}

/// The 32-bit number at `offset`.
pub(super) fn u32_at(bytes: &[u8], offset: u64) -> Option<u32> {
    Some(u32::from_le_bytes(slice(bytes, offset, 4)?.try_into().ok()?))
}

/// The 64-bit number at `offset`.
pub(super) fn u64_at(bytes: &[u8], offset: u64) -> Option<u64> {
    Some(u64::from_le_bytes(slice(bytes, offset, 8)?.try_into().ok()?))
}

/// Longer names than this are none that anybody looks for.
const MAX_TEXT: usize = 4096;

/// The text at `offset`, up to its NUL; bounded.
#[must_use]
pub(crate) fn text_at(bytes: &[u8], offset: u64) -> Option<&[u8]> {
    let rest = bytes.get(usize::try_from(offset).ok()?..)?;
    let rest = rest.get(..MAX_TEXT).unwrap_or(rest);
    rest.get(..rest.iter().position(|byte| *byte == 0)?)
}
