//! The loop of a run: wait, perhaps stop, sample, account.

mod by_kernel;
mod choose;
mod each;
mod search;
mod stops;
mod tick;

use std::time::{Duration, Instant};

use self::choose::Way;
use crate::app::attach::{Attached, Objects};
use crate::app::error::Error;
use crate::app::options::Options;
use crate::app::progress::Progress;
use crate::app::signals::Signals;
use crate::app::sinks::Sinks;
use crate::app::thread_metadata::{SearchPath, ThreadMetadata};
use crate::cpython::abi::Abi;
use crate::cpython::read::code::CodeCache;
use crate::cpython::read::threads::ProcessRoots;
use crate::profile::stats::{Account, Refusal};
use crate::profile::{self, LONGEST_SEARCH_PATH, ProcessId, Profile, RunInfo, Source, TornReason};
use crate::sampler::Engine;
use crate::sampler::clock::{Clock, microseconds};
use crate::sampler::interrupt::{Interrupts, KernelError};
use crate::sampler::native::StillNative;
use crate::sampler::selection::{Selection, TimeMode};
use crate::sampler::stop::pause::{Pause, Pauses};
use crate::stack::FrameStyle;
use crate::target::live::Process;
use crate::target::live::memory::LiveMemory;
use crate::target::live::scheduling::is_woken_at_once;

/// How long a tick may take, however much there is to read. What is left of it is left to the
/// next one.
const LONGEST_TICK: Duration = Duration::from_millis(100);

/// The search for an interpreter in a process that had one.
#[derive(Clone, Copy, Debug)]
struct Search {
    next_look: Instant,
    end: Instant,
}

/// How long threads are read before the clock starts.
const REHEARSAL: Duration = Duration::from_secs(1);

/// Samples of a slower run than this are settled at once: there is time.
const SLOW: Duration = Duration::from_millis(5);

/// A process that is being sampled.
pub(crate) struct Session<'a, A> {
    options: &'a Options,
    process: Process,
    memory: LiveMemory,
    roots: ProcessRoots,
    process_id: ProcessId,
    names: ThreadMetadata,
    search_path: SearchPath,
    /// How many entries of that the profile has.
    told_entries: usize,
    engine: Engine<A, LiveMemory>,
    /// How samples are taken.
    source: Source,
    /// In place of the engine, if the kernel takes the samples.
    interrupts: Option<Interrupts<A>>,
    /// Why the kernel does not, if it was asked.
    refusal: Option<Refusal>,
    /// The time between two ticks.
    interval: Duration,
    /// Ticks at which the limit of stops allowed none, since the last stop.
    skipped: u32,
    /// Since when, and at how many ticks, no thread could be held that was to be read.
    unheld: Option<(Instant, u32)>,
    /// Ticks that this program came too late for, and that the next one counts for.
    late: u32,
    /// How many late ticks the clock had counted when it was asked last.
    seen_late: u64,
    pauses: Pauses,
    profile: Profile,
    account: Account,
    window: Window,
    /// The account of the windows that are over.
    earlier: Account,
    /// What was sampled of other processes before this one.
    past: RunInfo,
    failures: u32,
    /// When it was looked at which program the process executes, in microseconds since the
    /// epoch.
    looked: u64,
    /// The search for the interpreter, if it is not there any more.
    search: Option<Search>,
}

/// Where the present window began: without `--rotate` there is one.
#[derive(Clone, Copy, Debug)]
struct Window {
    start: Instant,
    /// Microseconds since the epoch.
    started: u64,
    /// What had been counted by those who never begin anew.
    reads: u64,
    late: u64,
    cpu: Duration,
    /// Whether all that was sampled has been written: however often somebody asks for it, there
    /// is a sample before it is written again.
    is_written: bool,
}

/// What a run has to do next.
enum Next {
    Sample,
    Snapshot,
    Window,
    End,
    Leave,
}

/// What is over when a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// The run: its time, or somebody wants no more of it.
    Run,
    /// The process, or what it executed; or another one is to be sampled.
    Process,
}

