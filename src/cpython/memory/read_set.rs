//! A memory that takes note of what is read, so that it can be asked whether all of it is
//! still so: with one system call, however much was read.
//!
//! Small reads are served from blocks that are read whole: the fields of an object mostly
//! cost one call together.

use std::cell::RefCell;

use super::{Fault, Memory, Span};

/// The size of a block, in bytes. It divides a page: what lies beside a byte that is there
/// can be read as well.
const BLOCK: usize = 256;

/// A view of `inner` that takes note of what is read.
#[derive(Debug)]
pub(crate) struct ReadSet<'a, M> {
    inner: &'a M,
    state: RefCell<State>,
}

#[derive(Clone, Debug, Default)]
struct State {
    blocks: Vec<(u64, [u8; BLOCK])>,
    /// What was read.
    spans: Vec<Span>,
    /// What was there, one span behind the other.
    bytes: Vec<u8>,
}

impl<'a, M: Memory> ReadSet<'a, M> {
    /// A view through which nothing has been read yet.
    pub(crate) fn new(inner: &'a M) -> Self {
        Self { inner, state: RefCell::default() }
    }

    /// Whether all that was read is in `inner` still, at one later moment.
    pub(crate) fn is_still_so(&self) -> bool {
        let State { spans, bytes, .. } = &*self.state.borrow();
        let mut now = vec![0; bytes.len()];
        self.inner.read_spans(spans, &mut now) == Ok(bytes.len()) && now == *bytes
    }
}

impl State {
    /// The rest of the block from `address` on.
    fn rest_of_block(&mut self, inner: &impl Memory, address: u64) -> Result<&[u8], Fault> {
        let inside = (address % BLOCK as u64) as usize;
        let start = address - inside as u64;
        let index = match self.blocks.iter().position(|(at, _)| *at == start) {
            Some(index) => index,
            None => {
                let mut block = [0; BLOCK];
                inner.read_into(start, &mut block)?;
                self.blocks.push((start, block));
                self.blocks.len() - 1
            }
        };
        Ok(&self.blocks[index].1[inside..])
    }

    /// Fills `buffer` from blocks.
    fn read_blocks(
        &mut self,
        inner: &impl Memory,
        address: u64,
        buffer: &mut [u8],
    ) -> Result<(), Fault> {
        let mut done = 0;
        while done < buffer.len() {
            let from = self.rest_of_block(inner, address.wrapping_add(done as u64))?;
            let length = from.len().min(buffer.len() - done);
            buffer[done..done + length].copy_from_slice(&from[..length]);
            done += length;
        }
        Ok(())
    }
}

impl<M: Memory> Memory for ReadSet<'_, M> {
    fn read_into(&self, address: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        let state = &mut *self.state.borrow_mut();
        let is_small = buffer.len() <= BLOCK;
        if !is_small || state.read_blocks(self.inner, address, buffer).is_err() {
            self.inner.read_into(address, buffer)?;
        }
        state.spans.push(Span { address, length: buffer.len() });
        state.bytes.extend_from_slice(buffer);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpython::memory::fake::FakeMemory;

    fn memory() -> FakeMemory {
        let mut memory = FakeMemory::new();
        memory.write(0x1000, &[7; 600]);
        memory
    }

    #[test]
    fn what_is_read_is_what_is_there() {
        let mut memory = memory();
        memory.write_word(0x10fc, 0x0102_0304_0506_0708);
        let read_set = ReadSet::new(&memory);
        assert_eq!(read_set.read::<u64>(0x10fc), Ok(0x0102_0304_0506_0708), "in two blocks");
        assert_eq!(read_set.read_bytes(0x1000, 600).map(|bytes| bytes.len()), Ok(600));
        assert_eq!(read_set.read::<u8>(0x1256), Ok(7), "in a block of which not all is there");
        assert!(read_set.read::<u8>(0x1300).is_err());
        assert!(read_set.is_still_so());
    }

    #[test]
    fn a_change_is_seen_if_that_was_read() {
        let old = memory();
        let read_set = ReadSet::new(&old);
        assert_eq!(read_set.read::<u32>(0x1010), Ok(0x0707_0707));
        let mut new = memory();
        new.write(0x1014, &[8]);
        assert!(ReadSet { inner: &new, state: read_set.state.clone() }.is_still_so(), "beside it");
        new.write(0x1013, &[8]);
        assert!(!ReadSet { inner: &new, state: read_set.state.clone() }.is_still_so());
    }
}
