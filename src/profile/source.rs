//! Who took a sample, and how: the ways to a sample.

/// How the samples of a run are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// In timer interrupts of the threads, by the kernel: exact, and nobody stands still.
    Interrupt,
    /// While the thread that runs stands still, in a stop or because it waits for its processor:
    /// exact, and each takes its time.
    Stop,
    /// While the thread that runs waits for its processor, and never in a stop: exact.
    Turn,
    /// While it runs: each stack existed, but what is short-lived is seldom proven, so
    /// shares are estimates.
    Read,
}

impl Source {
    /// Whether what runs stands still while it is read.
    #[must_use]
    pub fn reads_what_stands(self) -> bool {
        matches!(self, Self::Stop | Self::Turn)
    }

    /// What the account calls it: as `--engine` does, and what has to be known of it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "kernel",
            Self::Stop => "stop",
            Self::Turn => "read, in turns",
            Self::Read => "read, shares are estimates",
        }
    }
}
