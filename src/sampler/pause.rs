//! Which ticks are stopped: by the clock alone.
//!
//! A stop shows the stack beyond doubt. Were it used where a read has failed, the
//! stopped samples would be those that are hard to take, and the profile biased.
//! So stops are spent evenly, up to a share of the process's time. Only what is learnt, and
//! counted as no sample, is asked for where a read has failed.

use std::time::{Duration, Instant};

use super::thread_ids::ThreadIds;
use crate::abi::Abi;
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

/// Of a thread that is never stopped, how much of its time it may wait for its turn to be read;
/// and, where it is read while it runs, for what is learnt of its calls. At 1,000 samples a
/// second most programs wait for 1 to 2.5 %.
const SHARE_OF_TURNS: f64 = 0.03;
const SHARE_OF_LEARNING: f64 = 0.01;

/// What may be left over for later.
const MOST_UNSPENT: Duration = Duration::from_millis(20);

/// How long it is waited after a turn from which nothing was learnt; from one to the next twice
/// as long. A mixture of two moments looks like a call that is not known, and is met again.
const SHORTEST_PATIENCE: Duration = Duration::from_millis(1);
const LONGEST_PATIENCE: Duration = Duration::from_millis(128);

/// What may be spent beyond the share from the beginning: the first samples teach
/// most.
const ADVANCE: Duration = Duration::from_millis(1);

/// After so many holds the threads' ids are looked up anew.
const IDS_HOLD: u64 = 256;

/// After so many, if one is not known.
const IDS_HOLD_UNKNOWN: u64 = 8;

/// Stops threads of one process within a budget.
pub struct Pauses {
    pause: Pause,
    stopper: Stopper,
    turns: Turns,
    /// Whether turns are taken in place of stops: at each tick one thread is read, and this
    /// one sleeps where that runs.
    follows: bool,
    /// Those that are met to learn from them, not before `learns_from`.
    met: Turns,
    learns_from: Instant,
    /// How long it was waited for the last of them.
    patience: Duration,
    /// Whether turns are tried at this tick.
    takes_turns: bool,
    /// Whether it was said that there is a stop at the next tick: else this thread is not where
    /// it can have its turn.
    is_prepared: bool,
    ids: ThreadIds,
    /// How often threads were to stand still.
    holds: u64,
    start: Instant,
    /// For how long threads have stood still.
    spent: Duration,
    expected: Duration,
}

