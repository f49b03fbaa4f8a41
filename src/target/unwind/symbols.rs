//! The symbols of an image, in order of address.

use std::cmp::Reverse;
use std::ops::Range;

use goblin::elf::Sym;
use goblin::elf::section_header::{SHN_ABS, SHN_UNDEF, SHT_DYNSYM, SHT_SYMTAB};
use goblin::elf::sym::{STB_GLOBAL, STB_WEAK, STT_FUNC, STT_GNU_IFUNC, STT_NOTYPE};

use crate::target::elf::{Bytes, Image, SymbolTable};

/// Symbols beyond this are not known.
const MAX_SYMBOLS: usize = 4 << 20;

/// How many symbols before an address are asked whether they reach to it.
const LOOK_BACK: usize = 64;

/// The functions that some images name.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    /// In order of address.
    entries: Vec<Entry>,
}

/// Where a symbol is, as linked, and where its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    address: u64,
    /// 0 if unknown: of code that was not written in C.
    size: u64,
    /// Offset of the name in the texts of its table.
    name: u32,
    /// Which table.
    table: u8,
    /// How visible it is: less is more.
    rank: u8,
}

/// A function that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The name of the symbol.
    pub name: Vec<u8>,
    /// Where it begins, as linked.
    pub start: u64,
}

/// The tables of some images: the one that has all symbols, and the one of the exported ones.
fn tables<'a>(images: &[&'a Image<Bytes>]) -> Vec<Option<SymbolTable<'a>>> {
    let of =
        |image: &&'a Image<Bytes>| [SHT_SYMTAB, SHT_DYNSYM].map(|kind| image.symbol_table(kind));
    images.iter().flat_map(of).collect()
}

impl Symbols {
    /// All functions that some images of one file name.
    pub(super) fn of(images: &[&Image<Bytes>]) -> Self {
        let mut entries = Vec::new();
        for (number, table) in tables(images).iter().enumerate() {
            let symbols = table.iter().flat_map(SymbolTable::symbols);
            let functions = symbols.filter_map(|symbol| entry(&symbol, number));
            entries.extend(functions.take(MAX_SYMBOLS - entries.len()));
        }
        entries.sort_unstable_by_key(|entry| (entry.address, entry.size, entry.rank, entry.table));
        Self { entries }
    }

    /// The function at an address as linked. `function` is what the unwind tables say of it: by
    /// this a symbol without a size is known to reach to the address.
    pub(super) fn at(
        &self,
        images: &[&Image<Bytes>],
        address: u64,
        function: Option<&Range<u64>>,
    ) -> Option<Found> {
        let after = self.entries.partition_point(|entry| entry.address <= address);
        let before = self.entries.get(..after)?;
        let reaches = |entry: &&Entry| {
            let inside = address - entry.address;
            let is_function = function.is_some_and(|function| function.start == entry.address);
            inside < entry.size || (entry.size == 0 && (inside == 0 || is_function))
        };
        let found = before.iter().rev().take(LOOK_BACK).find(reaches)?;
        let same = before.iter().rev().take(LOOK_BACK).filter(reaches);
        let same = same.filter(|entry| entry.address == found.address);
        let tables = tables(images);
        let named = same.filter_map(|entry| Some((entry, name(&tables, entry)?)));
        // As perf chooses (`choose_best_symbol`): what is seen from most places and looks public.
        let (best, name) = named.min_by_key(|(entry, name)| {
            let underscores = name.iter().take_while(|byte| **byte == b'_').count();
            (entry.size == 0, entry.rank, underscores, Reverse(name.len()), *name)
        })?;
        Some(Found { name: name.to_vec(), start: best.address })
    }
}

/// The name of a symbol; it is not empty.
fn name<'a>(tables: &[Option<SymbolTable<'a>>], entry: &Entry) -> Option<&'a [u8]> {
    let table = tables.get(usize::from(entry.table))?.as_ref()?;
    table.name_at(entry.name).filter(|name| !name.is_empty())
}

/// A symbol, if it may be a function.
fn entry(symbol: &Sym, table: usize) -> Option<Entry> {
    let section = symbol.st_shndx as u32;
    let is_placed = section != SHN_UNDEF && section != SHN_ABS && symbol.st_value != 0;
    let rank = match symbol.st_bind() {
        STB_GLOBAL => 0,
        STB_WEAK => 1,
        _ => 2,
    };
    let is_function = match symbol.st_type() {
        STT_FUNC | STT_GNU_IFUNC => true,
        // Assemblers mark what is code and what is data by local ones (AAELF64, 5.5.5).
        STT_NOTYPE => rank < 2,
        _ => false,
    };
    let name = u32::try_from(symbol.st_name).ok()?;
    let table = u8::try_from(table).ok()?;
    let (address, size) = (symbol.st_value, symbol.st_size);
    (is_placed && is_function).then_some(Entry { address, size, name, table, rank })
}
