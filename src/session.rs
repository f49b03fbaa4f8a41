//! The loop of a run: wait, perhaps stop, sample, account.

use std::time::{Duration, Instant};

use crate::abi::Abi;
use crate::account::Account;
use crate::attach::{Attached, Objects, attach};
use crate::cli::Options;
use crate::clock::{Clock, microseconds};
use crate::error::Error;
use crate::labels::{Labels, SearchPath};
use crate::memory::live::LiveMemory;
use crate::process::Process;
use crate::profile::{self, About, ProcessId, Profile};
use crate::progress::Progress;
use crate::python::code::CodeCache;
use crate::python::threads::ProcessRoots;
use crate::results::Results;
use crate::sampler::pause::Pauses;
use crate::sampler::selection::{Selection, TimeMode};
use crate::sampler::{Engine, Tick};
use crate::signals::Signals;
use crate::stack::FrameStyle;

/// After so many failures in a row the process may have executed another
/// program, or unloaded its interpreter: it is looked at anew.
const FAILURES_OF_A_NEW_PROGRAM: u32 = 10;

/// How often it is looked whether the process has executed another program, in microseconds.
/// That need not make reading fail: programs that are not loaded at random addresses have
/// other data at the same ones.
const LOOKS_AT_THE_PROGRAM: u64 = 50_000;

/// How long an interpreter is looked for in a process that had one: it may be executing
/// another program, step by step.
const SEARCH: Duration = Duration::from_millis(500);

/// The pause between two looks for it.
const SEARCH_PAUSE: Duration = Duration::from_millis(10);

/// How often the first sample is tried.
const FIRST_LOOKS: u32 = 100;

/// Samples of a slower run than this are settled at once: there is time.
const SLOW: Duration = Duration::from_millis(5);

/// A process that is being sampled.
pub struct Session<'a, A> {
    options: &'a Options,
    process: Process,
    memory: LiveMemory,
    roots: ProcessRoots,
    process_id: ProcessId,
    names: Labels,
    search_path: SearchPath,
    engine: Engine<A, LiveMemory>,
    pauses: Pauses,
    profile: Profile,
    account: Account,
    window: Window,
    /// The account of the windows that are over.
    earlier: Account,
    failures: u32,
    /// When it was looked at which program the process executes, in microseconds since the
    /// epoch.
    looked: u64,
    /// The search for the interpreter, if it is not there any more.
    search: Option<Search>,
}

/// The search for an interpreter in a process that had one.
#[derive(Clone, Copy, Debug)]
struct Search {
    next_look: Instant,
    end: Instant,
}

/// What a search has come to.
enum Found {
    Interpreter,
    NothingYet,
    TheEnd,
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
}

/// What a run has to do next.
enum Next {
    Sample,
    Snapshot,
    Window,
    End,
}

impl<'a, A: Abi> Session<'a, A> {
    /// A session with a process whose layout has been proven.
    #[must_use]
    pub fn new(options: &'a Options, attached: Attached) -> Self {
        let Attached { process, memory, roots, types, objects, stopper, python } = attached;
        let mut profile = Profile::new(options.format.detail);
        let command = process.command_line();
        let process_id = profile.add_process(profile::Process::new(process.pid(), command, python));
        let window = Window::begin(0, 0, Duration::ZERO);
        let code = CodeCache::new(types).line_numbers(options.reads_lines());
        let selection = selection(options, &process, &roots, &objects);
        Self {
            options,
            process,
            engine: Engine::new(
                memory.clone(),
                roots.clone(),
                code,
                options.every_thread,
                options.pause.is_ever(),
                process_id,
            )
            .select(selection),
            memory,
            roots,
            process_id,
            search_path: SearchPath::new(objects.clone()),
            names: Labels::new(objects),
            pauses: Pauses::new(options.pause, stopper),
            profile,
            account: Account::default(),
            window,
            earlier: Account::default(),
            failures: 0,
            looked: 0,
            search: None,
        }
    }

