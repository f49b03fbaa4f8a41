//! Why no interpreter was found.

use std::io;
use std::path::PathBuf;

use super::release::Release;
use crate::cpython::memory::Fault;

/// Why [`super::find`] failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LocateError {
    /// Nothing that the process has mapped is a Python interpreter.
    #[error(
        "Failed to locate libpython: process {pid} ({executable}) does not run CPython\n\
         Neither the executable nor any library that it has loaded contains the interpreter."
    )]
    NotPython {
        /// The process.
        pid: i32,
        /// What it executes.
        executable: PathBuf,
    },
    /// It is, or will be, a Python process, but it has not come far enough.
    #[error("Failed to locate libpython: process {pid} ({executable}) is still starting: {what}")]
    Starting {
        /// The process.
        pid: i32,
        /// What it executes.
        executable: PathBuf,
        /// What is not there yet.
        what: &'static str,
    },
    /// PyPy, which shares nothing with CPython inside.
    #[error(
        "Failed to locate libpython: process {pid} runs PyPy ({module})\n\
         Only CPython can be profiled. For PyPy there is vmprof."
    )]
    PyPy {
        /// The process.
        pid: i32,
        /// The file that tells.
        module: PathBuf,
    },
    /// The interpreter is there, but nothing tells its version.
    #[error(
        "Failed to locate libpython: process {pid} contains CPython ({module}), \
         but its version cannot be told"
    )]
    UnknownVersion {
        /// The process.
        pid: i32,
        /// The file that holds the interpreter.
        module: PathBuf,
    },
    /// Two facts about the interpreter exclude each other.
    #[error(
        "Failed to locate libpython: process {pid} contains what looks like CPython {found} \
         ({module}), but {conflict}"
    )]
    Contradiction {
        /// The process.
        pid: i32,
        /// The file that holds the interpreter.
        module: PathBuf,
        /// The version that was found.
        found: Release,
        /// What does not fit.
        conflict: String,
    },
    /// The interpreter lacks something that every CPython exports.
    #[error(
        "Failed to locate libpython: process {pid} contains CPython ({module}), \
         but that does not say where {symbol} is"
    )]
    Incomplete {
        /// The process.
        pid: i32,
        /// The file that holds the interpreter.
        module: PathBuf,
        /// The name of what is missing.
        symbol: &'static str,
    },
    /// The memory of the process could not be read.
    #[error("Failed to seize PID {pid}: {fault}")]
    Unreadable {
        /// The process.
        pid: i32,
        /// The read that failed.
        fault: Fault,
    },
    /// What it has mapped could not be read.
    #[error("Failed to seize PID {pid}: cannot read its memory map: {source}")]
    NoMaps {
        /// The process.
        pid: i32,
        /// What the system said.
        source: io::Error,
    },
    /// The process has ended.
    #[error("Failed to seize PID {pid}: No such process")]
    Gone {
        /// The process.
        pid: i32,
    },
}

impl LocateError {
    /// Whether the interpreter is there, or will be, but is only being started.
    #[must_use]
    pub(crate) fn is_starting(&self) -> bool {
        matches!(self, Self::Starting { .. })
    }

    /// Whether the same question may have another answer a moment later: Python
    /// is starting, or the process may yet load or execute it.
    #[must_use]
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Starting { .. } | Self::NotPython { .. })
    }

    /// Whether the process has ended.
    #[must_use]
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, Self::Gone { .. })
    }

    /// Whether it is a Python, but not one that can be read.
    #[must_use]
    pub(crate) fn is_other_python(&self) -> bool {
        matches!(self, Self::PyPy { .. })
    }
}
