//! Why a process cannot be looked at.

use std::io;
use std::path::PathBuf;

use super::denial::Denial;

/// Why [`super::Process::open`] failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// No process has this id, or it ended a moment ago.
    #[error("Failed to seize PID {pid}: No such process")]
    NoSuchProcess {
        /// The id that was asked for.
        pid: i32,
    },
    /// There is nothing in `/proc`.
    #[error(
        "/proc is not mounted, and pyflame finds processes through it.\n\
         Mount it as root: mount -t proc proc /proc"
    )]
    NoProc,
    /// `/proc` counts processes otherwise than system calls do.
    #[error(
        "/proc belongs to another process namespace than this program: the same id is there \
         another process.\n\
         Mount the own one as root (mount -t proc proc /proc), or run pyflame in the namespace \
         of /proc."
    )]
    ForeignProc,
    /// The process has ended; only its exit status is left.
    #[error(
        "Failed to seize PID {pid}: {name} has ended (zombie)\n\
         Its parent, process {parent}, has not collected its exit status yet."
    )]
    Zombie {
        /// The process.
        pid: i32,
        /// Its command name.
        name: String,
        /// Its parent.
        parent: i32,
    },
    /// A thread of the kernel.
    #[error("Failed to seize PID {pid}: {name} is a kernel thread, not a program")]
    KernelThread {
        /// The process.
        pid: i32,
        /// Its name.
        name: String,
    },
    /// The kernel does not let us read it.
    #[error("Failed to seize PID {pid}: Operation not permitted\n{reason}")]
    Denied {
        /// The process.
        pid: i32,
        /// Why, as far as can be told.
        reason: Denial,
    },
    /// A 32-bit program.
    #[error(
        "Failed to locate libpython: process {pid} runs the 32-bit program {executable}\n\
         Only 64-bit processes can be profiled."
    )]
    ThirtyTwoBit {
        /// The process.
        pid: i32,
        /// What it executes.
        executable: PathBuf,
    },
    /// A program for another processor.
    #[error(
        "Failed to locate libpython: process {pid} runs {executable}, a program for another \
         kind of processor (ELF machine {machine})"
    )]
    ForeignMachine {
        /// The process.
        pid: i32,
        /// What it executes.
        executable: PathBuf,
        /// The `e_machine` of its ELF header.
        machine: u16,
    },
    /// Something of it in `/proc` could not be read.
    #[error("Failed to seize PID {pid}: cannot read {path}: {source}")]
    Unreadable {
        /// The process.
        pid: i32,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl OpenError {
    /// Whether the process has ended, or is about to.
    #[must_use]
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, Self::NoSuchProcess { .. } | Self::Zombie { .. })
    }
}
