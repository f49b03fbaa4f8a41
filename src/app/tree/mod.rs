//! Several processes in one profile: a process and all that it starts, several that are
//! named, or all that match a pattern.
//!
//! Each is sampled by the `pyflameX.Y` of its own ABI, a child of this program that writes
//! a recording into a pipe ([`sampler`]). What they record is read into one profile
//! ([`merged`]). [`process_set`] finds the processes, and decides what becomes of each.

mod dump;
pub(crate) mod error;
mod merged;
mod names;
pub(super) use dump::with_descendants;
pub(super) use names::choose as named;
mod process_set;
mod sampler;
pub(crate) mod search;
mod tracked;
mod tree_stats;

use std::ffi::OsString;
use std::time::{Duration, Instant};

use self::error::TreeError;
use self::merged::{Merged, Shared};
use self::process_set::ProcessSet;
use crate::app::closing_words::tell_account;
use crate::app::error::Error;
use crate::app::interpreters::wait_for_interpreter;
use crate::app::launch::Launch;
use crate::app::options::{Options, Target};
use crate::app::private::keep_private;
use crate::app::progress::Progress;
use crate::app::signals::Signals;
use crate::app::sinks::Sinks;
use crate::escape::say;
use crate::profile::Profile;
use crate::profile::stats::Outcome;
use crate::target::live::memory::LiveMemory;
use crate::target::live::{Process, check_proc, tells_children};

/// The shortest time between two looks at the processes.
const SHORTEST_REST: Duration = Duration::from_millis(5);

/// The longest time between two looks.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// The search for new processes takes at most one part in so many of the time of a processor.
const REST_PER_LOOK: u32 = 20;

/// How soon a signal is noticed.
const NAP: Duration = Duration::from_millis(20);

/// How often the line of progress learns of what is new.
const PROGRESS: Duration = Duration::from_millis(200);

/// Does what `options` ask for with several processes. `arguments` are those of this
/// program, which the profilers of the single processes are given too. Returns the exit
/// status: that of the command, if one was started.
///
/// # Errors
/// [`Error`] with what to tell the user.
pub(crate) fn run(options: &Options, arguments: &[OsString]) -> Result<u8, Error> {
    for warning in &options.warnings {
        eprintln!("{warning}");
    }
    check_proc()?;
    if options.subprocesses && !tells_children() {
        return Err(TreeError::NoChildren.into());
    }
    if let Target::Command { words, .. } = &options.target {
        return run_command(options, arguments, words);
    }
    let signals = Signals::watch()?;
    if options.dump {
        dump::run(options, arguments, &roots(options)?)?;
        return Ok(0);
    }
    let roots = roots(options)?;
    let mut results = Sinks::open(options)?;
    let processes = ProcessSet::new(options, arguments, &roots);
    let progress = Progress::start(options.duration);
    let outcome = Tree::new(options, processes).run(&signals, &mut results, &progress);
    drop(progress);
    write(options, results, outcome?)?;
    Ok(0)
}

/// The same for a command and all that it starts.
fn run_command(options: &Options, arguments: &[OsString], words: &[OsString]) -> Result<u8, Error> {
    let mut results = Sinks::open(options)?;
    let mut launch = Launch::start(words)?;
    let signals = launch.signals().clone();
    let mut tree = Tree::new(options, ProcessSet::of_command(options, arguments, launch.pid()));
    // The terminal is the command's.
    let outcome = tree.run(&signals, &mut results, &Progress::hidden());
    if outcome.is_err() || options.output.is_none() {
        // On stdout the profile comes after the output of the command.
        launch.wait();
    }
    let written = outcome.and_then(|outcome| write(options, results, outcome));
    launch.wait();
    // Those of a command that goes on are its own.
    if launch.has_ended() {
        tree.processes.survivors().iter().for_each(|words| say(words));
    }
    written.map(|()| launch.status())
}

/// Says what became of every tick and of every process, and writes the result.
fn write(
    options: &Options,
    results: Sinks,
    (profile, outcome): (Profile, Outcome),
) -> Result<(), Error> {
    tell_account(options, &profile.about.account);
    results.finish(profile)?;
    if !outcome.is_nothing() {
        return Ok(());
    }
    let what = "any of the processes".to_owned();
    Err(Error::NothingProven { what, outcome, reason: None, pause: options.pause })
}

