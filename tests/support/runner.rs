//! A test program whose output names every interpreter and what ran on it:
//!
//! ```text
//! ok   3.6-static dump: 84 scenarios, 901 stacks
//! FAIL 3.7-static dump
//!      what went wrong
//! 1 passed, 1 failed
//! ```
//!
//! Used with `harness = false`. Words on the command line choose tests whose
//! name contains one of them, or with `--exact` is one of them.

use std::collections::VecDeque;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::binaries::{Binaries, is_built};
use super::interpreters::{Interpreter, Interpreters};
use super::process::status_line;
use super::{Context, Outcome};

/// A test of a case. What it returns is shown after its name.
pub type Test<C> = fn(&C) -> Outcome<String>;

/// The longest that one test may take. The slowest take half a minute; one that hangs is named
/// before the whole run has used up its time.
const LONGEST_TEST: Duration = Duration::from_secs(300);

/// Each of the tests for one interpreter per ABI for which there is a profiler, named after
/// the label, the `kind` of tests and the test. `case` makes what a test gets to work with.
pub fn one_per_abi<C: Send + 'static>(
    interpreters: &Interpreters,
    kind: &str,
    tests: &[(&str, Test<C>)],
    case: impl Fn(&Interpreter) -> C,
) -> Vec<Trial> {
    let built = interpreters.one_per_abi().into_iter().filter(|i| is_built(i.abi));
    let trials = built.flat_map(|interpreter| {
        let case = &case;
        tests.iter().map(move |&(name, test)| {
            let case = case(interpreter);
            Trial::new(format!("{} {kind}{name}", interpreter.label), move || test(&case))
        })
    });
    trials.collect()
}

/// One test. What it returns is shown after its name.
pub struct Trial {
    name: String,
    is_alone: bool,
    body: Box<dyn FnOnce() -> Outcome<String> + Send>,
}

impl Trial {
    /// A test of that name.
    pub fn new(
        name: impl Into<String>,
        body: impl FnOnce() -> Outcome<String> + Send + 'static,
    ) -> Self {
        Self { name: name.into(), is_alone: false, body: Box::new(body) }
    }

    /// Whether it is one of an interpreter of that version.
    pub fn is_of(&self, version: &str) -> bool {
        self.name.strip_prefix(version).is_some_and(|rest| rest.starts_with('-'))
    }

    /// Runs while no other test does: what it measures depends on how busy the machine is.
    pub fn alone(self) -> Self {
        Self { is_alone: true, ..self }
    }
}

/// What the command line asks for, as far as `cargo test` lets it through.
struct Choice {
    wanted: Vec<String>,
    is_exact: bool,
    list: bool,
    at_once: usize,
}

impl Choice {
    fn from_arguments() -> Outcome<Self> {
        let at_once = thread::available_parallelism().map_or(1, usize::from);
        let mut choice = Choice { wanted: Vec::new(), is_exact: false, list: false, at_once };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--list" => choice.list = true,
                "--exact" => choice.is_exact = true,
                "--nocapture" | "--no-capture" | "--show-output" | "-q" | "--quiet" => {}
                "--test-threads" => {
                    let number = arguments.next().and_then(|n| n.parse().ok());
                    choice.at_once = number.ok_or("--test-threads needs a number")?;
                }
                other if other.starts_with('-') => return Err(format!("unknown option {other}")),
                _ => choice.wanted.push(argument),
            }
        }
        Ok(choice)
    }

    fn wants(&self, name: &str) -> bool {
        let is_it = |wanted: &String| match self.is_exact {
            true => name == wanted,
            false => name.contains(wanted.as_str()),
        };
        self.wanted.is_empty() || self.wanted.iter().any(is_it)
    }
}

/// The `main` of a test program: installs the profilers, reads the list of
/// interpreters, and runs the tests that `make` makes of them.
pub fn main(make: impl FnOnce(Interpreters, Arc<Binaries>) -> Vec<Trial>) -> ExitCode {
    let prepared = || -> Outcome<(Choice, Vec<Trial>)> {
        let choice = Choice::from_arguments()?;
        catch_what_is_ignored()?;
        let interpreters = Interpreters::load()?;
        Ok((choice, make(interpreters, Arc::new(Binaries::install()?))))
    };
    match prepared() {
        Ok((choice, trials)) => run(&choice, trials),
        Err(words) => {
            eprintln!("{words}");
            ExitCode::FAILURE
        }
    }
}

/// Catches the signals that this program was told to ignore (by `nohup`, or a shell that has
/// started it in the background): programs that it starts would ignore them too, but for one
/// that is caught they get the default.
fn catch_what_is_ignored() -> Outcome<()> {
    let mask = status_line(std::process::id(), "SigIgn")?;
    let mask = u64::from_str_radix(&mask, 16).context(|| mask.clone())?;
    for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM] {
        if mask & (1 << (signal as i32 - 1)) != 0 {
            signal_hook::flag::register(signal as i32, Arc::default())
                .context(|| format!("catch {signal}"))?;
        }
    }
    Ok(())
}

/// Runs the tests, as many at once as there are processors, then those that run alone.
fn run(choice: &Choice, mut trials: Vec<Trial>) -> ExitCode {
    trials.retain(|trial| choice.wants(&trial.name));
    if choice.list {
        trials.iter().for_each(|trial| println!("{}: test", trial.name));
        return ExitCode::SUCCESS;
    }
    println!();
    let start = Instant::now();
    let number = trials.len();
    let (alone, others): (Vec<_>, Vec<_>) = trials.into_iter().partition(|trial| trial.is_alone);
    let failed = run_at_once(choice.at_once, others) + run_at_once(1, alone);
    println!("all took {:.0} s", start.elapsed().as_secs_f64());
    println!("{} passed, {failed} failed\n", number - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs tests, so many `at_once`. Returns how many failed.
fn run_at_once(at_once: usize, trials: Vec<Trial>) -> usize {
    let number = trials.len();
    let queue = Mutex::new(VecDeque::from(trials));
    let failed = Mutex::new(0usize);
    thread::scope(|scope| {
        for _ in 0..at_once.clamp(1, number.max(1)) {
            scope.spawn(|| {
                while let Some(trial) = next(&queue) {
                    if !run_one(trial) {
                        *failed.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn next(queue: &Mutex<VecDeque<Trial>>) -> Option<Trial> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

/// Runs one test and prints its line; whether it passed.
fn run_one(trial: Trial) -> bool {
    let watch = watch(trial.name.clone());
    let outcome = catch_unwind(AssertUnwindSafe(trial.body))
        .unwrap_or_else(|_| Err("panicked; the message is above".into()));
    drop(watch);
    let mut out = std::io::stdout().lock();
    // Nobody is left to be told when standard output is gone.
    let _ = match &outcome {
        Ok(words) if words.is_empty() => writeln!(out, "ok   {}", trial.name),
        Ok(words) => writeln!(out, "ok   {}: {words}", trial.name),
        Err(words) => {
            let indented = words.trim_end().replace('\n', "\n     ");
            writeln!(out, "FAIL {}\n     {indented}", trial.name)
        }
    };
    outcome.is_ok()
}

/// Ends this program if the test of that name takes too long. What it returns is to be dropped
/// when the test has ended.
fn watch(name: String) -> mpsc::Sender<()> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        if receiver.recv_timeout(LONGEST_TEST) == Err(mpsc::RecvTimeoutError::Timeout) {
            println!("FAIL {name}\n     no end after {} s", LONGEST_TEST.as_secs());
            std::process::exit(1);
        }
    });
    sender
}
