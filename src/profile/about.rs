//! What was profiled, and how: what a report says at its head.

use std::sync::Arc;
use std::time::Duration;

/// How much a profile keeps of each sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Which stack it was.
    #[default]
    Stacks,
    /// Also which thread, and what the thread was doing.
    Threads,
    /// Also when.
    Timeline,
}

/// The run that a profile comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// When it began, in microseconds since the epoch.
    pub started: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// The time between two samples that was asked for; zero for as fast as possible.
    pub interval: Duration,
    /// Moments at which a sample was due and taken up.
    pub ticks: u64,
    /// Whether all threads were sampled, and not only those that held a GIL.
    pub every_thread: bool,
    /// What became of every tick: names and values, in the order to print them.
    pub account: Vec<(String, String)>,
}

impl About {
    /// What one sample stands for: the interval, or where there is none the mean of what
    /// was reached.
    #[must_use]
    pub fn period(&self) -> Duration {
        if self.interval.is_zero() {
            let ticks = u32::try_from(self.ticks.max(1)).unwrap_or(u32::MAX);
            self.elapsed / ticks
        } else {
            self.interval
        }
    }
}

/// A process that was sampled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Its id, as this system counts.
    pub pid: i32,
    /// Its command line, words joined by spaces; empty if it could not be read.
    pub command: String,
    /// The full version of its Python, such as `3.11.7`; empty if unknown.
    pub python: String,
}

/// A process of a [`Profile`](super::Profile).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub(super) u32);

impl ProcessId {
    /// Its position in the order in which processes were added.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A thread that was sampled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// The process that it belongs to.
    pub process: ProcessId,
    /// `threading.get_ident()`.
    pub id: u64,
    /// The kernel's id, where it is known.
    pub native_id: Option<i32>,
    /// Its name, where it is known.
    pub name: Option<Arc<str>>,
}

/// A thread of a [`Profile`](super::Profile).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ThreadId(pub(super) u32);

impl ThreadId {
    /// Its position among the profile's threads, from 0.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a thread was doing when it was sampled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    /// Whether it held a GIL.
    pub holds_gil: bool,
    /// Whether it ran on a processor; `None` where that was not looked at.
    pub on_cpu: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_an_interval_has_the_period_that_it_reached() {
        let elapsed = Duration::from_secs(2);
        let fast = About { elapsed, ticks: 1000, ..About::default() };
        assert_eq!(fast.period(), Duration::from_millis(2));
        let steady = About { interval: Duration::from_millis(10), ..fast };
        assert_eq!(steady.period(), Duration::from_millis(10));
    }
}
