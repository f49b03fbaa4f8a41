//! Takes samples of one process by interrupts, and by looks where there are none to come.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};
use rustc_hash::FxBuildHasher;

use super::KernelError;
use super::constants::MOST_GILS;
use super::events::Events;
use super::interned::Interned;
use super::lanes::{Lane, LeftShare};
use super::load::Loaded;
use super::plan::Plan;
use super::prepare::load;
use super::record::{CopiedStack, Partial};
use super::resting::Resting;
use super::threads::Threads;
use super::usage::Usage;
use crate::cpython::abi::Abi;
use crate::cpython::memory::Remote;
use crate::cpython::read::code::{CodeCache, Named};
use crate::cpython::read::frames::{Broken, Walk};
use crate::cpython::read::objects::Thread;
use crate::cpython::read::threads::{GilRef, ProcessRoots, ThreadInfo};
use crate::profile::stats::{Account, ByKernel};
use crate::profile::{self, Profile, State, Step};
use crate::sampler::clock::Jitter;
use crate::sampler::commit_queue::{Pending, Sample, Weight};
use crate::sampler::fetch::Pages;
use crate::sampler::native::StillNative;
use crate::sampler::selection::{Selection, TimeMode};
use crate::sampler::stacks::{Copies, Placed, Ran};
use crate::sampler::thread_ids::Tasks;
use crate::sampler::tick::Tick;
use crate::target::live::memory::LiveMemory;
use crate::target::live::scheduling::make_way;
use crate::target::live::{Process, counts_otherwise};

/// How long a code object has to stay before it is trusted not to be gone when a sample is
/// looked at: one that does not stay for long costs the samples that were waiting then.
const TRUST: Duration = Duration::from_millis(250);

/// Takes samples of one process by interrupts.
pub(crate) struct Interrupts<A> {
    pub(super) process: Process,
    pub(super) memory: LiveMemory,
    pub(super) roots: ProcessRoots,
    /// Where in the C library's record of a thread its id is, if thread states do not tell.
    pub(super) record_id: Option<u64>,
    pub(super) code: CodeCache<A>,
    pending: Pending,
    pub(super) loaded: Loaded,
    pub(super) events: Events,
    /// The kernel's threads by the numbers that the process knows them by, and when that was
    /// read; `None` if these are the numbers that this program knows them by.
    pub(super) tasks: Option<(Tasks, Instant)>,
    /// What the profile calls the process.
    process_id: profile::ProcessId,
    pub(super) plan: Plan,
    /// Which threads are sampled; `None` for all that hold a GIL.
    pub(super) selection: Option<Selection>,
    /// All threads, if not only those that hold a GIL are sampled.
    pub(super) threads: Option<Threads>,
    /// Which ticks found a thread on a processor, where only such threads are sampled.
    pub(super) usage: Usage,
    /// When the run began.
    pub(super) start: Instant,
    /// When the run is over, if that is known.
    pub(super) end: Option<Instant>,
    /// The processor of the last thread that was interrupted.
    pub(super) processor: Option<usize>,
    /// Looks are at random moments, independent of each other and of the program.
    next_look: Instant,
    jitter: Jitter,
    /// How many ticks of the wall clock there have been.
    ticks: u64,
    /// By the places that the program knows them by.
    pub(super) gils: Vec<Option<(GilRef, Lane)>>,
    pub(super) gils_read: Option<Instant>,
    /// What part of the ticks looks have had lately.
    pub(super) left_share: LeftShare,
    /// The last thread that a look found not to run.
    pub(super) resting: Option<Resting>,
    /// By the same places: how many interrupts since the last look found no stack to sample.
    pub(super) empty: [u64; MOST_GILS as usize],
    /// How many samples found no room in the ring buffer.
    pub(super) full: u64,
    pub(super) partial: HashMap<u32, Partial, FxBuildHasher>,
    pub(super) copied: CopiedStack,
    pub(super) walk: Walk,
    /// Room for what is read of a thread that does not run.
    pub(super) pages: Pages,
    /// The stack under proof, outermost frame first.
    pub(super) stack: Vec<Placed>,
    /// The steps of the walk that its frames are.
    pub(super) steps: Vec<usize>,
    /// Tells native frames, if they are asked for.
    pub(super) native: Option<StillNative>,
    /// The last stack that an interrupt brought, as the profile has it.
    pub(super) interned: Interned,
    /// The code objects that were copied for it, and for others.
    pub(super) codes: Copies,
    /// Code objects in the process that are not trusted yet, and when they were met.
    pub(super) untrusted: HashMap<Named, Instant, FxBuildHasher>,
    generation: u32,
    /// One moment, by two clocks that run alike.
    clocks: (Instant, u64),
}

