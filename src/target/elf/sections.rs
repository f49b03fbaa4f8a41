//! Sections, which only files have: looked at when no segment tells.

use std::ops::Deref;

use goblin::elf::sym::Symtab;
use goblin::elf::{SectionHeader, Sym};

use super::bytes::{CONTEXT, slice};
use super::image::{Image, Symbol, defined};

impl<B: Deref<Target = [u8]>> Image<B> {
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
        let headers = self.section_headers()?;
        let section = headers.iter().find(|section| section.sh_type == kind)?;
        let strings = headers.get(usize::try_from(section.sh_link).ok()?)?;
        let strings = slice(self.bytes(), strings.sh_offset, strings.sh_size)?;
        let count = usize::try_from(section.sh_size).ok()? / Sym::size(CONTEXT.container);
        let offset = usize::try_from(section.sh_offset).ok()?;
        let table = Symtab::parse(self.bytes(), offset, count, CONTEXT).ok()?;

        let mut found = [None; N];
        for symbol in table.iter() {
            let Some(rest) = strings.get(symbol.st_name..) else { continue };
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
