//! The dynamic section: what the dynamic linker goes by.

use goblin::elf::Sym;
use goblin::elf::dynamic::{
    DT_GNU_HASH, DT_HASH, DT_NEEDED, DT_NULL, DT_SONAME, DT_STRTAB, DT_SYMTAB,
};

use super::bytes::u64_at;
use super::hash;

/// Offsets in the file of the tables that are used.
#[derive(Debug, Default)]
pub(super) struct Dynamic {
    symbols: Option<u64>,
    strings: Option<u64>,
    gnu_hash: Option<u64>,
    system_v_hash: Option<u64>,
    soname: Option<u64>,
    needed: Vec<u64>,
}

/// Entries beyond this are not read; real tables have about thirty.
const MAX_ENTRIES: u64 = 1024;

impl Dynamic {
    /// Reads the section; `resolve` turns an address of the image into an
    /// offset of the file.
    pub(super) fn parse(table: &[u8], resolve: impl Fn(u64) -> Option<u64>) -> Self {
        let mut dynamic = Self::default();
        let entry = |index: u64| Some((u64_at(table, index * 16)?, u64_at(table, index * 16 + 8)?));
        let entries = (0..MAX_ENTRIES).map_while(entry).take_while(|(tag, _)| *tag != DT_NULL);
        for (tag, value) in entries {
            match tag {
                DT_SYMTAB => dynamic.symbols = resolve(value),
                DT_STRTAB => dynamic.strings = resolve(value),
                DT_GNU_HASH => dynamic.gnu_hash = resolve(value),
                DT_HASH => dynamic.system_v_hash = resolve(value),
                DT_SONAME => dynamic.soname = Some(value),
                DT_NEEDED => dynamic.needed.push(value),
                _ => {}
            }
        }
        dynamic
    }

    /// Whether symbols can be looked up without reading all of them.
    pub(super) fn has_hash(&self) -> bool {
        let table = self.gnu_hash.or(self.system_v_hash);
        table.is_some() && self.symbols.is_some() && self.strings.is_some()
    }

    /// Offsets in the file of the tables that lookups read.
    pub(super) fn tables(&self) -> impl Iterator<Item = u64> {
        [self.symbols, self.strings, self.gnu_hash, self.system_v_hash].into_iter().flatten()
    }

    /// The entry of a symbol, defined here or not.
    pub(super) fn lookup(&self, bytes: &[u8], name: &str) -> Option<Sym> {
        let tables = hash::Tables { bytes, symbols: self.symbols?, strings: self.strings? };
        match (self.gnu_hash, self.system_v_hash) {
            (Some(offset), _) => tables.by_gnu_hash(offset, name),
            (None, Some(offset)) => tables.by_system_v_hash(offset, name),
            (None, None) => None,
        }
    }

    /// Offset in the file of the image's own name.
    pub(super) fn soname(&self) -> Option<u64> {
        self.strings?.checked_add(self.soname?)
    }

    /// Offsets in the file of the names of the libraries it needs.
    pub(super) fn needed(&self) -> impl Iterator<Item = u64> {
        let strings = self.strings;
        self.needed.iter().filter_map(move |offset| strings?.checked_add(*offset))
    }
}
