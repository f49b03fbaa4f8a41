//! ELF files and their copies in memory: symbols, segments, notes.
//!
//! Pure functions over bytes, which are hostile: every offset and every count
//! is checked, and nothing is parsed that is not asked for, so that a library
//! with 30 MB of debug information costs no more than one without.
//!
//! Facts about the format come from the System V gABI, chapters 4 and 5, and
//! from elf(5).

mod bytes;
mod content;
mod dynamic;
mod hash;
mod image;
mod map;
mod memory;
mod sections;

pub(crate) use bytes::{Bytes, CONTEXT};
pub(crate) use content::has_content;
#[cfg(test)]
pub(crate) use image::ElfError;
pub(crate) use image::{Image, Symbol};
pub(crate) use map::map_file;
pub(crate) use memory::copy_from_memory;
pub(crate) use sections::{Section, SymbolTable};

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(any(test, feature = "fuzzing"))]
pub(in crate::target) mod loaded;
#[cfg(test)]
mod mutation_tests;
#[cfg(test)]
mod tests;