impl<'a, A: Abi> Session<'a, A> {
    /// A session with a process whose layout has been proven. What was sampled of others in
    /// the `past` is added to.
    ///
    /// # Errors
    /// If the kernel is to take the samples, and does not.
    pub(crate) fn new(
        options: &'a Options,
        attached: Attached,
        past: Option<Profile>,
    ) -> Result<Self, Error> {
        let mut profile = past.unwrap_or_else(|| Profile::new(options.format.detail));
        let past = profile.about.clone();
        let (pid, command) = (attached.process.pid(), attached.process.command_line());
        let python = attached.python.clone();
        let process_id = profile.add_process(profile::Process::new(pid, command, python));
        let window = Window::begin(0, 0, Duration::ZERO);
        let types = attached.types;
        let code = || CodeCache::new(types).line_numbers(options.reads_lines());
        let chosen = || selection(options, &attached.process, &attached.roots, &attached.objects);
        let (selection, of_kernel) = (chosen(), chosen());
        let Way { source, interrupts, refusal, interval } =
            Way::choose(options, &attached, code(), process_id, of_kernel)?;
        log::info!(
            "samples of process {pid}: {}, every {interval:?}{}",
            source.name(),
            refusal.as_ref().map(|why| format!("; not by the kernel: {why}")).unwrap_or_default(),
        );
        let Attached { process, memory, roots, objects, stopper, .. } = attached;
        let native = options.native.is_any().then(|| process.reopen().ok().map(StillNative::new));
        let native = native.flatten();
        let is_limited = matches!(options.pause, Pause::UpTo(_)) && !options.every_thread;
        let may_turn =
            source == Source::Turn || source == Source::Stop && is_limited && native.is_none();
        let pauses = Pauses::new(options.pause, stopper, pid, may_turn && is_woken_at_once());
        Ok(Self {
            options,
            process,
            engine: Engine::new(
                memory.clone(),
                roots.clone(),
                code(),
                options.every_thread,
                process_id,
            )
            .select(selection)
            .with_native(native),
            source,
            interrupts,
            refusal: refusal.map(|refusal| Refusal {
                words: refusal.to_string(),
                wants_rights: matches!(refusal, KernelError::Denied(_)),
            }),
            interval,
            skipped: 0,
            unheld: None,
            late: 0,
            seen_late: 0,
            memory,
            roots,
            process_id,
            search_path: SearchPath::new(objects.clone()),
            told_entries: 0,
            names: ThreadMetadata::new(objects),
            pauses,
            profile,
            account: Account::default(),
            window,
            earlier: Account::default(),
            past,
            failures: 0,
            looked: 0,
            search: None,
        })
    }

    /// Whether the kernel takes the samples.
    #[must_use]
    pub(crate) fn is_by_kernel(&self) -> bool {
        self.interrupts.is_some()
    }

