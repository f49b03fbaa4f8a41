//! What goes wrong with the live view.

use std::io;

/// Why the live view is over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TopError {
    /// The live view has nowhere to be.
    #[error(
        "pyflame top draws on a terminal, and stdout is none.\n\
         To sample into a file or a pipe, run pyflame without top."
    )]
    NoTerminal,
    /// The terminal does not do what it should.
    #[error("cannot use the terminal: {0}")]
    Terminal(#[source] io::Error),
    /// The profiler that feeds the live view ended with an error.
    #[error("{words}")]
    Profiler {
        /// What it said.
        words: String,
        /// Its exit status.
        status: u8,
    },
}
