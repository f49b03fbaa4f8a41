//! Values as Python would print them, as far as they can be shown without calling
//! anything: numbers, texts, and the heads of containers. Of all else the type.
//!
//! What is shown is bounded in length, in depth and in the reads that it costs. An
//! object is taken for what the address of its type says, and its subclasses are not.

use std::fmt::Write as _;
use std::ops::ControlFlow;

use super::dictionaries::{for_each_item, length};
use super::integers::integer;
use super::objects::{Bytes, Object};
use super::text::{Text, code_point};
use super::types::{ObjectTypes, is_exactly, type_name};
use crate::cpython::abi::{Abi, EntryLayout, RemovedElement};
use crate::cpython::memory::{Fault, Memory, Remote};

/// How many items of a container are shown.
const ITEMS: usize = 5;

/// How deep containers are shown in containers.
const DEPTH: usize = 2;

/// How many characters of a text, or bytes, are shown.
const UNITS: usize = 100;

/// The most entries of a set that are looked at for its first elements.
const MAX_SET_ENTRIES: usize = 1024;

/// Reads values of one process.
pub(crate) struct Values<'a, M> {
    /// Its memory.
    pub memory: &'a M,
    /// Its types.
    pub types: &'a ObjectTypes,
}

impl<M: Memory> Values<'_, M> {
    /// A value as text. One that cannot be read is told by its address.
    #[must_use]
    pub(crate) fn show<A: Abi>(&self, object: Remote<Object>) -> String {
        self.show_at::<A>(object, 0)
    }

    fn show_at<A: Abi>(&self, object: Remote<Object>, depth: usize) -> String {
        let types = self.types;
        let address = object.address();
        if address == 0 {
            return "<null>".to_owned();
        }
        for (singleton, text) in
            [(types.none, "None"), (types.r#true, "True"), (types.r#false, "False")]
        {
            if address == singleton {
                return text.to_owned();
            }
        }
        if let Some(integer) = integer::<A, M>(self.memory, types, object) {
            return integer.to_string();
        }
        let shown = self.show_known::<A>(object, depth).unwrap_or(None);
        shown.unwrap_or_else(|| self.show_unknown::<A>(object))
    }

    /// Texts and containers; `None` for anything else.
    fn show_known<A: Abi>(
        &self,
        object: Remote<Object>,
        depth: usize,
    ) -> Result<Option<String>, Fault> {
        let types = self.types;
        let memory = self.memory;
        let found = memory.field(object, A::OBJECT.object_type)?.address();
        let is = |r#type: u64| r#type != 0 && found == r#type;
        let layout = A::OBJECTS;
        Ok(Some(if is(types.float) {
            show_float(f64::from_bits(memory.field(object.cast(), layout.float)?))
        } else if is(types.unicode) {
            self.show_unicode::<A>(object)?
        } else if is(types.bytes) {
            self.show_bytes::<A>(object.cast())?
        } else if is(types.list) {
            let size = memory.field(object.cast(), layout.list_size)?;
            let items = memory.field(object.cast(), layout.list_items)?;
            self.show_items::<A>(["[", "]"], size, items, depth)?
        } else if is(types.tuple) {
            let size = memory.field(object.cast(), layout.tuple_size)?;
            let items = object.address().wrapping_add(layout.tuple_items as u64);
            let ends = if size == 1 { ["(", ",)"] } else { ["(", ")"] };
            self.show_items::<A>(ends, size, items, depth)?
        } else if is(types.dict) {
            self.show_dict::<A>(object, depth)?
        } else if is(types.set) || is(types.frozen_set) {
            self.show_set::<A>(object, is(types.frozen_set), depth)?
        } else {
            return Ok(None);
        }))
    }

    fn show_unknown<A: Abi>(&self, object: Remote<Object>) -> String {
        let name = || -> Option<String> {
            let r#type = self.memory.field(object, A::OBJECT.object_type).ok()?;
            type_name::<A, M>(self.memory, r#type).ok()?
        };
        match name() {
            Some(name) => format!("<{name} at {:#x}>", object.address()),
            None => format!("<unreadable at {:#x}>", object.address()),
        }
    }

    /// The items at an address, one pointer behind the other.
    fn show_items<A: Abi>(
        &self,
        ends: [&str; 2],
        size: i64,
        address: u64,
        depth: usize,
    ) -> Result<String, Fault> {
        let size = usize::try_from(size).map_err(|_| Fault::unmapped(address, 0))?;
        let mut list = Head::new(ends, size);
        if depth < DEPTH {
            let bytes = self.memory.read_bytes(address, size.min(ITEMS) * 8)?;
            for item in bytes.chunks_exact(8) {
                let item = item.try_into().map_or(0, u64::from_ne_bytes);
                list.push(&self.show_at::<A>(Remote::new(item), depth + 1));
            }
        }
        Ok(list.finish())
    }

    fn show_dict<A: Abi>(&self, dict: Remote<Object>, depth: usize) -> Result<String, Fault> {
        let size = length::<A, M>(self.memory, dict.cast())?;
        let size = usize::try_from(size).map_err(|_| Fault::unmapped(dict.address(), 0))?;
        let mut list = Head::new(["{", "}"], size);
        if depth < DEPTH && size > 0 {
            for_each_item::<A, M>(self.memory, dict.cast(), &mut |key, value| {
                let key = self.show_at::<A>(key, depth + 1);
                list.push(&format!("{key}: {}", self.show_at::<A>(value, depth + 1)));
                if list.shown < ITEMS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
        }
        Ok(list.finish())
    }

    fn show_set<A: Abi>(
        &self,
        set: Remote<Object>,
        is_frozen: bool,
        depth: usize,
    ) -> Result<String, Fault> {
        let layout = A::OBJECTS.set;
        let size = self.memory.field(set.cast(), layout.used)?;
        let size = usize::try_from(size).map_err(|_| Fault::unmapped(set.address(), 0))?;
        let old = self.types.names_are_bytes; // 2.7 writes set([1]).
        let ends = match (is_frozen, size, old) {
            (true, 0, _) => ["frozenset(", ")"],
            (false, 0, _) => ["set(", ")"],
            (true, _, true) => ["frozenset([", "])"],
            (false, _, true) => ["set([", "])"],
            (true, _, false) => ["frozenset({", "})"],
            (false, _, false) => ["{", "}"],
        };
        let mut list = Head::new(ends, size);
        if depth < DEPTH && size > 0 {
            let entries = self.memory.field(set.cast(), layout.mask)?.saturating_add(1);
            let entries = usize::try_from(entries).unwrap_or(0).min(MAX_SET_ENTRIES);
            let table = self.memory.field(set.cast(), layout.table)?;
            let bytes = self.memory.read_bytes(table, entries * layout.entry.size)?;
            for entry in bytes.chunks_exact(layout.entry.size) {
                if let Some(element) = self.element::<A>(entry, layout.entry) {
                    list.push(&self.show_at::<A>(element, depth + 1));
                }
                if list.shown == ITEMS {
                    break;
                }
            }
        }
        Ok(list.finish())
    }

    /// The element of an entry of a set, unless the entry is free or its element was
    /// removed: that has the hash -1, in 2.7 a text in its place, in 3.4 an object of a
    /// type of its own.
    fn element<A: Abi>(&self, entry: &[u8], layout: EntryLayout) -> Option<Remote<Object>> {
        let word = |at: usize| -> Option<u64> {
            Some(u64::from_ne_bytes(entry.get(at..at + 8)?.try_into().ok()?))
        };
        let element = Remote::new(word(layout.key)?);
        let is_removed = match A::REMOVED_FROM_SET {
            RemovedElement::Text => {
                is_exactly::<A, M>(self.memory, element, self.types.bytes)
                    && self
                        .show_bytes::<A>(element.cast())
                        .is_ok_and(|text| text == "'<dummy key>'")
            }
            RemovedElement::Type => {
                self.show_unknown::<A>(element).starts_with("<<dummy key> type")
            }
            RemovedElement::Hash => word(layout.value)? == u64::MAX,
        };
        (!element.is_null() && !is_removed).then_some(element)
    }

    fn show_unicode<A: Abi>(&self, text: Remote<Object>) -> Result<String, Fault> {
        let Some(layout) = A::OBJECTS.wide_text else {
            let (units, length) = A::Text::units(self.memory, text.cast(), UNITS)?;
            return Ok(quoted("", &units.into_iter().map(Unit::of).collect::<Vec<_>>(), length));
        };
        let length = self.memory.field(text.cast(), layout.length)?;
        let length = usize::try_from(length).map_err(|_| Fault::unmapped(text.address(), 0))?;
        let data = self.memory.field(text.cast(), layout.data)?;
        let width = self.types.unicode_width;
        let bytes = self.memory.read_bytes(data, length.min(UNITS) * width)?;
        let units: Vec<u32> = bytes.chunks_exact(width).map(code_point).collect();
        Ok(quoted("u", &joined(&units), length))
    }

    fn show_bytes<A: Abi>(&self, bytes: Remote<Bytes>) -> Result<String, Fault> {
        let size = self.memory.field(bytes, A::BYTES.size)?;
        let size = usize::try_from(size).map_err(|_| Fault::unmapped(bytes.address(), 0))?;
        let data = bytes.address().wrapping_add(A::BYTES.data as u64);
        let read = self.memory.read_bytes(data, size.min(UNITS))?;
        // Bytes beyond ASCII are no characters: they are escaped.
        let units = read.iter().map(|byte| match byte {
            0x80.. => Unit::Escaped(u32::from(*byte)),
            _ => Unit::of(u32::from(*byte)),
        });
        let prefix = if self.types.names_are_bytes { "" } else { "b" };
        Ok(quoted(prefix, &units.collect::<Vec<_>>(), size))
    }
}

/// The head of a container as it is written.
struct Head {
    text: String,
    end: String,
    size: usize,
    shown: usize,
}

impl Head {
    fn new([start, end]: [&str; 2], size: usize) -> Self {
        Self { text: start.to_owned(), end: end.to_owned(), size, shown: 0 }
    }

    fn push(&mut self, item: &str) {
        if self.shown > 0 {
            self.text.push_str(", ");
        }
        self.text.push_str(item);
        self.shown += 1;
    }

    /// The whole, which says how many items are not shown.
    fn finish(mut self) -> String {
        let left = self.size.saturating_sub(self.shown);
        if left > 0 {
            let comma = if self.shown > 0 { ", " } else { "" };
            let _ = write!(self.text, "{comma}… {left} more");
        }
        self.text + &self.end
    }
}

/// A character of a text, or what stands for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// One that is printed as it is.
    Plain(char),
    /// One that is printed as its number.
    Escaped(u32),
}

impl Unit {
    /// The character of a code point.
    #[must_use]
    pub(crate) fn of(code_point: u32) -> Self {
        match char::from_u32(code_point) {
            Some(character) if !character.is_control() => Self::Plain(character),
            _ => Self::Escaped(code_point),
        }
    }
}

/// Units of two bytes, pairs of which may be one character.
fn joined(units: &[u32]) -> Vec<Unit> {
    let mut joined = Vec::with_capacity(units.len());
    let mut rest = units;
    while let [first, others @ ..] = rest {
        rest = others;
        let pair = match (*first, others.first()) {
            (high @ 0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) => {
                Some(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00))
            }
            _ => None,
        };
        joined.push(Unit::of(pair.unwrap_or(*first)));
        if pair.is_some() {
            rest = others.get(1..).unwrap_or_default();
        }
    }
    joined
}

/// A text in the quotes that Python would choose; `length` is what it has in all.
fn quoted(prefix: &str, units: &[Unit], length: usize) -> String {
    let has = |quote: char| units.contains(&Unit::Plain(quote));
    let quote = if has('\'') && !has('"') { '"' } else { '\'' };
    let mut text = format!("{prefix}{quote}");
    for unit in units {
        let _ = match *unit {
            Unit::Plain(plain) if plain == quote || plain == '\\' => write!(text, "\\{plain}"),
            Unit::Plain(plain) => text.write_char(plain),
            Unit::Escaped(0x0a) => text.write_str("\\n"),
            Unit::Escaped(0x0d) => text.write_str("\\r"),
            Unit::Escaped(0x09) => text.write_str("\\t"),
            Unit::Escaped(number @ ..=0xff) => write!(text, "\\x{number:02x}"),
            Unit::Escaped(number @ ..=0xffff) => write!(text, "\\u{number:04x}"),
            Unit::Escaped(number) => write!(text, "\\U{number:08x}"),
        };
    }
    if length > UNITS {
        let _ = write!(text, "…{quote} ({length} in all)");
    } else {
        text.push(quote);
    }
    text
}

/// A float as Python prints it, which writes exponents with a sign and two digits.
fn show_float(value: f64) -> String {
    let text = format!("{value:?}").replace("NaN", "nan");
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    let digits = digits.strip_suffix(".0").unwrap_or(digits);
    format!("{digits}e{sign}{exponent:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_pythons() {
        for (value, text) in [
            (0.0, "0.0"),
            (-1.5, "-1.5"),
            (1e16, "1e+16"),
            (123_456_789_012_345_680.0, "1.2345678901234568e+17"),
            (1e-5, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (0.0001, "0.0001"),
            (1e300, "1e+300"),
            (f64::INFINITY, "inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(show_float(value), text);
        }
    }

    #[test]
    fn texts_are_quoted_as_python_does() {
        let show = |text: &str| {
            let units: Vec<Unit> = text.chars().map(|c| Unit::of(u32::from(c))).collect();
            let length = units.len();
            quoted("", &units, length)
        };
        assert_eq!(show("a"), "'a'");
        assert_eq!(show("it's"), "\"it's\"");
        assert_eq!(show("'\""), "'\\'\"'");
        assert_eq!(show("\n\t\\\u{7f}é€"), "'\\n\\t\\\\\\x7fé€'");
    }

    #[test]
    fn a_long_text_says_how_long() {
        let units = vec![Unit::Plain('x'); UNITS];
        assert!(quoted("b", &units, 5000).ends_with("x…' (5000 in all)"));
    }

    #[test]
    fn surrogates_are_joined_or_escaped() {
        assert_eq!(joined(&[0xd83d, 0xde00]), [Unit::Plain('😀')]);
        assert_eq!(joined(&[0xd83d, 0x41]), [Unit::Escaped(0xd83d), Unit::Plain('A')]);
    }

    #[test]
    fn heads_say_what_they_leave_out() {
        let mut head = Head::new(["[", "]"], 7);
        head.push("1");
        assert_eq!(head.finish(), "[1, … 6 more]");
        assert_eq!(Head::new(["(", ")"], 0).finish(), "()");
        assert_eq!(Head::new(["{", "}"], 3).finish(), "{… 3 more}");
    }
}
