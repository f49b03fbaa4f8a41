//! One mapped ELF object of a process, ready for symbol lookups.

use std::path::{Path, PathBuf};

use crate::cpython::memory::Memory;
use crate::target::elf::{Bytes, Image, Symbol};
use crate::target::image::open_image;
use crate::target::interface::Target;
use crate::target::mapped::MappedFile;

/// An ELF object that a process has loaded.
#[derive(Debug)]
pub(crate) struct Module {
    path: PathBuf,
    image: Image<Bytes>,
    bias: u64,
}

impl Module {
    /// Opens the object behind a mapping; where the file cannot be had, takes
    /// what the process has in memory. `None` if it is not ELF.
    pub(super) fn open<M: Memory>(
        target: &impl Target,
        memory: &M,
        mapped: &MappedFile,
    ) -> Option<Self> {
        let (image, bias) = open_image(target, memory, mapped)?;
        Some(Self { path: mapped.path.clone(), image, bias })
    }

    /// A module out of bytes, loaded at `bias`.
    #[cfg(test)]
    pub(super) fn of_bytes(bytes: Vec<u8>, bias: u64) -> Self {
        let image = Image::parse(Bytes::Copied(bytes)).unwrap();
        Self { path: "/made/module".into(), image, bias }
    }

    /// Where it was loaded from, as seen from the process. For messages.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What to add to an address of the file to get the address in the process.
    #[must_use]
    pub(crate) fn bias(&self) -> u64 {
        self.bias
    }

    /// The ELF image.
    #[must_use]
    pub(crate) fn image(&self) -> &Image<Bytes> {
        &self.image
    }

    /// Where in the process something lies that the object exports.
    #[must_use]
    pub(crate) fn symbol(&self, name: &str) -> Option<Symbol> {
        self.image.symbol(name).map(|symbol| self.loaded(symbol))
    }

    /// Where in the process things lie that it does not export. Slow: reads the
    /// whole symbol table.
    #[must_use]
    pub(crate) fn local_symbols<const N: usize>(&self, names: [&str; N]) -> [Option<Symbol>; N] {
        self.image.local_symbols(names).map(|symbol| symbol.map(|symbol| self.loaded(symbol)))
    }

    fn loaded(&self, symbol: Symbol) -> Symbol {
        Symbol { address: symbol.address.wrapping_add(self.bias), ..symbol }
    }
}
