//! The memory that a core file keeps.

use std::rc::Rc;

use super::contents::{Contents, fill};
use super::files::Files;
use crate::cpython::memory::{Fault, Memory};

/// What the memory is put together from.
#[derive(Debug)]
pub(super) struct Pieces {
    pub contents: Contents,
    pub files: Files,
}

/// The memory of the process at the moment of the core file. A read is one of the file, or of a
/// file that was mapped.
#[derive(Clone, Debug)]
pub(crate) struct CoreMemory(pub(super) Rc<Pieces>);

impl Memory for CoreMemory {
    fn read_into(&self, address: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        fill(address, buffer, |address, rest| self.0.fill(address, rest))
    }
}

impl Pieces {
    /// Fills the beginning of `buffer`. Returns how much that is: at least one byte.
    fn fill(&self, address: u64, buffer: &mut [u8]) -> Option<usize> {
        let Self { contents, files } = self;
        let left = match contents.segment_at(address) {
            Some(segment) if address - segment.start < segment.held => {
                return contents.fill_held(address, buffer);
            }
            // What could be written to, and was not kept, may have been anything.
            Some(segment) if segment.permissions.write => return None,
            Some(segment) => segment.end - address,
            None => contents.free_after(address),
        };
        let here = left.min(buffer.len() as u64) as usize;
        files.fill(address, buffer.get_mut(..here)?, contents)
    }
}
