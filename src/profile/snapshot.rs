//! Every thread of a process at one moment, as plain data.

use std::sync::Arc;

use crate::profile::Process;
use crate::stack::{FrameTable, Stack};

/// What `--dump` shows.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    /// The process.
    pub process: Process,
    /// Its threads, in the order in which Python lists them.
    pub threads: Vec<ThreadSnapshot>,
    /// The frames that the stacks are made of.
    pub frames: FrameTable,
}

/// One thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ThreadSnapshot {
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
pub(crate) enum Activity {
    /// It ran, or waited for a processor.
    Running,
    /// It waited for something: idle.
    Waiting,
    /// It was stopped by a signal or a debugger.
    Stopped,
    /// It has ended, and Python has not been told.
    Ended,
}

impl Activity {
    /// One word for it.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "idle",
            Self::Stopped => "stopped",
            Self::Ended => "ended",
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::stack::{Frame, Variable, VariableKind};

    /// Two threads, one of which is called by something that needs escaping.
    pub(crate) fn snapshot() -> Snapshot {
        let mut frames = FrameTable::default();
        let mut frame = |function: &str, line| {
            frames.intern(Frame { file: "app.py".into(), function: function.into(), line })
        };
        let variable = |name: &str, kind, value: &str| Variable {
            name: name.to_owned(),
            kind,
            value: value.to_owned(),
        };
        let stack = Stack {
            thread: 140,
            holds_gil: true,
            is_suspended: false,
            frames: vec![frame("work", 7), frame("main", 3)],
            truncated: true,
            variables: vec![
                Some(vec![
                    variable("text", VariableKind::Argument, "'a\\n\"<'"),
                    variable("count", VariableKind::Local, "3"),
                ]),
                None,
            ],
        };
        let main = ThreadSnapshot {
            stack,
            native_id: Some(4242),
            name: Some("Main\n\"1\"".into()),
            activity: Some(Activity::Running),
        };
        let other = Stack { thread: 141, ..Stack::default() };
        let other = ThreadSnapshot { stack: other, ..ThreadSnapshot::default() };
        let process = Process::new(4242, "python3 app.py", "3.11.7");
        Snapshot { process, threads: vec![main, other], frames }
    }
}