    /// Samples until the time is over, the process ends, or a signal says so. Returns the
    /// profile of the last window, the account of all, and what is over.
    #[must_use]
    pub(crate) fn run(
        mut self,
        signals: &Signals,
        results: &mut Sinks,
        progress: &Progress,
    ) -> (Profile, Account, Over) {
        let Options { duration, jitter, rotation, .. } = *self.options;
        let interval = self.interval;
        if self.interrupts.is_none() {
            self.rehearse(signals);
        }
        let mut clock = Clock::start(interval, duration).jitter(jitter);
        if let Some(interrupts) = &mut self.interrupts {
            interrupts.set_run(clock.began(), clock.end());
        }
        self.window = Window::begin(0, 0, Duration::ZERO);
        let over = loop {
            match self.wait(&mut clock, signals, rotation) {
                Next::End => break Over::Run,
                Next::Leave => break Over::Process,
                Next::Snapshot => {
                    log::debug!("somebody asks for what has been sampled so far");
                    self.pauses.step_aside();
                    self.conclude(&clock);
                    results.snapshot(&mut self.profile);
                    self.window.is_written = true;
                }
                Next::Window => {
                    log::debug!("a window is over: {} samples", self.account.samples);
                    self.pauses.step_aside();
                    self.conclude(&clock);
                    results.window(self.begin_window(&clock));
                }
                Next::Sample => {
                    self.window.is_written = false;
                    self.note_late(&clock);
                    let by_kernel = self.interrupts.is_some();
                    let now = if by_kernel { clock.last_moment() } else { clock.moment() };
                    if !self.tick(now, signals) {
                        break Over::Process;
                    }
                    self.settle(if interval >= SLOW { None } else { Some(now) });
                    self.label_threads(false);
                    self.read_search_path(false);
                    if results.are_due() {
                        self.pauses.step_aside();
                        // Whatever was sampled by now has been imported from what is there now.
                        self.read_search_path(self.options.frames.needs_search_path());
                        self.draw_up_account(&clock);
                        if !results.record(&mut self.profile) {
                            break Over::Run;
                        }
                    }
                    let errors = self.earlier.errors() + self.account.errors();
                    progress.update(self.earlier.samples + self.account.samples, errors);
                }
            }
        };
        self.take_last_ticks(&clock, signals);
        if let Some((_, ticks)) = self.unheld {
            // No sample has stood for these any more.
            self.account.ticks += u64::from(ticks);
            self.account.note_torn(TornReason::Disturbed, ticks.into());
        }
        self.pauses.step_aside();
        self.conclude(&clock);
        self.earlier.add(&self.account);
        let Account { ticks, samples, idle, failed, .. } = self.earlier;
        let torn = self.earlier.errors();
        log::info!(
            "sampling is over ({over:?}): {ticks} ticks, {samples} samples, {idle} idle, \
             {failed} failed, {torn} errors in all"
        );
        (self.profile, self.earlier, over)
    }

    /// Reads what is new to the engine before the clock starts.
    fn rehearse(&mut self, signals: &Signals) {
        let start = Instant::now();
        while start.elapsed() < REHEARSAL && !signals.ask_for_end() {
            let (now, deadline) = (Instant::now(), Instant::now() + LONGEST_TICK);
            let has_reached_all = self.engine.rehearse(deadline);
            self.learn_unknown(now, deadline);
            if has_reached_all {
                break;
            }
        }
    }

    /// Waits until there is something to do.
    fn wait(&mut self, clock: &mut Clock, signals: &Signals, rotation: Option<Duration>) -> Next {
        if self.interrupts.is_some() {
            return self.wait_beside_interrupts(clock, signals, rotation);
        }
        let Self { pauses, window, .. } = self;
        clock.be_in_the_way(pauses.prepare(clock.due()));
        clock.wake_often(pauses.release_late() > 0);
        let mut asked = None;
        let is_due = clock.wait(|| {
            pauses.release_late();
            asked = window.asked(signals, rotation);
            asked.is_some()
        });
        asked.unwrap_or(if is_due { Next::Sample } else { Next::End })
    }

    /// Counts what waits to be counted, and completes the profile and the account of the
    /// present window as if it were over.
    fn conclude(&mut self, clock: &Clock) {
        self.collect();
        self.settle(None);
        self.label_threads(true);
        self.read_search_path(true);
        self.profile.sort_timeline();
        self.draw_up_account(clock);
    }

    /// Brings the account up to this moment, and what the profile says of the run.
    fn draw_up_account(&mut self, clock: &Clock) {
        self.account.lacks_threads = match &self.interrupts {
            Some(interrupts) => interrupts.lacks_threads(),
            None => self.engine.lacks_threads(),
        };
        self.account.source = Some(self.source);
        self.account.refusal.clone_from(&self.refusal);
        self.account.reads = self.memory.calls() - self.window.reads;
        // The kernel's engine does not miss a tick because this program is late.
        let late = if self.interrupts.is_some() { 0 } else { clock.late() };
        self.account.late = late - self.window.late;
        self.account.elapsed = self.window.start.elapsed();
        self.account.cpu = crate::sampler::clock::cpu_time().saturating_sub(self.window.cpu);
        let own = RunInfo {
            started: self.window.started,
            elapsed: self.account.elapsed,
            interval: self.interval,
            ticks: self.account.ticks,
            every_thread: self.options.every_thread,
            tells_processes: false,
            style: FrameStyle::with_lines(self.options.reads_lines()),
            account: self.account.rows(),
        };
        self.profile.about = RunInfo::of_all([&self.past, &own]);
    }

