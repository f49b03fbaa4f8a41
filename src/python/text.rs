//! The names of functions and files.
//!
//! What cannot be said in UTF-8 is escaped as Python's own `backslashreplace`
//! would: bytes of 2.7 and of `surrogateescape` as `\xNN`, other lone
//! surrogates as `\uNNNN`.

use std::fmt::Write as _;

use super::objects::Text as TextObject;
use crate::abi::{ByteStringAbi, UnicodeAbi};
use crate::memory::{Fault, Memory, Remote};

/// The longest text that is read, in code units; the rest becomes `…`.
pub const MAX_UNITS: usize = 16 * 1024;

/// A string format.
pub trait Text<A> {
    /// Reads the string object at `address`.
    fn read<M: Memory>(memory: &M, address: Remote<TextObject>) -> Result<Reading, Fault>;
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

/// 2.7: `str`, bytes in an unknown encoding.
pub enum ByteString {}

impl<A: ByteStringAbi> Text<A> for ByteString {
    fn read<M: Memory>(memory: &M, address: Remote<TextObject>) -> Result<Reading, Fault> {
        let length = memory.field(address, A::STRING.size)?;
        let data = address.address().wrapping_add(A::STRING.data as u64);
        read_units(memory, data, length, 1, |bytes, text| push_bytes(text, bytes))
    }
}

/// 3.4 and later: code points of one, two or four bytes.
pub enum Unicode {}

impl<A: UnicodeAbi> Text<A> for Unicode {
    fn read<M: Memory>(memory: &M, address: Remote<TextObject>) -> Result<Reading, Fault> {
        let layout = A::UNICODE;
        let length = memory.field(address, layout.length)?;
        let state: u32 = memory.read(address.address().wrapping_add(layout.state as u64))?;
        let width = match (state >> layout.kind_shift) & 7 {
            kind @ (1 | 2 | 4) => kind as usize,
            _ => return Err(Fault::unmapped(address.address(), 0)),
        };
        let compact = state >> layout.compact_shift & 1 == 1;
        let ascii = state >> (layout.compact_shift + 1) & 1 == 1;
        let data = match (compact, ascii) {
            (true, true) => address.address().wrapping_add(layout.ascii_data as u64),
            (true, false) => address.address().wrapping_add(layout.compact_data as u64),
            (false, _) => memory.field(address, layout.data)?,
        };
        read_units(memory, data, length, width, |bytes, text| {
            for unit in bytes.chunks_exact(width) {
                push_code_point(text, code_point(unit));
            }
        })
    }
}

/// Reads `length` units of `width` bytes and lets `decode` turn them into text.
fn read_units<M: Memory>(
    memory: &M,
    data: u64,
    length: i64,
    width: usize,
    decode: impl FnOnce(&[u8], &mut String),
) -> Result<Reading, Fault> {
    let length = usize::try_from(length).map_err(|_| Fault::unmapped(data, 0))?;
    let units = length.min(MAX_UNITS);
    let bytes = memory.read_bytes(data, units * width)?;
    let mut text = String::with_capacity(units);
    decode(&bytes, &mut text);
    let mut data_length = units * width;
    if units < length {
        text.push('…');
    } else {
        data_length += width;
    }
    Ok(Reading { text, data, data_length })
}

fn code_point(unit: &[u8]) -> u32 {
    match *unit {
        [byte] => u32::from(byte),
        [a, b] => u32::from(u16::from_ne_bytes([a, b])),
        [a, b, c, d] => u32::from_ne_bytes([a, b, c, d]),
        _ => u32::from(char::REPLACEMENT_CHARACTER),
    }
}

fn push_code_point(text: &mut String, code_point: u32) {
    // Writing to a String cannot fail.
    let _ = match char::from_u32(code_point) {
        Some(character) => text.write_char(character),
        None if (0xdc80..=0xdcff).contains(&code_point) => {
            write!(text, "\\x{:02x}", code_point - 0xdc00)
        }
        None if code_point <= 0xffff => write!(text, "\\u{code_point:04x}"),
        None => write!(text, "\\U{code_point:08x}"),
    };
}

fn push_bytes(text: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
}
