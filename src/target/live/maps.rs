//! `/proc/PID/maps`: what is mapped where (proc_pid_maps(5)).

use std::ffi::OsStr;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::target::mapped::{FileId, MappedFile, OtherCode, Permissions, Segment, note};

/// One line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// The addresses it covers.
    pub range: Range<u64>,
    /// Whether it can be read, written, executed.
    pub permissions: Permissions,
    /// Where in the file it begins, in bytes.
    pub offset: u64,
    /// The file behind it.
    pub file: FileId,
    /// Where in the text of the whole file the path stands.
    path: Range<usize>,
}

/// All mappings of a process at one moment, in order of address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Maps {
    text: Vec<u8>,
    mappings: Vec<Mapping>,
}

/// What the kernel writes after the path of a file that was removed.
const DELETED: &[u8] = b" (deleted)";

/// More mappings than this are not looked at; the kernel's own default limit
/// (`vm.max_map_count`) is 65,530.
const MAX_MAPPINGS: usize = 1 << 20;

impl Maps {
    /// Reads the text of the file. Lines that cannot be understood are left out.
    #[must_use]
    pub(crate) fn parse(text: Vec<u8>) -> Self {
        let mut mappings = Vec::new();
        let mut start = 0;
        for line in text.split(|byte| *byte == b'\n').take(MAX_MAPPINGS) {
            mappings.extend(parse_line(line, start));
            start += line.len() + 1;
        }
        Self { text, mappings }
    }

    /// The path of a mapping as it is written: of a file, or a word in brackets
    /// such as `[heap]`, or empty.
    #[must_use]
    pub(crate) fn raw_path(&self, mapping: &Mapping) -> &[u8] {
        self.text.get(mapping.path.clone()).unwrap_or_default()
    }

    /// The files that are mapped, in order of address.
    ///
    /// A file that is mapped twice from its beginning (loaded twice, or loaded
    /// and also read as data) is listed twice.
    #[must_use]
    pub(crate) fn files(&self) -> Vec<MappedFile> {
        let mut files: Vec<MappedFile> = Vec::new();
        for mapping in &self.mappings {
            if !self.is_of_file(mapping) {
                continue;
            }
            let path = self.raw_path(mapping);
            let segment = Segment {
                range: mapping.range.clone(),
                offset: mapping.offset,
                permissions: mapping.permissions,
            };
            note(&mut files, mapping.file, segment, || describe(path));
        }
        files
    }

    /// What can be executed and is in no file, in order of address.
    #[must_use]
    pub(crate) fn other_code(&self) -> Vec<OtherCode> {
        // The kernel executes nothing for the process at these: it does itself what they stand for.
        let is_emulated = |mapping: &Mapping| self.raw_path(mapping) == b"[vsyscall]";
        let is_other = |mapping: &&Mapping| {
            mapping.permissions.execute && !self.is_of_file(mapping) && !is_emulated(mapping)
        };
        let other = self.mappings.iter().filter(is_other);
        other
            .map(|mapping| OtherCode {
                range: mapping.range.clone(),
                is_vdso: self.raw_path(mapping) == b"[vdso]",
            })
            .collect()
    }

    fn is_of_file(&self, mapping: &Mapping) -> bool {
        let path = self.raw_path(mapping);
        mapping.file.inode != 0 && !path.is_empty() && !path.starts_with(b"[")
    }
}

/// The path of a file, and whether the kernel says that it no longer leads to it.
fn describe(raw: &[u8]) -> (PathBuf, bool) {
    match raw.strip_suffix(DELETED) {
        Some(path) => (unescape(path), true),
        None => (unescape(raw), false),
    }
}

fn parse_line(line: &[u8], start: usize) -> Option<Mapping> {
    let mut rest = Fields { line, position: 0 };
    let addresses = rest.next()?;
    let permissions = rest.next()?;
    let offset = hexadecimal(rest.next()?)?;
    let device = rest.next()?;
    let inode = decimal(rest.next()?)?;
    let (from, to) = split_at_byte(addresses, b'-')?;
    let (major, minor) = split_at_byte(device, b':')?;
    let (from, to) = (hexadecimal(from)?, hexadecimal(to)?);
    if from >= to || permissions.len() != 4 {
        return None;
    }
    let path = rest.skip_blanks();
    Some(Mapping {
        range: from..to,
        permissions: Permissions {
            read: permissions.first() == Some(&b'r'),
            write: permissions.get(1) == Some(&b'w'),
            execute: permissions.get(2) == Some(&b'x'),
        },
        offset,
        file: FileId {
            major: u32::try_from(hexadecimal(major)?).ok()?,
            minor: u32::try_from(hexadecimal(minor)?).ok()?,
            inode,
        },
        path: start + path..start + line.len(),
    })
}

/// The blank-separated words of a line.
struct Fields<'a> {
    line: &'a [u8],
    position: usize,
}

impl<'a> Fields<'a> {
    fn skip_blanks(&mut self) -> usize {
        while self.line.get(self.position) == Some(&b' ') {
            self.position += 1;
        }
        self.position
    }

    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.skip_blanks();
        let rest = self.line.get(start..).filter(|rest| !rest.is_empty())?;
        let length = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
        self.position = start + length;
        rest.get(..length)
    }
}

fn split_at_byte(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let position = text.iter().position(|byte| *byte == separator)?;
    Some((text.get(..position)?, text.get(position + 1..)?))
}

fn hexadecimal(text: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()
}

fn decimal(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Undoes the one escape that the kernel makes here: a newline is `\012`.
fn unescape(path: &[u8]) -> PathBuf {
    const NEWLINE: &[u8] = b"\\012";
    let mut plain = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, tail)) = rest.split_first() {
        match rest.strip_prefix(NEWLINE) {
            Some(after) => {
                plain.push(b'\n');
                rest = after;
            }
            None => {
                plain.push(*first);
                rest = tail;
            }
        }
    }
    Path::new(OsStr::from_bytes(&plain)).to_path_buf()
}

#[cfg(test)]
#[path = "maps_tests.rs"]
mod tests;
