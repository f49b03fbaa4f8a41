//! The process of a command: its start, its end, and the signals that it is sent.

use std::ffi::OsString;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, io};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::app::error::Error;

/// A child of this program, started by it or by what it was before it executed this one.
#[derive(Clone, Debug)]
pub(crate) struct Child {
    pid: i32,
    program: String,
    ending: Arc<Mutex<Option<Ending>>>,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With this exit status.
    Exited(u8),
    /// By this signal, and perhaps with a core dump.
    Killed(Signal, bool),
    /// By a signal that has no name, such as a real-time signal.
    KilledOtherwise,
}

impl Child {
    /// Starts `words[0]` with the other words as arguments. Its input and output are this
    /// program's own, and signals do to it what they would have done to this program.
    ///
    /// # Errors
    /// [`Error::Start`] if it cannot be executed.
    pub(crate) fn start(words: &[OsString]) -> Result<Self, Error> {
        let first = words.first().cloned().unwrap_or_default();
        match Command::new(&first).args(words.iter().skip(1)).spawn() {
            Ok(child) => Ok(Self::adopt(child.id() as i32, words)),
            Err(source) => {
                let missing = source.kind() == io::ErrorKind::NotFound;
                let program = first.to_string_lossy().into_owned();
                Err(Error::Start { status: if missing { 127 } else { 126 }, program, source })
            }
        }
    }

    /// The child `pid` that was started with these words.
    pub(crate) fn adopt(pid: i32, words: &[OsString]) -> Self {
        let program = words.first().map(|word| word.to_string_lossy().into_owned());
        Self { pid, program: program.unwrap_or_default(), ending: Arc::default() }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// The first word of its command line.
    pub(crate) fn program(&self) -> &str {
        &self.program
    }

    /// How it ended, if it has. It must not be traced meanwhile.
    pub(crate) fn ending(&self) -> Option<Ending> {
        let mut ending = self.lock();
        if ending.is_none() {
            *ending = collect(self.pid);
        }
        *ending
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.ending().is_some()
    }

    /// Passes a signal on to it, unless its end has been collected: its id may be another's.
    pub(crate) fn send(&self, signal: i32) {
        let ending = self.lock();
        if let (None, Ok(signal)) = (*ending, Signal::try_from(signal)) {
            // One that is about to end, or has become another user's, does not get it.
            let _ = kill(Pid::from_raw(self.pid), signal);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Ending>> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Collects the exit status of a child that has ended.
pub(crate) fn collect(pid: i32) -> Option<Ending> {
    let flags = WaitPidFlag::WNOHANG | WaitPidFlag::__WALL;
    match waitpid(Pid::from_raw(pid), Some(flags)) {
        Ok(WaitStatus::Exited(_, status)) => Some(Ending::Exited(status as u8)),
        Ok(WaitStatus::Signaled(_, signal, dumped)) => Some(Ending::Killed(signal, dumped)),
        Err(Errno::EINVAL) => Some(Ending::KilledOtherwise),
        // It is nobody's child any more, which nothing here makes it.
        Err(Errno::ECHILD) => Some(Ending::Exited(0)),
        Ok(_) | Err(_) => None,
    }
}

impl Ending {
    /// The exit status that tells of it, as shells make it.
    pub(crate) fn status(self) -> u8 {
        match self {
            Self::Exited(status) => status,
            Self::Killed(signal, _) => 128_u8.saturating_add(signal as u8),
            Self::KilledOtherwise => 128,
        }
    }
}

/// What to say of it. Nothing of an exit.
impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(_) => Ok(()),
            Self::Killed(signal, dumped) => {
                let core = if *dumped { ", core dumped" } else { "" };
                write!(f, "The command was killed by signal {} ({signal}){core}.", *signal as i32)
            }
            Self::KilledOtherwise => f.write_str("The command was killed by a real-time signal."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(line: &str) -> Ending {
        let words = ["sh", "-c", line].map(OsString::from);
        let child = Child::start(&words).expect("a shell");
        loop {
            match child.ending() {
                Some(ending) => return ending,
                None => std::thread::yield_now(),
            }
        }
    }

    #[test]
    fn the_status_is_that_of_a_shell() {
        assert_eq!(ending("exit 0").status(), 0);
        assert_eq!(ending("exit 250").status(), 250);
        assert_eq!(ending("kill -9 $$"), Ending::Killed(Signal::SIGKILL, false));
        assert_eq!(ending("kill -9 $$").status(), 137);
        assert_eq!(ending("kill -40 $$").status(), 128);
    }

    #[test]
    fn a_signal_is_named() {
        let words = Ending::Killed(Signal::SIGSEGV, true).to_string();
        assert_eq!(words, "The command was killed by signal 11 (SIGSEGV), core dumped.");
        assert_eq!(Ending::Exited(3).to_string(), "");
    }

    #[test]
    fn one_that_has_been_collected_gets_no_signal() {
        let child = Child::start(&["true".into()]).expect("true");
        while !child.has_ended() {
            std::thread::yield_now();
        }
        // This would otherwise be sent to whoever has the id now.
        child.send(Signal::SIGKILL as i32);
        assert_eq!(child.ending(), Some(Ending::Exited(0)));
    }
}
