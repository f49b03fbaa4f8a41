//! Why a core file cannot be looked at.

use std::io;
use std::path::PathBuf;

/// Why [`super::Core::open`] failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CoreError {
    /// It cannot be read.
    #[error("cannot read the core file \"{}\": {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something else.
    #[error("\"{}\" is no core file that can be read: {reason}", path.display())]
    NotCore {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        reason: NotCore,
    },
    /// The notes, which tell of threads, are not there.
    #[error(
        "the core file \"{}\" tells of no thread{}",
        path.display(),
        if *missing > 0 { ": it was cut off before its notes" } else { "" }
    )]
    NoThreads {
        /// The file.
        path: PathBuf,
        /// How many bytes of memory are missing in it.
        missing: u64,
    },
}

/// What a file is that is no core file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotCore {
    /// No ELF header.
    #[error("it is not an ELF file")]
    NotElf,
    /// An executable, a library, an object.
    #[error("it is a program or a library (the core file comes first, then the program)")]
    Program,
    /// Of a 32-bit process.
    #[error("it is of a 32-bit process")]
    ThirtyTwoBit,
    /// Of another machine.
    #[error("it is of another kind of processor (ELF machine {0})")]
    Foreign(u16),
    /// Its headers are not all there, or contradict each other.
    #[error("its ELF headers are damaged or cut off")]
    Damaged,
}
