//! Looks at all threads, for the ticks at which they are not on a processor.
//!
//! Each thread has ticks of its own, as a GIL has (`lanes`): its timer takes those in which it
//! is on a processor, and what is left goes to what a look finds it waiting in. One that has
//! not run since it was looked at waits in the same, so most looks are one short read. Looks
//! are as far apart as they are long: with many threads each gets more ticks from fewer looks.

use std::time::{Duration, Instant};

use super::engine::{Interrupts, Run};
use super::look::{Found, LEAST_PATIENCE};
use super::perf::{Mark, Sight};
use super::threads::{Rest, Resting, Threads, Tracked};
use crate::cpython::abi::{Abi, Standing};
use crate::cpython::memory::Remote;
use crate::cpython::read::frames::Broken;
use crate::cpython::read::objects::Thread;
use crate::profile::{Sample, State};
use crate::sampler::clock::cpu_time;
use crate::sampler::cpu_time::Look;
use crate::sampler::fetch::Paged;
use crate::sampler::selection::TimeMode;
use crate::target::live::RunCount;

/// How long a look may take, however many threads there are. The others are next.
const LONGEST_LOOK: Duration = Duration::from_millis(100);

/// For so long, and for so many looks, ticks wait that none of them could give to anything.
const PATIENCE: Duration = Duration::from_millis(50);
const LOOKS_WAITED_FOR: u32 = 8;

/// What a thread has come to.
enum Done {
    /// What it waits in.
    Waits(Resting),
    /// It runs, or has run meanwhile.
    Runs,
    /// It has ended.
    Ended,
}

/// What shows that a thread has not run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stillness {
    /// How often it had been given a processor when it was off every one.
    Count(RunCount),
    /// That it was on none.
    Mark(Mark),
}

impl<A: Abi> Interrupts<A> {
    /// Adds ticks of the wall clock, and gives each thread those that its timer did not take.
    pub(super) fn look_at_all(&mut self, ticks: u64, run: &mut Run<'_>) -> Result<(), Broken> {
        let (begin, spent) = (Instant::now(), cpu_time());
        self.account_for_losses(run);
        self.refresh_gils(run.moment)?;
        self.refresh_threads(begin + LONGEST_LOOK, run)?;
        let Some(mut threads) = self.threads.take() else { return Ok(()) };
        let result = if self.plan.mode == TimeMode::Cpu {
            self.see_to_timers(&mut threads);
            self.count_unused(run);
            Ok(())
        } else {
            self.look_at_each(&mut threads, ticks, begin, run)
        };
        threads.cost = cpu_time().saturating_sub(spent);
        self.threads = Some(threads);
        result
    }

    fn look_at_each(
        &mut self,
        threads: &mut Threads,
        ticks: u64,
        begin: Instant,
        run: &mut Run<'_>,
    ) -> Result<(), Broken> {
        let signed = i64::try_from(ticks).unwrap_or(i64::MAX);
        for thread in threads.tracked.values_mut() {
            thread.left = thread.left.saturating_add(signed);
        }
        let patience = PATIENCE.max(threads.gap(Duration::ZERO) * LOOKS_WAITED_FOR);
        let mut met = std::mem::take(&mut threads.met);
        // Ticks at which none of them was attached, where only such threads are sampled.
        let mut unattached: Option<u64> = None;
        let lost = run.account.lost_threads;
        let first = std::mem::take(&mut threads.unreached);
        let natives: Vec<u32> = threads.tracked.range(first..).map(|(native, _)| *native).collect();
        let others = threads.tracked.range(..first).map(|(native, _)| *native);
        for (done, native) in natives.iter().copied().chain(others.collect::<Vec<_>>()).enumerate()
        {
            if done > 0 && begin.elapsed() >= LONGEST_LOOK {
                threads.unreached = native;
                break;
            }
            let Threads { tracked, processor, .. } = threads;
            let Some(thread) = tracked.get_mut(&native) else { continue };
            if thread.unlisted > 0 {
                met += 1; // It keeps its ticks, if it is still there.
                continue;
            } else if thread.left() == 0 {
                met += 1; // Its timer has taken them.
                unattached = Some(0);
                continue;
            }
            let standing = match (self.plan.is_of_attached(), thread.standing.take()) {
                (true, Some(standing)) => standing,
                (true, None) => self.standing(thread.state)?,
                (false, _) => Standing::Attached,
            };
            if standing != Standing::Attached {
                if standing == Standing::Suspended {
                    run.account.suspended += thread.left();
                }
                unattached = Some(unattached.unwrap_or(u64::MAX).min(thread.left()));
                thread.left = 0;
                continue;
            }
            let Some(tid) = self.outside_id(native) else { continue };
            let look = processor.look(tid);
            let done = match (look, thread.rest) {
                (Look::Waits(Some(count)), Some(rest)) if rest.count == count => {
                    Done::Waits(rest.found)
                }
                _ => {
                    let again = || processor.look(tid);
                    self.read_thread(native, tid, look, again, thread, run)?
                }
            };
            let given = self.give(thread, done, patience, run);
            met += given;
            unattached = if given > 0 { Some(0) } else { unattached };
        }
        if self.plan.is_of_attached() {
            let unattached = unattached.unwrap_or(ticks);
            self.count_idle((run.moment, unattached), run);
            run.account.at_once += ticks.saturating_sub(unattached);
        } else if met == 0 {
            self.count_idle((run.moment, ticks), run);
        } else if run.account.lost_threads == lost {
            run.account.at_once += ticks;
        }
        Ok(())
    }