/// When, and what for, the samples of a tick are taken.
pub(super) struct Run<'a> {
    /// When the tick was due.
    pub moment: Instant,
    /// When a moment was, in microseconds since the epoch.
    pub since_epoch: &'a dyn Fn(Instant) -> u64,
    /// Whether moments are left out at which nobody held a GIL.
    pub exclude_idle: bool,
    pub profile: &'a mut Profile,
    pub account: &'a mut Account,
}

impl Run<'_> {
    pub(super) fn by_kernel(&mut self) -> &mut ByKernel {
        self.account.kernel.get_or_insert_default()
    }
}

impl<A: Abi> Interrupts<A> {
    /// Begins to interrupt the threads of `process` as is planned, in the time that they get.
    /// Of them those are sampled that are in the `selection`, if there is one.
    ///
    /// # Errors
    /// If the kernel does not do that.
    pub(crate) fn start(
        process: Process,
        memory: LiveMemory,
        roots: ProcessRoots,
        code: CodeCache<A>,
        process_id: profile::ProcessId,
        selection: Option<Selection>,
        plan: Plan,
    ) -> Result<Self, KernelError> {
        let pid = process.pid();
        let (mut loaded, record_id) = load::<A>(&process, &memory, &roots, &plan)?;
        let events = Events::start(&process, loaded.take_program()?, plan.period(), plan.native)?;
        let now = Instant::now();
        let native = plan.native.then(|| process.reopen().ok().map(StillNative::new)).flatten();
        if let Some(native) = &native {
            loaded.set_stack_pages(native.stacks.pages());
        }
        let threads = || Threads::new(pid, memory.clone(), plan.interval, events.files());
        Ok(Self {
            threads: plan.is_of_each_thread().then(threads),
            usage: Usage::default(),
            tasks: counts_otherwise(process.pid()).then(|| (Tasks::default(), now)),
            process,
            memory,
            roots,
            record_id,
            code,
            pending: Pending::new(),
            loaded,
            events,
            process_id,
            plan,
            selection,
            start: now,
            end: None,
            processor: None,
            next_look: now,
            jitter: Jitter::new(),
            ticks: 0,
            gils: vec![None; MOST_GILS as usize],
            gils_read: None,
            left_share: LeftShare::new(plan.interval),
            resting: None,
            empty: [0; MOST_GILS as usize],
            full: 0,
            partial: HashMap::default(),
            copied: CopiedStack::default(),
            walk: Walk::default(),
            pages: Pages::default(),
            stack: Vec::new(),
            steps: Vec::new(),
            native,
            interned: Interned::default(),
            codes: Copies::default(),
            untrusted: HashMap::default(),
            generation: 0,
            clocks: (now, monotonic()),
        })
    }

    /// Whether the kernel would do it: loads the program and opens a timer that never ticks.
    /// No thread is interrupted.
    ///
    /// # Errors
    /// If the kernel would not.
    pub(crate) fn probe(
        process: &Process,
        memory: &LiveMemory,
        roots: &ProcessRoots,
        plan: Plan,
    ) -> Result<(), KernelError> {
        load::<A>(process, memory, roots, &plan)?;
        Events::probe(process.pid())
    }

    /// Lets the run last from `start` until `end`: nothing counts that interrupts bring of
    /// before or after that. Has to be called before the first tick.
    pub(crate) fn set_run(&mut self, start: Instant, end: Option<Instant>) {
        (self.start, self.end) = (start, end);
    }

    /// When the run is over, if that is known.
    pub(crate) fn end(&self) -> Option<Instant> {
        self.end
    }

    /// How long it is until the next look.
    pub(crate) fn until_look(&self, now: Instant) -> Duration {
        self.next_look.saturating_duration_since(now)
    }

    /// Moves the next look to after a tick that there was nothing to look at.
    pub(crate) fn put_off_look(&mut self, moment: Instant) {
        self.next_look = moment.checked_add(self.plan.interval).unwrap_or(moment);
    }

    /// Waits until there is much to read, or code objects have been met that are not trusted,
    /// but not longer than `time`.
    pub(crate) fn rest(&self, time: Duration) {
        self.loaded.rest(time);
    }

    /// Takes what the interrupts have brought.
    pub(crate) fn collect(
        &mut self,
        since_epoch: &dyn Fn(Instant) -> u64,
        exclude_idle: bool,
        profile: &mut Profile,
        account: &mut Account,
    ) {
        let moment = Instant::now();
        self.collect_records(&mut Run { moment, since_epoch, exclude_idle, profile, account });
    }

