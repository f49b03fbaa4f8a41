//! `-t`: a command that this program has started, and looks after as `strace` and `time` do:
//! what is meant for it reaches it, its end is waited for, and its exit status passed on.
//!
//! Ctrl-C goes to the command by itself, because it is in the same process group, which is
//! the foreground one of the terminal. [`policy`] decides about each signal, [`keeper`]
//! passes it on.

mod child;
pub(crate) mod handover;
mod keeper;
mod policy;

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use nix::sys::prctl;
use signal_hook::consts::SIGCHLD;

use self::child::Child;
use self::handover::Handover;
use self::keeper::Keeper;
use crate::app::error::Error;
use crate::app::signals::{Signals, is_ignored};
use crate::escape::say;
use crate::target::ThreadState;
use crate::target::live::{self, nap, release_left};

/// How soon the end of the command is noticed.
const NAP: Duration = Duration::from_millis(2);

/// How often it is looked for processes that have become this program's children, and ended.
const REAP: Duration = Duration::from_millis(100);

/// A command that runs, and is looked after.
pub(crate) struct Launch {
    child: Child,
    keeper: Keeper,
    signals: Signals,
    /// Whether it has been said how the command ended, or that it is left.
    is_told: bool,
}

impl Launch {
    /// Starts `words[0]` with the other words as arguments.
    ///
    /// # Errors
    /// [`Error::Start`] if it cannot be executed, [`Error::Signals`] if signals cannot be
    /// caught.
    pub(crate) fn start(words: &[OsString]) -> Result<Self, Error> {
        Self::begin(|| Child::start(words))
    }

    /// Goes on to look after the child `pid`, which the program before this one in the same
    /// process has started with these words.
    ///
    /// # Errors
    /// [`Error::Signals`] if signals cannot be caught.
    pub(crate) fn adopt(pid: i32, words: &[OsString]) -> Result<Self, Error> {
        let launch = Self::begin(|| Ok(Child::adopt(pid, words)))?;
        keeper::release();
        Ok(launch)
    }

    fn begin(child: impl FnOnce() -> Result<Child, Error>) -> Result<Self, Error> {
        // Processes whose parents end become children of this program, and stay in sight. A
        // kernel that is too old for that leaves them to init.
        let _ = prctl::set_child_subreaper(true);
        if is_ignored(SIGCHLD) {
            // Whose signal is ignored, of that the kernel forgets the exit status.
            signal_hook::flag::register(SIGCHLD, Arc::<AtomicBool>::default())
                .map_err(Error::Signals)?;
        }
        let signals = Signals::of_command()?;
        // Before it is there, so that none that comes is missed.
        let caught = keeper::catch()?;
        let child = child()?;
        let keeper = Keeper::begin(caught, child.clone(), signals.clone());
        Ok(Self { child, keeper, signals, is_told: false })
    }

    /// What has been asked for meanwhile; the end, once the command is to be left.
    pub(crate) fn signals(&self) -> &Signals {
        &self.signals
    }

    /// The process of the command.
    pub(crate) fn pid(&self) -> i32 {
        self.child.pid()
    }

    /// The first word of its command line.
    pub(crate) fn program(&self) -> &str {
        self.child.program()
    }

    /// Whether it has ended. It must not be traced meanwhile.
    pub(crate) fn has_ended(&self) -> bool {
        self.child.has_ended()
    }

    /// Whether it has been asked to end, and is waited for.
    pub(crate) fn has_asked(&self) -> bool {
        self.keeper.has_asked()
    }

    /// Waits until it has ended, or is to be left. Says so, and how it ended if it was killed.
    pub(crate) fn wait(&mut self) {
        let mut reaped = Instant::now();
        while !self.has_ended() && !self.signals.ask_for_end() {
            nap(NAP);
            release_left();
            if reaped.elapsed() >= REAP {
                reap(self.pid());
                reaped = Instant::now();
            }
        }
        if std::mem::replace(&mut self.is_told, true) {
            return;
        }
        match self.child.ending() {
            Some(ending) => {
                let words = ending.to_string();
                if !words.is_empty() {
                    say(&words);
                }
            }
            None => {
                let (pid, line) = (self.pid(), live::command_line(self.pid()));
                let line = line.replace(char::is_control, " ");
                say(&format!("The command still runs, and is left: process {pid} ({line})."));
            }
        }
    }

    /// The exit status for a run with a profile: the command's; if it has been left, that of
    /// a program which the last signal has ended.
    pub(crate) fn status(&self) -> u8 {
        match (self.child.ending(), self.keeper.last()) {
            (Some(ending), _) => ending.status(),
            (None, Some(signal)) => 128 + u8::try_from(signal).unwrap_or(0),
            (None, None) => 0,
        }
    }

    /// Does something while this is the only thread of this program.
    ///
    /// # Errors
    /// [`Error::Signals`] if signals cannot be caught any more.
    pub(crate) fn while_alone(&mut self, action: impl FnOnce()) -> Result<(), Error> {
        self.keeper.pause();
        action();
        self.keeper.go_on()
    }

    /// Executes `program` in place of this one, to look after the command from now on. Comes
    /// back only with an error, after which everything is as before.
    pub(crate) fn hand_over(
        &mut self,
        program: &Path,
        arguments: &[OsString],
        handover: &Handover,
    ) -> Error {
        self.keeper.pause();
        let source = handover.execute(program, arguments);
        let error = Error::Execute { program: program.to_path_buf(), source };
        self.keeper.go_on().err().unwrap_or(error)
    }
}

/// Collects every child of this program that has ended, except `command`: processes whose
/// parents have ended, of which nobody else would.
fn reap(command: i32) {
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    let children: HashSet<i32> = live::children(own).unwrap_or_default().into_iter().collect();
    let ended = |pid: &i32| {
        *pid != command && live::stat(*pid).is_some_and(|stat| stat.state == ThreadState::Zombie)
    };
    children.iter().filter(|pid| ended(pid)).for_each(|pid| collect(*pid));
}

/// Collects the exit status of a child that has ended, and forgets it.
pub(crate) fn collect(pid: i32) {
    let _ = child::collect(pid);
}
