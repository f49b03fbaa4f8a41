//! The names of functions and files.
//!
//! What cannot be said in UTF-8 is escaped as Python's own `backslashreplace`
//! would: bytes of 2.7 and of `surrogateescape` as `\xNN`, other lone
//! surrogates as `\uNNNN`.

use std::fmt::Write as _;

use super::objects::Text as TextObject;
use super::text_format::Characters;
pub(crate) use super::text_format::Text;
pub(super) use super::text_format::code_point;
use crate::cpython::abi::{Abi, StringLayout, UnicodeLayout};
use crate::cpython::memory::{Fault, Memory, Remote};

/// 2.7: `str`, bytes in an unknown encoding.
pub enum ByteString {}

impl<A: Abi<Text = Self>> Text<A> for ByteString {
    type Layout = StringLayout;

    fn length<M: Memory>(memory: &M, address: Remote<TextObject>) -> Result<i64, Fault> {
        memory.field(address, A::TEXT.size)
    }

    fn characters<M: Memory>(memory: &M, address: Remote<TextObject>) -> Result<Characters, Fault> {
        let length = memory.field(address, A::TEXT.size)?;
        let data = address.address().wrapping_add(A::TEXT.data as u64);
        Ok(Characters { data, length, width: 1 })
    }

    fn push(text: &mut String, bytes: &[u8], _width: usize) {
        push_bytes(text, bytes);
    }
}

/// 3.4 and later: code points of one, two or four bytes.
pub enum Unicode {}

impl<A: Abi<Text = Self>> Text<A> for Unicode {
    type Layout = UnicodeLayout;

    fn length<M: Memory>(memory: &M, address: Remote<TextObject>) -> Result<i64, Fault> {
        memory.field(address, A::TEXT.length)
    }

    fn characters<M: Memory>(memory: &M, address: Remote<TextObject>) -> Result<Characters, Fault> {
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
        Ok(Characters { data, length, width })
    }

    fn push(text: &mut String, bytes: &[u8], width: usize) {
        for unit in bytes.chunks_exact(width) {
            push_code_point(text, code_point(unit));
        }
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