    /// Samples until the time is over, the process ends, or a signal says so. Returns the
    /// profile of the last window, and the account of all.
    #[must_use]
    pub fn run(
        mut self,
        signals: &Signals,
        results: &mut Results,
        progress: &Progress,
    ) -> (Profile, Account) {
        let Options { interval, duration, jitter, rotation, .. } = *self.options;
        let mut clock = Clock::start(interval, duration).jitter(jitter);
        self.window = Window::begin(0, 0, Duration::ZERO);
        loop {
            match self.wait(&mut clock, signals, rotation) {
                Next::End => break,
                Next::Snapshot => {
                    self.conclude(&clock);
                    results.snapshot(&mut self.profile);
                }
                Next::Window => {
                    self.conclude(&clock);
                    results.window(self.begin_window(&clock));
                }
                Next::Sample => {
                    self.account.ticks += 1;
                    let now = clock.moment();
                    if !self.tick(now) {
                        break;
                    }
                    let now = if interval >= SLOW { None } else { Some(now) };
                    self.engine.settle(now, &mut self.profile, &mut self.account);
                    self.label_threads(false);
                    self.read_search_path(false);
                    if results.are_due() {
                        // Whatever was sampled by now has been imported from what is there now.
                        self.read_search_path(self.options.frames.needs_search_path());
                        self.draw_up_account(&clock);
                        if !results.record(&mut self.profile) {
                            break;
                        }
                    }
                    let errors = self.earlier.errors() + self.account.errors();
                    progress.update(self.earlier.samples + self.account.samples, errors);
                }
            }
        }
        self.conclude(&clock);
        self.earlier.add(&self.account);
        (self.profile, self.earlier)
    }

    /// Waits until there is something to do.
    fn wait(&mut self, clock: &mut Clock, signals: &Signals, rotation: Option<Duration>) -> Next {
        let Self { pauses, window, .. } = self;
        let mut asked = None;
        let is_due = clock.wait(|| {
            pauses.release_late();
            asked = if signals.ask_for_end() {
                Some(Next::End)
            } else if signals.ask_for_snapshot() {
                Some(Next::Snapshot)
            } else if rotation.is_some_and(|length| window.start.elapsed() >= length) {
                Some(Next::Window)
            } else {
                None
            };
            asked.is_some()
        });
        asked.unwrap_or(if is_due { Next::Sample } else { Next::End })
    }

    /// Counts what waits to be counted, and completes the profile and the account of the
    /// present window as if it were over.
    fn conclude(&mut self, clock: &Clock) {
        self.engine.settle(None, &mut self.profile, &mut self.account);
        self.label_threads(true);
        self.read_search_path(true);
        self.profile.sort_timeline();
        self.account.disagreement = self.engine.disagreement(&self.profile);
        self.draw_up_account(clock);
    }

    /// Brings the account up to this moment, and what the profile says of the run.
    fn draw_up_account(&mut self, clock: &Clock) {
        self.account.lacks_threads = self.engine.lacks_threads();
        self.account.reads = self.memory.calls() - self.window.reads;
        self.account.late = clock.late() - self.window.late;
        self.account.elapsed = self.window.start.elapsed();
        self.account.cpu = crate::clock::cpu_time().saturating_sub(self.window.cpu);
        self.profile.about = About {
            started: self.window.started,
            elapsed: self.account.elapsed,
            interval: self.options.interval,
            ticks: self.account.ticks,
            every_thread: self.options.every_thread,
            tells_processes: false,
            style: FrameStyle::with_lines(self.options.reads_lines()),
            account: self.account.rows(),
        };
    }

    /// Begins the next window, with a profile of its own. Returns that of the last one.
    fn begin_window(&mut self, clock: &Clock) -> Profile {
        self.earlier.add(&self.account);
        self.account = Account::default();
        self.window = Window::begin(self.memory.calls(), clock.late(), crate::clock::cpu_time());
        let mut next = Profile::new(self.profile.detail());
        for (_, process) in self.profile.processes() {
            self.process_id = next.add_process(process.clone());
            self.engine.begin_profile(self.process_id);
        }
        std::mem::replace(&mut self.profile, next)
    }

    /// Takes one sample, stopping the process if it is the clock's turn to. `false`
    /// if there is nothing left to sample.
    fn tick(&mut self, moment: Instant) -> bool {
        let now = self.window.microseconds(moment);
        if self.has_lost_it(now) {
            match self.search() {
                Found::Interpreter => {}
                Found::NothingYet => {
                    self.fail(now);
                    return true;
                }
                Found::TheEnd => return false,
            }
        }
        let mut tick = self.sample(moment, now);
        // Nothing is known of the program's calls yet: the first sample takes a
        // few looks more. That something is owed a stack is not enough: a run may be one tick.
        for _ in 0..FIRST_LOOKS {
            let is_missing = tick == Tick::Torn || self.engine.owes_stacks();
            if !is_missing || self.account.at_once + self.account.retried > 0 {
                break;
            }
            self.engine.forget_owed();
            tick = self.sample(moment, now);
        }
        match tick {
            Tick::Gone => return false,
            Tick::Proven(stacks) => {
                self.failures = 0;
                if stacks == 0 && !self.options.exclude_idle {
                    self.profile.record_idle(now);
                }
            }
            Tick::Torn => self.account.torn += 1,
            Tick::Failed(_) => self.fail(now),
        }
        true
    }

