//! The notes of a core file: its process, its threads, what was mapped (elf(5), "Notes").

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::contents::Contents;
use super::numbers::number;
use super::signal::{self, Signal};
use super::threads::Registers;

/// The kinds of notes that are read (`include/uapi/linux/elf.h`).
const PRSTATUS: u32 = 1;
const PRPSINFO: u32 = 3;
const AUXV: u32 = 6;
const SIGINFO: u32 = 0x5349_4749;
const FILE: u32 = 0x4649_4c45;

/// More notes than this are not looked at. A thread has some six of them.
const MAX_NOTES: usize = 1 << 20;

/// More threads than this are not looked at.
const MAX_THREADS: usize = 1 << 16;

/// More mapped parts of files than this are not looked at; see `vm.max_map_count`.
const MAX_PARTS: usize = 1 << 17;

/// A longer list of mapped files than this is not read, in bytes. It is read once.
const MAX_LIST: u64 = 64 << 20;

/// So much is read of each other note, in bytes: all of them are shorter, and notes of a hostile
/// file can be as many as there may be and all lie in the same place.
const MAX_NOTE: u64 = 4096;

/// The largest file that is mapped, so that no address computed from it is beyond all.
const MAX_OFFSET: u64 = 1 << 62;

/// `AT_NULL`, `AT_PHDR`, `AT_RANDOM` and `AT_EXECFN` of `include/uapi/linux/auxvec.h`.
const END: u64 = 0;
const PROGRAM_HEADERS: u64 = 3;
const RANDOM: u64 = 25;
const FILE_NAME: u64 = 31;

/// By so many bytes what the kernel told the program is known again.
const HEAD: usize = 64;

/// A piece of a file that was mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MappedPart {
    /// Its first address.
    pub start: u64,
    /// One past its last.
    pub end: u64,
    /// Where in the file it begins, in bytes.
    pub offset: u64,
    /// The file.
    pub path: PathBuf,
}

/// What is said of the process itself (`struct elf_prpsinfo`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ProcessNote {
    pub pid: Option<i32>,
    /// Its command name, at most 15 bytes.
    pub name: String,
    /// The beginning of its command line, at most 79 bytes; `gcore` gives the program alone.
    pub command: String,
}

/// What the kernel told the program of itself (`getauxval(3)`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Auxiliary {
    /// Where the program's own headers were.
    pub program_headers: Option<u64>,
    /// Where 16 random bytes were, behind all of this.
    pub random: Option<u64>,
    /// Where the name was by which it was executed, behind its arguments and environment.
    pub file_name: Option<u64>,
    /// The first bytes of all of this.
    pub head: Vec<u8>,
}

impl Auxiliary {
    fn parse(note: &[u8]) -> Self {
        let pairs = note
            .chunks_exact(16)
            .map(|pair| (number(pair, 0, 8).unwrap_or(END), number(pair, 8, 8).unwrap_or(0)));
        let mut auxiliary =
            Self { head: note.get(..HEAD).unwrap_or_default().to_vec(), ..Self::default() };
        for (kind, value) in pairs.take_while(|(kind, _)| *kind != END) {
            match kind {
                PROGRAM_HEADERS => auxiliary.program_headers = Some(value),
                RANDOM => auxiliary.random = Some(value),
                FILE_NAME => auxiliary.file_name = Some(value),
                _ => {}
            }
        }
        auxiliary
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub process: ProcessNote,
    /// The one that got the signal first, where the kernel wrote the file.
    pub threads: Vec<Registers>,
    /// The signal, without whose it was.
    pub signal: Option<Signal>,
    /// In order of address.
    pub mapped: Vec<MappedPart>,
    /// Whether there was a list of these.
    is_listed: bool,
    pub auxiliary: Auxiliary,
}

impl Notes {
    /// Reads those of a file, as far as they go.
    pub(super) fn read(contents: &Contents) -> Self {
        let mut notes = Self::default();
        let mut details = None;
        let mut left = MAX_NOTES;
        for (offset, length) in &contents.notes {
            let mut position = *offset;
            let end = offset.saturating_add(*length);
            while let Some((note, next)) = Header::read(contents, position, end) {
                if left == 0 {
                    break;
                }
                left -= 1;
                notes.take(contents, &note, &mut details);
                position = next;
            }
        }
        // Who stopped the process to copy it stopped each thread by a signal of its own.
        if let (Some(signal), Some(details)) = (&mut notes.signal, details) {
            signal.add(&details);
        }
        notes.mapped.sort_by_key(|part| part.start);
        notes
    }

