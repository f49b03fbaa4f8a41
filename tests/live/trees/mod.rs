//! Several processes in one profile: what a process starts, in each way there is, by several
//! versions of Python, with programs that are not Python between; several that are named;
//! all that match a pattern; and what is made of that. Nothing is left behind, however it
//! ends.
//!
//! Programs run until the profile has enough of them, which its snapshots tell.

use std::path::PathBuf;
use std::sync::Arc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

mod control;
mod following;
mod results;

use crate::support::binaries::{Binaries, is_built};
use crate::support::features::{Feature, Shows, not_here};
use crate::support::interpreters::{Interpreter, Interpreters, after, three};
use crate::support::process::{Finished, Running, family_states, wait_until};
use crate::support::profiler::{command, wait_until_it_catches};
use crate::support::runner::Trial;
use crate::support::target::{Target, in_folder, new_file};
use crate::support::tree::{self, Profile};
use crate::support::{Context, Outcome, expect, targets};

/// What a test gets to work with.
struct Case {
    interpreter: Interpreter,
    /// An interpreter of another version.
    other: Interpreter,
    binaries: Arc<Binaries>,
    /// A folder of its own.
    folder: PathBuf,
}

type Test = fn(&Case) -> Outcome<String>;

/// Tests in which the versions differ.
const OF_ALL_VERSIONS: [(&str, Test); 6] = [
    ("forks", following::forks),
    ("spawns", following::spawns),
    ("two versions, with a shell and cat", following::two_versions),
    ("execution of another version", following::execution),
    ("children that change while they are looked at", following::changing),
    ("a dump of all", results::dump),
];

/// Tests of what is done by the launcher: an old version, a new one, and one between.
const OF_THREE_VERSIONS: [(&str, Test); 14] = [
    ("a fork server", following::fork_server),
    ("children of a process that runs already", following::children_of_a_process),
    ("execution of the same program", following::same_program),
    ("500 short-lived children", following::short_lived),
    ("Ctrl-C", control::interrupted),
    ("a supervisor that is killed", control::killed),
    ("several process ids", control::several_ids),
    ("a pattern", control::pattern),
    ("asked of a profiler", control::asked_of_a_profiler),
    ("a file for each window", results::windows),
    ("a recording and its report", results::recording),
    ("one moment", results::moment),
    ("a dump as JSON", results::json_dump),
    ("paths below sys.path", results::relative),
];

/// What docs/ABIS.md has from here.
pub(crate) const SHOWS: Shows = &[
    (Feature::Forks, "forks"),
    (Feature::Spawns, "spawns"),
    (Feature::Versions, "two versions, with a shell and cat"),
    (Feature::DumpOfTree, "a dump of all"),
];

pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    let all: Vec<&Interpreter> =
        interpreters.one_per_abi().into_iter().filter(|i| is_built(i.abi)).collect();
    let mut trials = Vec::new();
    let mut add = |interpreter: &Interpreter, name: &str, test: Test, note: &str| {
        let case = Case {
            interpreter: interpreter.clone(),
            other: after(&all, interpreter).clone(),
            binaries: Arc::clone(&binaries),
            folder: new_file("trees"),
        };
        let name = format!("{} {name}{note}", interpreter.label);
        trials.push(Trial::new(name, move || in_folder(&case.folder, || test(&case))));
    };
    let able = |name: &str| -> Vec<&Interpreter> {
        all.iter().filter(|i| is_able_to(name, i.abi)).copied().collect()
    };
    for (name, test) in OF_ALL_VERSIONS {
        able(name).into_iter().for_each(|interpreter| add(interpreter, name, test, ""));
    }
    for abi in all.iter().map(|i| i.abi).filter(|abi| !is_able_to("spawns", abi)) {
        not_here(abi, Feature::Spawns, "`multiprocessing` only forks before 3.4");
    }
    for (name, test) in OF_THREE_VERSIONS {
        for interpreter in three(&able(name)) {
            add(interpreter, name, test, " [three versions only]");
        }
    }
    trials
}

/// Whether a version can do what a test wants: before 3.4 there is only one way to start a
/// process.
fn is_able_to(name: &str, abi: &str) -> bool {
    !abi.starts_with("2.7") || !["spawns", "a fork server"].contains(&name)
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

    /// The file that [`Case::start`] and [`Case::run`] write.
    fn output(&self) -> String {
        self.file("out.folded")
    }

    /// A command for the launcher, with `--subprocesses`, the account, a file for the result
    /// and these arguments.
    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let file = self.output();
        let own = ["--subprocesses", "--stats", "-r", "0.002", "-o", &file];
        command(&self.binaries.launcher(), &[&own[..], arguments].concat())
    }

    /// Starts it, and returns when it can be asked for snapshots. Its standard input, which
    /// is that of a command of `-t` too, is open.
    fn start(&self, arguments: &[&str]) -> Outcome<Running> {
        let running = Running::start(&mut self.command(arguments), true)?;
        wait_until_it_catches(&running, &[Signal::SIGINT, Signal::SIGUSR1])?;
        Ok(running)
    }

    /// Waits until the profile has so much that `is_enough`.
    fn wait_for(&self, running: &Running, is_enough: impl Fn(&Profile) -> bool) -> Outcome {
        let file = self.output();
        let mut last = Outcome::Ok(Profile::default());
        let enough = wait_until("the profile has enough", || {
            send(running.pid(), Signal::SIGUSR1)?;
            last = Profile::read(&file);
            Ok(last.as_ref().is_ok_and(&is_enough).then_some(()))
        });
        enough.map_err(|words| {
            let states = family_states(running.pid());
            let said = running.stderr_so_far();
            format!("{words}: {last:?}\nprocesses: {states}\nstderr: {said}")
        })
    }

    /// Waits for the end of a run that must be without complaints.
    fn finish(&self, running: Running) -> Outcome<(Finished, Profile)> {
        let finished = running.finish()?;
        expect(finished.status.success(), || finished.words())?;
        tree::expect_no_complaint(&finished)?;
        let profile = Profile::read(&self.output())?;
        Ok((finished, profile))
    }

    /// A family of busy children, and their ids.
    fn family(&self, start: &str, number: usize) -> Outcome<(Target, Vec<u32>)> {
        let target = Target::start(&self.interpreter, "family.py", &[start, &number.to_string()])?;
        let mut pids = numbers(&target.expect("children")?)?;
        pids.sort_unstable();
        Ok((target, pids))
    }
}

fn numbers(words: &[String]) -> Outcome<Vec<u32>> {
    words.iter().map(|word| word.parse().context(|| format!("a number: {word}"))).collect()
}

fn script(name: &str) -> String {
    targets().join(name).display().to_string()
}

fn send(pid: u32, signal: Signal) -> Outcome {
    let pid = i32::try_from(pid).context(|| "a pid".into())?;
    kill(Pid::from_raw(pid), signal).context(|| format!("send {signal}"))
}
