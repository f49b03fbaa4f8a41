//! Dictionaries and the attributes of instances, of every version's layout.
//!
//! Nothing is hashed or compared as Python would: entries are read one after the other,
//! in bounds.

use std::ops::ControlFlow;

use super::objects::{AttributeValues, Dict, DictKeys, Object, Type};
use super::text::Text;
use super::types::ObjectTypes;
use crate::cpython::abi::{
    Abi, AttributesLayout, DictLayout, EntryLayout, KeysFormat, ManagedLayout,
};
use crate::cpython::memory::{Fault, Memory, Remote};

/// The most entries of one table that are looked at, free ones included.
const MAX_ENTRIES: usize = 256 * 1024;

/// So many entries are read at once.
const CHUNK: usize = 64;

/// A word.
const WORD: usize = 8;

/// The most bytes that the name of an attribute or a module may have to be compared.
const MAX_NAME: i64 = 256;

/// The entries of a table in the memory of a process.
#[derive(Clone, Copy, Debug)]
struct Table {
    entries: u64,
    count: usize,
    layout: EntryLayout,
    /// Where the values are, if not in the entries.
    values: Option<u64>,
}

/// How many items a dictionary has.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn length<A: Abi, M: Memory>(memory: &M, dict: Remote<Dict>) -> Result<i64, Fault> {
    let (DictLayout::Open { used, .. } | DictLayout::Keys { used, .. }) = A::OBJECTS.dict;
    memory.field(dict, used)
}

/// Shows `visit` the key and the value of every item, until it has seen enough.
///
/// # Errors
/// If the dictionary cannot be read.
pub(crate) fn for_each_item<A: Abi, M: Memory>(
    memory: &M,
    dict: Remote<Dict>,
    visit: &mut dyn FnMut(Remote<Object>, Remote<Object>) -> ControlFlow<()>,
) -> Result<(), Fault> {
    table::<A, M>(memory, dict)?.for_each(memory, visit)
}

/// The value of the item whose key is the string `name`.
///
/// # Errors
/// If the dictionary cannot be read.
pub(crate) fn find<A: Abi, M: Memory>(
    memory: &M,
    types: &ObjectTypes,
    dict: Remote<Dict>,
    name: &str,
) -> Result<Option<Remote<Object>>, Fault> {
    table::<A, M>(memory, dict)?.find::<A, M>(memory, types, name)
}

/// The attribute `name` of an instance itself, not of its class.
///
/// # Errors
/// If the instance cannot be read.
pub(crate) fn find_attribute<A: Abi, M: Memory>(
    memory: &M,
    types: &ObjectTypes,
    instance: Remote<Object>,
    name: &str,
) -> Result<Option<Remote<Object>>, Fault> {
    match attributes::<A, M>(memory, types, instance)? {
        Some(table) => table.find::<A, M>(memory, types, name),
        None => Ok(None),
    }
}

