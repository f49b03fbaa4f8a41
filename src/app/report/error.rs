//! What goes wrong with recordings.

use std::io;
use std::path::PathBuf;

use crate::profile::filter::Lacking;

/// Why recordings cannot be rendered or compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    /// A profile does not tell what is to be chosen by.
    #[error("cannot choose from \"{}\"{}: {source}.", path.display(), and_more(*others))]
    Lacking {
        /// The file.
        path: PathBuf,
        /// How many other files were read with it.
        others: usize,
        /// What is missing.
        source: Lacking,
    },
    /// A file cannot be read.
    #[error("cannot read \"{}\": {source}", path.display())]
    Input {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is neither a recording nor folded stacks.
    #[error(
        "\"{}\" is neither a recording nor folded stacks: line {line} is not \
         `frame;frame;... COUNT`.",
        path.display()
    )]
    NotFolded {
        /// The file.
        path: PathBuf,
        /// The first line that does not fit.
        line: usize,
    },
    /// There is nothing to compare.
    #[error("there are no samples of Python code in \"{}\".", path.display())]
    NoSamples {
        /// The file.
        path: PathBuf,
    },
}

fn and_more(others: usize) -> String {
    if others == 0 { String::new() } else { format!(" and {others} more") }
}
