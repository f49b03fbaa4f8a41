//! Why a process cannot be looked at.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why [`super::Process::open`] failed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No process has this id, or it ended a moment ago.
    #[error("Failed to seize PID {pid}: No such process")]
    NoSuchProcess {
        /// The id that was asked for.
        pid: i32,
    },
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
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::NoSuchProcess { .. } | Self::Zombie { .. })
    }
}

/// Why the kernel does not let one process read another (ptrace(2), "Ptrace
/// access mode checking").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// It belongs to another user.
    OtherUser {
        /// Its user id, where it can be told.
        owner: Option<u32>,
    },
    /// The Yama security module allows only descendants (1), only
    /// administrators (2), or nobody (3).
    Yama {
        /// `/proc/sys/kernel/yama/ptrace_scope`.
        scope: u8,
    },
    /// It is of the same user, but has more rights, or has forbidden it.
    Protected,
    /// We are root, but without the right: usual in a container.
    NoCapability,
    /// Something else: a security module, or another user namespace.
    Other,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherUser { owner: Some(owner) } => {
                write!(f, "The process belongs to another user (uid {owner}). ")?;
                f.write_str("Run as that user, or as root (sudo).")
            }
            Self::OtherUser { owner: None } => f.write_str(
                "The process belongs to another user. Run as that user, or as root (sudo).",
            ),
            Self::Yama { scope: 3 } => f.write_str(
                "kernel.yama.ptrace_scope is 3: no process may read another until the next boot.",
            ),
            Self::Yama { scope: 2 } => f.write_str(
                "kernel.yama.ptrace_scope is 2: only root may read other processes. Run as root (sudo).",
            ),
            Self::Yama { scope } => {
                write!(f, "kernel.yama.ptrace_scope is {scope}: a process may only read those it started. ")?;
                f.write_str("Run as root (sudo), or start the program through the profiler with -t.")
            }
            Self::Protected => f.write_str(
                "The process has more rights than this one, or does not let itself be read \
                 (prctl PR_SET_DUMPABLE). Run as root (sudo).",
            ),
            Self::NoCapability => f.write_str(
                "This is root without the right CAP_SYS_PTRACE. \
                 In a container, add it (--cap-add SYS_PTRACE).",
            ),
            Self::Other => f.write_str(
                "The kernel forbids it: a security module (SELinux, AppArmor), \
                 or a process outside this container.",
            ),
        }
    }
}