impl Table {
    fn for_each<M: Memory>(
        &self,
        memory: &M,
        visit: &mut dyn FnMut(Remote<Object>, Remote<Object>) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        let size = self.layout.size;
        let count = self.count.min(MAX_ENTRIES);
        for first in (0..count).step_by(CHUNK) {
            let number = CHUNK.min(count - first);
            let entries = memory.read_bytes(offset(self.entries, first * size), number * size)?;
            let values = match self.values {
                Some(values) => {
                    Some(memory.read_bytes(offset(values, first * WORD), number * WORD)?)
                }
                None => None,
            };
            for index in 0..number {
                let key = word(&entries, index * size + self.layout.key);
                let value = match &values {
                    Some(values) => word(values, index * WORD),
                    None => word(&entries, index * size + self.layout.value),
                };
                let is_item = !key.is_null() && !value.is_null();
                if is_item && visit(key, value).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn find<A: Abi, M: Memory>(
        &self,
        memory: &M,
        types: &ObjectTypes,
        name: &str,
    ) -> Result<Option<Remote<Object>>, Fault> {
        let mut found = None;
        self.for_each(memory, &mut |key, value| {
            if is_text::<A, M>(memory, types, key, name) {
                found = Some(value);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }
}

/// Whether an object is the string `name`.
fn is_text<A: Abi, M: Memory>(
    memory: &M,
    types: &ObjectTypes,
    object: Remote<Object>,
    name: &str,
) -> bool {
    types.is_name::<A, M>(memory, object)
        && A::Text::length(memory, object.cast()).is_ok_and(|length| length <= MAX_NAME)
        && A::Text::read(memory, object.cast()).is_ok_and(|reading| reading.text == name)
}

fn table<A: Abi, M: Memory>(memory: &M, dict: Remote<Dict>) -> Result<Table, Fault> {
    match A::OBJECTS.dict {
        DictLayout::Open { mask, table, entry, .. } => Ok(Table {
            entries: memory.field(dict, table)?,
            count: count(memory.field(dict, mask)?.saturating_add(1)),
            layout: entry,
            values: None,
        }),
        DictLayout::Keys { keys, values, first_value, .. } => {
            let values = memory.field(dict, values)?;
            let values = (values != 0).then(|| offset(values, first_value));
            table_of_keys::<A, M>(memory, memory.field(dict, keys)?, values)
        }
    }
}

/// The table of `keys`, whose values are at `values` if they are not in it.
fn table_of_keys<A: Abi, M: Memory>(
    memory: &M,
    keys: Remote<DictKeys>,
    values: Option<u64>,
) -> Result<Table, Fault> {
    let DictLayout::Keys { format, .. } = A::OBJECTS.dict else {
        return Err(Fault::unmapped(keys.address(), 0));
    };
    let at = |place: usize| offset(keys.address(), place);
    let (entries, number, layout) = match format {
        KeysFormat::Open { size, entries, entry } => {
            (at(entries), memory.field(keys, size)?, entry)
        }
        KeysFormat::Compact { size, used, indices, entry } => {
            let size = count(memory.field(keys, size)?);
            let indices = indices.saturating_add(size.saturating_mul(index_width(size)));
            (at(indices), memory.field(keys, used)?, entry)
        }
        KeysFormat::Kinds { log2_index_bytes, kind, used, indices, entry, text_entry } => {
            let shift = u32::from(memory.field(keys, log2_index_bytes)?);
            let bytes = 1_usize.checked_shl(shift).unwrap_or(usize::MAX);
            let layout = if memory.field(keys, kind)? == 0 { entry } else { text_entry };
            (at(indices.saturating_add(bytes)), memory.field(keys, used)?, layout)
        }
    };
    Ok(Table { entries, count: count(number), layout, values })
}

/// The bytes of an index in a table of `size`.
fn index_width(size: usize) -> usize {
    match size {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 4,
        _ => 8,
    }
}

/// The attributes of an instance, `None` if it has none of its own.
fn attributes<A: Abi, M: Memory>(
    memory: &M,
    types: &ObjectTypes,
    instance: Remote<Object>,
) -> Result<Option<Table>, Fault> {
    let r#type = memory.field(instance, A::OBJECT.object_type)?;
    let flags = memory.field(r#type, A::OBJECTS.r#type.flags)?;
    let before = |words: u64| memory.read::<u64>(instance.address().wrapping_sub(words * 8));
    let of_dict = |dict: u64| -> Result<Option<Table>, Fault> {
        let dict = Remote::new(dict);
        if !types.is_dict::<A, M>(memory, dict) {
            return Ok(None);
        }
        table::<A, M>(memory, dict.cast()).map(Some)
    };
    let of_values = |managed: ManagedLayout, values: u64| -> Result<Option<Table>, Fault> {
        let keys = memory.field(r#type, managed.keys)?;
        if keys.is_null() || values == 0 {
            return Ok(None);
        }
        table_of_keys::<A, M>(memory, keys, Some(values)).map(Some)
    };
    match A::OBJECTS.attributes {
        AttributesLayout::TwoWords(managed) if flags & managed.flag != 0 => match before(3)? {
            0 => of_values(managed, before(4)?),
            dict => of_dict(dict),
        },
        AttributesLayout::TaggedWord(managed) if flags & managed.flag != 0 => match before(3)? {
            word if word & 1 == 1 => of_values(managed, word.wrapping_add(1)),
            dict => of_dict(dict),
        },
        AttributesLayout::Inline { managed, has_values, dict_before, first_value, is_valid }
            if flags & managed.flag != 0 =>
        {
            let size = count(memory.field(r#type, A::OBJECTS.r#type.basic_size)?);
            let values = Remote::<AttributeValues>::new(offset(instance.address(), size));
            match before(dict_before)? {
                0 if flags & has_values == 0 || memory.field(values, is_valid)? == 0 => Ok(None),
                0 => of_values(managed, offset(values.address(), first_value)),
                dict => of_dict(dict),
            }
        }
        _ => match dict_pointer::<A, M>(memory, instance, r#type)? {
            Some(dict) => of_dict(dict),
            None => Ok(None),
        },
    }
}

/// What `tp_dictoffset` of its type leads to. A negative one counts from the end of an
/// object of variable size, and is none of an instance that is looked at here.
fn dict_pointer<A: Abi, M: Memory>(
    memory: &M,
    instance: Remote<Object>,
    r#type: Remote<Type>,
) -> Result<Option<u64>, Fault> {
    match memory.field(r#type, A::OBJECTS.r#type.dict_offset)? {
        place if place > 0 => memory.read(instance.address().wrapping_add_signed(place)).map(Some),
        _ => Ok(None),
    }
}

fn count(number: i64) -> usize {
    usize::try_from(number).unwrap_or(0)
}

fn offset(address: u64, bytes: usize) -> u64 {
    address.wrapping_add(bytes as u64)
}

/// The pointer at `position` of bytes that were read; null beyond their end.
fn word(bytes: &[u8], position: usize) -> Remote<Object> {
    let word = bytes.get(position..position + WORD).and_then(|word| word.try_into().ok());
    Remote::new(word.map_or(0, u64::from_ne_bytes))
}