    /// Whether there are threads that the last look did not come to.
    pub(crate) fn is_behind(&self) -> bool {
        let all_are_looked_at = self.plan.mode != TimeMode::Cpu;
        self.threads.as_ref().is_some_and(|t| all_are_looked_at && t.unreached != 0)
    }

    /// Takes the ticks up to `moment`: what the interrupts have brought, and a look for the
    /// rest. `since_epoch` tells when a moment was, in microseconds.
    pub(crate) fn tick(
        &mut self,
        moment: Instant,
        since_epoch: &dyn Fn(Instant) -> u64,
        exclude_idle: bool,
        profile: &mut Profile,
        account: &mut Account,
    ) -> Tick {
        if let Some(processor) = self.processor {
            make_way(processor);
        }
        // Threads that are looked at one by one wait most of the time.
        let left = if self.threads.is_some() { 1.0 } else { self.left_share.get() };
        let gap = self.plan.gap_after(moment.saturating_duration_since(self.start), left);
        let gap = self.threads.as_ref().map_or(gap, |threads| threads.gap(gap));
        let gap = self.jitter.gap(gap);
        self.next_look = moment.checked_add(gap).unwrap_or(moment);
        let passed = moment.saturating_duration_since(self.start).as_nanos();
        let due = passed / self.plan.interval.as_nanos().max(1) + 1;
        let ticks = u64::try_from(due).unwrap_or(u64::MAX).saturating_sub(self.ticks);
        self.ticks += ticks;
        account.ticks += ticks;
        let mut run = Run { moment, since_epoch, exclude_idle, profile, account };
        run.by_kernel();
        self.collect_records(&mut run);
        let each = self.plan.is_of_each_thread();
        let looked =
            if each { self.look_at_all(ticks, &mut run) } else { self.look(ticks, &mut run) };
        match looked {
            Ok(()) => Tick::Proven(1),
            Err(Broken::Fault(fault)) if fault.is_process_gone() => Tick::Gone,
            Err(broken) => Tick::Failed(broken),
        }
    }

    /// Counts the samples that have waited long enough, or all if `now` is `None`.
    pub(crate) fn settle(
        &mut self,
        now: Option<Instant>,
        profile: &mut Profile,
        account: &mut Account,
    ) {
        let is_due = now.is_none_or(|now| self.pending.is_due(now));
        if !is_due && self.untrusted.is_empty() {
            return;
        }
        let (counted, dropped) = self.pending.settle(&self.memory, &mut self.code, profile);
        account.samples += counted;
        account.dropped += dropped;
        self.watch_untrusted();
        self.trust();
    }

    /// Counts the samples that have waited long enough, between two looks.
    pub(crate) fn settle_if_due(
        &mut self,
        now: Instant,
        profile: &mut Profile,
        account: &mut Account,
    ) {
        if self.pending.is_due(now) {
            self.settle(Some(now), profile, account);
        }
    }

    /// Compares the code objects that may come to be trusted.
    fn watch_untrusted(&mut self) {
        let untrusted: Vec<Named> = self.untrusted.keys().copied().collect();
        if !untrusted.is_empty() {
            self.code.verify(&self.memory, &untrusted);
            self.code.forget_gone();
        }
    }

    /// Tells the program which code objects need not be copied.
    fn trust(&mut self) {
        let Self { code, loaded, untrusted, generation, .. } = self;
        let is_trusted = |named: &Named| !code.is_young(named);
        if *generation != code.generation() {
            *generation = code.generation();
            loaded.trust_only(is_trusted);
        }
        let now = Instant::now();
        untrusted.retain(|named, since| {
            let is_old = now.saturating_duration_since(*since) >= TRUST;
            if is_old && is_trusted(named) {
                loaded.trust(*named);
                return false;
            }
            code.get(Remote::new(named.address)) == Some(named.id)
        });
    }

    /// Turns to another profile, which calls the process `process`. All samples must have
    /// been settled.
    pub(crate) fn begin_profile(&mut self, process: profile::ProcessId) {
        self.process_id = process;
        self.code.forget_frames();
        self.codes.clear();
        self.interned = Interned::default();
        self.resting = None;
        if let Some(native) = &mut self.native {
            native.stacks.begin_profile();
        }
        if let Some(threads) = &mut self.threads {
            threads.forget_stacks();
        }
    }

    /// Counts the stack under proof of the thread with this identity, at a moment at which it
    /// ran. Code objects in the process have to be compared later.
    pub(super) fn count(&mut self, thread: u64, state: State, moment: Instant, run: &mut Run<'_>) {
        let Some((seen, waits)) = self.intern(thread, state, false, run) else {
            run.account.dropped += 1;
            return;
        };
        if waits {
            let microseconds = (run.since_epoch)(moment);
            self.pending.push(run.moment, Sample { microseconds, seen, weight: Weight::ONE });
        } else {
            self.record(seen, (moment, 1), run);
        }
    }

