//! A command under `-t` is the user's: Ctrl-C and other signals reach it, its end and its last
//! words are waited for, its exit status is passed on, and whichever Python it runs is in the
//! profile.
//!
//! Programs say over pipes how far they are; snapshots say how far the profile is.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

mod signals;
mod terminals;
mod wrappers;

use crate::support::binaries::{Binaries, is_built};
use crate::support::features::Shows;
use crate::support::interpreters::{Interpreter, Interpreters, after, three};
use crate::support::process::{Finished, Running, family_states, wait_until};
use crate::support::profiler::{Profile, command, wait_until_it_catches};
use crate::support::runner::Trial;
use crate::support::target::{in_folder, new_file, set_environment};
use crate::support::{Context, Outcome, expect, targets};

/// What a test gets to work with.
struct Case {
    interpreter: Interpreter,
    /// An interpreter of another version, whose profiler is there too.
    other: Interpreter,
    /// `pyflameX.Y` or the launcher.
    profiler: PathBuf,
    binaries: Arc<Binaries>,
    /// A folder of its own.
    folder: PathBuf,
}

type Test = fn(&Case) -> Outcome<String>;

/// Tests with the launcher and with the profiler itself.
const BOTH_WAYS: [(&str, Test); 21] = [
    ("SIGINT, SIGTERM, SIGHUP, SIGQUIT", signals::passed_on),
    ("a second signal", signals::second_signal),
    ("signals of timeout", signals::timeout),
    ("a hangup that is ignored", signals::nohup),
    ("--subprocesses and signals", signals::subprocesses),
    ("the first process of a container", signals::first_process),
    ("exit status", signals::exit_status),
    ("a Python prompt", terminals::prompt),
    ("Ctrl-C and cleaning up", terminals::clean_up),
    ("Ctrl-C and a question", terminals::question),
    ("Ctrl-C twice", terminals::twice),
    ("Ctrl-Z", terminals::job_control),
    ("a probe before the program", wrappers::probe),
    ("a probe of another version", wrappers::other_probe),
    ("execution of another version", wrappers::execution),
    ("a Python that starts the program", wrappers::wrapper),
    ("others at the same time", wrappers::others),
    ("a recording of two Pythons", wrappers::recording),
    ("windows of two Pythons", wrappers::windows),
    ("a daemon", wrappers::daemon),
    ("a daemon that is sampled", wrappers::only_a_daemon),
];

/// Tests of the launcher alone, or of processes that run already.
const ONE_WAY: [(&str, Test); 5] = [
    ("SIGHUP with -p", signals::hangup_attached),
    ("a signal before there is Python", signals::before_python),
    ("a late Python", wrappers::late),
    ("a profiler that is missing", wrappers::missing),
    ("a daemon with --subprocesses", wrappers::daemon_in_tree),
];

/// docs/ABIS.md has nothing from here.
pub(crate) const SHOWS: Shows = &[];

pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    let all: Vec<&Interpreter> =
        interpreters.one_per_abi().into_iter().filter(|i| is_built(i.abi)).collect();
    let mut trials = Vec::new();
    for interpreter in three(&all) {
        let other = after(&all, interpreter);
        let own = (format!("pyflame{}", interpreter.abi), binaries.profiler(interpreter.abi));
        let launcher = ("pyflame".to_owned(), binaries.launcher());
        let mut add = |(way, profiler): &(String, PathBuf), name: &str, test: Test| {
            let case = Case {
                interpreter: interpreter.clone(),
                other: other.clone(),
                profiler: profiler.clone(),
                binaries: Arc::clone(&binaries),
                folder: new_file("commands"),
            };
            let name = format!("{} {way}, {name} [three versions only]", interpreter.label);
            trials.push(Trial::new(name, move || in_folder(&case.folder, || test(&case))));
        };
        for (name, test) in BOTH_WAYS {
            add(&own, name, test);
            add(&launcher, name, test);
        }
        ONE_WAY.iter().for_each(|(name, test)| add(&launcher, name, *test));
    }
    trials
}

impl Case {
    /// A file in the folder of the test.
    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn python(&self) -> String {
        self.interpreter.executable.display().to_string()
    }

    fn other_python(&self) -> String {
        self.other.executable.display().to_string()
    }

    /// The file of the profile, if the test names no other.
    fn output(&self) -> String {
        self.file("out.folded")
    }

    /// The profiler with the account, a file for the result and these arguments.
    fn command(&self, arguments: &[&str]) -> Command {
        let file = self.output();
        let own = ["--stats", "-r", "0.002", "-o", &file];
        let mut made = command(&self.profiler, &[&own[..], arguments].concat());
        set_environment(&mut made);
        made
    }

    /// Starts a command under it, and returns when it can be asked for snapshots. The
    /// standard input of the command is open.
    fn start(&self, arguments: &[&str]) -> Outcome<Running> {
        // That of another run would be taken for a snapshot.
        let _ = fs::remove_file(self.output());
        let running = Running::start(&mut self.command(arguments), true)?;
        wait_until_it_catches(&running, &[Signal::SIGUSR1])?;
        Ok(running)
    }

    /// Waits until the profile has so many samples with a function.
    fn wait_for(&self, running: &Running, function: &str, samples: u64) -> Outcome {
        let mut last = String::new();
        let enough = wait_until(&format!("there are {samples} samples of {function}"), || {
            send(running.pid(), Signal::SIGUSR1)?;
            let text = fs::read(self.output()).unwrap_or_default();
            last = String::from_utf8_lossy(&text).into_owned();
            let profile = Profile::parse(&text, true)?;
            Ok((profile.samples_with(function) >= samples).then_some(()))
        });
        enough.map_err(|words| {
            let (states, said) = (family_states(running.pid()), running.stderr_so_far());
            format!("{words}: {last}\nprocesses: {states}\nstderr: {said}")
        })
    }

    fn profile(&self) -> Outcome<Profile> {
        let file = self.output();
        Profile::parse(&fs::read(&file).context(|| file.clone())?, true)
    }

    /// Fails unless the profile has so many samples with a function.
    fn expect_samples(&self, function: &str, samples: u64) -> Outcome<u64> {
        let profile = self.profile()?;
        let seen = profile.samples_with(function);
        expect(seen >= samples, || format!("{seen} samples of {function}: {profile:?}"))?;
        Ok(seen)
    }
}

/// Fails unless it ended with this status.
fn expect_status(finished: &Finished, status: i32) -> Outcome {
    expect(finished.status.code() == Some(status), || {
        format!("should exit with {status}: {}", finished.words())
    })
}

/// Waits for a line that a program says, which begins with this word; the rest of the line.
fn wait_for_line(running: &Running, word: &str) -> Outcome<String> {
    wait_until(&format!("the program says {word}"), || {
        let said = running.stdout_so_far();
        let line = said.lines().find_map(|line| line.strip_prefix(word));
        Ok(line.filter(|_| said.ends_with('\n')).map(|line| line.trim().to_owned()))
    })
}

fn script(name: &str) -> String {
    targets().join(name).display().to_string()
}

fn send(pid: u32, signal: Signal) -> Outcome {
    let pid = i32::try_from(pid).context(|| "a pid".into())?;
    kill(Pid::from_raw(pid), signal).context(|| format!("send {signal} to {pid}"))
}

/// A process that a test has to end, whatever becomes of the test.
struct Left(u32);

impl Drop for Left {
    fn drop(&mut self) {
        // It may have ended.
        let _ = send(self.0, Signal::SIGKILL);
    }
}
