//! Sections, which only files have: looked at when no segment tells.

use std::ops::Deref;

use goblin::elf::section_header::{SHF_COMPRESSED, SHT_NOBITS};
use goblin::elf::sym::Symtab;
use goblin::elf::{SectionHeader, Sym};

use super::bytes::{CONTEXT, slice, text_at};
use super::image::{Image, Symbol, defined};

/// Symbols of a table beyond this are not looked at: a file can be of any size and nearly empty.
const MAX_SYMBOLS: usize = 8 << 20;

/// The content of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Section<'a> {
    /// The address it is linked for; 0 if it is not loaded.
    pub address: u64,
    /// Where in the file it begins.
    pub offset: u64,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// A table of symbols, and the texts that they are named in.
pub(crate) struct SymbolTable<'a> {
    symbols: Symtab<'a>,
    strings: &'a [u8],
}

impl<'a> SymbolTable<'a> {
    /// All symbols, in the order of the file.
    pub(crate) fn symbols(&self) -> impl Iterator<Item = Sym> + '_ {
        self.symbols.iter()
    }

    /// The name that begins at an offset of its texts (`st_name`).
    pub(crate) fn name_at(&self, offset: u32) -> Option<&'a [u8]> {
        text_at(self.strings, offset.into())
    }
}

impl<B: Deref<Target = [u8]>> Image<B> {
    /// A section by its name; `None` if the file has none that can be read as it stands.
    pub(crate) fn section(&self, name: &str) -> Option<Section<'_>> {
        let headers = self.section_headers()?;
        let names = headers.get(usize::from(self.sections.2))?;
        let names = slice(self.bytes(), names.sh_offset, names.sh_size)?;
        let is_it = |header: &&SectionHeader| {
            names.get(header.sh_name..).is_some_and(|rest| starts_with_text(rest, name))
        };
        let header = headers.iter().find(is_it)?;
        let is_plain =
            header.sh_type != SHT_NOBITS && header.sh_flags & u64::from(SHF_COMPRESSED) == 0;
        let bytes = slice(self.bytes(), header.sh_offset, header.sh_size).filter(|_| is_plain)?;
        Some(Section { address: header.sh_addr, offset: header.sh_offset, bytes })
    }

    /// The symbols of the section of type `kind`: `SHT_SYMTAB` or `SHT_DYNSYM`.
    pub(crate) fn symbol_table(&self, kind: u32) -> Option<SymbolTable<'_>> {
        let headers = self.section_headers()?;
        let section = headers.iter().find(|section| section.sh_type == kind)?;
        let strings = headers.get(usize::try_from(section.sh_link).ok()?)?;
        let strings = slice(self.bytes(), strings.sh_offset, strings.sh_size)?;
        let count = usize::try_from(section.sh_size).ok()? / Sym::size(CONTEXT.container);
        let count = count.min(MAX_SYMBOLS);
        let offset = usize::try_from(section.sh_offset).ok()?;
        let symbols = Symtab::parse(self.bytes(), offset, count, CONTEXT).ok()?;
        Some(SymbolTable { symbols, strings })
    }

    fn section_headers(&self) -> Option<Vec<SectionHeader>> {
        let (offset, count, _) = self.sections;
        SectionHeader::parse(self.bytes(), usize::try_from(offset).ok()?, count.into(), CONTEXT)
            .ok()
    }

    /// Looks for several names in one pass over a symbol section.
    pub(super) fn symbols_in_section<const N: usize>(
        &self,
        kind: u32,
        names: [&str; N],
    ) -> [Option<Symbol>; N] {
        self.search(kind, names).unwrap_or([None; N])
    }

    fn search<const N: usize>(&self, kind: u32, names: [&str; N]) -> Option<[Option<Symbol>; N]> {
        let table = self.symbol_table(kind)?;
        let mut found = [None; N];
        for symbol in table.symbols.iter() {
            let Some(rest) = table.strings.get(symbol.st_name..) else { continue };
            for (name, slot) in names.iter().zip(&mut found) {
                if slot.is_none() && starts_with_text(rest, name) {
                    *slot = defined(symbol);
                }
            }
        }
        Some(found)
    }
}

fn starts_with_text(bytes: &[u8], text: &str) -> bool {
    bytes.strip_prefix(text.as_bytes()).is_some_and(|rest| rest.first() == Some(&0))
}
