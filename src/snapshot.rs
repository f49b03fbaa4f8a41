//! Every thread of a process at one moment, as plain data.

use std::sync::Arc;

use crate::profile::Process;
use crate::stack::{FrameTable, Stack};

/// What `--dump` shows.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// The process.
    pub process: Process,
    /// Its threads, in the order in which Python lists them.
    pub threads: Vec<ThreadSnapshot>,
    /// The frames that the stacks are made of.
    pub frames: FrameTable,
}

/// One thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThreadSnapshot {
    /// Its stack.
    pub stack: Stack,
    /// The kernel's id, where it is known.
    pub native_id: Option<i32>,
    /// What Python calls it, else the kernel; where either is known.
    pub name: Option<Arc<str>>,
    /// What it was doing, where that is known.
    pub activity: Option<Activity>,
}

/// What the kernel says that a thread was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// It ran, or waited for a processor.
    Running,
    /// It waited for something: idle.
    Waiting,
    /// It was stopped by a signal or a debugger.
    Stopped,
}

impl Activity {
    /// One word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "idle",
            Self::Stopped => "stopped",
        }
    }
}
