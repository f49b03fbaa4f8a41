//! What is looked into: a process that lives, a core file of one, or a simulated one.
//!
//! Whoever looks for an interpreter, proves its layout or takes one moment of it knows no more
//! of it than this. What samples is about live processes: a core file has one moment.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::mapped::{Mapped, MappedFile, OpenedFile};
use super::registers::RegisterSet;
use crate::cpython::memory::Memory;

/// A process as it is or was.
pub(crate) trait Target {
    /// Its memory.
    type Memory: Memory + Clone;

    /// What lets it stand still to be read.
    type Stopper: Stop;

    /// Whether a later look may find something else: it is waited for then. What cannot change
    /// has been asked once and for all.
    const CHANGES: bool;

    /// Its id.
    fn pid(&self) -> i32;

    /// What it executes. For messages.
    fn executable(&self) -> &Path;

    /// Its command line as one text, words parted by spaces; empty if there is none.
    fn command_line(&self) -> String;

    /// Whether it is the same still, and has not ended.
    fn is_alive(&self) -> bool;

    /// How long ago it was started, if that is known.
    fn age(&self) -> Option<Duration>;

    /// Its memory. Nothing is read yet.
    fn memory(&self) -> Self::Memory;

    /// What lets it stand still; nobody is stopped unless that `is_allowed`.
    fn stopper(&self, is_allowed: bool) -> Self::Stopper;

    /// The files that it has mapped now, in order of address.
    fn files(&self) -> io::Result<Vec<MappedFile>>;

    /// The files, and the code that is in no file.
    fn mapped(&self) -> io::Result<Mapped> {
        Ok(Mapped { files: self.files()?, code: Vec::new() })
    }

    /// Opens a regular file by its absolute path, as the process would find it. Its content proves
    /// nothing yet.
    fn open_path(&self, path: &Path) -> Option<File>;

    /// Whether a mapped file is the program that it executes.
    fn is_executable(&self, mapped: &MappedFile) -> bool;

    /// Opens the file behind a mapping. `None` if it cannot be had: then only the memory has its
    /// content.
    fn open_mapped(&self, mapped: &MappedFile) -> Option<OpenedFile>;

    /// Its threads now.
    fn thread_ids(&self) -> io::Result<Vec<ThreadId>>;

    /// What is known of thread `tid` besides what Python says; `None` if nothing is.
    fn thread(&self, tid: i32) -> Option<NativeThread>;

    /// What is known of the registers of thread `tid`, which is not stopped by this program and
    /// does not run.
    fn registers(&self, tid: i32) -> Option<RegisterSet>;
}

/// Lets the threads of a target stand still.
pub(crate) trait Stop {
    /// They stand for as long as this lives.
    type Guard<'a>: Hold
    where
        Self: 'a;

    /// Lets those stand still that run, as far as that can be; the others run on. `None` if that
    /// is nobody.
    fn hold(&mut self) -> Option<Self::Guard<'_>>;

    /// Whether a thread that ran was to stop, and has not been let go.
    fn awaits(&self, tid: i32) -> bool;

    /// Waits a while until there is none to be let go any more.
    fn wait_for_late(&mut self);
}

/// Threads that stand still.
pub(crate) trait Hold {
    /// Those that ran, and were stopped.
    fn stopped(&self) -> Vec<i32>;

    /// Whether all that ran stand still.
    fn is_complete(&self) -> bool;

    /// The registers of one of those that were stopped.
    fn registers(&self, tid: i32) -> Option<RegisterSet>;

    /// The registers of one that waits: it is stopped, too, if that can be without its notice.
    fn registers_of_waiting(&mut self, tid: i32) -> Option<RegisterSet>;
}

/// The ids of a thread, which differ in a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ThreadId {
    /// What the process itself knows it by.
    pub inside: u64,
    /// What this program knows it by.
    pub outside: i32,
}

/// A thread beside what Python says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NativeThread {
    /// What the kernel calls it, if that is known.
    pub name: Option<String>,
    /// What it was doing, if that is known.
    pub state: Option<ThreadState>,
}

/// What the kernel says a thread is doing, by its letter in `stat` (proc_pid_stat(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ThreadState {
    /// `R`: on a processor, or waiting for one.
    Running,
    /// `S`: waiting, and a signal can end the wait.
    Sleeping,
    /// `D`: waiting, and nothing but the awaited event ends it.
    Uninterruptible,
    /// `T`: stopped by job control.
    Stopped,
    /// `t`: stopped by a tracer.
    Traced,
    /// `Z`: ended, but not yet collected by its parent.
    Zombie,
    /// `X` or `x`: gone.
    Dead,
    /// `I` (an idle kernel thread), `P` (parked), or a letter of a later kernel.
    Other(u8),
}

impl ThreadState {
    /// The state of a letter in `stat`.
    #[must_use]
    pub(crate) fn from_letter(letter: u8) -> Self {
        match letter {
            b'R' => Self::Running,
            b'S' => Self::Sleeping,
            b'D' => Self::Uninterruptible,
            b'T' => Self::Stopped,
            b't' => Self::Traced,
            b'Z' => Self::Zombie,
            b'X' | b'x' => Self::Dead,
            other => Self::Other(other),
        }
    }

    /// Whether the thread has ended.
    #[must_use]
    pub(crate) fn has_ended(self) -> bool {
        matches!(self, Self::Zombie | Self::Dead)
    }
}
