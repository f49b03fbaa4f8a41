//! The files that a target has mapped, whoever says so.

use std::fs::{self, File, Metadata, OpenOptions};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// How a mapping may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Permissions {
    /// `r`.
    pub read: bool,
    /// `w`.
    pub write: bool,
    /// `x`.
    pub execute: bool,
}

/// A file as the kernel names it: device and inode number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FileId {
    /// The device's major number.
    pub major: u32,
    /// The device's minor number.
    pub minor: u32,
    /// The inode number; 0 for a mapping without a file.
    pub inode: u64,
}

/// One mapping of a file, as seen from the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The addresses it covers.
    pub range: Range<u64>,
    /// Where in the file it begins, in bytes.
    pub offset: u64,
    /// Whether it can be read, written, executed.
    pub permissions: Permissions,
}

/// A file that is mapped, with all the places it is mapped at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MappedFile {
    /// Which file.
    pub id: FileId,
    /// Its path when it was mapped, as seen from the process; never to be
    /// opened as it stands, because another file may have taken its place.
    pub path: PathBuf,
    /// Whether the kernel says that the path no longer leads to it.
    pub deleted: bool,
    /// In order of address; never empty.
    pub segments: Vec<Segment>,
}

impl MappedFile {
    /// The last component of the path.
    #[must_use]
    pub(crate) fn name(&self) -> &[u8] {
        self.path.file_name().unwrap_or_default().as_bytes()
    }

    /// Whether code of the file can be executed.
    #[must_use]
    pub(crate) fn is_executable(&self) -> bool {
        self.segments.iter().any(|segment| segment.permissions.execute)
    }
}

/// Code that is in no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OtherCode {
    /// The addresses it covers.
    pub range: Range<u64>,
    /// Whether it is the kernel's own library, which is a whole ELF image (vdso(7)).
    pub is_vdso: bool,
}

/// What is mapped at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mapped {
    /// The files, in order of address.
    pub files: Vec<MappedFile>,
    /// What can be executed and is in no file, in order of address.
    pub code: Vec<OtherCode>,
}

/// How many files back the earlier segments of a file are looked for. Loaders
/// put the segments of one file side by side; only another file mapped into a
/// gap can come between.
const LOOK_BACK: usize = 4;

/// Notes a mapping of the file `id`, the next in order of address. A file that is mapped twice
/// from its beginning (loaded twice, or loaded and also read as data) is listed twice; `describe`
/// gives path and whether it was deleted of one that is not in the list yet.
pub(super) fn note(
    files: &mut Vec<MappedFile>,
    id: FileId,
    segment: Segment,
    describe: impl FnOnce() -> (PathBuf, bool),
) {
    let last = files.iter_mut().rev().take(LOOK_BACK).find(|file| file.id == id);
    // The part of the file that the first segment shows, mapped again: a new instance.
    let is_further = |file: &&mut MappedFile| {
        segment.offset > file.segments.first().map_or(0, |segment| segment.offset)
    };
    if let Some(file) = last.filter(is_further) {
        file.segments.push(segment);
        return;
    }
    let (path, deleted) = describe();
    files.push(MappedFile { id, path, deleted, segments: vec![segment] });
}

/// How sure it is that a file is the mapped one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// The kernel led to it from the mapping, or device and inode are equal; or
    /// its content has been compared.
    Same,
    /// It has the path of the mapped file, but another device or inode number.
    /// Overlay and btrfs file systems report numbers in `maps` that differ from
    /// those of `stat`, so only the content can tell.
    CompareContent,
}

/// A file that is mapped, or may be.
#[derive(Debug)]
pub(crate) struct OpenedFile {
    /// The file, open for reading.
    pub file: File,
    /// Whether the content must still be compared with the memory.
    pub identity: Identity,
}

/// Opens regular files only: to open a device or a pipe can have effects.
pub(super) fn open_regular(path: &Path) -> Option<(File, Metadata)> {
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let flags = nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    let metadata = file.metadata().ok()?;
    metadata.is_file().then_some((file, metadata))
}