/// Threads that stand still, until they are released or this is dropped.
#[derive(Default)]
pub struct StoppedThreads<'a> {
    stopped: Option<Stopped<'a>>,
    /// Or the turn for which one of them waits, and the time on a processor that this thread
    /// had spent before.
    turn: Option<(&'a mut Turns, Duration)>,
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
    /// The budget counts from now. If this thread `follows`, one that is to stand still waits
    /// for its turn on the processor that this one has, where that can be: the moment is the
    /// clock's then.
    pub fn new(pause: Pause, stopper: Stopper, pid: i32, follows: bool) -> Self {
        Self {
            pause,
            stopper,
            turns: Turns::new(pid),
            follows,
            met: Turns::everywhere(pid),
            learns_from: Instant::now(),
            patience: Duration::ZERO,
            takes_turns: true,
            is_prepared: true,
            ids: ThreadIds::default(),
            holds: 0,
            start: Instant::now(),
            spent: Duration::ZERO,
            expected: FIRST_GUESS,
        }
    }

    /// To be called before this thread sleeps until the moment `next`. Whether it may be where a
    /// thread of the process runs meanwhile.
    pub fn prepare(&mut self, next: Instant) -> bool {
        self.takes_turns = self.follows;
        self.is_prepared = self.allows(next);
        if !self.follows {
            return false;
        }
        if !self.is_prepared {
            // It stays where the thread was: it will be wanted there again.
            self.turns.leave();
            return true;
        }
        self.turns.follow()
    }

    /// Whether this tick is a stopped one.
    #[must_use]
    pub fn is_due(&self, now: Instant) -> bool {
        (!self.follows || self.is_prepared) && self.allows(now)
    }

    /// Whether the limit leaves time for a stop, or a turn.
    #[must_use]
    pub fn allows(&self, now: Instant) -> bool {
        let Some(share) = self.share() else { return true };
        let advance = if share > 0.0 { ADVANCE } else { Duration::ZERO };
        self.spent + self.expected <= self.earned(now, share) + advance
    }

    /// The share of the time for which threads may stand still, if that is limited.
    fn share(&self) -> Option<f64> {
        match self.pause {
            Pause::Always => None,
            Pause::UpTo(share) => Some(share),
            Pause::Never if self.follows => Some(SHARE_OF_TURNS),
            Pause::Never => Some(SHARE_OF_LEARNING),
        }
    }

    fn earned(&self, now: Instant, share: f64) -> Duration {
        now.saturating_duration_since(self.start).mul_f64(share)
    }

    /// Stops what stands still, until the next [`Pauses::prepare`]: it has had its turn too
    /// early, which may happen again.
    pub fn take_no_turns(&mut self) {
        self.takes_turns = false;
    }

    /// Takes no turns any more, but to learn.
    pub fn give_up_turns(&mut self) {
        self.turns.leave();
        self.follows = false;
        (self.start, self.spent) = (Instant::now(), Duration::ZERO);
    }

    /// Before something that may take long: lets this thread, and those that it starts now,
    /// run where they may, until the next [`Pauses::prepare`]; and lets go who is still to stop.
    pub fn step_aside(&mut self) {
        self.turns.leave();
        self.met.leave();
        self.stopper.wait_for_late();
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
        if ids.len() < threads.len() && self.holds % IDS_HOLD_UNKNOWN == 0 {
            self.ids.forget(); // It may be told next time: threads come and go.
        }
        let since = Some(Instant::now());
        let is_for_all = self.pause == Pause::Always;
        if let (true, [(_, id)]) = (self.follows && self.takes_turns, ids.as_slice()) {
            let spent = thread_cpu_time();
            let found = self.turns.take(*id);
            // Said while that stands still: it is the one whose thread state this is.
            let is_it = threads.iter().all(|thread| self.ids.is_as_told::<A, M>(memory, *thread));
            if found != Turn::Runs && is_it {
                let turn = Some((&mut self.turns, spent));
                let rests = found == Turn::Rests;
                return StoppedThreads { turn, rests, ids, since, ..StoppedThreads::default() };
            }
        }
        if self.pause == Pause::Never {
            let is_any_free = !ids.is_empty();
            return StoppedThreads { ids, since, is_any_free, ..StoppedThreads::default() };
        }
        self.turns.leave();
        let stopped = if is_for_all {
            self.stopper.stop_running().ok()
        } else {
            let tids: Vec<i32> = ids.iter().map(|(_, id)| *id).collect();
            self.stopper.stop_those_running(&tids).ok()
        };
        ids.retain(|(thread, _)| self.ids.is_as_told::<A, M>(memory, *thread));
        StoppedThreads { stopped, ids, since, is_for_all, ..StoppedThreads::default() }
    }

    /// Lets one thread stand still to learn from it: if it rests, or, if it `may_wait`, for its
    /// turn. Else it runs on.
    pub fn hold_to_learn<A: Abi, M: Memory>(
        &mut self,
        (process, memory, roots): (&Process, &M, &ProcessRoots),
        thread: Remote<Thread>,
        may_wait: bool,
    ) -> StoppedThreads<'_> {
        let free = |time| StoppedThreads { is_any_free: true, time, ..StoppedThreads::default() };
        if self.holds % IDS_HOLD == 0 {
            self.ids.forget();
        }
        self.holds += 1;
        self.ids.begin_round();
        let Some(id) = self.ids.get::<A, M>(process, memory, roots, thread) else {
            if may_wait {
                self.ids.forget(); // It may be told next time: threads come and go.
            }
            return free(None);
        };
        if may_wait {
            self.turns.leave();
        }
        let spent = thread_cpu_time();
        let found = if may_wait { self.met.take(id) } else { self.met.look(id) };
        if found == Turn::Runs || !self.ids.is_as_told::<A, M>(memory, thread) {
            // It may have waited for nothing.
            return free(may_wait.then(|| thread_cpu_time().saturating_sub(spent)));
        }
        let (turn, rests) = (Some((&mut self.met, spent)), found == Turn::Rests);
        let (ids, since) = (vec![(thread, id)], Some(Instant::now()));
        StoppedThreads { turn, rests, ids, since, ..StoppedThreads::default() }
    }

    /// Whether a thread that runs may wait for its turn now to be learnt from.
    #[must_use]
    pub fn may_learn(&self, now: Instant) -> bool {
        now >= self.learns_from && self.allows(now)
    }

    /// After threads were held to learn from them: lets this thread run elsewhere again. If
    /// nothing was `new`, it is waited for longer until the next one runs no more for it.
    pub fn end_learning(&mut self, now: Instant, is_new: bool) {
        self.met.make_way();
        let longer = (self.patience * 2).clamp(SHORTEST_PATIENCE, LONGEST_PATIENCE);
        self.patience = if is_new { Duration::ZERO } else { longer };
        self.learns_from = now + self.patience;
    }

    /// Whether a thread that runs may be kept from running: not on a processor where this
    /// program may not run, nor one that has a real-time policy.
    #[must_use]
    pub fn may_take_turns(&self) -> bool {
        self.follows && !self.turns.is_barred()
    }

    /// Lets threads go that stopped too late to be of use. Returns how many are still to be
    /// waited for.
    pub fn release_late(&mut self) -> usize {
        release_left();
        self.stopper.release_late()
    }

    /// Takes note of what a stop cost.
    pub fn note_cost(&mut self, cost: Duration) {
        // What was not spent in time is lost: it would be spent at once.
        let earned =
            self.share().map_or(Duration::ZERO, |share| self.earned(Instant::now(), share));
        self.spent = self.spent.max(earned.saturating_sub(MOST_UNSPENT)) + cost;
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
        self.is_disturbed |= !self.turn.as_ref().is_none_or(|(turns, _)| turns.has_waited());
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
        self.end_turn().into_iter().for_each(Turns::make_way);
    }

    /// Notes how long one has waited for its turn. Where this thread is then.
    fn end_turn(&mut self) -> Option<&'_ mut Turns> {
        let (turns, spent) = self.turn.take()?;
        if !self.rests {
            // It waits for as long as this thread has something to do. While others have the
            // processor, it is not this thread that it waits for.
            self.time = Some(thread_cpu_time().saturating_sub(spent));
        }
        Some(turns)
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
        self.end_turn();
        self.time
    }
}
