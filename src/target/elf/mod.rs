//! ELF files and their copies in memory: symbols, segments, notes.
//!
//! Pure functions over bytes, which are hostile: every offset and every count
//! is checked, and nothing is parsed that is not asked for, so that a library
//! with 30 MB of debug information costs no more than one without.
//!
//! Facts about the format come from the System V gABI, chapters 4 and 5, and
//! from elf(5).

mod bytes;
mod dynamic;
mod hash;
mod image;
mod map;
mod memory;
mod sections;

pub use bytes::{Bytes, text_at};
pub use image::{ElfError, Image, LoadSegment, Symbol};
pub use map::map_file;
pub use memory::copy_from_memory;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod mutation_tests;
#[cfg(test)]
mod tests;
