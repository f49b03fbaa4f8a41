//! The variables of a frame: their names from its code object, their values from the
//! frame itself.
//!
//! A module's or a class body's names are in a dictionary and are none of these. A
//! variable that functions share is in a cell, which is looked into. One without a
//! value is left out, as Python leaves it out of `locals()`.

use super::frames::{Broken, RawFrame};
use super::objects::{Bytes, Code, Object, Tuple};
use super::text::Text;
use super::types::is_exactly;
use super::values::Values;
use crate::cpython::abi::{Abi, VariableNames};
use crate::cpython::memory::{Fault, Memory, Remote};
use crate::stack::{Variable, VariableKind};

/// The most variables of one frame that are read.
const MAX_VARIABLES: usize = 200;

/// Bits of `co_flags`: one more parameter each, `*args` and `**kwargs`.
const HAS_STAR: i32 = 0x04;
const HAS_STAR_STAR: i32 = 0x08;

/// Bits of a variable's kind from 3.11 on (`Include/internal/pycore_code.h`).
const IS_CELL: u8 = 0x40;
const IS_FREE: u8 = 0x80;

/// A place for a value in a frame.
struct Slot {
    name: Remote<Object>,
    may_be_cell: bool,
    is_argument: bool,
}

/// The variables of a frame that have a value, in the order of their places. The frame
/// must stand still.
///
/// # Errors
/// If the frame or its code object cannot be read, or is not what it should be.
pub(crate) fn variables<A: Abi, M: Memory>(
    values: &Values<'_, M>,
    raw: &RawFrame,
) -> Result<Vec<Variable>, Broken> {
    let memory = values.memory;
    let slots = slots::<A, M>(values, raw.code)?;
    let first = raw.frame.address().wrapping_add(A::VARIABLES.values as u64);
    let words = memory.read_bytes(first, slots.len() * 8)?;
    let mut found: Vec<Variable> = Vec::with_capacity(slots.len());
    for (slot, word) in slots.iter().zip(words.chunks_exact(8)) {
        let word = word.try_into().map_or(0, u64::from_ne_bytes);
        let mut object = Remote::<Object>::new(word & !A::VARIABLES.tag);
        if slot.may_be_cell && is_exactly::<A, M>(memory, object, values.types.cell) {
            object = memory.field(object.cast(), A::OBJECTS.cell)?;
        }
        if object.is_null() {
            continue;
        }
        if !values.types.is_name::<A, M>(memory, slot.name) {
            return Err(Broken::NotText(slot.name.address()));
        }
        let name = A::Text::read(memory, slot.name.cast())?.text;
        let kind = if slot.is_argument { VariableKind::Argument } else { VariableKind::Local };
        let variable = Variable { name, kind, value: values.show::<A>(object) };
        // 2.7 leaves the argument that it has moved into a cell in its place, too.
        match found.iter_mut().find(|known| known.name == variable.name) {
            Some(known) => known.value = variable.value,
            None => found.push(variable),
        }
    }
    Ok(found)
}

fn slots<A: Abi, M: Memory>(
    values: &Values<'_, M>,
    code: Remote<Code>,
) -> Result<Vec<Slot>, Broken> {
    let arguments = arguments::<A, M>(values.memory, code)?;
    let memory = values.memory;
    let mut slots = Vec::new();
    match A::VARIABLES.names {
        VariableNames::Three { locals, cells, free } => {
            for (field, may_be_cell) in [(locals, false), (cells, true), (free, true)] {
                let names = items::<A, M>(values, memory.field(code, field)?)?;
                for name in names {
                    // An argument that is shared has moved to a cell of the same name.
                    let moved =
                        slots.iter().any(|slot: &Slot| slot.is_argument && slot.name == name);
                    let is_argument = slots.len() < arguments || moved;
                    slots.push(Slot { name, may_be_cell, is_argument });
                }
                // Of the next ones it would not be known where they are.
                if slots.len() >= MAX_VARIABLES {
                    break;
                }
            }
        }
        VariableNames::One { names, kinds } => {
            let names = items::<A, M>(values, memory.field(code, names)?)?;
            let kinds = kinds_of::<A, M>(values, memory.field(code, kinds)?, names.len())?;
            for (index, (name, kind)) in names.into_iter().zip(kinds).enumerate() {
                let may_be_cell = kind & (IS_CELL | IS_FREE) != 0;
                slots.push(Slot { name, may_be_cell, is_argument: index < arguments });
            }
        }
    }
    slots.truncate(MAX_VARIABLES);
    Ok(slots)
}

/// How many of a function's variables are its parameters: they come first.
fn arguments<A: Abi, M: Memory>(memory: &M, code: Remote<Code>) -> Result<usize, Fault> {
    let layout = A::VARIABLES;
    let mut number = i64::from(memory.field(code, layout.positional)?);
    if let Some(by_name) = layout.by_name {
        number += i64::from(memory.field(code, by_name)?);
    }
    let flags = memory.field(code, layout.flags)?;
    number += [HAS_STAR, HAS_STAR_STAR].iter().filter(|flag| flags & **flag != 0).count() as i64;
    Ok(usize::try_from(number).unwrap_or(0))
}

/// The items of a tuple, no more than there may be variables.
fn items<A: Abi, M: Memory>(
    values: &Values<'_, M>,
    tuple: Remote<Tuple>,
) -> Result<Vec<Remote<Object>>, Broken> {
    let memory = values.memory;
    if !is_exactly::<A, M>(memory, tuple.cast(), values.types.tuple) {
        return Err(Broken::NotCode(tuple.address()));
    }
    let size = memory.field(tuple, A::OBJECTS.tuple_size)?;
    let size = usize::try_from(size).unwrap_or(0).min(MAX_VARIABLES);
    let first = tuple.address().wrapping_add(A::OBJECTS.tuple_items as u64);
    let bytes = memory.read_bytes(first, size * 8)?;
    let words = bytes.chunks_exact(8);
    Ok(words.map(|word| Remote::new(word.try_into().map_or(0, u64::from_ne_bytes))).collect())
}

/// The kinds of that many variables.
fn kinds_of<A: Abi, M: Memory>(
    values: &Values<'_, M>,
    kinds: Remote<Bytes>,
    number: usize,
) -> Result<Vec<u8>, Broken> {
    let memory = values.memory;
    let size = memory.field(kinds, A::BYTES.size)?;
    let is_bytes = is_exactly::<A, M>(memory, kinds.cast(), values.types.bytes);
    if !is_bytes || usize::try_from(size).unwrap_or(0) < number {
        return Err(Broken::NotCode(kinds.address()));
    }
    Ok(memory.read_bytes(kinds.address().wrapping_add(A::BYTES.data as u64), number)?)
}
