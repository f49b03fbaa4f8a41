//! A target that a test puts together: what is in its memory, what it has mapped, its threads.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::elf::fixture::{ElfFile, SIZE};
use super::interface::{NativeThread, Target, ThreadId};
use super::mapped::{FileId, Identity, MappedFile, OpenedFile, Permissions, Segment};
use super::still::AlreadyStill;
use crate::cpython::memory::fake::FakeMemory;
use crate::target::registers::RegisterSet;

/// A process that never was.
#[derive(Debug, Default)]
pub(crate) struct Simulated {
    /// Its memory.
    pub memory: FakeMemory,
    /// What is mapped.
    pub files: Vec<MappedFile>,
    /// What can be opened by its path, and may be another file than the mapped one.
    pub disk: Vec<(PathBuf, Vec<u8>)>,
    /// Its threads.
    pub threads: Vec<(ThreadId, NativeThread)>,
}

impl Simulated {
    /// Its id.
    pub(crate) const PID: i32 = 4242;

    /// What it executes.
    pub(crate) const PROGRAM: &str = "/made/program";

    /// Maps all of `file` at `address`, as if it had been loaded from `path`.
    pub(crate) fn load(&mut self, path: &str, file: &ElfFile, address: u64) {
        self.memory.write(address, &file.build());
        let permissions = Permissions { read: true, write: true, execute: true };
        let segment = Segment { range: address..address + SIZE, offset: 0, permissions };
        let inode = self.files.len() as u64 + 1;
        let id = FileId { major: 0, minor: 0, inode };
        let segments = vec![segment];
        self.files.push(MappedFile { id, path: path.into(), deleted: false, segments });
    }

    /// Lets `bytes` be found at `path`.
    pub(crate) fn put_on_disk(&mut self, path: &str, bytes: Vec<u8>) {
        self.disk.push((path.into(), bytes));
    }
}

impl Target for Simulated {
    type Memory = FakeMemory;
    type Stopper = AlreadyStill;
    const CHANGES: bool = false;

    fn pid(&self) -> i32 {
        Self::PID
    }

    fn executable(&self) -> &Path {
        Path::new(Self::PROGRAM)
    }

    fn command_line(&self) -> String {
        "program --made".to_owned()
    }

    fn is_alive(&self) -> bool {
        true
    }

    fn age(&self) -> Option<Duration> {
        None
    }

    fn memory(&self) -> FakeMemory {
        self.memory.clone()
    }

    fn stopper(&self, _is_allowed: bool) -> AlreadyStill {
        AlreadyStill
    }

    fn files(&self) -> io::Result<Vec<MappedFile>> {
        Ok(self.files.clone())
    }

    fn is_executable(&self, mapped: &MappedFile) -> bool {
        mapped.path == self.executable()
    }

    fn open_mapped(&self, mapped: &MappedFile) -> Option<OpenedFile> {
        let (_, bytes) = self.disk.iter().find(|(path, _)| *path == mapped.path)?;
        let file = unnamed_file(bytes).expect("the temporary folder takes a file");
        Some(OpenedFile { file, identity: Identity::CompareContent })
    }

    fn open_path(&self, path: &Path) -> Option<File> {
        let (_, bytes) = self.disk.iter().find(|(known, _)| known == path)?;
        Some(unnamed_file(bytes).expect("the temporary folder takes a file"))
    }

    fn thread_ids(&self) -> io::Result<Vec<ThreadId>> {
        if self.threads.is_empty() {
            return Err(io::Error::from(ErrorKind::NotFound));
        }
        Ok(self.threads.iter().map(|(id, _)| *id).collect())
    }

    fn thread(&self, tid: i32) -> Option<NativeThread> {
        let found = self.threads.iter().find(|(id, _)| id.outside == tid);
        found.map(|(_, thread)| thread.clone())
    }

    fn registers(&self, _tid: i32) -> Option<RegisterSet> {
        None
    }
}

fn unnamed_file(bytes: &[u8]) -> io::Result<File> {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("pyflame-{}-simulated-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    fs::write(&path, bytes)?;
    let file = File::open(&path);
    fs::remove_file(&path)?;
    file
}