    /// Begins the next window, with a profile of its own. Returns that of the last one.
    fn begin_window(&mut self, clock: &Clock) -> Profile {
        self.earlier.add(&self.account);
        self.account = Account::default();
        self.window =
            Window::begin(self.memory.calls(), clock.late(), crate::sampler::clock::cpu_time());
        let mut next = Profile::new(self.profile.detail());
        for (_, process) in self.profile.processes() {
            self.process_id = next.add_process(process.clone());
            self.engine.begin_profile(self.process_id);
            if let Some(interrupts) = &mut self.interrupts {
                interrupts.begin_profile(self.process_id);
            }
        }
        std::mem::replace(&mut self.profile, next)
    }

    /// Counts samples that have waited long enough, or all if `now` is `None`.
    fn settle(&mut self, now: Option<Instant>) {
        match &mut self.interrupts {
            Some(interrupts) => interrupts.settle(now, &mut self.profile, &mut self.account),
            None => self.engine.settle(now, &mut self.profile, &mut self.account),
        }
    }

    /// Finds out what the threads of the profile are called: of those that are new, or
    /// at the end of all, since names change.
    fn label_threads(&mut self, all: bool) {
        let Self { names, process, memory, roots, profile, process_id, .. } = self;
        if profile.keeps_threads() {
            names.label::<A, _>(process, memory, roots, *process_id, profile, all);
        }
    }

    /// Finds out where the process looks for its modules, if somebody wants to know.
    fn read_search_path(&mut self, at_once: bool) {
        let Self { memory, roots, profile, process_id, search_path, .. } = self;
        if self.options.needs_search_path() {
            search_path.refresh::<A, _>(memory, roots, at_once);
            // Samples that do not tell their threads count as the first process's.
            let first = profile.processes().next().map_or(*process_id, |(first, _)| first);
            let place = if profile.keeps_threads() { *process_id } else { first };
            let known = &mut profile.process_mut(place).search_path;
            for entry in search_path.get().iter().skip(self.told_entries) {
                if known.len() < LONGEST_SEARCH_PATH && !known.contains(entry) {
                    known.push(entry.clone());
                }
            }
            self.told_entries = search_path.get().len();
        }
    }
}

/// Which threads are walked, if that is not told by the GIL alone.
fn selection(
    options: &Options,
    process: &Process,
    roots: &ProcessRoots,
    objects: &Objects,
) -> Option<Selection> {
    let Options { mode, threads, interval, .. } = options;
    if threads.is_open() && *mode == TimeMode::Gil {
        return None;
    }
    // One that has ended since will be noticed by the sampling itself.
    let process = process.reopen().ok()?;
    let (roots, names) = (roots.clone(), objects.names());
    Some(Selection::new(process, roots, names, *mode, threads.clone(), *interval))
}

impl Window {
    /// What is asked for, if anything is, before the next sample.
    fn asked(&self, signals: &Signals, rotation: Option<Duration>) -> Option<Next> {
        if signals.ask_for_end() {
            Some(Next::End)
        } else if signals.ask_for_next() {
            Some(Next::Leave)
        } else if !self.is_written && signals.ask_for_snapshot() {
            Some(Next::Snapshot)
        } else if rotation.is_some_and(|length| self.left(length).is_zero()) {
            Some(Next::Window)
        } else {
            None
        }
    }

    /// How much time is left of it, if it is to be so long.
    fn left(&self, length: Duration) -> Duration {
        length.saturating_sub(self.start.elapsed())
    }

    /// One that begins now, after so many reads, late ticks and so much time on a processor.
    fn begin(reads: u64, late: u64, cpu: Duration) -> Self {
        let (start, started) = (Instant::now(), microseconds());
        Self { start, started, reads, late, cpu, is_written: false }
    }

    /// Microseconds since the epoch, by a clock that is not set while a window lasts.
    fn microseconds(&self, moment: Instant) -> u64 {
        let since = moment.saturating_duration_since(self.start).as_micros();
        self.started.saturating_add(u64::try_from(since).unwrap_or(u64::MAX))
    }
}
