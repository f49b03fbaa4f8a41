//! Every thread of a process at one moment, as plain data.

use std::fmt;
use std::sync::Arc;

use crate::profile::Process;
use crate::stack::{FrameId, FrameTable, NativeFrames, Stack};

/// What `--dump` shows.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    /// The process.
    pub process: Process,
    /// The core file that it was read from, if it was one.
    pub core: Option<CoreFile>,
    /// Its threads, in the order in which Python lists them.
    pub threads: Vec<ThreadSnapshot>,
    /// The frames that the stacks are made of.
    pub frames: FrameTable,
}

impl Snapshot {
    /// Takes out the native frames that are not wanted.
    pub(crate) fn keep(&mut self, native: NativeFrames) {
        let Self { threads, frames, .. } = self;
        for ThreadSnapshot { stack, .. } in threads {
            let is_kept = |id: &FrameId| native.accept(frames.frame(*id).kind);
            let kept: Vec<bool> = stack.frames.iter().map(is_kept).collect();
            // Variables have the positions of their frames.
            let mut of_variables = kept.iter();
            stack.variables.retain(|_| of_variables.next().copied().unwrap_or(true));
            let mut of_frames = kept.iter();
            stack.frames.retain(|_| of_frames.next().copied().unwrap_or(true));
        }
    }
}

/// What a core file says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CoreFile {
    /// Its path.
    pub path: String,
    /// What ended the process; `None` if nothing did.
    pub ending: Option<Ending>,
    /// How many bytes of memory it should hold and does not, because it was cut off.
    pub missing: u64,
}

/// The signal that ended a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ending {
    /// Its name.
    pub signal: String,
    /// The address that was wrong, of a signal that is about one.
    pub address: Option<u64>,
    /// The process that sent it, if one did.
    pub sender: Option<i32>,
    /// The kernel's id of the thread that it ended.
    pub thread: i32,
}

impl fmt::Display for CoreFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Core file {}: ", self.path)?;
        match &self.ending {
            None => f.write_str("no signal has ended the process")?,
            Some(Ending { signal, address, sender, thread }) => {
                f.write_str(signal)?;
                if let Some(address) = address {
                    write!(f, " at address {address:#x}")?;
                }
                if let Some(sender) = sender {
                    write!(f, " from process {sender}")?;
                }
                write!(f, ", in the thread with native id {thread}")?;
            }
        }
        match self.missing {
            0 => Ok(()),
            missing => write!(f, "; it was cut off, and {missing} bytes of memory are missing"),
        }
    }
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
    /// Why it has no stack, if it could not be read.
    pub unreadable: Option<String>,
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
    use crate::stack::{Frame, FrameKind, Variable, VariableKind};

    /// Two threads, one of which is called by something that needs escaping.
    pub(crate) fn snapshot() -> Snapshot {
        let mut frames = FrameTable::default();
        let mut frame =
            |function: &str, line| frames.intern(Frame::python("app.py", function, line));
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
            unreadable: None,
        };
        let other = Stack { thread: 141, ..Stack::default() };
        let other = ThreadSnapshot { stack: other, ..ThreadSnapshot::default() };
        let process = Process::new(4242, "python3 app.py", "3.11.7");
        Snapshot { process, core: None, threads: vec![main, other], frames }
    }

    #[test]
    fn native_frames_are_taken_out_with_what_is_beside_them() {
        let mut snapshot = snapshot();
        let expected = snapshot.threads[0].stack.clone();
        let native = |kind| Frame::native("/lib/libz.so.1", "f", kind);
        for (place, kind) in [(1, FrameKind::Native), (0, FrameKind::Interpreter)] {
            let stack = &mut snapshot.threads[0].stack;
            stack.frames.insert(place, snapshot.frames.intern(native(kind)));
            stack.variables.insert(place, None);
        }
        snapshot.keep(NativeFrames::All);
        assert_eq!(snapshot.threads[0].stack.frames.len(), 4);
        snapshot.keep(NativeFrames::Extensions);
        assert_eq!(snapshot.threads[0].stack.frames.len(), 3);
        assert_eq!(snapshot.threads[0].stack.variables.len(), 3);
        snapshot.keep(NativeFrames::None);
        assert_eq!(snapshot.threads[0].stack, expected);
    }

    #[test]
    fn a_core_file_tells_what_ended_the_process() {
        let ending =
            Ending { signal: "SIGSEGV".to_owned(), address: Some(8), sender: None, thread: 4243 };
        let mut core = CoreFile { path: "core.1".to_owned(), ending: Some(ending), missing: 0 };
        let words = "Core file core.1: SIGSEGV at address 0x8, in the thread with native id 4243";
        assert_eq!(core.to_string(), words);
        core.ending = None;
        core.missing = 7;
        let words = "Core file core.1: no signal has ended the process; it was cut off, and 7 \
                     bytes of memory are missing";
        assert_eq!(core.to_string(), words);
    }
}
