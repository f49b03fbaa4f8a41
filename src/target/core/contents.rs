//! The bytes of a core file, and where in it what is.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use goblin::elf::ProgramHeader;
use goblin::elf::header::{EI_CLASS, EI_DATA, ELFMAG, ET_CORE};
use goblin::elf::program_header::{PF_R, PF_W, PF_X, PT_LOAD, PT_NOTE};

use super::error::NotCore;
use super::numbers::number;
use crate::cpython::memory::{Fault, Memory};
use crate::target::disasm::{Compatibility, compatibility};
use crate::target::elf::CONTEXT;
use crate::target::mapped::Permissions;

/// More mappings than this are not looked at; the kernel's own default limit
/// (`vm.max_map_count`) is 65,530.
const MAX_SEGMENTS: u64 = 1 << 20;

/// The size of an ELF header, of a program header and of a section header, in bytes.
const HEADER: usize = 64;
const PROGRAM_HEADER: u64 = 56;

/// `e_phnum` of a file with more program headers than fit: the first section tells
/// (`PN_XNUM` of `include/uapi/linux/elf.h`).
const IN_FIRST_SECTION: u16 = 0xffff;

/// How many program headers are read at a time.
const CHUNK: u64 = 1024;

/// What was at some addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// Its first address.
    pub start: u64,
    /// One past its last.
    pub end: u64,
    /// How much of it is in the file, from its beginning on, in bytes.
    pub held: u64,
    /// Where in the file.
    pub offset: u64,
    /// How it could be used.
    pub permissions: Permissions,
}

/// A core file.
#[derive(Debug)]
pub(super) struct Contents {
    file: File,
    length: u64,
    /// The processor: `EM_X86_64`, ….
    pub machine: u16,
    /// In order of address, none over another.
    pub segments: Vec<Segment>,
    /// Where notes are: offset and length.
    pub notes: Vec<(u64, u64)>,
}

impl Contents {
    /// Reads the headers.
    pub(super) fn of(file: File) -> Result<Self, NotCore> {
        let length = file.metadata().map_err(|_| NotCore::Damaged)?.len();
        let mut contents =
            Self { file, length, machine: 0, segments: Vec::new(), notes: Vec::new() };
        let mut header = [0; HEADER];
        if !contents.fill(0, &mut header[..20]) || !header.starts_with(ELFMAG) {
            return Err(NotCore::NotElf);
        }
        let half = |header: &[u8], at| number(header, at, 2).unwrap_or(0) as u16;
        contents.machine = half(&header, 18);
        match compatibility(header[EI_CLASS], header[EI_DATA], contents.machine) {
            Compatibility::Native => {}
            Compatibility::ThirtyTwoBit => return Err(NotCore::ThirtyTwoBit),
            Compatibility::Foreign => return Err(NotCore::Foreign(contents.machine)),
        }
        if half(&header, 16) != ET_CORE {
            return Err(NotCore::Program);
        }
        if !contents.fill(0, &mut header) || number(&header, 54, 2) != Some(PROGRAM_HEADER) {
            return Err(NotCore::Damaged);
        }
        let [table, sections] = [32, 40].map(|at| number(&header, at, 8).unwrap_or(0));
        let count = match half(&header, 56) {
            IN_FIRST_SECTION => contents.count_in_first_section(sections)?,
            count => count.into(),
        };
        contents.read_headers(table, count)?;
        Ok(contents)
    }

    /// `sh_info` of the first section.
    fn count_in_first_section(&self, sections: u64) -> Result<u64, NotCore> {
        let mut section = [0; HEADER];
        let is_there = self.fill(sections, &mut section);
        number(&section, 44, 4).filter(|_| is_there).ok_or(NotCore::Damaged)
    }

