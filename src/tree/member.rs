//! One process of a tree: what it is known to be, and what is done about it.

use std::time::{Duration, Instant};

use super::sampler::Sampler;
use super::tally::Tally;
use crate::abi::Version;
use crate::locate;
use crate::memory::live::LiveMemory;
use crate::process::{self, OpenError, Process};

/// How long a process that is not Python is looked at again at every turn.
const EARLY: Duration = Duration::from_millis(500);

/// The first and the longest pause between two looks after that: it may load Python late.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(2)];

/// How long a process may take to end whose sampler has failed. A process that is about to
/// end cannot be read any more, and that is no failure.
const ENDING: Duration = Duration::from_millis(200);

/// A process that was seen.
pub struct Member {
    /// Its id.
    pub pid: i32,
    /// Whether it was named by the user, or is the command that was started.
    pub is_root: bool,
    /// What it is, as far as is known.
    pub state: State,
    started: u64,
    seen: Instant,
    executed: Option<(u64, u64)>,
    /// Whether there is a sample of it.
    was_sampled: bool,
}

/// What a process is, as far as is known.
pub enum State {
    /// Not Python so far.
    Unknown(Looks),
    /// Python, and nobody samples it yet.
    Python(Version),
    /// Being sampled.
    Sampled(Version, Sampler),
    /// It could not be sampled: a failure, if it does not end soon.
    Failing(String, Instant),
    /// It will not be sampled as long as it executes this file.
    Refused,
    /// It has been sampled, and that was all that was wanted.
    Done,
}

/// How a process without Python has been looked at so far.
pub struct Looks {
    next: Instant,
    pause: Duration,
    /// Whether it has been told not to be Python, at least for the time being.
    is_other: bool,
}

impl Looks {
    /// The first look is due after so long.
    pub fn after(pause: Duration) -> Self {
        Self { next: Instant::now() + pause, pause: PAUSES[0], is_other: false }
    }
}

/// What a look at a process came to.
pub enum Look {
    /// It is of this version.
    Python(Version),
    /// Not Python, or not yet.
    NotYet,
    /// It cannot be profiled.
    Refused(String),
}

impl Member {
    /// The process `pid`, if it is there.
    pub fn new(pid: i32, is_root: bool) -> Option<Self> {
        Some(Self {
            pid,
            is_root,
            state: State::Unknown(Looks::after(Duration::ZERO)),
            started: process::start_time(pid)?,
            seen: Instant::now(),
            executed: process::executed_file(pid),
            was_sampled: false,
        })
    }

    /// Whether the same process is still there.
    pub fn is_alive(&self) -> bool {
        process::start_time(self.pid) == Some(self.started)
    }

    /// The file that it executes, as device and inode.
    pub fn executed(&self) -> Option<(u64, u64)> {
        self.executed
    }

    /// Notes whether it executes another file than before: then nothing is known of it.
    pub fn notice_exec(&mut self) {
        let executed = process::executed_file(self.pid);
        if executed.is_some() && executed != self.executed {
            self.executed = executed;
            self.seen = Instant::now();
            if !matches!(self.state, State::Sampled(..)) {
                self.state = State::Unknown(Looks::after(Duration::ZERO));
            }
        }
    }

    /// Looks at it, if that is due.
    pub fn look(&mut self) -> Look {
        let State::Unknown(looks) = &mut self.state else { return Look::NotYet };
        let now = Instant::now();
        if now < looks.next {
            return Look::NotYet;
        }
        if now.duration_since(self.seen) > EARLY {
            looks.next = now + looks.pause;
            looks.pause = (looks.pause * 2).min(PAUSES[1]);
        }
        let process = match Process::open(self.pid) {
            Ok(process) => process,
            Err(error @ OpenError::Denied { .. }) => return Look::Refused(error.to_string()),
            Err(_) => {
                looks.is_other = true;
                return Look::NotYet;
            }
        };
        match locate::find(&process, &LiveMemory::new(self.pid)) {
            Ok(found) => Look::Python(Version::new(found.version.major, found.version.minor)),
            Err(error) if error.is_other_python() => Look::Refused(error.to_string()),
            Err(error) => {
                looks.is_other = !error.is_starting();
                Look::NotYet
            }
        }
    }

    /// What to do next, when its sampler has ended: it may have executed another program,
    /// or end at once.
    pub fn after_sampler(&mut self, status: Option<i32>, sampled: bool, words: String) {
        self.was_sampled |= sampled;
        self.state = match status {
            // Not at once: it may be on the way from one program to the next for a while.
            Some(0) => State::Unknown(Looks::after(PAUSES[0])),
            _ => State::Failing(words, Instant::now() + ENDING),
        };
    }

    /// Why it could not be sampled, if that was not because it was about to end.
    pub fn take_failure(&mut self) -> Option<String> {
        match &mut self.state {
            State::Failing(words, until) if Instant::now() >= *until => {
                let words = std::mem::take(words);
                self.state = State::Refused;
                Some(words)
            }
            _ => None,
        }
    }

    /// Counts what became of it, if it ends now.
    pub fn count(&self, tally: &mut Tally) {
        let count = match &self.state {
            _ if self.was_sampled => &mut tally.sampled,
            State::Unknown(looks) if looks.is_other => &mut tally.not_python,
            State::Python(_) => &mut tally.left_out,
            State::Refused => &mut tally.refused,
            State::Unknown(_) | State::Sampled(..) | State::Failing(..) | State::Done => {
                &mut tally.too_short
            }
        };
        *count += 1;
    }
}