/// The processes that run already and are named by the command line.
fn roots(options: &Options) -> Result<Vec<i32>, Error> {
    let pids = named_roots(options)?;
    keep_private(|| if options.subprocesses { with_descendants(&pids) } else { pids.clone() });
    Ok(pids)
}

fn named_roots(options: &Options) -> Result<Vec<i32>, Error> {
    let mut pids = match &options.target {
        Target::Process(pid) => vec![*pid],
        Target::Processes(pids) => pids.clone(),
        Target::Named(pattern) => return names::choose(pattern),
        // A core file is of one process.
        Target::Command { .. } | Target::Core { .. } => Vec::new(),
    };
    pids.sort_unstable();
    pids.dedup();
    for pid in &pids {
        let process = Process::open(*pid)?;
        // What is not Python may start Python; else it is an error.
        if !options.subprocesses {
            wait_for_interpreter(&process, &LiveMemory::new(*pid))?;
        }
    }
    Ok(pids)
}

/// A run with several processes.
struct Tree<'a> {
    options: &'a Options,
    processes: ProcessSet<'a>,
    merged: Shared,
    /// When the present window began.
    window: Instant,
    /// What the windows that are over came to.
    earlier: Outcome,
}

impl<'a> Tree<'a> {
    fn new(options: &'a Options, processes: ProcessSet<'a>) -> Self {
        let merged = Merged::begin(options);
        let (window, earlier) = (Instant::now(), Outcome::default());
        Self { options, processes, merged, window, earlier }
    }

    /// Samples until the time is over, the processes that were named have ended, or a
    /// signal says so. Returns the profile of the last window, and what all came to.
    fn run(
        &mut self,
        signals: &Signals,
        results: &mut Sinks,
        progress: &Progress,
    ) -> Result<(Profile, Outcome), Error> {
        let start = Instant::now();
        let duration = self.options.duration.filter(|duration| !duration.is_zero());
        let mut told = start;
        while !signals.ask_for_end() && duration.is_none_or(|time| start.elapsed() < time) {
            let search = self.processes.look(&self.merged);
            if self.processes.has_ended() {
                break;
            }
            if signals.ask_for_snapshot() {
                results.snapshot(&mut self.merged.with_run_info(&self.processes.stats()).profile);
            }
            if self.options.rotation.is_some_and(|length| self.window.elapsed() >= length) {
                results.window(self.end_window());
            }
            if results.are_due() {
                let mut merged = self.merged.with_run_info(&self.processes.stats());
                if !results.record(&mut merged.profile) {
                    break;
                }
            }
            if told.elapsed() >= PROGRESS {
                told = Instant::now();
                let (samples, errors) = self.merged.lock().counts();
                progress.update(samples, errors);
            }
            let rest = (search * REST_PER_LOOK).clamp(SHORTEST_REST, LONGEST_REST);
            let left = duration.map_or(rest, |time| time.saturating_sub(start.elapsed()));
            nap(rest.min(left), signals);
        }
        self.processes.end_samplers();
        self.processes.conclude();
        let stats = self.processes.stats();
        if stats.sampled == 0 {
            return Err(TreeError::NothingSampled { found: stats.to_string() }.into());
        }
        let mut merged = self.merged.with_run_info(&stats);
        merged.profile.sort_timeline();
        let profile = std::mem::take(&mut merged.profile);
        let outcome = self.earlier.and(&Outcome::of_rows(&profile.about.account));
        Ok((profile, outcome))
    }

    /// Ends a window: those who sample begin anew with the next, so that they give back
    /// their memory too.
    fn end_window(&mut self) -> Profile {
        self.processes.end_samplers();
        let mut merged = self.merged.with_run_info(&self.processes.stats());
        self.window = Instant::now();
        let mut last = merged.begin_anew(self.options);
        last.sort_timeline();
        self.earlier = self.earlier.and(&Outcome::of_rows(&last.about.account));
        last
    }
}

/// Waits so long, or until a signal ends the run.
fn nap(time: Duration, signals: &Signals) {
    let end = Instant::now() + time;
    while !signals.ask_for_end() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        crate::target::live::nap(left.min(NAP));
    }
}
