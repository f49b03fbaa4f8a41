//! The loop of a run: wait, perhaps stop, sample, account.

use std::time::{Duration, Instant};

use crate::abi::Abi;
use crate::account::Account;
use crate::attach::{Attached, attach};
use crate::cli::Options;
use crate::clock::{Clock, microseconds};
use crate::error::Error;
use crate::memory::live::LiveMemory;
use crate::process::Process;
use crate::profile::{self, About, Profile};
use crate::python::code::CodeCache;
use crate::python::threads::ProcessRoots;
use crate::sampler::pause::Pauses;
use crate::sampler::{Engine, Tick};

/// After so many failures in a row the process may have executed another
/// program, or unloaded its interpreter: it is looked at anew.
const FAILURES_OF_A_NEW_PROGRAM: u32 = 10;

/// How long an interpreter is looked for in a process that had one: it may be executing
/// another program, step by step.
const SEARCH: Duration = Duration::from_millis(500);

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
    engine: Engine<A, LiveMemory>,
    pauses: Pauses,
    profile: Profile,
    account: Account,
    failures: u32,
    /// When the search for an interpreter that is lost will be given up.
    search_ends: Option<Instant>,
}

impl<'a, A: Abi> Session<'a, A> {
    /// A session with a process whose layout has been proven.
    #[must_use]
    pub fn new(options: &'a Options, attached: Attached) -> Self {
        let Attached { process, memory, roots, types, stopper, python } = attached;
        let mut profile = Profile::new(options.format.detail);
        let command = process.command_line();
        let process_id =
            profile.add_process(profile::Process { pid: process.pid(), command, python });
        let code = CodeCache::new(types).line_numbers(!options.no_line_numbers);
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
            ),
            memory,
            roots,
            pauses: Pauses::new(options.pause, stopper),
            profile,
            account: Account::default(),
            failures: 0,
            search_ends: None,
        }
    }

    /// Samples until the time is over, the process ends, or `stop` says so.
    #[must_use]
    pub fn run(mut self, stop: impl Fn() -> bool) -> (Profile, Account) {
        let (start, started) = (Instant::now(), microseconds());
        let Options { interval, duration, jitter, .. } = *self.options;
        let mut clock = Clock::start(interval, duration).jitter(jitter);
        while clock.wait(|| {
            self.pauses.release_late();
            stop()
        }) {
            self.account.ticks += 1;
            if !self.tick() {
                break;
            }
            let now = if interval >= SLOW { None } else { Some(Instant::now()) };
            self.engine.settle(now, &mut self.profile, &mut self.account);
        }
        self.engine.settle(None, &mut self.profile, &mut self.account);
        self.profile.sort_timeline();
        self.account.disagreement = self.engine.disagreement(&self.profile);
        self.account.reads = self.memory.calls();
        self.account.late = clock.late();
        self.account.elapsed = start.elapsed();
        self.account.cpu = crate::clock::cpu_time();
        self.profile.about = About {
            started,
            elapsed: self.account.elapsed,
            interval,
            ticks: self.account.ticks,
            every_thread: self.options.every_thread,
            account: self.account.rows(),
        };
        (self.profile, self.account)
    }

    /// Takes one sample, stopping the process if it is the clock's turn to. `false`
    /// if there is nothing left to sample.
    fn tick(&mut self) -> bool {
        let now = microseconds();
        let mut tick = self.sample(now);
        // Nothing is known of the program's calls yet: the first sample takes a
        // few looks more.
        for _ in 0..FIRST_LOOKS {
            if tick != Tick::Torn || self.account.at_once + self.account.retried > 0 {
                break;
            }
            tick = self.sample(now);
        }
        match tick {
            Tick::Gone => return false,
            Tick::Proven(stacks) => {
                self.failures = 0;
                self.search_ends = None;
                if stacks == 0 && !self.options.exclude_idle {
                    self.profile.record_idle(now);
                }
            }
            Tick::Torn => self.account.torn += 1,
            Tick::Failed(_) => {
                self.account.failed += 1;
                self.profile.record_failed(now);
                self.failures += 1;
                if self.failures >= FAILURES_OF_A_NEW_PROGRAM {
                    self.failures = 0;
                    return self.attach_again();
                }
            }
        }
        true
    }

    fn sample(&mut self, now: u64) -> Tick {
        let Self { engine, pauses, profile, account, .. } = self;
        if !pauses.is_due(Instant::now(), &account.stops) {
            pauses.release_late();
            return engine.tick(now, |_| false, profile, account);
        }
        let holders = engine.holders().unwrap_or_default();
        if holders.is_empty() {
            return engine.tick(now, |_| false, profile, account);
        }
        let held =
            pauses.hold::<A, _>(&self.process, &self.memory, &self.roots, &holders, &account.stops);
        let tick = engine.tick(now, |thread| held.holds(thread), profile, account);
        if let Some(time) = held.release() {
            account.stops.add(time);
            pauses.learn(time);
        }
        tick
    }

    /// Looks anew at a process that cannot be read any more. `false`, with a word
    /// on stderr unless it has merely ended, if there is nothing left to sample.
    fn attach_again(&mut self) -> bool {
        self.engine.settle(None, &mut self.profile, &mut self.account);
        let search_ends = *self.search_ends.get_or_insert_with(|| Instant::now() + SEARCH);
        match attach::<A>(self.process.pid()) {
            Ok(attached) => {
                let fresh = Self::new(self.options, attached);
                self.process = fresh.process;
                self.roots = fresh.roots;
                self.engine = fresh.engine;
                self.pauses = fresh.pauses;
                true
            }
            Err(Error::Ended { .. } | Error::Open(_)) => false,
            Err(Error::Locate(_)) if Instant::now() < search_ends => true,
            Err(error) => {
                eprintln!("{error}\nThe profile ends here.");
                false
            }
        }
    }
}
