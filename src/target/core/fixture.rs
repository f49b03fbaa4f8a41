//! Makes small core files for tests.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use goblin::elf::header::{EM_AARCH64, EM_X86_64, ET_CORE};
use goblin::elf::program_header::{PT_LOAD, PT_NOTE};

use super::contents::Contents;
use super::error::{CoreError, NotCore};
use super::{Core, CoreMemory};
use crate::target::Target;

/// The processor that the tests run on.
pub(super) const MACHINE: u16 = if cfg!(target_arch = "aarch64") { EM_AARCH64 } else { EM_X86_64 };

/// A core file to be.
#[derive(Clone, Debug)]
pub(super) struct CoreFile {
    pub kind: u16,
    pub machine: u16,
    /// Of each thread its id, the system call that it was in, and what that returned.
    pub threads: Vec<(u32, i64, i64)>,
    pub signal: u16,
    /// `si_code`, and the word after it.
    pub details: Option<(i32, u64)>,
    /// Address, flags, bytes that are held, size in memory.
    pub segments: Vec<(u64, u32, Vec<u8>, u64)>,
    /// First address, one past the last, offset in pages, path.
    pub mapped: Vec<(u64, u64, u64, String)>,
    pub program_headers: u64,
    /// Tells the number of headers in the first section.
    pub counts_in_section: bool,
}

impl Default for CoreFile {
    fn default() -> Self {
        Self {
            kind: ET_CORE,
            machine: MACHINE,
            threads: vec![(4243, -1, 0), (4242, 230, -514)],
            signal: 11,
            details: Some((1, 8)),
            segments: Vec::new(),
            mapped: Vec::new(),
            program_headers: 0,
            counts_in_section: false,
        }
    }
}

fn put(bytes: &mut [u8], offset: usize, part: &[u8]) {
    bytes[offset..offset + part.len()].copy_from_slice(part);
}

pub(super) fn note(kind: u32, content: &[u8]) -> Vec<u8> {
    let mut note: Vec<u8> =
        [5, content.len() as u32, kind].iter().flat_map(|word| word.to_le_bytes()).collect();
    note.extend_from_slice(b"CORE\0\0\0\0");
    note.extend_from_slice(content);
    note.resize(note.len().next_multiple_of(4), 0);
    note
}

impl CoreFile {
    /// Its bytes.
    pub(super) fn build(&self) -> Vec<u8> {
        let notes = self.notes();
        let count = self.segments.len() + 1;
        let mut file = vec![0; 64 + 56 * count];
        put(&mut file, 0, b"\x7fELF\x02\x01\x01");
        put(&mut file, 16, &self.kind.to_le_bytes());
        put(&mut file, 18, &self.machine.to_le_bytes());
        put(&mut file, 32, &64_u64.to_le_bytes());
        put(&mut file, 54, &56_u16.to_le_bytes());
        put(&mut file, 56, &(count as u16).to_le_bytes());
        let mut header = |index: usize, kind: u32, flags: u32, numbers: [u64; 6]| {
            let at = 64 + 56 * index;
            put(&mut file, at, &kind.to_le_bytes());
            put(&mut file, at + 4, &flags.to_le_bytes());
            let numbers: Vec<u8> = numbers.iter().flat_map(|word| word.to_le_bytes()).collect();
            put(&mut file, at + 8, &numbers);
        };
        let mut offset = (64 + 56 * count) as u64;
        header(0, PT_NOTE, 4, [offset, 0, 0, notes.len() as u64, 0, 4]);
        offset += notes.len() as u64;
        for (index, (address, flags, held, size)) in self.segments.iter().enumerate() {
            let length = held.len() as u64;
            header(index + 1, PT_LOAD, *flags, [offset, *address, 0, length, *size, 0x1000]);
            offset += length;
        }
        file.extend(notes);
        file.extend(self.segments.iter().flat_map(|(_, _, held, _)| held.clone()));
        if self.counts_in_section {
            let sections = file.len() as u64;
            put(&mut file, 40, &sections.to_le_bytes());
            put(&mut file, 56, &0xffff_u16.to_le_bytes());
            file.resize(file.len() + 64, 0);
            put(&mut file, sections as usize + 44, &(count as u32).to_le_bytes());
        }
        file
    }

    fn notes(&self) -> Vec<u8> {
        let mut notes = Vec::new();
        for (position, (id, call, result)) in self.threads.iter().enumerate() {
            let mut status = vec![0; 336];
            put(&mut status, 12, &self.signal.to_le_bytes());
            put(&mut status, 32, &id.to_le_bytes());
            put(&mut status, 112 + 15 * 8, &call.to_le_bytes());
            put(&mut status, 112 + 10 * 8, &result.to_le_bytes());
            notes.extend(note(1, &status));
            if position == 0 {
                notes.extend(self.process_notes());
            }
        }
        notes
    }

    fn process_notes(&self) -> Vec<u8> {
        let mut info = vec![0; 136];
        put(&mut info, 24, &4242_u32.to_le_bytes());
        put(&mut info, 40, b"python3");
        put(&mut info, 56, b"python3 app.py ");
        let mut notes = note(3, &info);
        if let Some((code, word)) = self.details {
            let mut details = vec![0; 128];
            put(&mut details, 0, &u32::from(self.signal).to_le_bytes());
            put(&mut details, 8, &code.to_le_bytes());
            put(&mut details, 16, &word.to_le_bytes());
            notes.extend(note(0x5349_4749, &details));
        }
        let auxiliary = [6, 4096, 3, self.program_headers, 0, 0, 3, 7];
        let auxiliary: Vec<u8> =
            auxiliary.iter().flat_map(|word: &u64| word.to_le_bytes()).collect();
        notes.extend(note(6, &auxiliary));
        let mut words = vec![self.mapped.len() as u64, 4096];
        words.extend(self.mapped.iter().flat_map(|(start, end, page, _)| [*start, *end, *page]));
        let mut list: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        for (.., path) in &self.mapped {
            list.extend_from_slice(path.as_bytes());
            list.push(0);
        }
        notes.extend(note(0x4649_4c45, &list));
        notes
    }

    /// The same, opened.
    pub(super) fn open(&self) -> Core {
        open_bytes(&self.build(), None).expect("a core file")
    }

    /// Its memory.
    pub(super) fn memory(&self) -> CoreMemory {
        self.open().memory()
    }
}

/// Opens bytes as a core file is opened.
pub(super) fn open_bytes(bytes: &[u8], program: Option<&Path>) -> Result<Core, CoreError> {
    let path = Path::new("/made/core");
    Core::of(path, contents(bytes).map_err(|reason| not_core(path, reason))?, program)
}

fn not_core(path: &Path, reason: NotCore) -> CoreError {
    CoreError::NotCore { path: path.to_path_buf(), reason }
}

/// The headers of a file with these bytes.
pub(super) fn contents(bytes: &[u8]) -> Result<Contents, NotCore> {
    let path = new_path();
    fs::write(&path, bytes).expect("the temporary folder takes a file");
    let file = File::open(&path).expect("it is there");
    fs::remove_file(&path).expect("it is ours");
    Contents::of(file)
}

fn new_path() -> PathBuf {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("pyflame-{}-core-{number}", std::process::id()))
}

/// A file that goes away with its owner.
pub(super) struct OnDisk(pub(super) PathBuf);

impl OnDisk {
    /// One with this content.
    pub(super) fn new(bytes: &[u8]) -> Self {
        let path = new_path();
        fs::write(&path, bytes).expect("the temporary folder takes a file");
        Self(path)
    }
}

impl Drop for OnDisk {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
