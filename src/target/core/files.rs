//! The files that were mapped, for what the core file leaves out of them.
//!
//! The kernel writes no page of a file that the process cannot have changed, but the first one of
//! an ELF file, with its headers and mostly its build id (`vma_dump_size` of `fs/coredump.c`).
//! By these a file proves that it is the one that was mapped; no other is read.

use std::cell::OnceCell;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::contents::{Contents, Segment};
use super::notes::MappedPart;
use crate::cpython::memory::Memory;
use crate::target::elf::{Image, has_content, map_file};
use crate::target::mapped::{self, FileId, MappedFile, Permissions, open_regular};

/// What ends the path of a file that had been removed.
const DELETED: &[u8] = b" (deleted)";

/// Files that are told of when something was not found.
const MOST_TOLD: usize = 5;

/// The unit of mappings, in bytes: on every machine a page is a multiple of it.
const PAGE: u64 = 4096;

/// Why a file is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error("is not there, or may not be read")]
    Missing,
    #[error("is another file than the one that the process had mapped")]
    Other,
    #[error(
        "cannot be told to be the file that the process had mapped: what would prove that is not \
         in the core file"
    )]
    Unknown,
}

/// How the program is told among the files.
#[derive(Clone, Copy, Debug)]
pub(super) struct Program<'a> {
    /// An address in its own headers.
    pub headers: Option<u64>,
    /// Where it is now, if not where it was.
    pub instead: Option<&'a Path>,
}

/// The files that were mapped.
#[derive(Debug)]
pub(super) struct Files {
    files: Vec<Mapped>,
    /// First address, one past the last, offset in the file, and which file; in order of
    /// address.
    parts: Vec<(u64, u64, u64, usize)>,
    /// The path of the program as it was.
    program: Option<PathBuf>,
}

#[derive(Debug)]
struct Mapped {
    file: MappedFile,
    /// Where it is looked for.
    path: PathBuf,
    is_program: bool,
    opened: OnceCell<Result<Opened, Refusal>>,
}

/// A file that has proven to be the mapped one.
#[derive(Debug)]
struct Opened {
    file: File,
    /// In bytes.
    length: u64,
}

impl Files {
    pub(super) fn new(parts: Vec<MappedPart>, segments: &[Segment], program: Program<'_>) -> Self {
        let mut files = Vec::new();
        let mut paths: Vec<PathBuf> = Vec::new();
        for part in parts {
            // Parts of one file mostly stand side by side.
            let known = paths.iter().rev().take(8).position(|path| *path == part.path);
            let number = known.map_or(paths.len(), |position| paths.len() - 1 - position);
            if known.is_none() {
                paths.push(part.path.clone());
            }
            let id = FileId { major: 0, minor: 0, inode: number as u64 + 1 };
            let segment = mapped::Segment {
                range: part.start..part.end,
                offset: part.offset,
                permissions: permissions(segments, part.start),
            };
            mapped::note(&mut files, id, segment, || describe(&part.path));
        }
        let holds = |file: &&MappedFile| {
            let is_in =
                |headers: &u64| file.segments.iter().any(|segment| segment.range.contains(headers));
            program.headers.as_ref().is_some_and(is_in)
        };
        let found = files.iter().find(holds).map(|file| file.path.clone());
        let mut parts: Vec<_> = (0..)
            .zip(&files)
            .flat_map(|(number, file)| {
                let part = move |segment: &mapped::Segment| {
                    (segment.range.start, segment.range.end, segment.offset, number)
                };
                file.segments.iter().map(part)
            })
            .collect();
        parts.sort_by_key(|(start, ..)| *start);
        let place = |file: MappedFile| {
            let is_program = found.as_ref() == Some(&file.path);
            let instead = program.instead.filter(|_| is_program);
            let path = instead.unwrap_or(&file.path).to_path_buf();
            Mapped { file, path, is_program, opened: OnceCell::new() }
        };
        let files = files.into_iter().map(place).collect();
        Self { files, parts, program: found }
    }

    /// The path of the program as it was, if that can be told.
    #[must_use]
    pub(super) fn executable(&self) -> Option<&Path> {
        self.program.as_deref()
    }

    /// All of them.
    #[must_use]
    pub(super) fn list(&self) -> Vec<MappedFile> {
        self.files.iter().map(|mapped| mapped.file.clone()).collect()
    }

