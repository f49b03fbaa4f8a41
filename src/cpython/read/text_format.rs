//! What is read of a string object, whichever its format.

use super::objects::Text as TextObject;
use crate::cpython::memory::{Fault, Memory, Remote};

/// The longest text that is read, in code units; the rest becomes `…`.
pub(crate) const MAX_UNITS: usize = 16 * 1024;

/// A string format.
pub trait Text<A> {
    /// What is known of such an object's struct.
    type Layout: Copy + 'static;

    /// How many code units the string object at `address` says it has.
    ///
    /// # Errors
    /// If it cannot be read.
    fn length<M: Memory>(memory: &M, address: Remote<TextObject>) -> Result<i64, Fault>;

    /// Where the characters of the string object at `address` are.
    ///
    /// # Errors
    /// If it cannot be read.
    fn characters<M: Memory>(memory: &M, address: Remote<TextObject>) -> Result<Characters, Fault>;

    /// Appends units of `width` bytes to a text.
    fn push(text: &mut String, bytes: &[u8], width: usize);

    /// The first code units of the string object at `address`, `limit` at most, and
    /// how many it has.
    ///
    /// # Errors
    /// If they cannot be read.
    fn units<M: Memory>(
        memory: &M,
        address: Remote<TextObject>,
        limit: usize,
    ) -> Result<(Vec<u32>, usize), Fault> {
        let characters = Self::characters(memory, address)?;
        let (length, width) = (characters.length()?, characters.width);
        let bytes = memory.read_bytes(characters.data, length.min(limit) * width)?;
        Ok((bytes.chunks_exact(width).map(code_point).collect(), length))
    }

    /// Reads the string object at `address`.
    ///
    /// # Errors
    /// If it cannot be read.
    fn read<M: Memory>(memory: &M, address: Remote<TextObject>) -> Result<Reading, Fault> {
        let characters = Self::characters(memory, address)?;
        let Characters { data, width, .. } = characters;
        let length = characters.length()?;
        let units = length.min(MAX_UNITS);
        let bytes = memory.read_bytes(data, units * width)?;
        let mut text = String::with_capacity(units);
        Self::push(&mut text, &bytes, width);
        let mut data_length = units * width;
        if units < length {
            text.push('…');
        } else {
            data_length += width;
        }
        Ok(Reading { text, data, data_length })
    }
}

/// Where the characters of a string are.
#[derive(Clone, Copy, Debug)]
pub struct Characters {
    /// Their address.
    pub data: u64,
    /// In code units, as the process says.
    pub length: i64,
    /// Bytes of a unit: 1, 2 or 4.
    pub width: usize,
}

impl Characters {
    fn length(self) -> Result<usize, Fault> {
        usize::try_from(self.length).map_err(|_| Fault::unmapped(self.data, 0))
    }
}

/// The number that a code unit is.
pub(super) fn code_point(unit: &[u8]) -> u32 {
    match *unit {
        [byte] => u32::from(byte),
        [a, b] => u32::from(u16::from_ne_bytes([a, b])),
        [a, b, c, d] => u32::from_ne_bytes([a, b, c, d]),
        _ => u32::from(char::REPLACEMENT_CHARACTER),
    }
}

/// A string object, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The text, escaped where it is not UTF-8.
    pub text: String,
    /// Where its characters lie in the process.
    pub data: u64,
    /// How many bytes of them there are, the terminating NUL included; fewer
    /// for a text longer than [`MAX_UNITS`].
    pub data_length: usize,
}