    /// Gives a thread's ticks to what it does. How many stacks that came to.
    fn give(
        &mut self,
        thread: &mut Tracked,
        done: Done,
        patience: Duration,
        run: &mut Run<'_>,
    ) -> u64 {
        let left = thread.left();
        match done {
            Done::Waits(Resting::Stack(sample)) => {
                run.by_kernel().looks += left;
                self.record(sample, (run.moment, left), run);
            }
            Done::Waits(Resting::Nothing) => {
                thread.left = 0;
                return 0;
            }
            Done::Waits(Resting::Torn) => run.account.lost_threads += left,
            Done::Runs => {
                let most = patience.as_nanos() / self.plan.interval.as_nanos().max(1);
                let most = u64::try_from(most).unwrap_or(u64::MAX).max(LEAST_PATIENCE);
                let beyond = left.saturating_sub(most);
                thread.left -= i64::try_from(beyond).unwrap_or(0);
                run.by_kernel().missed += beyond;
                return 1;
            }
            Done::Ended => {
                thread.left = 0;
                return 0;
            }
        }
        thread.left = 0;
        1
    }

    /// Reads the stack of a thread that does not run. `again` tells what the kernel says of it
    /// once more.
    fn read_thread(
        &mut self,
        native: u32,
        tid: i32,
        look: Look,
        mut again: impl FnMut() -> Look,
        thread: &mut Tracked,
        run: &mut Run<'_>,
    ) -> Result<Done, Broken> {
        thread.rest = None;
        let before = match look {
            Look::Ended => return Ok(Done::Ended),
            Look::Waits(Some(count)) => Stillness::Count(count),
            Look::Waits(None) | Look::Runs { .. } => match self.events.look(tid) {
                Some(Sight::Rests(mark)) => Stillness::Mark(mark),
                Some(Sight::Runs) => {
                    self.see_to_timer(native, tid);
                    return Ok(Done::Runs);
                }
                None => return Ok(Done::Ended),
            },
        };
        let mut after = |this: &mut Self| match before {
            Stillness::Count(_) => match again() {
                Look::Waits(Some(count)) => Some(Stillness::Count(count)),
                _ => None,
            },
            Stillness::Mark(_) => match this.events.look(tid) {
                Some(Sight::Rests(mark)) => Some(Stillness::Mark(mark)),
                _ => None,
            },
        };
        // From here on, if it runs, it is seen.
        // What its state says may be another thread's by now.
        let mut pages = std::mem::take(&mut self.pages);
        let memory = self.memory.clone();
        let still = Paged::new(&memory, &mut pages);
        let is_own = self.native_id(&still, thread.state) == Ok(native);
        let standing = self.roots.standing(&still, thread.state)?;
        let is_suspended = standing == Some(Standing::Suspended);
        let holds_gil = match standing {
            Some(standing) => standing == Standing::Attached,
            None => self.holds_gil(thread.state)?,
        };
        let found =
            if is_own { self.read_stack(&still, thread.state, tid) } else { Ok(Found::Runs) };
        self.pages = pages;
        if after(self) != Some(before) {
            return Ok(Done::Runs);
        }
        // One that is on its way to its end can have no stack that can be read.
        let found = match found {
            Err(Broken::Fault(fault)) if fault.is_process_gone() => return Err(fault.into()),
            Err(_) => Resting::Torn,
            Ok(Found::Runs) => return Ok(Done::Runs),
            Ok(Found::Same(sample)) => Resting::Stack(sample),
            Ok(Found::Nobody) => Resting::Nothing,
            Ok(Found::Torn) => Resting::Torn,
            Ok(Found::Still(_)) if self.stack.is_empty() => Resting::Nothing,
            Ok(Found::Still(id)) => {
                self.add_native_of_still(run);
                let state = State { holds_gil, is_suspended, on_cpu: self.on_cpu(false) };
                self.intern(id, state, true, run)
                    .map_or(Resting::Torn, |(sample, _)| Resting::Stack(sample))
            }
        };
        // What could not be read is tried again.
        if let (Stillness::Count(count), Resting::Stack(_) | Resting::Nothing) = (before, found) {
            thread.rest = Some(Rest { count, found });
        }
        Ok(Done::Waits(found))
    }

