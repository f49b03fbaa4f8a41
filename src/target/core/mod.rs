//! A process as a core file keeps it (core(5)): its memory, its threads and what they were doing
//! when the kernel wrote it, or a debugger did (`gcore`).
//!
//! A core file is an ELF file without code of its own. Its segments are what was in memory; its
//! notes tell the rest. What was mapped from files and never written to is not in it: that is
//! read from the files, each of which has to prove that it is the mapped one.
//!
//! Facts come from the kernel's `fs/binfmt_elf.c` and `include/uapi/linux/elfcore.h`, v6.12, and
//! from gdb's `gcore.c` and `linux-tdep.c`.

mod arguments;
mod contents;
mod error;
mod files;
mod memory;
mod notes;
mod numbers;
mod signal;
pub(crate) mod spool;
mod target;
mod threads;

pub(crate) use error::CoreError;
pub(crate) use memory::CoreMemory;
pub(crate) use signal::Signal;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use self::contents::Contents;
use self::files::{Files, Program};
use self::memory::Pieces;
use self::notes::Notes;

/// A core file that has been opened.
#[derive(Clone, Debug)]
pub(crate) struct Core {
    path: PathBuf,
    pid: i32,
    /// What the kernel calls its first thread.
    name: String,
    command: String,
    executable: PathBuf,
    threads: Vec<threads::Registers>,
    signal: Option<Signal>,
    pieces: Rc<Pieces>,
    /// Bytes of memory that the file says it holds and does not: it was cut off.
    missing: u64,
}

impl Core {
    /// Opens the core file at `path`, as [`spool::open`] does. The program that it is of may be
    /// elsewhere by now: at `program`.
    ///
    /// # Errors
    /// [`CoreError`] if it cannot be read, is no core file, or holds no thread.
    pub(crate) fn open(path: &Path, program: Option<&Path>) -> Result<Self, CoreError> {
        let unreadable = |source| CoreError::Unreadable { path: path.to_path_buf(), source };
        let file = spool::open(path).map_err(unreadable)?;
        let contents = Contents::of(file)
            .map_err(|reason| CoreError::NotCore { path: path.to_path_buf(), reason })?;
        Self::of(path, contents, program)
    }

    fn of(path: &Path, contents: Contents, program: Option<&Path>) -> Result<Self, CoreError> {
        let missing = contents.missing();
        let Notes { process, threads, signal, mapped, auxiliary, .. } = Notes::read(&contents);
        let Some(first) = threads.first() else {
            return Err(CoreError::NoThreads { path: path.to_path_buf(), missing });
        };
        let (first, pid) = (first.id, process.pid.unwrap_or(first.id));
        let headers = auxiliary.program_headers;
        let files = Files::new(mapped, &contents.segments, Program { headers, instead: program });
        let named = Path::new(&process.name);
        let executable = files.executable().unwrap_or(named).to_path_buf();
        let signal = signal.map(|signal| Signal { thread: first, ..signal });
        let pieces = Rc::new(Pieces { contents, files });
        let words = arguments::command_line(&CoreMemory(Rc::clone(&pieces)), &auxiliary);
        // A program may have written over it.
        let command = words.filter(|words| !words.is_empty()).unwrap_or(process.command);
        let path = path.to_path_buf();
        Ok(Self {
            path,
            pid,
            name: process.name,
            command,
            executable,
            threads,
            signal,
            pieces,
            missing,
        })
    }

    /// The path of the core file itself.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file that it is read from, unpacked.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn file(&self) -> io::Result<File> {
        self.pieces.contents.file()
    }

    /// The signal that ended the process; `None` if it was taken of one that went on.
    #[must_use]
    pub(crate) fn signal(&self) -> Option<&Signal> {
        self.signal.as_ref()
    }

    /// How many bytes of memory the file should hold and does not, because it was cut off.
    #[must_use]
    pub(crate) fn missing(&self) -> u64 {
        self.missing
    }

    /// What there is to say of mapped files that were asked for and could not be used, a line
    /// each.
    #[must_use]
    pub(crate) fn unused_files(&self) -> Vec<String> {
        self.pieces.files.refusals()
    }
}

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod mutation_tests;
#[cfg(test)]
mod tests;