    fn take(&mut self, contents: &Contents, note: &Header, details: &mut Option<Vec<u8>>) {
        let content = || note.content(contents, MAX_NOTE);
        match note.kind {
            PRSTATUS if self.threads.len() < MAX_THREADS => {
                let Some(status) = content() else { return };
                let is_first = self.threads.is_empty();
                self.threads.extend(Registers::parse(&status, contents.machine));
                if is_first {
                    self.signal =
                        number(&status, 12, 2).and_then(|number| signal::of(number as i32));
                }
            }
            PRPSINFO if self.process.pid.is_none() => {
                let Some(info) = content() else { return };
                let text = |from: usize, size: usize| text(info.get(from..from + size));
                let pid = number(&info, 24, 4).map(|pid| pid as u32 as i32);
                self.process = ProcessNote { pid, name: text(40, 16), command: text(56, 80) };
            }
            AUXV => self.auxiliary = Auxiliary::parse(&content().unwrap_or_default()),
            SIGINFO if details.is_none() => *details = content(),
            FILE if !self.is_listed => {
                let list = note.content(contents, MAX_LIST).unwrap_or_default();
                self.mapped = mapped(&list).unwrap_or_default();
                self.is_listed = true;
            }
            _ => {}
        }
    }
}

/// The head of a note, and where its content is.
struct Header {
    kind: u32,
    place: u64,
    size: u64,
}

impl Header {
    /// That at `position`, if all of it lies before `end` and it is of the kernel or of `gcore`;
    /// and where the next one is.
    fn read(contents: &Contents, position: u64, end: u64) -> Option<(Self, u64)> {
        let mut head = [0; 12];
        if position.checked_add(12)? > end || !contents.fill(position, &mut head) {
            return None;
        }
        let [name_size, size, kind] = [0, 4, 8].map(|at| number(&head, at, 4).unwrap_or(0));
        let place = position.checked_add(12)?.checked_add(name_size.next_multiple_of(4))?;
        let next = place.checked_add(size.next_multiple_of(4))?;
        if place.checked_add(size)? > end {
            return None;
        }
        let mut name = [0; 5];
        let is_core =
            name_size == 5 && contents.fill(position + 12, &mut name) && &name == b"CORE\0";
        let kind = if is_core { kind as u32 } else { 0 };
        Some((Self { kind, place, size }, next))
    }

    /// Its content; `None` if that is longer than `most`, or not all there.
    fn content(&self, contents: &Contents, most: u64) -> Option<Vec<u8>> {
        if self.size > most.min(contents.left_at(self.place)) {
            return None;
        }
        let mut bytes = vec![0; self.size as usize];
        contents.fill(self.place, &mut bytes).then_some(bytes)
    }
}

/// The list of mapped files: how many there are, the size of a page, of each its addresses and
/// its offset in pages; then the paths.
fn mapped(note: &[u8]) -> Option<Vec<MappedPart>> {
    const HEAD: usize = 16;
    const ENTRY: usize = 24;
    let count = usize::try_from(number(note, 0, 8)?).ok()?;
    let page = number(note, 8, 8)?;
    let table = note.get(HEAD..HEAD.checked_add(count.checked_mul(ENTRY)?)?)?;
    let mut paths = note.get(HEAD + table.len()..)?.split(|byte| *byte == 0);
    let mut parts = Vec::new();
    for entry in table.chunks_exact(ENTRY).take(MAX_PARTS) {
        let path = paths.next()?;
        let (start, end) = (number(entry, 0, 8)?, number(entry, 8, 8)?);
        let offset = number(entry, 16, 8)?.checked_mul(page).filter(|offset| *offset < MAX_OFFSET);
        let Some(offset) = offset.filter(|_| start < end && !path.is_empty()) else { continue };
        parts.push(MappedPart { start, end, offset, path: OsStr::from_bytes(path).into() });
    }
    Some(parts)
}

/// Text up to its NUL, without the blanks at its end.
fn text(bytes: Option<&[u8]>) -> String {
    let text = bytes.unwrap_or_default().split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text.trim_ascii_end()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::core::fixture::{CoreFile, contents, note};

    /// What a core file says that has these notes alone, each of them so many times.
    fn told(notes: &[Vec<u8>], times: usize) -> Notes {
        let mut bytes = CoreFile::default().build();
        let (offset, notes) = (bytes.len() as u64, notes.concat());
        bytes.extend_from_slice(&notes);
        let mut contents = contents(&bytes).expect("a core file");
        contents.notes = vec![(offset, notes.len() as u64); times];
        Notes::read(&contents)
    }

    #[test]
    fn a_note_that_is_longer_than_its_kind_can_be_is_not_read() {
        let status = |length| {
            let mut status = vec![0; length];
            status[32] = 7;
            note(PRSTATUS, &status)
        };
        assert_eq!(told(&[status(336)], 2).threads.len(), 2);
        assert_eq!(told(&[status(MAX_NOTE as usize)], 1).threads.len(), 1);
        assert_eq!(told(&[status(MAX_NOTE as usize + 1)], 1).threads, []);
    }

    #[test]
    fn files_are_listed_once() {
        let mut list = vec![0; 40];
        for (place, number) in (0..).step_by(8).zip([1_u64, 4096, 0x1000, 0x2000, 0]) {
            list[place..place + 8].copy_from_slice(&number.to_le_bytes());
        }
        list.extend_from_slice(b"/a\0");
        let list = note(FILE, &list);
        assert_eq!(told(std::slice::from_ref(&list), 2).mapped.len(), 1);
        assert_eq!(told(&[note(FILE, b"no list"), list], 1).mapped, []);
    }
}
