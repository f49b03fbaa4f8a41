//! `sys.path`: where a program looks for its modules.

use super::dictionaries::find;
use super::text::Text;
use super::threads::ProcessRoots;
use super::types::{ObjectTypes, is_exactly};
use crate::cpython::abi::{Abi, SystemLayout};
use crate::cpython::memory::{Memory, Remote};

/// The most entries that are read.
const MAX_ENTRIES: usize = 256;

/// The absolute entries of `sys.path` of the oldest interpreter; none if they cannot be
/// read, or are not strings.
pub(crate) fn read<A: Abi, M: Memory>(
    memory: &M,
    types: &ObjectTypes,
    system: &SystemLayout,
    roots: &ProcessRoots,
) -> Vec<String> {
    let items = || -> Option<Vec<u8>> {
        let interpreter = *roots.interpreters::<A, M>(memory).ok()?.last()?;
        let sys = memory.field(interpreter, system.sys).ok()?;
        if !types.is_dict::<A, M>(memory, sys.cast()) {
            return None;
        }
        let path = find::<A, M>(memory, types, sys, "path").ok()??;
        if !is_exactly::<A, M>(memory, path, types.list) {
            return None;
        }
        let size = memory.field(path.cast(), A::OBJECTS.list_size).ok()?;
        let items = memory.field(path.cast(), A::OBJECTS.list_items).ok()?;
        memory.read_bytes(items, usize::try_from(size).ok()?.min(MAX_ENTRIES) * 8).ok()
    };
    let items = items().unwrap_or_default();
    let words = items.chunks_exact(8).filter_map(|word| word.try_into().ok());
    let entries = words.map(|word| Remote::new(u64::from_ne_bytes(word)));
    entries
        .filter(|entry| types.is_name::<A, M>(memory, *entry))
        .filter_map(|entry| Some(A::Text::read(memory, entry.cast()).ok()?.text))
        .filter(|entry| entry.starts_with('/'))
        .collect()
}
