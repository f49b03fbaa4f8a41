//! The names of functions and files.
//!
//! What cannot be said in UTF-8 is escaped as Python's own `backslashreplace`
//! would: bytes of 2.7 and of `surrogateescape` as `\xNN`, other lone
//! surrogates as `\uNNNN`.

use std::fmt::Write as _;

use super::objects::Text as TextObject;
pub(crate) use super::text_format::{MAX_UNITS, Reading, Text};
use crate::cpython::abi::{Abi, StringLayout, UnicodeLayout};
use crate::cpython::memory::{Fault, Memory, Remote};

/// 2.7: `str`, bytes in an unknown encoding.
pub enum ByteString {}

impl<A: Abi<Text = Self>> Text<A> for ByteString {
    type Layout = StringLayout;

    fn length<M: Memory>(memory: &M, address: Remote<TextObject>) -> Result<i64, Fault> {
        memory.field(address, A::TEXT.size)
    }

    fn units<M: Memory>(
        memory: &M,
        address: Remote<TextObject>,
        limit: usize,
    ) -> Result<(Vec<u32>, usize), Fault> {
        first_units(memory, Self::place::<A, M>(memory, address)?, limit)
    }

    fn read<M: Memory>(memory: &M, address: Remote<TextObject>) -> Result<Reading, Fault> {
        let place = Self::place::<A, M>(memory, address)?;
        read_units(memory, place, |bytes, text| push_bytes(text, bytes))
    }
}

impl ByteString {
    fn place<A: Abi<Text = Self>, M: Memory>(
        memory: &M,
        address: Remote<TextObject>,
    ) -> Result<Place, Fault> {
        let length = memory.field(address, A::TEXT.size)?;
        let data = address.address().wrapping_add(A::TEXT.data as u64);
        Ok(Place { data, length, width: 1 })
    }
}

/// 3.4 and later: code points of one, two or four bytes.
pub enum Unicode {}

impl<A: Abi<Text = Self>> Text<A> for Unicode {
    type Layout = UnicodeLayout;

    fn length<M: Memory>(memory: &M, address: Remote<TextObject>) -> Result<i64, Fault> {
        memory.field(address, A::TEXT.length)
    }

    fn units<M: Memory>(
        memory: &M,
        address: Remote<TextObject>,
        limit: usize,
    ) -> Result<(Vec<u32>, usize), Fault> {
        first_units(memory, Self::place::<A, M>(memory, address)?, limit)
    }

    fn read<M: Memory>(memory: &M, address: Remote<TextObject>) -> Result<Reading, Fault> {
        let place = Self::place::<A, M>(memory, address)?;
        read_units(memory, place, |bytes, text| {
            for unit in bytes.chunks_exact(place.width) {
                push_code_point(text, code_point(unit));
            }
        })
    }
}

impl Unicode {
    fn place<A: Abi<Text = Self>, M: Memory>(
        memory: &M,
        address: Remote<TextObject>,
    ) -> Result<Place, Fault> {
        let layout = A::TEXT;
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
        Ok(Place { data, length, width })
    }
}

/// Where the characters of a string are.
#[derive(Clone, Copy)]
struct Place {
    data: u64,
    /// In code units, as the process says.
    length: i64,
    /// Bytes of a unit.
    width: usize,
}

impl Place {
    fn length(self) -> Result<usize, Fault> {
        usize::try_from(self.length).map_err(|_| Fault::unmapped(self.data, 0))
    }
}

fn first_units<M: Memory>(
    memory: &M,
    place: Place,
    limit: usize,
) -> Result<(Vec<u32>, usize), Fault> {
    let length = place.length()?;
    let bytes = memory.read_bytes(place.data, length.min(limit) * place.width)?;
    Ok((bytes.chunks_exact(place.width).map(code_point).collect(), length))
}

/// Reads the units at a place and lets `decode` turn them into text.
fn read_units<M: Memory>(
    memory: &M,
    place: Place,
    decode: impl FnOnce(&[u8], &mut String),
) -> Result<Reading, Fault> {
    let (length, data, width) = (place.length()?, place.data, place.width);
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

pub(super) fn code_point(unit: &[u8]) -> u32 {
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