    /// Whether a thread of a free-threaded process is attached. One that has ended is not.
    fn standing(&self, thread: Remote<Thread>) -> Result<Standing, Broken> {
        match self.roots.standing(&self.memory, thread) {
            Err(fault) if fault.is_process_gone() => Err(fault.into()),
            known => Ok(known.ok().flatten().unwrap_or(Standing::Detached)),
        }
    }

    /// Whether a thread holds a GIL.
    fn holds_gil(&self, thread: Remote<Thread>) -> Result<bool, Broken> {
        for (gil, _) in self.gils.iter().flatten() {
            if gil.holder(&self.memory)? == Some(thread) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What a sample tells of whether its thread was on a processor.
    pub(super) fn on_cpu(&self, is_on_cpu: bool) -> Option<bool> {
        self.plan.mode.tells_cpu().then_some(is_on_cpu)
    }

    /// Sets timers for threads that turn out to have none, where nobody looks at them for
    /// another reason: a few at a time.
    fn see_to_timers(&mut self, threads: &mut Threads) {
        const AT_A_TIME: usize = 8;
        let first = std::mem::take(&mut threads.unreached);
        let next: Vec<u32> =
            threads.tracked.range(first..).map(|(native, _)| *native).take(AT_A_TIME + 1).collect();
        for native in next.iter().copied().take(AT_A_TIME) {
            if let Some(tid) = self.outside_id(native).filter(|_| !self.loaded.has_seen(native)) {
                self.see_to_timer(native, tid);
            }
        }
        threads.unreached = next.get(AT_A_TIME).copied().unwrap_or(0);
    }

    /// Counts the ticks at which no thread was on a processor.
    fn count_unused(&mut self, run: &mut Run<'_>) {
        let until = self.tick_of(run.moment);
        let idle = self.usage.idle_until(until);
        self.count_idle((run.moment, idle), run);
    }

    /// The number of the tick that a moment belongs to.
    pub(super) fn tick_of(&self, moment: Instant) -> u64 {
        let passed = moment.saturating_duration_since(self.start).as_nanos();
        u64::try_from(passed / self.plan.interval.as_nanos().max(1)).unwrap_or(u64::MAX)
    }

    /// Counts a sample that needs no comparison, for so many moments.
    pub(super) fn record(&self, sample: Sample, moments: (Instant, u64), run: &mut Run<'_>) {
        let Run { since_epoch, profile, .. } = run;
        profile.record_at(self.moments(moments).map(*since_epoch), sample);
        run.account.samples += moments.1;
    }
}
