//! What goes wrong with several processes.

/// Why several processes cannot be profiled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TreeError {
    /// `--subprocesses` on a kernel that does not help.
    #[error(
        "this kernel does not tell which processes a process has started \
         (CONFIG_PROC_CHILDREN).\nName the processes with several -p, or with --name."
    )]
    NoChildren,
    /// `--name` with a pattern that is none.
    #[error("\"{pattern}\" is not a regular expression for --name: {reason}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// `--name` with a pattern that nobody matches.
    #[error(
        "no process of Python that may be profiled matches --name {pattern}{}.\n\
         pgrep -af python lists those that there are.",
        if *unreadable > 0 {
            format!(" ({unreadable} that match may not be read)")
        } else {
            String::new()
        }
    )]
    NobodyNamed {
        /// The pattern.
        pattern: String,
        /// How many match it and may not be read.
        unreadable: u64,
    },
    /// None of the processes could be sampled.
    #[error("no process could be sampled: {found}.")]
    NothingSampled {
        /// What the processes were instead.
        found: String,
    },
}