    /// The very file that was mapped, if it can be had.
    #[must_use]
    pub(super) fn open(&self, mapped: &MappedFile, contents: &Contents) -> Option<&File> {
        let start = mapped.segments.first()?.range.start;
        let (.., number) = *self.parts.get(self.after(start).checked_sub(1)?)?;
        let known = self.files.get(number).filter(|known| known.file == *mapped)?;
        Some(&known.open(contents)?.file)
    }

    /// How many parts begin at this address or before.
    fn after(&self, address: u64) -> usize {
        self.parts.partition_point(|(start, ..)| *start <= address)
    }

    /// Fills the beginning of `buffer` with what the files have from `address` on. Returns how
    /// much that is: at least one byte.
    #[must_use]
    pub(super) fn fill(
        &self,
        address: u64,
        buffer: &mut [u8],
        contents: &Contents,
    ) -> Option<usize> {
        let after = self.after(address);
        let (start, end, offset, number) = *self.parts.get(after.checked_sub(1)?)?;
        let left = end.checked_sub(address).filter(|left| *left > 0)?;
        let place = offset.checked_add(address - start)?;
        let &Opened { ref file, length } = self.files.get(number)?.open(contents)?;
        if place < length {
            let here = left.min(length - place).min(buffer.len() as u64) as usize;
            file.read_exact_at(buffer.get_mut(..here)?, place).ok()?;
            return Some(here);
        }
        // The last page of a file is filled up with zeros.
        let zeros = length.next_multiple_of(PAGE).checked_sub(place).filter(|zeros| *zeros > 0)?;
        let here = left.min(zeros).min(buffer.len() as u64) as usize;
        buffer.get_mut(..here)?.fill(0);
        Some(here)
    }

    /// Of programs and libraries that were asked for and are not used, why: first of those that
    /// may hold an interpreter.
    #[must_use]
    pub(super) fn refusals(&self) -> Vec<String> {
        let refused = self.files.iter().filter_map(|mapped| {
            let refusal = mapped.opened.get()?.as_ref().err()?;
            Some((mapped.rank()?, format!("\"{}\" {refusal}", mapped.path.display())))
        });
        let mut refused: Vec<(u8, String)> = refused.collect();
        refused.sort_by_key(|(rank, _)| *rank);
        refused.into_iter().take(MOST_TOLD).map(|(_, words)| words).collect()
    }
}

impl Mapped {
    /// How early it is told of; `None` for what has no code.
    fn rank(&self) -> Option<u8> {
        let name = self.file.name();
        let is_library = name.windows(3).any(|part| part == b".so");
        match () {
            () if self.is_program => Some(0),
            () if name.starts_with(b"libpython") => Some(1),
            () => is_library.then_some(2),
        }
    }

    fn open(&self, contents: &Contents) -> Option<&Opened> {
        self.opened.get_or_init(|| self.find(contents)).as_ref().ok()
    }

    fn find(&self, contents: &Contents) -> Result<Opened, Refusal> {
        let segments = &self.file.segments;
        let (file, metadata) = open_regular(&self.path).ok_or(Refusal::Missing)?;
        let first = segments.iter().find(|segment| segment.offset == 0);
        let begins = first.map(|segment| contents.read::<u64>(segment.range.start));
        if !matches!(begins, Some(Ok(_))) {
            return Err(Refusal::Unknown);
        }
        let bytes = map_file(&file).map_err(|_| Refusal::Missing)?;
        let image = Image::parse(bytes).map_err(|_| Refusal::Other)?;
        if has_content(&image, contents, segments) {
            return Ok(Opened { file, length: metadata.len() });
        }
        // patchelf may put the build id where the kernel leaves it out.
        let can_tell = image.build_id().is_none_or(|(address, id)| {
            let bias = image.load_bias(segments).unwrap_or(0);
            contents.read_bytes(address.wrapping_add(bias), id.len()).is_ok()
        });
        Err(if can_tell { Refusal::Other } else { Refusal::Unknown })
    }
}

fn permissions(segments: &[Segment], address: u64) -> Permissions {
    let after = segments.partition_point(|segment| segment.start <= address);
    let last = after.checked_sub(1).and_then(|position| segments.get(position));
    match last.filter(|segment| address < segment.end) {
        Some(segment) => segment.permissions,
        // `gcore` leaves out what could not be written to, and says nothing of it.
        None => Permissions { read: true, write: false, execute: true },
    }
}

/// The path of a file, and whether it had been removed.
fn describe(path: &Path) -> (PathBuf, bool) {
    match path.as_os_str().as_bytes().strip_suffix(DELETED) {
        Some(path) => (PathBuf::from(std::ffi::OsStr::from_bytes(path)), true),
        None => (path.to_path_buf(), false),
    }
}
