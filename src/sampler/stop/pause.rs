//! Holds threads until they have been read, within a budget: which ticks, the clock alone says.
//!
//! A stop shows the stack beyond doubt. Were it used where a read has failed, the
//! stopped samples would be those that are hard to take, and the profile biased.
//! So stops are spent evenly, up to a share of the process's time. After a failed read a
//! thread is held only to learn its calls; that is no sample.

use std::time::{Duration, Instant};

use crate::cpython::abi::Abi;
use crate::cpython::memory::{Memory, Remote};
use crate::cpython::read::objects::Thread;
use crate::cpython::read::threads::ProcessRoots;
use crate::sampler::clock::thread_cpu_time;
use crate::sampler::stop::held::{Known, StoppedThreads};
use crate::sampler::thread_ids::ThreadIds;
use crate::target::live::stop::{Stopped, Stopper};
use crate::target::live::turn::{Resting, Turn, Turns};
use crate::target::live::{Process, release_left};

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

/// The most threads that all are stopped where nobody can tell which one it is: each that rests
/// is looked at for some 50 µs, and so long the others stand.
const MOST_STOPPED: usize = 64;

/// Stops threads of one process within a budget.
pub(crate) struct Pauses {
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

impl Pauses {
    /// The budget counts from now. If this thread `follows`, one that is to stand still waits
    /// for its turn on the processor that this one has, where that can be: the moment is the
    /// clock's then.
    pub(crate) fn new(pause: Pause, stopper: Stopper, pid: i32, follows: bool) -> Self {
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
    pub(crate) fn prepare(&mut self, next: Instant) -> bool {
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
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        (!self.follows || self.is_prepared) && self.allows(now)
    }

    /// Whether the limit leaves time for a stop, or a turn.
    #[must_use]
    pub(crate) fn allows(&self, now: Instant) -> bool {
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

    /// Uses ptrace until the next [`Pauses::prepare`]: the thread has had its turn too early, which
    /// may happen again.
    pub(crate) fn take_no_turns(&mut self) {
        self.takes_turns = false;
    }

    /// Takes no turns any more, but to learn.
    pub(crate) fn give_up_turns(&mut self) {
        self.turns.leave();
        self.follows = false;
        (self.start, self.spent) = (Instant::now(), Duration::ZERO);
    }

    /// Before something that may take long: lets this thread, and those that it starts now,
    /// run where they may, until the next [`Pauses::prepare`]; and lets go who is still to stop.
    pub(crate) fn step_aside(&mut self) {
        self.turns.leave();
        self.met.leave();
        self.stopper.wait_for_late();
    }

    /// Stops those of the threads that run: the ones that hold a GIL, or every
    /// thread of the process if it is always stopped, or if it `may_be_all` and nobody can tell
    /// whose one of the thread states is.
    pub(crate) fn hold<A: Abi, M: Memory>(
        &mut self,
        (process, memory, roots): (&Process, &M, &ProcessRoots),
        threads: &[Remote<Thread>],
        may_be_all: bool,
    ) -> StoppedThreads<'_> {
        if self.holds % IDS_HOLD == 0 {
            self.ids.forget();
        }
        self.holds += 1;
        self.ids.begin_round();
        let mut known = Vec::with_capacity(threads.len());
        for state in threads {
            known.extend(self.identify::<A, M>(process, memory, roots, *state));
        }
        if known.len() < threads.len() && self.holds % IDS_HOLD_UNKNOWN == 0 {
            self.ids.forget(); // It may be told next time: threads come and go.
        }
        let since = Some(Instant::now());
        let exact = StoppedThreads { is_exact: true, ..StoppedThreads::default() };
        if let (true, [only]) = (self.follows && self.takes_turns, known.as_slice()) {
            let spent = thread_cpu_time();
            let found = self.turns.take(only.tid);
            // Said while that stands still: it is the one whose thread state this is.
            let is_it = threads.iter().all(|thread| self.ids.is_as_told::<A, M>(memory, *thread));
            if found != Turn::Runs && is_it {
                let turn = Some((&mut self.turns, spent));
                let rests = found == Turn::Rests;
                return StoppedThreads { turn, rests, threads: known, since, ..exact };
            }
        }
        if self.pause == Pause::Never {
            let is_any_free = !known.is_empty();
            return StoppedThreads { threads: known, since, is_any_free, ..exact };
        }
        self.turns.leave();
        let is_for_all = self.pause == Pause::Always;
        let are_few = || process.threads().is_ok_and(|all| all.len() <= MOST_STOPPED);
        let is_any_unknown = may_be_all && known.len() < threads.len() && are_few();
        let stopped = if is_for_all || is_any_unknown {
            self.stopper.stop_running().ok()
        } else {
            let tids: Vec<i32> = known.iter().map(|known| known.tid).collect();
            self.stopper.stop_those_running(&tids).ok()
        };
        let everyone = is_any_unknown.then(|| all_resting(process, stopped.as_ref())).flatten();
        let is_everyone = everyone.is_some();
        let resting = everyone.unwrap_or_else(|| {
            let tids = known.iter().map(|known| known.tid);
            tids.filter_map(|tid| rests_beside(process, tid, stopped.as_ref())).collect()
        });
        // Told while they stand still: a thread that has ended leaves its state to the next one.
        known.retain(|known| self.ids.is_as_told::<A, M>(memory, known.state));
        let threads = known;
        StoppedThreads { stopped, resting, is_everyone, threads, since, is_for_all, ..exact }
    }

    /// Whose a thread state is.
    fn identify<A: Abi, M: Memory>(
        &mut self,
        process: &Process,
        memory: &M,
        roots: &ProcessRoots,
        state: Remote<Thread>,
    ) -> Option<Known> {
        let tid = self.ids.get::<A, M>(process, memory, roots, state)?;
        let identity = self.ids.identity(state)?;
        Some(Known { state, tid, identity })
    }

    /// Lets one thread stand still to learn from it: if it rests, or, if it `may_wait`, for its
    /// turn. Else it runs on.
    pub(crate) fn hold_to_learn<A: Abi, M: Memory>(
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
        let Some(known) = self.identify::<A, M>(process, memory, roots, thread) else {
            if may_wait {
                self.ids.forget(); // It may be told next time: threads come and go.
            }
            return free(None);
        };
        if may_wait {
            self.turns.leave();
        }
        let spent = thread_cpu_time();
        let found = if may_wait { self.met.take(known.tid) } else { self.met.look(known.tid) };
        if found == Turn::Runs || !self.ids.is_as_told::<A, M>(memory, thread) {
            // It may have waited for nothing.
            return free(may_wait.then(|| thread_cpu_time().saturating_sub(spent)));
        }
        let (turn, rests) = (Some((&mut self.met, spent)), found == Turn::Rests);
        let (threads, since) = (vec![known], Some(Instant::now()));
        StoppedThreads { turn, rests, threads, since, ..StoppedThreads::default() }
    }

    /// Whether a thread that runs may wait for its turn now to be learnt from.
    #[must_use]
    pub(crate) fn may_learn(&self, now: Instant) -> bool {
        now >= self.learns_from && self.allows(now)
    }

    /// After threads were held to learn from them: lets this thread run elsewhere again. If
    /// nothing was `new`, it is waited for longer until the next one runs no more for it.
    pub(crate) fn end_learning(&mut self, now: Instant, is_new: bool) {
        self.met.make_way();
        let longer = (self.patience * 2).clamp(SHORTEST_PATIENCE, LONGEST_PATIENCE);
        self.patience = if is_new { Duration::ZERO } else { longer };
        self.learns_from = now + self.patience;
    }

    /// Whether a thread that runs may be kept from running: not on a processor where this
    /// program may not run, nor one that has a real-time policy.
    #[must_use]
    pub(crate) fn may_take_turns(&self) -> bool {
        self.follows && !self.turns.is_barred()
    }

    /// Lets threads go that stopped too late to be of use. Returns how many are still to be
    /// waited for.
    pub(crate) fn release_late(&mut self) -> usize {
        release_left();
        self.stopper.release_late()
    }

    /// Takes note of what a stop cost.
    pub(crate) fn note_cost(&mut self, cost: Duration) {
        // What was not spent in time is lost: it would be spent at once.
        let earned =
            self.share().map_or(Duration::ZERO, |share| self.earned(Instant::now(), share));
        self.spent = self.spent.max(earned.saturating_sub(MOST_UNSPENT)) + cost;
        self.expected = (self.expected * 7 + cost) / 8;
    }
}

/// A thread that was not stopped, if it rests.
fn rests_beside(process: &Process, tid: i32, stopped: Option<&Stopped<'_>>) -> Option<Resting> {
    let is_stopped = stopped.is_some_and(|stopped| stopped.holds(tid));
    if is_stopped { None } else { Resting::look(process.pid(), tid) }
}

/// All threads that were not stopped, if every one of them rests: whatever is read of the
/// process then is of one moment.
fn all_resting(process: &Process, stopped: Option<&Stopped<'_>>) -> Option<Vec<Resting>> {
    let threads = process.threads().ok()?;
    let is_stopped = |tid: &&i32| stopped.is_some_and(|stopped| stopped.holds(**tid));
    let others = threads.iter().filter(|tid| !is_stopped(tid));
    let resting = others.map(|tid| Resting::look(process.pid(), *tid)).collect::<Option<_>>()?;
    // Nobody has started one meanwhile.
    (process.threads().ok()? == threads).then_some(resting)
}
