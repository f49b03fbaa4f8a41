//! Why a result or a recording cannot be written.

use std::io;
use std::path::PathBuf;

use super::recording::RecordingError;

/// Why a result or a recording cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// The output file cannot be written.
    #[error("cannot open file \"{}\" as output: {source}", path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Writing the result failed.
    #[error("cannot write the result: {0}")]
    Write(#[source] io::Error),
    /// A recording would go to a terminal.
    #[error(
        "a recording is not text, and is not written to a terminal.\n\
         Name a file with -o FILE.pyflame, or pass it on with a pipe."
    )]
    RecordingToTerminal,
    /// A recording is being written by another run.
    #[error(
        "another run is being recorded in \"{}\".\n\
         Wait for its end, or choose another file.",
        path.display()
    )]
    RecordingInUse {
        /// The file.
        path: PathBuf,
    },
    /// A file is not a recording, or not one that can be read.
    #[error("cannot read \"{}\" as a recording: {source}.", path.display())]
    NoRecording {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: RecordingError,
    },
}