    /// Counts a moment at which the process could not be read.
    fn fail(&mut self, now: u64) {
        self.account.failed += 1;
        self.profile.record_failed(now);
        self.failures += 1;
    }

    fn sample(&mut self, moment: Instant, now: u64) -> Tick {
        let Self { engine, pauses, profile, account, .. } = self;
        if !pauses.is_due(moment, &account.stops) {
            pauses.release_late();
            return engine.tick(moment, now, |_| false, profile, account);
        }
        let holders = engine.holders().unwrap_or_default();
        if holders.is_empty() {
            return engine.tick(moment, now, |_| false, profile, account);
        }
        let held =
            pauses.hold::<A, _>(&self.process, &self.memory, &self.roots, &holders, &account.stops);
        let tick = engine.tick(moment, now, |thread| held.holds(thread), profile, account);
        if let Some(time) = held.release() {
            account.stops.add(time);
            pauses.learn(time);
        }
        tick
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
            let known = &mut profile.process_mut(*process_id).search_path;
            if known.len() < search_path.get().len() {
                *known = search_path.get().to_vec();
            }
        }
    }

    /// Whether the interpreter that was found is not there any more.
    fn has_lost_it(&mut self, now: u64) -> bool {
        let is_due = self.failures > 0 || now.abs_diff(self.looked) >= LOOKS_AT_THE_PROGRAM;
        if is_due && self.search.is_none() {
            self.looked = now;
            let is_lost = self.failures >= FAILURES_OF_A_NEW_PROGRAM;
            if is_lost || self.process.executes_another() {
                let now = Instant::now();
                self.search = Some(Search { next_look: now, end: now + SEARCH });
                self.engine.settle(None, &mut self.profile, &mut self.account);
            }
        }
        self.search.is_some()
    }

    /// Looks for the interpreter, if that is due. Says on stderr why there is none any more,
    /// unless the process has merely ended, or a supervisor looks after it.
    fn search(&mut self) -> Found {
        let Some(search) = &mut self.search else { return Found::Interpreter };
        let now = Instant::now();
        if now < search.next_look {
            return Found::NothingYet;
        }
        search.next_look = now + SEARCH_PAUSE;
        let may_go_on = now < search.end;
        let is_for_others = self.options.is_member && self.process.executes_another();
        if is_for_others || !self.process.is_alive() {
            return Found::TheEnd;
        }
        match attach::<A>(self.process.pid()) {
            Ok(attached) => {
                self.go_on(attached);
                Found::Interpreter
            }
            Err(Error::Ended { .. } | Error::Open(_)) => Found::TheEnd,
            Err(Error::Locate(_)) if may_go_on => Found::NothingYet,
            Err(error) => {
                eprintln!("{error}\nThe profile ends here.");
                Found::TheEnd
            }
        }
    }

    /// Goes on with the interpreter that the process has now.
    fn go_on(&mut self, attached: Attached) {
        self.search_path.go_on(attached.objects.clone());
        let fresh = Self::new(self.options, attached);
        fresh.memory.count_on(&self.memory);
        self.process = fresh.process;
        self.memory = fresh.memory;
        self.roots = fresh.roots;
        self.names = fresh.names;
        self.engine = fresh.engine;
        self.pauses = fresh.pauses;
        self.failures = 0;
        self.search = None;
    }
}

/// Which threads are walked, if not all.
fn selection(
    options: &Options,
    process: &Process,
    roots: &ProcessRoots,
    objects: &Objects,
) -> Option<Selection> {
    let Options { mode, threads, interval, .. } = options;
    if threads.is_open() && matches!(mode, TimeMode::Gil | TimeMode::Wall) {
        return None;
    }
    // One that has ended since will be noticed by the sampling itself.
    let process = Process::open(process.pid()).ok()?;
    let (roots, names) = (roots.clone(), objects.names());
    Some(Selection::new(process, roots, names, *mode, threads.clone(), *interval))
}

impl Window {
    /// One that begins now, after so many reads, late ticks and so much time on a processor.
    fn begin(reads: u64, late: u64, cpu: Duration) -> Self {
        Self { start: Instant::now(), started: microseconds(), reads, late, cpu }
    }

    /// Microseconds since the epoch, by a clock that is not set while a window lasts.
    fn microseconds(&self, moment: Instant) -> u64 {
        let since = moment.saturating_duration_since(self.start).as_micros();
        self.started.saturating_add(u64::try_from(since).unwrap_or(u64::MAX))
    }
}
