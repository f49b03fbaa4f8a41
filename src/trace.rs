//! `-t`: starts a command and finds the process in which it runs Python.
//!
//! The command may be Python itself, a script whose `#!` line names it, or a
//! wrapper that executes it or starts it as a child.

use std::ffi::OsString;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::error::Error;
use crate::locate::{self, Interpreter};
use crate::memory::live::LiveMemory;
use crate::process::Process;

/// How long a command may run before it is taken not to be Python.
const PATIENCE: Duration = Duration::from_secs(5);

/// The pause between two looks at a command that is not Python yet.
const NAP: Duration = Duration::from_micros(500);

/// The most descendants of a command that are looked at for Python.
const MAX_DESCENDANTS: usize = 1000;

/// A command that was started by `-t`, by this program or by the launcher
/// before it became this program.
#[derive(Debug)]
pub struct Child {
    pid: i32,
    program: String,
    ended: bool,
}

impl Child {
    /// Starts `words[0]` with the other words as arguments. Its input and output
    /// are the profiler's own.
    ///
    /// # Errors
    /// [`Error::Start`] if it cannot be executed.
    pub fn start(words: &[OsString]) -> Result<Self, Error> {
        let first = words.first().cloned().unwrap_or_default();
        let program = first.to_string_lossy().into_owned();
        match Command::new(first).args(words.iter().skip(1)).spawn() {
            Ok(child) => Ok(Self::adopt(child.id() as i32, words)),
            Err(source) => {
                let missing = source.kind() == std::io::ErrorKind::NotFound;
                Err(Error::Start { status: if missing { 127 } else { 126 }, program, source })
            }
        }
    }

    /// The child `pid`, which the launcher has started.
    #[must_use]
    pub fn adopt(pid: i32, words: &[OsString]) -> Self {
        let program = words.first().map(|word| word.to_string_lossy().into_owned());
        Self { pid, program: program.unwrap_or_default(), ended: false }
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Whether it has ended. Collects its exit status.
    pub fn has_ended(&mut self) -> bool {
        if !self.ended {
            let flags = WaitPidFlag::WNOHANG | WaitPidFlag::__WALL;
            self.ended = !matches!(
                waitpid(Pid::from_raw(self.pid), Some(flags)),
                Ok(WaitStatus::StillAlive | WaitStatus::PtraceEvent(..) | WaitStatus::Stopped(..))
            );
        }
        self.ended
    }

    /// Waits until it has ended, or `stop` says not to.
    pub fn wait(&mut self, stop: impl Fn() -> bool) {
        while !self.has_ended() && !stop() {
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// The first process, of the command and its descendants, that runs Python.
    /// `None` if `stop` says so first.
    ///
    /// # Errors
    /// [`Error`] if there is none in time, or it cannot be profiled.
    pub fn find_python(
        &mut self,
        stop: impl Fn() -> bool,
    ) -> Result<Option<(Process, Interpreter)>, Error> {
        let deadline = Instant::now() + PATIENCE;
        while !stop() {
            let ended = self.has_ended();
            if let Some(found) = self.look()? {
                return Ok(Some(found));
            }
            let program = self.program.clone();
            if ended {
                return Err(Error::NeverPython { program, what: "ended before it ran Python" });
            } else if Instant::now() > deadline {
                let what = "is not running Python; it goes on by itself";
                return Err(Error::NeverPython { program, what });
            }
            thread::sleep(NAP);
        }
        Ok(None)
    }

    /// Looks once at the command and its descendants, nearest first.
    fn look(&self) -> Result<Option<(Process, Interpreter)>, Error> {
        let mut family = vec![self.pid];
        let mut position = 0;
        while let Some(pid) = family.get(position).copied() {
            position += 1;
            // A process that has just ended, or is not ours to read, is no
            // reason to give up on the others.
            let Ok(process) = Process::open(pid) else { continue };
            match locate::find(&process, &LiveMemory::new(pid)) {
                Ok(interpreter) => return Ok(Some((process, interpreter))),
                Err(error) if error.is_other_python() => return Err(error.into()),
                Err(_) => {}
            }
            family.extend(process.children().unwrap_or_default());
            family.truncate(MAX_DESCENDANTS);
        }
        Ok(None)
    }
}
