//! What a tick, and an attempt at one, can come to.

use std::time::Instant;

use crate::cpython::memory::Remote;
use crate::cpython::read::frames::Broken;
use crate::cpython::read::objects::Thread;
use crate::profile::TornReason;
use crate::sampler::read::deferred::Callee;

/// How often a tick is tried before it counts as torn.
pub(super) const ATTEMPTS: usize = 6;

/// What one tick came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tick {
    /// So many stacks were proven and wait to be counted, or are deferred; none when idle.
    Proven(usize),
    /// No stack was proven.
    Torn(TornReason),
    /// The process could not be read.
    Failed(Broken),
    /// The process is gone.
    Gone,
}

/// What is known of a thread at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// Its whole stack.
    Stack,
    /// Its stack but for what its last frame had called.
    Callers(Callee),
    /// That it runs no Python code.
    Idle,
}

/// Why an attempt proved nothing.
#[derive(Debug)]
pub(super) enum Unproven {
    /// What was read is not enough, or not one moment's. The next attempt may have more luck.
    Torn(TornReason),
    /// The roots lead nowhere.
    Broken(Broken),
}

/// When a tick began, and when it has to end.
#[derive(Clone, Copy, Debug)]
pub(super) struct TickTime {
    pub(super) now: Instant,
    /// When it began, in microseconds after the epoch.
    pub(super) microseconds: u64,
    pub(super) deadline: Instant,
}

impl TickTime {
    /// Whether the tick has to end.
    pub(super) fn is_over(self) -> bool {
        Instant::now() >= self.deadline
    }
}

impl Unproven {
    /// Why, where the process could be read; a pointer that leads nowhere has changed.
    pub(super) fn reason(&self) -> TornReason {
        match self {
            Self::Torn(reason) => *reason,
            Self::Broken(_) => TornReason::Moved,
        }
    }
}

impl From<&Unproven> for Tick {
    fn from(unproven: &Unproven) -> Self {
        match unproven {
            Unproven::Broken(Broken::Fault(fault)) if fault.is_process_gone() => Self::Gone,
            Unproven::Broken(broken) => Self::Failed(*broken),
            Unproven::Torn(reason) => Self::Torn(*reason),
        }
    }
}

impl<E: Into<Broken>> From<E> for Unproven {
    fn from(error: E) -> Self {
        Self::Broken(error.into())
    }
}

/// A thread that was met in calls that are not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unknown {
    /// Which.
    pub thread: Remote<Thread>,
    /// Whether it held a GIL.
    pub holds_gil: bool,
}
