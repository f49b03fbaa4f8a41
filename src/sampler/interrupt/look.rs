//! Looks at the holders of GILs, for the ticks at which none of them is on a processor.

use std::time::{Duration, Instant};

use super::engine::{Interrupts, Run};
use super::lanes::Lane;
use super::perf::Sight;
use super::resting::Resting;
use crate::cpython::abi::Abi;
use crate::cpython::memory::{Memory, Remote};
use crate::cpython::read::code::{Named, Verified};
use crate::cpython::read::frames::{Broken, is_settled, walk_thread};
use crate::cpython::read::objects::Thread;
use crate::cpython::read::threads::GilRef;
use crate::profile::{Sample, State, TornReason};
use crate::sampler::fetch::Paged;
use crate::sampler::stacks::{NoStack, Placed, place_frames};
use crate::sampler::thread_ids::Tasks;
use crate::target::live::memory::LiveMemory;

/// How long the list of GILs is taken to stay the same.
const GILS_HOLD: Duration = Duration::from_millis(50);

/// How long it is taken to stay the same which threads there are.
const TASKS_HOLD: Duration = Duration::from_millis(100);

/// For so many looks ticks wait for one that finds somebody, but so many ticks always do.
const LOOKS_WAITED_FOR: u32 = 12;
pub(super) const LEAST_PATIENCE: u64 = 8;

/// A thread that got so many ticks and was not interrupted has no timer.
const WITHOUT_TIMER: u32 = 3;

/// What a look has found.
#[derive(Clone, Copy)]
pub(super) enum Found {
    /// Nobody holds the GIL, or a thread that is not to be sampled and does not run.
    Nobody,
    /// Its holder did not run while its stack was read, which is the one under proof; by
    /// `threading.get_ident()`.
    Still(u64),
    /// It has not run since an earlier look, which found this.
    Same(Sample),
    /// It did not run, and was between two frames.
    Torn,
    /// It runs.
    Runs,
}

impl<A: Abi> Interrupts<A> {
    /// Adds ticks of the wall clock, and gives those that timers did not take to what there
    /// is now.
    pub(super) fn look(&mut self, ticks: u64, run: &mut Run<'_>) -> Result<(), Broken> {
        self.refresh_gils(run.moment)?;
        self.account_for_losses(run);
        // Moments at which there was nobody to be sampled, whichever GIL is looked at.
        let mut idle: Option<u64> = None;
        let mut given = 0;
        for place in 0..self.gils.len() {
            let Some((gil, mut lane)) = self.gils[place] else { continue };
            lane.advance(ticks, self.loaded.interrupts(place));
            let before = lane.left();
            let found = if lane.left() > 0 { self.find(gil, run)? } else { Found::Runs };
            let mut empty = std::mem::take(&mut self.empty[place]);
            match found {
                Found::Nobody => empty += lane.take(),
                Found::Still(_) if self.stack.is_empty() => empty += lane.take(),
                Found::Still(thread) => {
                    let left = lane.take();
                    run.by_kernel().looks += left;
                    run.account.at_once += left;
                    self.count_still(thread, left, run);
                }
                Found::Same(sample) => {
                    let left = lane.take();
                    run.by_kernel().looks += left;
                    run.account.at_once += left;
                    self.record(sample, (run.moment, left), run);
                }
                Found::Torn => run.account.note_torn(TornReason::Linking, lane.take()),
                Found::Runs => {
                    let patience = self.plan.gap().saturating_mul(LOOKS_WAITED_FOR);
                    let most = patience.as_nanos() / self.plan.interval.as_nanos().max(1);
                    let most = u64::try_from(most).unwrap_or(u64::MAX).max(LEAST_PATIENCE);
                    run.by_kernel().missed += lane.give_up(most);
                }
            }
            given = given.max(before.saturating_sub(lane.left()));
            self.gils[place] = Some((gil, lane));
            idle = Some(idle.map_or(empty, |idle| idle.min(empty)));
        }
        self.left_share.note(ticks, given);
        self.count_idle((run.moment, idle.unwrap_or(0)), run);
        Ok(())
    }

    /// Counts the stack under proof, of the thread that a look has just found not to run, at the
    /// last moments.
    fn count_still(&mut self, thread: u64, moments: u64, run: &mut Run<'_>) {
        let state = State { holds_gil: true, ..State::default() };
        let Some((sample, _)) = self.intern(thread, state, true, run) else {
            run.account.dropped += moments;
            return;
        };
        self.record(sample, (run.moment, moments), run);
        if let Some(resting) = &mut self.resting {
            resting.sample = Some(sample);
        }
    }

    /// Counts samples that found no room.
    pub(super) fn account_for_losses(&mut self, run: &mut Run<'_>) {
        let full = self.loaded.lost();
        run.account.failed += full.saturating_sub(self.full);
        self.full = full;
    }

    /// Tells the program where the GILs are.
    pub(super) fn refresh_gils(&mut self, now: Instant) -> Result<(), Broken> {
        let is_fresh = |read: Instant| now.saturating_duration_since(read) < GILS_HOLD;
        if self.gils_read.is_some_and(is_fresh) {
            return Ok(());
        }
        self.gils_read = Some(now);
        if self.plan.is_free_threaded {
            return self.refresh_lists();
        }
        let gils = self.roots.gils::<A, _>(&self.memory)?;
        for place in 0..self.gils.len() {
            let is_gone = self.gils[place].is_some_and(|(gil, _)| !gils.contains(&gil));
            if is_gone {
                self.loaded.set_gil(place, 0);
                self.gils[place] = None;
            }
        }
        for gil in gils {
            let is_known = self.gils.iter().flatten().any(|(known, _)| *known == gil);
            let free = self.gils.iter().position(Option::is_none).filter(|_| !is_known);
            let Some(place) = free else { continue };
            let lane = Lane::new(self.loaded.interrupts(place));
            self.loaded.set_gil(place, gil.address());
            self.gils[place] = Some((gil, lane));
        }
        Ok(())
    }