    fn read_headers(&mut self, table: u64, count: u64) -> Result<(), NotCore> {
        let count = count.min(MAX_SEGMENTS);
        for first in (0..count).step_by(CHUNK as usize) {
            let chunk = CHUNK.min(count - first);
            let mut bytes = vec![0; (chunk * PROGRAM_HEADER) as usize];
            let place = table.checked_add(first * PROGRAM_HEADER).ok_or(NotCore::Damaged)?;
            if !self.fill(place, &mut bytes) {
                return Err(NotCore::Damaged);
            }
            let headers = ProgramHeader::parse(&bytes, 0, chunk as usize, CONTEXT);
            for header in headers.map_err(|_| NotCore::Damaged)? {
                match header.p_type {
                    PT_LOAD => self.segments.extend(segment(&header)),
                    PT_NOTE => self.notes.push((header.p_offset, header.p_filesz)),
                    _ => {}
                }
            }
        }
        self.segments.sort_by_key(|segment| segment.start);
        let mut end = 0;
        self.segments.retain(|segment| {
            let is_free = segment.start >= end;
            end = end.max(segment.end);
            is_free
        });
        Ok(())
    }

    /// The file itself.
    pub(super) fn file(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Fills `buffer` from `offset` on, if the file has so much.
    #[must_use]
    pub(super) fn fill(&self, offset: u64, buffer: &mut [u8]) -> bool {
        self.file.read_exact_at(buffer, offset).is_ok()
    }

    /// How much the file holds from `offset` on.
    #[must_use]
    pub(super) fn left_at(&self, offset: u64) -> u64 {
        self.length.saturating_sub(offset)
    }

    /// Bytes of memory that the headers promise and the file does not hold.
    #[must_use]
    pub(super) fn missing(&self) -> u64 {
        let beyond = |segment: &Segment| segment.held.saturating_sub(self.left_at(segment.offset));
        self.segments.iter().map(beyond).fold(0, u64::saturating_add)
    }

    /// The segment that an address is in.
    #[must_use]
    pub(super) fn segment_at(&self, address: u64) -> Option<&Segment> {
        let after = self.segments.partition_point(|segment| segment.start <= address);
        let segment = self.segments.get(after.checked_sub(1)?)?;
        (address < segment.end).then_some(segment)
    }

    /// Fills the beginning of `buffer` with what the file holds of the memory. Returns how much
    /// that is: at least one byte.
    #[must_use]
    pub(super) fn fill_held(&self, address: u64, buffer: &mut [u8]) -> Option<usize> {
        let segment = self.segment_at(address)?;
        let inside = address - segment.start;
        let left = segment.held.checked_sub(inside).filter(|left| *left > 0)?;
        let here = left.min(buffer.len() as u64) as usize;
        let place = segment.offset.checked_add(inside)?;
        self.fill(place, buffer.get_mut(..here)?).then_some(here)
    }

    /// How many addresses from this one on are in no segment. None is there.
    #[must_use]
    pub(super) fn free_after(&self, address: u64) -> u64 {
        let after = self.segments.partition_point(|segment| segment.start <= address);
        self.segments.get(after).map_or(u64::MAX, |next| next.start) - address
    }
}

/// What the core file itself holds of the memory.
impl Memory for Contents {
    fn read_into(&self, address: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        fill(address, buffer, |address, rest| self.fill_held(address, rest))
    }
}

/// Fills a buffer piece by piece: `piece` fills the beginning of a rest, and says how much.
pub(super) fn fill(
    address: u64,
    buffer: &mut [u8],
    mut piece: impl FnMut(u64, &mut [u8]) -> Option<usize>,
) -> Result<(), Fault> {
    let length = buffer.len();
    let mut done = 0;
    while done < length {
        let filled = address
            .checked_add(done as u64)
            .and_then(|from| piece(from, buffer.get_mut(done..)?))
            .filter(|filled| *filled > 0);
        done += filled.ok_or(Fault::unmapped(address, length))?;
    }
    Ok(())
}

fn segment(header: &ProgramHeader) -> Option<Segment> {
    let size = header.p_memsz.max(header.p_filesz);
    let end = header.p_vaddr.checked_add(size).filter(|end| *end > header.p_vaddr)?;
    header.p_offset.checked_add(header.p_filesz)?;
    let has = |flag: u32| header.p_flags & flag != 0;
    Some(Segment {
        start: header.p_vaddr,
        end,
        held: header.p_filesz,
        offset: header.p_offset,
        permissions: Permissions { read: has(PF_R), write: has(PF_W), execute: has(PF_X) },
    })
}
