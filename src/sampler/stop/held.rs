//! Threads that stand still to be read, and the proof that they have stood until they were.

use std::time::{Duration, Instant};

use crate::cpython::abi::Abi;
use crate::cpython::memory::{Memory, Remote};
use crate::cpython::read::objects::Thread;
use crate::sampler::clock::thread_cpu_time;
use crate::sampler::native::StillNative;
use crate::target::live::stop::Stopped;
use crate::target::live::turn::{Resting, Turns};

/// A thread state, and whose it was.
#[derive(Clone, Copy, Debug)]
pub(in crate::sampler) struct Known {
    pub(in crate::sampler) state: Remote<Thread>,
    /// The kernel's id of the thread.
    pub(in crate::sampler) tid: i32,
    /// What the thread calls itself: `threading.get_ident()`.
    pub(in crate::sampler) identity: u64,
}

/// Threads that stand still, until they are released or this is dropped.
#[derive(Default)]
pub(crate) struct StoppedThreads<'a> {
    pub(in crate::sampler) stopped: Option<Stopped<'a>>,
    /// Or the turn for which one of them waits, and the time on a processor that this thread
    /// had spent before.
    pub(in crate::sampler) turn: Option<(&'a mut Turns, Duration)>,
    /// Whether it is blocked, and waits for no turn.
    pub(in crate::sampler) rests: bool,
    /// Those that do not run, and so were not stopped.
    pub(in crate::sampler) resting: Vec<Resting>,
    /// Whether every thread of the process stands or rests, whoever they are.
    pub(in crate::sampler) is_everyone: bool,
    /// Whether it has got it too early.
    pub(in crate::sampler) is_disturbed: bool,
    pub(in crate::sampler) threads: Vec<Known>,
    pub(in crate::sampler) since: Option<Instant>,
    /// Whether they stand until the whole tick is over.
    pub(in crate::sampler) is_for_all: bool,
    /// Whether those that run on are not read.
    pub(in crate::sampler) is_exact: bool,
    /// Whether one runs on: it may not be stopped, and had no turn to wait for.
    pub(in crate::sampler) is_any_free: bool,
    /// How long they stood, if any did.
    pub(in crate::sampler) time: Option<Duration>,
}

impl StoppedThreads<'_> {
    /// Whether a thread state is that of a thread that was to stand still.
    #[must_use]
    pub(crate) fn knows(&self, thread: Remote<Thread>) -> bool {
        self.is_everyone || self.known(thread).is_some()
    }

    /// Lets `native` copy the registers and the stack of a thread that stands still.
    pub(in crate::sampler) fn copy_native<A: Abi, M: Memory>(
        &self,
        native: &mut StillNative,
        memory: &M,
        thread: Remote<Thread>,
    ) {
        let tid = self.known(thread).map(|known| known.tid);
        let registers = tid.and_then(|tid| self.stopped.as_ref()?.registers(tid));
        native.copy::<A, M>(memory, (thread, tid), registers);
    }

    fn known(&self, thread: Remote<Thread>) -> Option<&Known> {
        self.threads.iter().find(|known| known.state == thread)
    }

    /// Whether the thread stands still whose thread state this is, and that calls itself
    /// `identity` in what was read of the state: a thread that has ended leaves its state to the
    /// next one.
    #[must_use]
    pub(crate) fn holds(&self, thread: Remote<Thread>, identity: u64) -> bool {
        if self.is_everyone {
            return true;
        }
        let known = self.known(thread).filter(|known| known.identity == identity);
        let Some(known) = known else { return false };
        let is_stopped = self.stopped.as_ref().is_some_and(|stopped| stopped.holds(known.tid));
        is_stopped || self.turn.is_some() || self.resting_one(known.tid).is_some()
    }

    fn resting_one(&self, tid: i32) -> Option<&Resting> {
        self.resting.iter().find(|resting| resting.tid() == tid)
    }

    /// Whether one that holds a GIL is read only if it stands still.
    #[must_use]
    pub(crate) fn is_exact(&self) -> bool {
        self.is_exact
    }

    /// Whether a thread is held that stands still by itself, until [`Self::has_stood`] says
    /// that it has not.
    #[must_use]
    pub(crate) fn is_by_turn(&self, thread: Remote<Thread>) -> bool {
        self.turn.is_some() && self.knows(thread)
    }

    /// Whether a thread that stands still has done so until now. If not, what was read of it is
    /// nothing.
    #[must_use]
    pub(crate) fn has_stood(&mut self, thread: Remote<Thread>) -> bool {
        let has_waited = self.turn.as_ref().is_none_or(|(turns, _)| turns.has_waited());
        let has_rested = if self.is_everyone {
            self.resting.iter().all(Resting::has_rested)
        } else {
            let known = self.known(thread);
            known.and_then(|known| self.resting_one(known.tid)).is_none_or(Resting::has_rested)
        };
        self.is_disturbed |= !(has_waited && has_rested);
        has_waited && has_rested
    }

    /// Whether one was told to stop and has not yet.
    #[must_use]
    pub(crate) fn is_any_late(&self) -> bool {
        self.stopped.as_ref().is_some_and(|stopped| stopped.missing() > 0)
    }

    /// Whether one was found to have run before it had been read.
    #[must_use]
    pub(crate) fn is_disturbed(&self) -> bool {
        self.is_disturbed
    }

    /// Whether one runs on, and must not be read therefore.
    #[must_use]
    pub(crate) fn is_any_free(&self) -> bool {
        self.is_any_free
    }

    /// Lets them go when they have been read, unless others are to be read meanwhile.
    pub(in crate::sampler) fn release_read(&mut self) {
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
    pub(in crate::sampler) fn release(&mut self) {
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
    pub(crate) fn end(mut self) -> Option<Duration> {
        self.release();
        self.end_turn();
        self.time
    }
}
