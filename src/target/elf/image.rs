//! One ELF image: its header, segments, and the symbols it defines.

use std::ops::Deref;

use goblin::elf::header::{EI_CLASS, EI_DATA, ET_DYN, ET_EXEC};
use goblin::elf::program_header::{PF_X, PT_DYNAMIC, PT_GNU_EH_FRAME, PT_LOAD, PT_NOTE};
use goblin::elf::section_header::{SHN_ABS, SHN_UNDEF, SHT_DYNSYM, SHT_SYMTAB};
use goblin::elf::sym::{STT_FUNC, STT_GNU_IFUNC, STT_NOTYPE, STT_OBJECT};
use goblin::elf::{Elf, ProgramHeader, Sym};

use super::bytes::{CONTEXT, slice, text_at, u32_at};
use super::dynamic::Dynamic;
use crate::target::disasm::{Compatibility, compatibility};
use crate::target::mapped::Segment;

/// Why bytes are not an ELF image that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ElfError {
    /// No ELF header, or neither an executable nor a library.
    #[error("it is not an ELF executable or library")]
    NotElf,
    /// A 32-bit file.
    #[error("it is a 32-bit file")]
    ThirtyTwoBit,
    /// For another processor.
    #[error("it is for another kind of processor")]
    Foreign,
    /// The header points outside of the file.
    #[error("its ELF headers are damaged")]
    Damaged,
}

/// A part of the file that is loaded into memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LoadSegment {
    /// Where in the file.
    pub offset: u64,
    /// Bytes of it in the file.
    pub file_size: u64,
    /// The address it is linked for.
    pub address: u64,
    /// Bytes of it in memory; what the file does not have is zero.
    pub memory_size: u64,
    /// Whether it holds code.
    pub executable: bool,
}

impl LoadSegment {
    fn offset_of(&self, address: u64) -> Option<u64> {
        let inside = address.checked_sub(self.address)?;
        if inside >= self.file_size { None } else { self.offset.checked_add(inside) }
    }
}

/// Something that the image defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Symbol {
    /// The address it is linked for; add the load bias.
    pub address: u64,
    /// Its size in bytes; 0 if unknown.
    pub size: u64,
}

/// An ELF image over its bytes: a file, or a copy out of memory that has the
/// shape of one.
#[derive(Debug)]
pub(crate) struct Image<B> {
    bytes: B,
    machine: u16,
    position_independent: bool,
    entry: u64,
    segments: Vec<LoadSegment>,
    unwind_part: Option<LoadSegment>,
    notes: Vec<LoadSegment>,
    /// Where the dynamic section is.
    pub(super) dynamic_part: Option<LoadSegment>,
    pub(super) dynamic: Dynamic,
    pub(super) sections: (u64, u16, u16),
}

impl<B: Deref<Target = [u8]>> Image<B> {
    /// The image of a file.
    pub(crate) fn parse(bytes: B) -> Result<Self, ElfError> {
        Self::parse_loaded(bytes, 0)
    }

    /// The image of a copy out of memory, loaded at `bias`: the dynamic linker
    /// may have added the bias to the pointers of the dynamic section.
    pub(crate) fn parse_loaded(bytes: B, bias: u64) -> Result<Self, ElfError> {
        let header = Elf::parse_header(&bytes).map_err(|_| class_or(&bytes, ElfError::NotElf))?;
        let [class, data] = [EI_CLASS, EI_DATA].map(|index| header.e_ident.get(index).copied());
        match compatibility(class.unwrap_or(0), data.unwrap_or(0), header.e_machine) {
            Compatibility::ThirtyTwoBit => return Err(ElfError::ThirtyTwoBit),
            // Read even so if it is little-endian: the code readers know both
            // processors, and tests read files of the other.
            Compatibility::Foreign if data != Some(goblin::elf::header::ELFDATA2LSB) => {
                return Err(ElfError::Foreign);
            }
            Compatibility::Foreign | Compatibility::Native => {}
        }
        if !matches!(header.e_type, ET_EXEC | ET_DYN) {
            return Err(ElfError::NotElf);
        }
        let headers = program_headers(&bytes, header.e_phoff, header.e_phnum)?;
        let parts =
            |kind| headers.iter().filter(move |header| header.p_type == kind).map(load_segment);
        let segments: Vec<_> = parts(PT_LOAD).collect();
        let resolve = |address: u64| {
            offset_of(&segments, address)
                .or_else(|| offset_of(&segments, address.checked_sub(bias)?))
        };
        let dynamic_part = parts(PT_DYNAMIC).next();
        let dynamic = dynamic_part
            .and_then(|part| slice(&bytes, part.offset, part.file_size))
            .map(|table| Dynamic::parse(table, resolve))
            .unwrap_or_default();
        let notes = parts(PT_NOTE).collect();
        let unwind_part = parts(PT_GNU_EH_FRAME).next();
        Ok(Self {
            machine: header.e_machine,
            position_independent: header.e_type == ET_DYN,
            entry: header.e_entry,
            segments,
            unwind_part,
            notes,
            dynamic_part,
            dynamic,
            sections: (header.e_shoff, header.e_shnum, header.e_shstrndx),
            bytes,
        })
    }

