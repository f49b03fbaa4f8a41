//! The ELF image behind a mapping of a target.

use super::elf::{Bytes, Image, copy_from_memory, has_content, map_file};
use super::interface::Target;
use super::mapped::{Identity, MappedFile};
use crate::cpython::memory::Memory;

/// Opens the ELF image behind a mapping; where the file cannot be had, takes what the process has
/// in memory. `None` if it is not ELF. Returns it with its load bias.
pub(super) fn open_image<M: Memory>(
    target: &impl Target,
    memory: &M,
    mapped: &MappedFile,
) -> Option<(Image<Bytes>, u64)> {
    match file_image(target, memory, mapped) {
        Some(image) => {
            let bias = image.load_bias(&mapped.segments)?;
            Some((image, bias))
        }
        None => copy_from_memory(memory, &mapped.segments).ok(),
    }
}

fn file_image<M: Memory>(
    target: &impl Target,
    memory: &M,
    mapped: &MappedFile,
) -> Option<Image<Bytes>> {
    let opened = target.open_mapped(mapped)?;
    let image = Image::parse(map_file(&opened.file).ok()?).ok()?;
    match opened.identity {
        Identity::Same => Some(image),
        Identity::CompareContent => has_content(&image, memory, &mapped.segments).then_some(image),
    }
}