    /// Tells the program where the lists of threads begin.
    fn refresh_lists(&mut self) -> Result<(), Broken> {
        let interpreters = self.roots.interpreters::<A, _>(&self.memory)?;
        let threads = A::INTERPRETER.threads.offset() as u64;
        for place in 0..self.gils.len() {
            let head = interpreters.get(place).map_or(0, |one| one.address().wrapping_add(threads));
            self.loaded.set_gil(place, head);
        }
        Ok(())
    }

    /// Looks at who holds a GIL.
    fn find(&mut self, gil: GilRef, run: &mut Run<'_>) -> Result<Found, Broken> {
        let Some(thread) = gil.holder(&self.memory)? else { return Ok(Found::Nobody) };
        let Some((inside, tid)) = self.thread_id(thread)? else { return Ok(Found::Runs) };
        let mark = match self.events.look(tid) {
            Some(Sight::Rests(mark)) => mark,
            Some(Sight::Runs) => {
                self.see_to_timer(inside, tid);
                return Ok(Found::Runs);
            }
            None => {
                self.tasks_are_old();
                return Ok(Found::Runs);
            }
        };
        let is_known =
            |known: &Resting| (known.thread, known.tid, known.mark) == (thread, tid, mark);
        if let Some(sample) = self.resting.filter(is_known).and_then(|known| known.sample) {
            return Ok(Found::Same(sample));
        }
        // From here on, if it runs, it is seen.
        let mut pages = std::mem::take(&mut self.pages);
        let memory = self.memory.clone();
        let still = match self.resting {
            Some(known) if known.thread == thread => Paged::ahead(&memory, &mut pages),
            _ => Paged::new(&memory, &mut pages),
        };
        let is_same =
            gil.holder(&still)? == Some(thread) && self.native_id(&still, thread)? == inside;
        if !is_same {
            return Ok(Found::Runs);
        }
        let id = still.field(thread, A::THREAD.id)?;
        let found = if self.wants(thread, id, run.moment) {
            self.read_stack(&still, thread, tid)
        } else {
            Ok(Found::Nobody)
        };
        self.pages = pages;
        if self.events.look(tid) != Some(Sight::Rests(mark)) {
            return Ok(Found::Runs);
        }
        self.resting = Some(Resting { thread, tid, mark, sample: None });
        if matches!(found, Ok(Found::Still(_))) {
            self.add_native_of_still(run);
        }
        found
    }

    /// Reads the stack of a thread that does not run. `still` is the memory as it is since the
    /// thread was seen not to run.
    pub(super) fn read_stack(
        &mut self,
        still: &Paged<'_, LiveMemory>,
        thread: Remote<Thread>,
        tid: i32,
    ) -> Result<Found, Broken> {
        walk_thread::<A, _>(still, thread, &mut self.walk)?;
        if !is_settled::<A, _>(still, thread, &self.walk)? {
            return Ok(Found::Torn);
        }
        let id = still.field(thread, A::THREAD.id)?;
        self.codes.begin(); // Nothing was copied for this.
        for _ in 0..2 {
            let Self { walk, code, codes, memory, stack, steps, .. } = self;
            match place_frames(walk, code, codes, memory, (stack, steps)) {
                Ok(()) => {}
                Err(NoStack::Torn) => return Ok(Found::Torn),
                Err(NoStack::Changed) => continue,
                Err(NoStack::Broken(broken)) => return Err(broken),
            }
            let named: Vec<Named> = self.stack.iter().filter_map(Placed::there).collect();
            if self.code.verify(&self.memory, &named) == Verified::Same {
                self.copy_still(still, thread, tid);
                return Ok(Found::Still(id));
            }
        }
        Ok(Found::Torn)
    }

    /// Sets a timer for a thread that has been found running, if it turns out to have none:
    /// it was started while timers were set.
    pub(super) fn see_to_timer(&mut self, inside: u32, tid: i32) {
        let Self { events, loaded, plan, .. } = self;
        let enough = plan.interval.saturating_mul(WITHOUT_TIMER);
        if events.may_lack_timer(tid, enough, || loaded.has_seen(inside)) {
            // If it cannot have one, its ticks are counted as missed.
            let _ = events.add(tid);
            events.forget(tid);
        }
    }

    /// The number of a thread as its process knows it, and as this program does. `None` if
    /// there is no such thread.
    fn thread_id(&mut self, thread: Remote<Thread>) -> Result<Option<(u32, i32)>, Broken> {
        let inside = self.native_id(&self.memory, thread)?;
        Ok(self.outside_id(inside).map(|tid| (inside, tid)))
    }

    /// The number by which this program knows a thread that its process knows by `inside`.
    pub(super) fn outside_id(&mut self, inside: u32) -> Option<i32> {
        let Some((tasks, read)) = &mut self.tasks else { return i32::try_from(inside).ok() };
        let mut tid = tasks.outside(inside.into());
        if tid.is_none() && read.elapsed() >= TASKS_HOLD {
            *tasks = Tasks::of(&self.process).unwrap_or_default();
            *read = Instant::now();
            tid = tasks.outside(inside.into());
        }
        tid
    }

    fn tasks_are_old(&mut self) {
        if let Some((tasks, _)) = &mut self.tasks {
            *tasks = Tasks::default();
        }
    }
}