    /// All bytes.
    #[must_use]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The processor: `EM_X86_64`, `EM_AARCH64`, ….
    #[must_use]
    pub(crate) fn machine(&self) -> u16 {
        self.machine
    }

    /// What is loaded of it, in order of the file.
    #[must_use]
    pub(crate) fn segments(&self) -> &[LoadSegment] {
        &self.segments
    }

    /// Where a program begins, as linked; 0 for most libraries.
    #[must_use]
    pub(crate) fn entry(&self) -> u64 {
        self.entry
    }

    /// Where the section `.eh_frame_hdr` is (`PT_GNU_EH_FRAME`).
    #[must_use]
    pub(crate) fn unwind_part(&self) -> Option<&LoadSegment> {
        self.unwind_part.as_ref()
    }

    /// `length` bytes at an address as linked, if the file has them.
    #[must_use]
    pub(crate) fn bytes_at(&self, address: u64, length: u64) -> Option<&[u8]> {
        slice(&self.bytes, offset_of(&self.segments, address)?, length)
    }

    /// What must be added to an address of the image to get the address in a
    /// process that has mapped it at `mapped`.
    ///
    /// Every pair of a segment and a mapping that shows its beginning proposes
    /// a bias; the one that puts most segments in place wins. One mapping alone
    /// cannot be trusted: the page of the file where code ends and data begins
    /// is often mapped twice, and prelinked or patched files have their first
    /// segment at unusual addresses. 0 for an image that is not position
    /// independent; `None` if no mapping fits.
    #[must_use]
    pub(crate) fn load_bias(&self, mapped: &[Segment]) -> Option<u64> {
        if !self.position_independent {
            return Some(0);
        }
        let shown = self.segments.iter().filter(|segment| segment.file_size > 0);
        let proposals = shown.clone().flat_map(|segment| {
            mapped.iter().filter_map(|mapping| proposed_bias(segment, mapping))
        });
        let score =
            |bias: u64| shown.clone().filter(|part| is_in_place(part, bias, mapped)).count();
        // Bounded: a handful of segments, and the mappings of one file.
        let mut best = None;
        for bias in proposals.take(256) {
            let votes = score(bias);
            if best.is_none_or(|(most, _)| votes > most) {
                best = Some((votes, bias));
            }
        }
        best.map(|(_, bias)| bias)
    }

    /// A symbol that the image exports: from the GNU hash table, else from the
    /// System V one, else by reading the section `.dynsym`.
    #[must_use]
    pub(crate) fn symbol(&self, name: &str) -> Option<Symbol> {
        if self.dynamic.has_hash() {
            return self.dynamic.lookup(&self.bytes, name).and_then(defined);
        }
        let [found] = self.symbols_in_section(SHT_DYNSYM, [name]);
        found
    }

    /// Symbols out of the section `.symtab`, which holds local ones too and
    /// which a stripped file does not have. Reads all of it, once.
    #[must_use]
    pub(crate) fn local_symbols<const N: usize>(&self, names: [&str; N]) -> [Option<Symbol>; N] {
        self.symbols_in_section(SHT_SYMTAB, names)
    }

    /// The libraries that it says it needs (`DT_NEEDED`).
    pub(crate) fn needed(&self) -> impl Iterator<Item = &[u8]> {
        self.dynamic.needed().filter_map(|offset| text_at(&self.bytes, offset))
    }

    /// The name it gives itself (`DT_SONAME`).
    #[must_use]
    pub(crate) fn soname(&self) -> Option<&[u8]> {
        text_at(&self.bytes, self.dynamic.soname()?)
    }

