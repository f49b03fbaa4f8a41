//! A memory made of arrays, for tests.

use std::collections::BTreeMap;

use super::{Fault, Memory};

/// Bytes at chosen addresses; everything else is not mapped.
#[derive(Clone, Debug, Default)]
pub struct FakeMemory {
    bytes: BTreeMap<u64, u8>,
}

impl FakeMemory {
    /// A memory in which nothing is mapped.
    pub fn new() -> Self {
        Self::default()
    }

    /// Maps `bytes` at `address`, over what was there.
    pub fn write(&mut self, address: u64, bytes: &[u8]) {
        for (position, byte) in (address..).zip(bytes) {
            self.bytes.insert(position, *byte);
        }
    }

    /// Maps one word at `address`.
    pub fn write_word(&mut self, address: u64, word: u64) {
        self.write(address, &word.to_ne_bytes());
    }
}

impl Memory for FakeMemory {
    fn read_into(&self, address: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        let length = buffer.len();
        for (offset, byte) in buffer.iter_mut().enumerate() {
            let position = address.wrapping_add(offset as u64);
            *byte = *self.bytes.get(&position).ok_or(Fault::unmapped(address, length))?;
        }
        Ok(())
    }
}
