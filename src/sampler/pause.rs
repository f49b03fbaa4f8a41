//! Which ticks are stopped: by the clock alone.
//!
//! A stop shows the stack beyond doubt. Were it used where a read has failed, the
//! stopped samples would be those that are hard to take, and the profile biased.
//! So stops are spent evenly, up to a share of the process's time.

use std::time::{Duration, Instant};

use super::thread_ids::ThreadIds;
use crate::abi::Abi;
use crate::account::Stops;
use crate::clock::thread_cpu_time;
use crate::memory::{Memory, Remote};
use crate::process::stop::{Stopped, Stopper};
use crate::process::turn::{Turn, Turns};
use crate::process::{Process, release_left};
use crate::python::objects::Thread;
use crate::python::threads::ProcessRoots;

/// Whether a process is stopped to be read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pause {
    /// At some ticks, for at most this share of its time (0 to 1).
    UpTo(f64),
    /// Never.
    Never,
    /// At every tick, all threads that run.
    Always,
}

impl Pause {
    /// The share of its time for which the process may be stopped, if that is limited.
    #[must_use]
    pub fn limit(self) -> Option<f64> {
        match self {
            Self::UpTo(share) => Some(share),
            Self::Never | Self::Always => None,
        }
    }

    /// Whether there are stops at all.
    #[must_use]
    pub fn is_ever(self) -> bool {
        match self {
            Self::UpTo(share) => share > 0.0,
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

/// After so many holds the threads' ids are looked up anew.
const IDS_HOLD: u64 = 256;

/// Stops threads of one process within a budget.
pub struct Pauses {
    pause: Pause,
    stopper: Stopper,
    /// In place of stops, where one thread is read at a tick.
    turns: Option<Turns>,
    /// Whether turns are tried at this tick.
    takes_turns: bool,
    /// Whether it was said that there is a stop at the next tick: else this thread is not where
    /// it can have its turn.
    is_prepared: bool,
    ids: ThreadIds,
    /// How often threads were to stand still.
    holds: u64,
    start: Instant,
    expected: Duration,
}

/// Threads that stand still, until they are released or this is dropped.
#[derive(Default)]
pub struct StoppedThreads<'a> {
    stopped: Option<Stopped<'a>>,
    /// Or the turn for which one of them waits, and the time on a processor that this thread
    /// had spent before.
    turn: Option<(&'a Turns, Duration)>,
    /// Whether it is blocked, and waits for no turn.
    rests: bool,
    /// Whether it has got it too early.
    is_disturbed: bool,
    ids: Vec<(Remote<Thread>, i32)>,
    since: Option<Instant>,
    /// Whether they stand until the whole tick is over.
    is_for_all: bool,
    /// Whether one runs on: it may not be stopped, and had no turn to wait for.
    is_any_free: bool,
    /// How long they stood, if any did.
    time: Option<Duration>,
}

impl Pauses {
    /// The budget counts from now.
    pub fn new(pause: Pause, stopper: Stopper) -> Self {
        Self {
            pause,
            stopper,
            turns: None,
            takes_turns: true,
            is_prepared: true,
            ids: ThreadIds::default(),
            holds: 0,
            start: Instant::now(),
            expected: FIRST_GUESS,
        }
    }

    /// Lets a thread that is to stand still wait for its turn on the processor that this
    /// thread has, where that can be: the moment is the clock's then.
    #[must_use]
    pub fn by_turns(self, turns: Option<Turns>) -> Self {
        Self { turns, ..self }
    }

    /// To be called before this thread sleeps until the moment `next`. Whether it sleeps where
    /// a thread of the process runs.
    pub fn prepare(&mut self, next: Instant, stops: &Stops) -> bool {
        self.takes_turns = true;
        self.is_prepared = self.allows(next, stops);
        let Some(turns) = &mut self.turns else { return false };
        if !self.is_prepared {
            turns.leave();
        }
        self.is_prepared && turns.follow()
    }

    /// Whether this tick is a stopped one.
    #[must_use]
    pub fn is_due(&self, now: Instant, stops: &Stops) -> bool {
        (self.turns.is_none() || self.is_prepared) && self.allows(now, stops)
    }

    /// Whether the limit leaves time for a stop.
    fn allows(&self, now: Instant, stops: &Stops) -> bool {
        match self.pause {
            // A turn is no stop.
            Pause::Never => self.turns.is_some(),
            Pause::Always => true,
            Pause::UpTo(share) => {
                let elapsed = now.saturating_duration_since(self.start);
                let advance = if share > 0.0 { ADVANCE } else { Duration::ZERO };
                let allowed = elapsed.mul_f64(share) + advance;
                stops.total() + self.expected <= allowed
            }
        }
    }

    /// Stops what stands still, until the next [`Pauses::prepare`]: it has had its turn too
    /// early, which may happen again.
    pub fn take_no_turns(&mut self) {
        self.takes_turns = false;
    }

    /// Takes no turns any more.
    pub fn give_up_turns(&mut self) {
        self.leave_turns();
        self.turns = None;
    }

    /// Before something that may take long: lets this thread, and those that it starts now,
    /// run where they may, until the next [`Pauses::prepare`]; and lets go who is still to stop.
    pub fn step_aside(&mut self) {
        self.leave_turns();
        self.stopper.wait_for_late();
    }

    fn leave_turns(&mut self) {
        if let Some(turns) = &mut self.turns {
            turns.leave();
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
    ) -> StoppedThreads<'_> {
        if self.holds % IDS_HOLD == 0 {
            self.ids.forget();
        }
        self.holds += 1;
        self.ids.begin_round();
        let mut ids = Vec::with_capacity(threads.len());
        for thread in threads {
            let id = self.ids.get::<A, M>(process, memory, roots, *thread);
            ids.extend(id.map(|id| (*thread, id)));
        }
        let since = Some(Instant::now());
        let is_for_all = self.pause == Pause::Always;
        if let (Some(turns), [(_, id)]) = (&mut self.turns, ids.as_slice()) {
            let spent = thread_cpu_time();
            let found = if self.takes_turns { turns.take(*id) } else { Turn::Runs };
            // Said while that stands still: it is the one whose thread state this is.
            let is_it = threads.iter().all(|thread| self.ids.is_as_told::<A, M>(memory, *thread));
            if found != Turn::Runs && is_it {
                let turn = self.turns.as_ref().map(|turns| (turns, spent));
                let rests = found == Turn::Rests;
                return StoppedThreads { turn, rests, ids, since, ..StoppedThreads::default() };
            }
        }
        if self.pause == Pause::Never {
            let is_any_free = !ids.is_empty();
            return StoppedThreads { ids, since, is_any_free, ..StoppedThreads::default() };
        }
        self.leave_turns();
        let stopped = if is_for_all {
            self.stopper.stop_running().ok()
        } else {
            let tids: Vec<i32> = ids.iter().map(|(_, id)| *id).collect();
            self.stopper.stop_those_running(&tids).ok()
        };
        ids.retain(|(thread, _)| self.ids.is_as_told::<A, M>(memory, *thread));
        StoppedThreads { stopped, ids, since, is_for_all, ..StoppedThreads::default() }
    }

    /// Whether a thread that runs may be kept from running: not on a processor where this
    /// program may not run, nor one that has a real-time policy.
    #[must_use]
    pub fn may_take_turns(&self) -> bool {
        self.turns.as_ref().is_some_and(|turns| !turns.is_barred())
    }

    /// Lets threads go that stopped too late to be of use. Returns how many are still to be
    /// waited for.
    pub fn release_late(&mut self) -> usize {
        release_left();
        self.stopper.release_late()
    }

    /// Takes note of what a stop cost.
    pub fn learn(&mut self, cost: Duration) {
        self.expected = (self.expected * 7 + cost) / 8;
    }
}

impl StoppedThreads<'_> {
    /// Whether a Python thread stands still.
    #[must_use]
    pub fn holds(&self, thread: Remote<Thread>) -> bool {
        let id = self.ids.iter().find(|(known, _)| *known == thread).map(|(_, id)| *id);
        match (&self.stopped, id) {
            (Some(stopped), Some(id)) => stopped.holds(id),
            (None, Some(_)) => self.turn.is_some(),
            (_, None) => false,
        }
    }

    /// Whether the one that is held stands still by itself, until [`Self::have_stood`] says
    /// that it has not.
    #[must_use]
    pub fn is_by_turn(&self) -> bool {
        self.turn.is_some()
    }

    /// Whether those that stand still have done so until now. If not, what was read of them
    /// is nothing.
    #[must_use]
    pub(super) fn have_stood(&mut self) -> bool {
        self.is_disturbed |= !self.turn.is_none_or(|(turns, _)| turns.has_waited());
        !self.is_disturbed
    }

    /// Whether one was found to have run before it had been read.
    #[must_use]
    pub fn is_disturbed(&self) -> bool {
        self.is_disturbed
    }

    /// Whether one runs on, and must not be read therefore.
    #[must_use]
    pub fn is_any_free(&self) -> bool {
        self.is_any_free
    }

    /// Lets them go when they have been read, unless others are to be read meanwhile.
    pub(super) fn release_read(&mut self) {
        if !self.is_for_all {
            self.release();
        }
    }

    /// Lets them go. One that has not stopped in time will stand for a moment later, so it
    /// counts as if it had stood for all of the time: else a process on a crowded processor
    /// would be stopped whenever it gets its turn.
    pub(super) fn release(&mut self) {
        let Some(stopped) = self.stopped.take() else { return };
        let is_any_late = stopped.missing() > 0;
        let is_any_held = stopped.threads().next().is_some();
        let stood = stopped.time();
        let before = Instant::now();
        drop(stopped);
        self.time = match self.since {
            Some(since) if is_any_late => Some(since.elapsed()),
            _ if is_any_held => Some(stood + before.elapsed()),
            _ => None,
        };
    }

    /// Lets them go. Returns how long they stood, if any did.
    pub fn end(mut self) -> Option<Duration> {
        self.release();
        if let Some((_, spent)) = self.turn.filter(|_| !self.rests) {
            // It waits for as long as this thread has something to do. While others have the
            // processor, it is not this thread that it waits for.
            self.time = Some(thread_cpu_time().saturating_sub(spent));
        }
        self.time
    }
}
