//! Which ticks are stopped: by the clock alone.
//!
//! A stop is a witness. It shows the stack beyond doubt, and teaches call sites to
//! the ticks that are not stopped. Were it used where a read has failed, the
//! stopped samples would be those that are hard to take, and the profile biased.
//! So it is spent evenly, up to a share of the process's time.

use std::time::{Duration, Instant};

use super::thread_ids::ThreadIds;
use crate::abi::Abi;
use crate::account::Stops;
use crate::memory::{Memory, Remote};
use crate::process::Process;
use crate::process::stop::{Stopped, Stopper};
use crate::python::objects::Thread;
use crate::python::threads::ProcessRoots;

/// Whether a process is stopped to be read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pause {
    /// At some ticks, for at most this share of its time (0 to 1).
    Auto(f64),
    /// Never.
    Never,
    /// At every tick, all threads that run.
    Always,
}

impl Pause {
    /// Whether there are stops at all.
    #[must_use]
    pub fn is_ever(self) -> bool {
        match self {
            Self::Auto(share) => share > 0.0,
            Self::Never => false,
            Self::Always => true,
        }
    }
}

/// What a stop is expected to take until one has been measured.
const FIRST_GUESS: Duration = Duration::from_micros(80);

/// What may be spent beyond the share from the beginning: the first samples teach
/// most.
const ADVANCE: Duration = Duration::from_millis(1);

/// After so many stops the threads' ids are looked up anew.
const IDS_HOLD: u64 = 256;

/// Stops threads of one process within a budget.
pub struct Pauses {
    pause: Pause,
    stopper: Stopper,
    ids: ThreadIds,
    start: Instant,
    expected: Duration,
}

/// Threads that stand still, until this is dropped.
pub struct Held<'a> {
    stopped: Option<Stopped<'a>>,
    ids: Vec<(Remote<Thread>, i32)>,
    since: Instant,
}

impl Pauses {
    /// The budget counts from now.
    pub fn new(pause: Pause, stopper: Stopper) -> Self {
        Self {
            pause,
            stopper,
            ids: ThreadIds::default(),
            start: Instant::now(),
            expected: FIRST_GUESS,
        }
    }

    /// Whether this tick is a stopped one.
    #[must_use]
    pub fn is_due(&self, now: Instant, stops: &Stops) -> bool {
        match self.pause {
            Pause::Never => false,
            Pause::Always => true,
            Pause::Auto(share) => {
                let elapsed = now.saturating_duration_since(self.start);
                let advance = if share > 0.0 { ADVANCE } else { Duration::ZERO };
                let allowed = elapsed.mul_f64(share) + advance;
                stops.total() + self.expected <= allowed
            }
        }
    }

    /// Stops those of the threads that run: the ones that hold a GIL, or every
    /// thread of the process if it is always stopped.
    pub fn hold<A: Abi, M: Memory>(
        &mut self,
        process: &Process,
        memory: &M,
        roots: &ProcessRoots,
        threads: &[Remote<Thread>],
        stops: &Stops,
    ) -> Held<'_> {
        if stops.count() % IDS_HOLD == 0 {
            self.ids.forget();
        }
        let mut ids = Vec::with_capacity(threads.len());
        for thread in threads {
            let id = self.ids.get::<A, M>(process, memory, roots, *thread);
            ids.extend(id.map(|id| (*thread, id)));
        }
        let since = Instant::now();
        let stopped = if self.pause == Pause::Always {
            self.stopper.stop_running().ok()
        } else {
            let tids: Vec<i32> = ids.iter().map(|(_, id)| *id).collect();
            self.stopper.stop_those_running(&tids).ok()
        };
        Held { stopped, ids, since }
    }

    /// Lets threads go that stopped too late to be of use.
    pub fn release_late(&mut self) {
        self.stopper.release_late();
    }

    /// Takes note of what a stop cost.
    pub fn learn(&mut self, cost: Duration) {
        self.expected = (self.expected * 7 + cost) / 8;
    }
}

impl Held<'_> {
    /// Whether a Python thread stands still.
    #[must_use]
    pub fn holds(&self, thread: Remote<Thread>) -> bool {
        let id = self.ids.iter().find(|(known, _)| *known == thread).map(|(_, id)| *id);
        match (&self.stopped, id) {
            (Some(stopped), Some(id)) => stopped.holds(id),
            _ => false,
        }
    }

    /// Lets them go. Returns how long they stood, if any did. One that has not
    /// stopped in time will stand for a moment later, so it counts as well: else a
    /// process on a crowded processor would be stopped whenever it gets its turn.
    pub fn release(self) -> Option<Duration> {
        let any = self
            .stopped
            .as_ref()
            .is_some_and(|stopped| stopped.threads().next().is_some() || stopped.missing() > 0);
        drop(self.stopped);
        any.then(|| self.since.elapsed())
    }
}
