//! One process of a tree: what it is known to be, and what is done about it.

use std::time::{Duration, Instant};

use super::sampler::Sampler;
use super::tree_stats::TreeStats;
use crate::app::error::Error;
use crate::cpython::abi::AbiTag;
use crate::target::live::memory::LiveMemory;
use crate::target::live::{self, Denial, Execution, OpenError, Presence, Process};
use crate::target::locate::{self, LocateError};

/// How long a process that is not Python is looked at again at every turn.
const EARLY: Duration = Duration::from_millis(500);

/// The first and the longest pause between two looks after that: it may load Python late.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(2)];

/// The pauses before a process is looked at anew that could not be read, or whose sampler
/// failed: it may have executed another program meanwhile.
const AGAIN: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(100)];

/// How long a process may take to end that failed more often. A process that is about to
/// end cannot be read any more, and that is no failure.
const ENDING: Duration = Duration::from_millis(200);

/// A process that was seen.
pub(super) struct Tracked {
    /// Its id.
    pub pid: i32,
    /// Whether it was named by the user, or is the command that was started.
    pub is_root: bool,
    /// What it is, as far as is known.
    pub state: State,
    /// `None` if `/proc` does not show it.
    started: Option<u64>,
    seen: Instant,
    executed: Option<Execution>,
    /// How often it could not be sampled since it executed its program, and why.
    failures: usize,
    words: String,
    /// Whether there is a sample of it.
    was_sampled: bool,
}

/// What a process is, as far as is known.
pub(super) enum State {
    /// Not Python so far.
    Unknown(Looks),
    /// Python, and nobody samples it yet.
    Python(AbiTag),
    /// Being sampled.
    Sampled(AbiTag, Sampler),
    /// It could not be sampled, again and again: a failure, if it does not end soon.
    Failing(Instant),
    /// It will not be sampled as long as it executes this file.
    Refused,
    /// The kernel does not let it be read, as long as it executes this file.
    Denied(Denial),
    /// It has been sampled, and that was all that was wanted.
    Done,
}

/// How a process without Python has been looked at so far.
pub(super) struct Looks {
    next: Instant,
    pause: Duration,
    /// Whether it has been seen not to be Python. That it cannot be seen any more when it
    /// ends does not change that.
    is_other: bool,
}

impl Looks {
    /// The first look is due after so long.
    pub(super) fn after(pause: Duration) -> Self {
        Self { next: Instant::now() + pause, pause: PAUSES[0], is_other: false }
    }
}

/// What a look at a process came to.
pub(super) enum Look {
    /// It is of this version. Whether whatever executes its file is, as far as that can be
    /// told: not where a program that is not Python has loaded it.
    Python(AbiTag, bool),
    /// Not Python, or not yet.
    NotYet,
    /// It cannot be profiled.
    Refused(Error),
    /// The kernel does not let it be read.
    Denied(Denial, Error),
    /// It could not be read as it should be: perhaps it was changing.
    Failed(String),
}

impl Tracked {
    /// The process `pid`, if it is there.
    pub(super) fn new(pid: i32, is_root: bool) -> Option<Self> {
        let started = match live::presence(pid) {
            Presence::Shown(stat) => Some(stat.start_time),
            Presence::Hidden(_) => None,
            Presence::Absent => return None,
        };
        Some(Self {
            pid,
            is_root,
            state: State::Unknown(Looks::after(Duration::ZERO)),
            started,
            seen: Instant::now(),
            executed: Execution::of(pid),
            failures: 0,
            words: String::new(),
            was_sampled: false,
        })
    }

    /// When it was started: with the id it tells it from a later process. `None` if `/proc`
    /// does not show it.
    pub(super) fn started(&self) -> Option<u64> {
        self.started
    }

    /// Whether the same process is still there, and is not about to end.
    pub(super) fn is_alive(&self) -> bool {
        match live::presence(self.pid) {
            Presence::Shown(stat) => {
                Some(stat.start_time) == self.started && live::has_memory(self.pid, &stat)
            }
            // It may have become another user's since it was shown.
            Presence::Hidden(_) => true,
            Presence::Absent => false,
        }
    }

    /// What it executes, as far as that can be told.
    pub(super) fn execution(&self) -> Option<Execution> {
        self.executed
    }

    /// The process that samples it.
    pub(super) fn sampler(&self) -> Option<i32> {
        match &self.state {
            State::Sampled(_, sampler) => Some(sampler.pid()),
            _ => None,
        }
    }

    /// The file that it executes, as device and inode.
    pub(super) fn executed_file(&self) -> Option<(u64, u64)> {
        self.executed.map(Execution::file)
    }