    /// Where its notes are.
    pub(super) fn notes(&self) -> &[LoadSegment] {
        &self.notes
    }

    /// The build id that the linker gave it, if any: its address as linked, and
    /// the id.
    #[must_use]
    pub(crate) fn build_id(&self) -> Option<(u64, &[u8])> {
        // In a file with nothing but debug information segments are not where they say.
        self.build_id_in_segments().or_else(|| {
            let section = self.section(".note.gnu.build-id")?;
            let (position, id) = build_id(section.bytes)?;
            Some((section.address.checked_add(position)?, id))
        })
    }

    fn build_id_in_segments(&self) -> Option<(u64, &[u8])> {
        self.notes.iter().find_map(|note| {
            let (position, id) = build_id(slice(&self.bytes, note.offset, note.file_size)?)?;
            Some((note.address.checked_add(position)?, id))
        })
    }
}

/// A 32-bit header is too short for the parser, so look at the class first.
fn class_or(bytes: &[u8], otherwise: ElfError) -> ElfError {
    let is_32_bit = bytes.starts_with(b"\x7fELF\x01");
    if is_32_bit { ElfError::ThirtyTwoBit } else { otherwise }
}

fn program_headers(bytes: &[u8], offset: u64, count: u16) -> Result<Vec<ProgramHeader>, ElfError> {
    let offset = usize::try_from(offset).map_err(|_| ElfError::Damaged)?;
    ProgramHeader::parse(bytes, offset, usize::from(count), CONTEXT).map_err(|_| ElfError::Damaged)
}

fn load_segment(header: &ProgramHeader) -> LoadSegment {
    LoadSegment {
        offset: header.p_offset,
        file_size: header.p_filesz.min(header.p_memsz),
        address: header.p_vaddr,
        memory_size: header.p_memsz,
        executable: header.p_flags & PF_X != 0,
    }
}

fn offset_of(segments: &[LoadSegment], address: u64) -> Option<u64> {
    segments.iter().find_map(|segment| segment.offset_of(address))
}

fn proposed_bias(segment: &LoadSegment, mapping: &Segment) -> Option<u64> {
    /// A bias is a multiple of this on every machine; pages are no smaller.
    const SMALLEST_PAGE: u64 = 4096;
    let length = mapping.range.end - mapping.range.start;
    let inside = segment.offset.checked_sub(mapping.offset).filter(|inside| *inside < length)?;
    let bias = (mapping.range.start.wrapping_add(inside)).wrapping_sub(segment.address);
    (bias % SMALLEST_PAGE == 0).then_some(bias)
}

/// Whether the first byte of a segment is mapped where `bias` says.
fn is_in_place(segment: &LoadSegment, bias: u64, mapped: &[Segment]) -> bool {
    let address = segment.address.wrapping_add(bias);
    mapped.iter().any(|mapping| {
        mapping.range.contains(&address)
            && mapping.offset.checked_add(address - mapping.range.start) == Some(segment.offset)
            && (mapping.permissions.execute || !segment.executable)
    })
}

/// The symbol, if it is one that the image itself places somewhere.
pub(super) fn defined(symbol: Sym) -> Option<Symbol> {
    let kind = symbol.st_type();
    let section = symbol.st_shndx as u32;
    let placed = section != SHN_UNDEF && section != SHN_ABS && symbol.st_value != 0;
    let plain = matches!(kind, STT_NOTYPE | STT_OBJECT | STT_FUNC) && kind != STT_GNU_IFUNC;
    (placed && plain).then_some(Symbol { address: symbol.st_value, size: symbol.st_size })
}

/// Position and bytes of the build id among the notes of one segment
/// (elf(5), "Notes").
fn build_id(notes: &[u8]) -> Option<(u64, &[u8])> {
    const BUILD_ID: u32 = 3;
    let mut position = 0_u64;
    // A note takes at least its 12 bytes of header, so this ends.
    loop {
        let name_size = u64::from(u32_at(notes, position)?);
        let size = u64::from(u32_at(notes, position + 4)?);
        let kind = u32_at(notes, position + 8)?;
        let name = position + 12;
        let content = name + name_size.next_multiple_of(4);
        if kind == BUILD_ID && slice(notes, name, name_size)? == b"GNU\0" {
            return Some((content, slice(notes, content, size)?));
        }
        position = content + size.next_multiple_of(4);
    }
}
