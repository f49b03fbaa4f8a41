//! The live tests, made at run time of the interpreters that there are, under libtest-mimic:
//! options, output and exit status are those of every other test program. What that crate does
//! not do is here: the longest time of a test, tests that run alone, and what a test that has
//! passed says of itself, in a line of standard error, with the time that it took:
//!
//! ```text
//! dump::3.6-static dump: 84 scenarios, 901 stacks (4.1 s)
//! ```
//!
//! Used with `harness = false`.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Completion};
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::Signal;

use super::binaries::{ABIS, Binaries, is_built};
use super::features::{Feature, Shown, Shows, is_recording, record};
use super::interpreters::{Interpreter, Interpreters};
use super::missing::Missing;
use super::process::status_line;
use super::target::{in_folder, new_file};
use super::{Context, Outcome};

/// A test of a case. What it returns is shown after its name.
pub(crate) type Test<C> = fn(&C) -> Outcome<String>;

/// The longest that one test may take. The slowest take half a minute; one that hangs is named
/// before the whole run has used up its time.
const LONGEST_TEST: Duration = Duration::from_secs(300);

/// So many tests run at a time for each processor: for most of its time a test waits, for the
/// seconds of a run to pass or for a process to say something. All but those that run alone pass
/// on a machine that is far busier than that.
const TESTS_A_PROCESSOR: usize = 2;

/// The name of a test that has taken longer. It may still be at work, so no other starts.
static HANGS: OnceLock<String> = OnceLock::new();

/// Each of the tests for one interpreter per ABI for which there is a profiler, named after
/// the label, the `kind` of tests and the test. `case` makes what a test gets to work with.
pub(crate) fn one_per_abi<C: Send + 'static>(
    interpreters: &Interpreters,
    kind: &str,
    tests: &[(&str, Test<C>)],
    case: impl Fn(&Interpreter) -> C,
) -> Vec<Trial> {
    each_of(interpreters, kind, tests, |interpreter, test| {
        let case = case(interpreter);
        Box::new(move || test(&case))
    })
}

/// The same, each in a new folder, which is gone afterwards.
pub(crate) fn one_per_abi_in_folder<C: Send + 'static>(
    interpreters: &Interpreters,
    kind: &str,
    tests: &[(&str, Test<C>)],
    case: impl Fn(&Interpreter, PathBuf) -> C,
) -> Vec<Trial> {
    each_of(interpreters, kind, tests, |interpreter, test| {
        let folder = new_file("test");
        let case = case(interpreter, folder.clone());
        Box::new(move || in_folder(&folder, || test(&case)))
    })
}

fn each_of<C>(
    interpreters: &Interpreters,
    kind: &str,
    tests: &[(&str, Test<C>)],
    body: impl Fn(&Interpreter, Test<C>) -> Body,
) -> Vec<Trial> {
    let built = interpreters.one_per_abi().into_iter().filter(|i| is_built(i.abi));
    let trials = built.flat_map(|interpreter| {
        let body = &body;
        tests.iter().map(move |&(name, test)| {
            Trial::new(format!("{} {kind}{name}", interpreter.label), body(interpreter, test))
        })
    });
    trials.collect()
}

type Body = Box<dyn FnOnce() -> Outcome<String> + Send>;

/// The tests of a module, whose name comes before theirs.
pub(crate) struct Group {
    name: &'static str,
    /// What docs/ABIS.md has from them.
    shows: Shows,
    /// Makes them of the interpreters that there are.
    trials: fn(Interpreters, Arc<Binaries>) -> Vec<Trial>,
}

impl Group {
    /// Those of a module of that name.
    pub(crate) const fn new(
        name: &'static str,
        shows: Shows,
        trials: fn(Interpreters, Arc<Binaries>) -> Vec<Trial>,
    ) -> Self {
        Self { name, shows, trials }
    }
}

/// One test. What it returns is shown after its name.
pub(crate) struct Trial {
    name: String,
    is_alone: bool,
    body: Body,
}

impl Trial {
    /// A test of that name.
    pub(crate) fn new(
        name: impl Into<String>,
        body: impl FnOnce() -> Outcome<String> + Send + 'static,
    ) -> Self {
        Self { name: name.into(), is_alone: false, body: Box::new(body) }
    }

    /// Whether it is one of an interpreter of that version.
    pub(crate) fn is_of(&self, version: &str) -> bool {
        self.name.strip_prefix(version).is_some_and(|rest| rest.starts_with('-'))
    }

    /// Whether it is one of an interpreter without a GIL.
    pub(crate) fn is_free_threaded(&self) -> bool {
        self.name.split_once('-').is_some_and(|(version, _)| version.ends_with('t'))
    }

    /// The label of the interpreter that it is of, if it is of one, and the rest of its name.
    fn parts(&self) -> (&str, &str) {
        self.name.split_once(' ').unwrap_or(("", &self.name))
    }

    /// Runs while no other test does: what it measures depends on how busy the machine is.
    pub(crate) fn alone(self) -> Self {
        Self { is_alone: true, ..self }
    }