    /// Notes whether it has executed another program, or the same one anew: then nothing is
    /// known of it. If it is being sampled, its sampler notices too, and ends.
    pub(super) fn notice_exec(&mut self) {
        let executed = Execution::of(self.pid);
        if executed.is_some() && executed != self.executed {
            self.executed = executed;
            self.seen = Instant::now();
            self.failures = 0;
            if !matches!(self.state, State::Sampled(..)) {
                self.state = State::Unknown(Looks::after(Duration::ZERO));
            }
        }
    }

    /// Whether it could not be sampled when that was tried, since it executed its program.
    pub(super) fn has_failed(&self) -> bool {
        self.failures > 0
    }

    /// Whether nothing is known of it, and it is time to look.
    pub(super) fn is_due(&self) -> bool {
        matches!(&self.state, State::Unknown(looks) if Instant::now() >= looks.next)
    }

    /// Looks at it.
    pub(super) fn look(&mut self) -> Look {
        let State::Unknown(looks) = &mut self.state else { return Look::NotYet };
        let now = Instant::now();
        if now.duration_since(self.seen) > EARLY {
            looks.next = now + looks.pause;
            looks.pause = (looks.pause * 2).min(PAUSES[1]);
        }
        let process = match Process::open(self.pid) {
            Ok(process) => process,
            Err(error @ OpenError::Denied { reason, .. }) => {
                return Look::Denied(reason, error.into());
            }
            Err(error @ OpenError::Unreadable { .. }) => return Look::Failed(error.to_string()),
            Err(error) => {
                looks.is_other |= !error.is_gone();
                return Look::NotYet;
            }
        };
        match locate::find(&process, &LiveMemory::new(self.pid)) {
            Ok(found) => Look::Python(found.tag(), found.is_linked),
            Err(error) if error.is_other_python() => Look::Refused(error.into()),
            Err(error) if error.may_pass() || error.is_gone() => {
                looks.is_other |= matches!(error, LocateError::NotPython { .. });
                Look::NotYet
            }
            Err(error) => Look::Failed(error.to_string()),
        }
    }

    /// What to do next, when its sampler has ended: it may have executed another program,
    /// or end at once.
    pub(super) fn after_sampler(&mut self, status: Option<i32>, sampled: bool, words: String) {
        self.was_sampled |= sampled;
        match status {
            // Not at once: it may be on the way from one program to the next for a while.
            Some(0) => self.state = State::Unknown(Looks::after(PAUSES[0])),
            Some(status) if status == i32::from(Error::STATUS_UNSUPPORTED) => {
                self.words = words;
                self.state = State::Failing(Instant::now() + ENDING);
            }
            _ => self.fail(words),
        }
    }

    /// Notes that it could not be sampled, and why.
    pub(super) fn fail(&mut self, words: String) {
        self.state = match AGAIN.get(self.failures) {
            Some(pause) => State::Unknown(Looks::after(*pause)),
            None => State::Failing(Instant::now() + ENDING),
        };
        self.failures += 1;
        self.words = words;
    }

    /// Why it could not be sampled, if that was not because it executed another program or
    /// was about to end; as far as that can be told by now, if `at_once`.
    pub(super) fn take_failure(&mut self, at_once: bool) -> Option<String> {
        let is_failure = match &self.state {
            State::Failing(until) => at_once || Instant::now() >= *until,
            State::Unknown(_) => at_once && self.failures > 1,
            _ => false,
        };
        is_failure.then(|| {
            self.state = State::Refused;
            std::mem::take(&mut self.words)
        })
    }

    /// Whether there is nothing to wait for where one moment is wanted of it.
    pub(super) fn is_done(&self) -> bool {
        match &self.state {
            State::Done | State::Refused | State::Denied(_) => true,
            State::Unknown(looks) => looks.is_other,
            State::Python(_) | State::Sampled(..) | State::Failing(..) => false,
        }
    }

    /// Counts what became of it, if it ends now.
    pub(super) fn count(&self, stats: &mut TreeStats) {
        let count = match &self.state {
            _ if self.was_sampled => &mut stats.sampled,
            State::Denied(denial) => {
                stats.denied.note(*denial);
                return;
            }
            State::Unknown(looks) if looks.is_other => &mut stats.not_python,
            State::Python(_) => &mut stats.left_out,
            State::Refused => &mut stats.refused,
            State::Unknown(_) | State::Sampled(..) | State::Failing(..) | State::Done => {
                &mut stats.too_short
            }
        };
        *count += 1;
    }
}
