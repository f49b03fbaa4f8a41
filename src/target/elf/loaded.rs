//! A file in a memory, for those who give made-up bytes to the readers of files.

use crate::cpython::memory::{Fault, Memory};

/// A memory in which one file is mapped, and nothing else.
pub(in crate::target) struct Loaded<'a> {
    /// Where it begins.
    pub start: u64,
    /// Its content.
    pub bytes: &'a [u8],
}

impl Memory for Loaded<'_> {
    fn read_into(&self, address: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        let fault = Fault::unmapped(address, buffer.len());
        let place = address.checked_sub(self.start).and_then(|place| usize::try_from(place).ok());
        let rest = place.and_then(|place| self.bytes.get(place..)).ok_or(fault)?;
        buffer.copy_from_slice(rest.get(..buffer.len()).ok_or(fault)?);
        Ok(())
    }
}