    /// A test of that group. `shows` is what is to be recorded of it.
    fn into_test(
        self,
        group: &str,
        shows: Option<(Interpreter, Vec<Feature>)>,
    ) -> libtest_mimic::Trial {
        let rest = self.parts().1.to_owned();
        let Self { name, is_alone, body } = self;
        let name = format!("{group}::{name}");
        libtest_mimic::Trial::ignorable_test(name.clone(), move || {
            let _turn = turn(is_alone)?;
            if let Some(other) = HANGS.get() {
                return Ok(Completion::ignored_with(format!("not run: {other} does not end")));
            }
            let begin = Instant::now();
            let outcome = in_time(&name, body);
            let seconds = begin.elapsed().as_secs_f64();
            if let Some((interpreter, features)) = shows {
                for feature in features {
                    record(&interpreter, &rest, feature, Shown::of(&outcome))?;
                }
            }
            let words = outcome?;
            let words = if words.is_empty() { words } else { format!(": {words}") };
            // Nobody is left to be told when standard error is gone.
            let _ = writeln!(std::io::stderr(), "{name}{words} ({seconds:.1} s)");
            Ok(Completion::Completed)
        })
    }
}

/// The `main` of a test program: installs the profilers, reads the list of interpreters, and
/// runs the tests of all groups.
pub(crate) fn main(groups: &[Group]) -> ExitCode {
    let mut arguments = Arguments::from_args();
    let processors = thread::available_parallelism().map_or(1, usize::from);
    arguments.test_threads.get_or_insert(TESTS_A_PROCESSOR * processors);
    match prepared(groups) {
        Ok(tests) => libtest_mimic::run(&arguments, tests).exit_code(),
        Err(words) => {
            eprintln!("{words}");
            ExitCode::FAILURE
        }
    }
}

/// All tests, in the order in which they run.
fn prepared(groups: &[Group]) -> Outcome<Vec<libtest_mimic::Trial>> {
    catch_what_is_ignored()?;
    let interpreters = Interpreters::load()?;
    let binaries = Arc::new(Binaries::install()?);
    let mut tests = Vec::new();
    for Group { name, shows, trials } in groups {
        let trials = trials(interpreters.clone(), Arc::clone(&binaries));
        expect_declared(shows, &trials)?;
        for trial in trials {
            let shown = shown_by(shows, &interpreters.here, &trial);
            if shown.is_some() || !is_recording() {
                tests.push((trial.is_alone, trial.into_test(name, shown)));
            }
        }
    }
    // Last, or one that waits to be alone would wait for ever new ones.
    tests.sort_by_key(|(is_alone, _)| *is_alone);
    let missing = interpreters.missing.into_iter().filter(|missing| is_built(missing.abi));
    Ok(missing.map(is_here).chain(tests.into_iter().map(|(_, test)| test)).collect())
}

/// What a test shows, and on which interpreter.
fn shown_by(
    shows: Shows,
    here: &[Interpreter],
    trial: &Trial,
) -> Option<(Interpreter, Vec<Feature>)> {
    let (label, rest) = trial.parts();
    let interpreter = here.iter().find(|interpreter| interpreter.label == label)?;
    let declared = shows.iter().filter(|(_, test)| *test == rest);
    let features: Vec<Feature> = declared.map(|(feature, _)| *feature).collect();
    (!features.is_empty()).then(|| (interpreter.clone(), features))
}

/// Where all profilers are built, each test that is declared to show something is there.
fn expect_declared(shows: Shows, trials: &[Trial]) -> Outcome {
    let is_complete = ABIS.iter().all(|(abi, _)| is_built(abi));
    let is_there = |test: &str| trials.iter().any(|trial| trial.parts().1 == test);
    let missing = shows.iter().find(|(_, test)| !is_there(test)).filter(|_| is_complete);
    missing.map_or(Ok(()), |(feature, test)| {
        Err(format!("no test is called {test:?}, which is to show: {}", feature.title()))
    })
}

/// Fails in place of all tests of an interpreter that is missing, unless it may be.
fn is_here(missing: Missing) -> libtest_mimic::Trial {
    libtest_mimic::Trial::ignorable_test(format!("{} is here", missing.label), move || {
        missing.failure().map_or_else(
            || Ok(Completion::ignored_with(format!("missing: {}", missing.why))),
            |words| Err(words.into()),
        )
    })
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

/// Waits while a test runs that is alone; one that is alone itself, until no other runs. A file
/// is locked and not a variable, because nextest runs each test in a process of its own.
fn turn(is_alone: bool) -> Outcome<Flock<File>> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("alone");
    let words = || format!("lock {}", path.display());
    let file = File::options().create(true).append(true).open(&path).context(words)?;
    let kind = if is_alone { FlockArg::LockExclusive } else { FlockArg::LockShared };
    Flock::lock(file, kind).map_err(|(_, error)| error).context(words)
}

/// Runs a test in a thread of its own, which is left behind if it takes too long.
fn in_time(name: &str, body: Body) -> Outcome<String> {
    let (sender, receiver) = mpsc::channel();
    // Whoever waited for it may have given up.
    let test = thread::Builder::new().name(name.to_owned()).spawn(move || sender.send(body()));
    test.context(|| "start a thread".into())?;
    receiver.recv_timeout(LONGEST_TEST).unwrap_or_else(|error| match error {
        mpsc::RecvTimeoutError::Disconnected => Err("panicked; the message is above".into()),
        mpsc::RecvTimeoutError::Timeout => {
            let _ = HANGS.set(name.to_owned());
            Err(format!("no end after {} s", LONGEST_TEST.as_secs()))
        }
    })
}