    /// The stack under proof as a sample of the profile, and whether it has to wait for code
    /// objects to be compared. `None` if one has been forgotten since.
    pub(super) fn intern(
        &mut self,
        thread: u64,
        state: State,
        was_compared: bool,
        run: &mut Run<'_>,
    ) -> Option<(profile::Sample, bool)> {
        let round = self.round();
        let Self { code, codes, pending, loaded, untrusted, stack, interned, native, .. } = self;
        let Run { profile, .. } = run;
        let root = self.walk.truncated.then(|| profile.child(None, Step::Truncated));
        // What an earlier sample shares has been named in this round.
        let shared = if was_compared { 0 } else { interned.share(root, stack, round) };
        let mut known = interned.last(shared).or(root);
        let mut waits = shared > 0;
        for placed in stack.iter().skip(shared) {
            let Placed { code: ran, position } = placed;
            let table = &mut profile.frames;
            let frame = match *ran {
                Ran::Copied(address) => codes
                    .get_mut(address)
                    .and_then(|copy| code.frame_of_copy(copy, *position, table)),
                Ran::There(named) => {
                    let frame = code.frame(named, *position, table);
                    if !was_compared {
                        pending.name(named);
                        waits = true;
                    }
                    if !loaded.trusts(&named) {
                        untrusted.entry(named).or_insert(run.moment);
                    }
                    frame
                }
                Ran::Native(id) => {
                    let modules = &mut profile.modules;
                    native.as_mut().and_then(|native| native.stacks.frame(id, table, modules))
                }
            };
            let next = profile.child(known, Step::Frame(frame?));
            known = Some(next);
            if !was_compared {
                interned.add(*placed, next);
            }
        }
        let stack = known?;
        let thread =
            profile.keeps_threads().then(|| profile.intern_thread(self.process_id, thread));
        Some((profile::Sample { stack, thread, state }, waits))
    }

    /// What changes when code objects are forgotten, or have been compared.
    pub(super) fn round(&self) -> (u32, u32) {
        (self.code.generation(), self.pending.round())
    }

    /// Counts so many moments at which nobody ran Python code.
    pub(super) fn count_idle(&self, moments: (Instant, u64), run: &mut Run<'_>) {
        run.account.idle += moments.1;
        if !run.exclude_idle {
            for moment in self.moments(moments) {
                run.profile.record_idle((run.since_epoch)(moment));
            }
        }
    }

    /// Counts a moment at which the holder of the GIL at `place` had no stack to sample: at
    /// once if it is the only GIL, else when the other GILs have been looked at.
    pub(super) fn count_empty(&mut self, place: Option<u32>, moment: Instant, run: &mut Run<'_>) {
        let is_only = self.gils.iter().flatten().count() == 1;
        let place = place.and_then(|place| usize::try_from(place).ok());
        match place.and_then(|place| self.empty.get_mut(place)) {
            Some(empty) if !is_only => *empty += 1,
            _ => self.count_idle((moment, 1), run),
        }
    }

    /// Whether a thread is one that was asked for.
    pub(super) fn wants(&mut self, state: Remote<Thread>, id: u64, now: Instant) -> bool {
        let Self { selection, memory, .. } = self;
        let thread = ThreadInfo { state, id, is_consistent: true };
        selection.as_mut().is_none_or(|selection| selection.wants::<A, _>(memory, thread, now))
    }

    /// Whether threads were asked for and none has been met.
    pub(crate) fn lacks_threads(&self) -> bool {
        self.selection.as_ref().is_some_and(Selection::lacks_threads)
    }

    pub(super) fn moments(
        &self,
        (last, number): (Instant, u64),
    ) -> impl ExactSizeIterator<Item = Instant> + use<A> {
        let interval = self.plan.interval;
        (0..u32::try_from(number).unwrap_or(u32::MAX))
            .map(move |back| last.checked_sub(interval.saturating_mul(back)).unwrap_or(last))
    }

    /// When that was, by the clock of interrupts.
    pub(super) fn moment_of(&self, time: u64) -> Instant {
        let (moment, base) = self.clocks;
        let later = moment.checked_add(Duration::from_nanos(time.saturating_sub(base)));
        let earlier = Duration::from_nanos(base.saturating_sub(time));
        later.and_then(|later| later.checked_sub(earlier)).unwrap_or(moment)
    }
}

/// Nanoseconds by the clock that `Instant` runs by.
fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(|now| now.num_nanoseconds());
    now.ok().and_then(|now| u64::try_from(now).ok()).unwrap_or(0)
}
