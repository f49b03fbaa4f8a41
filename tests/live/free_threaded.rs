//! Processes without a GIL: threads that are attached side by side, threads that are not, the
//! GIL switched on again, and pauses in which the interpreter has all threads wait.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use crate::support::binaries::{ABIS, Binaries, is_built};
use crate::support::features::{Feature, Shows, not_here};
use crate::support::interpreters::{Interpreter, Interpreters};
use crate::support::process::wait_until;
use crate::support::profiler::{Profile, attach, may_use_kernel};
use crate::support::runner::{Test, Trial};
use crate::support::target::{Target, set_environment};
use crate::support::{Outcome, expect, measured, targets};

/// What a test gets to work with.
struct Case {
    interpreter: Interpreter,
    profiler: PathBuf,
}

const TESTS: [(&str, Test<Case>); 7] = [
    ("side by side, by the kernel", |case| side_by_side(case, "kernel")),
    ("side by side, in stops", |case| side_by_side(case, "stop")),
    ("side by side, read", |case| side_by_side(case, "read")),
    ("all threads", all_threads),
    ("with the GIL switched on", with_the_gil),
    ("stop-the-world pauses", pauses),
    ("a crowd", crowd),
];

/// A tick every 5 ms.
const RATE: &str = "0.005";

/// What docs/ABIS.md has from here.
pub(crate) const SHOWS: Shows = &[
    (Feature::SideBySideKernel, "side by side, by the kernel"),
    (Feature::SideBySideStops, "side by side, in stops"),
    (Feature::SideBySideRead, "side by side, read"),
    (Feature::GilSwitchedOn, "with the GIL switched on"),
    (Feature::Pauses, "stop-the-world pauses"),
];

pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    for (abi, _) in ABIS.iter().filter(|(abi, _)| !abi.ends_with('t')) {
        let of_this = SHOWS.iter().map(|(feature, _)| *feature);
        of_this.for_each(|feature| not_here(abi, feature, "the build has a GIL that is always on"));
    }
    let free = interpreters.here.iter().filter(|i| i.abi.ends_with('t') && is_built(i.abi));
    let trials = free.flat_map(|interpreter| {
        TESTS.map(|(name, test)| {
            let case = Case {
                interpreter: interpreter.clone(),
                profiler: binaries.profiler(interpreter.abi),
            };
            Trial::new(format!("{} {name}", interpreter.label), move || test(&case)).alone()
        })
    });
    trials.collect()
}

impl Case {
    /// The program, and whether the GIL is to be switched on.
    fn start(&self, what: &str, with_gil: bool) -> Outcome<Target> {
        let mut command = Command::new(&self.interpreter.executable);
        set_environment(&mut command);
        if with_gil {
            command.env("PYTHON_GIL", "1");
        }
        command.arg(targets().join("side_by_side.py")).arg(what);
        let target = Target::start_command(&self.interpreter, &mut command)?;
        target.expect("ready")?;
        Ok(target)
    }

    /// A profile of two seconds, of which every stack is possible, and the ticks there were.
    fn profile(&self, target: &Target, options: &[&str]) -> Outcome<(Profile, u64)> {
        let options = [&["-s", "2", "-r", RATE, "--stats"], options].concat();
        let finished = attach(&self.profiler, target.pid(), &options)?;
        let row = |line: &str| line.strip_prefix("ticks: ").and_then(|n| n.parse().ok());
        let ticks = finished.stderr.lines().find_map(row).unwrap_or(0);
        expect(finished.status.success(), || finished.words())?;
        let profile = Profile::parse(&finished.stdout, true)?;
        crate::support::shape::Shape::of("side_by_side.py")?.check(&profile)?;
        Ok((profile, ticks))
    }
}

fn end(mut target: Target) -> Outcome {
    target.close_stdin();
    target.end()
}

/// What is so much of the ticks, in percent.
fn percent(part: u64, ticks: u64) -> u64 {
    part * 100 / ticks.max(1)
}

/// Each thread that computes is attached all the time, and has a sample at every tick,
/// whatever the others do. One that sleeps, or works in C code, is not attached.
fn side_by_side(case: &Case, engine: &str) -> Outcome<String> {
    if engine == "kernel" && !may_use_kernel() {
        return Ok("not tried: this kernel takes no samples, or not for this user".into());
    }
    measured(|| {
        let target = case.start("compute", false)?;
        let options = ["--engine", engine, "--max-pause", "50"];
        let (profile, ticks) = case.profile(&target, &options)?;
        end(target)?;
        let of = |function: &str| percent(profile.samples_with(function), ticks);
        let shares = ["one", "other", "sleep", "hash_long"].map(of);
        let words = format!("{engine}: {shares:?} % of {ticks} ticks");
        // No chance is in this: at each tick both have a sample, and one that came late may have
        // the ticks of others. A busy machine has fewer ticks, as the profiler waits. Reading leaves out what cannot be proven.
        let least = if engine == "read" { 30 } else { 85 };
        let compute = &shares[..2];
        let is_right = compute.iter().all(|share| (least..=112).contains(share))
            && shares[2] <= 15
            && shares[3] <= 15
            && ticks >= 100;
        Ok((is_right, words))
    })
}

/// With `--threads` each thread has its samples, attached or not.
fn all_threads(case: &Case) -> Outcome<String> {
    measured(|| {
        let target = case.start("compute", false)?;
        let (profile, ticks) = case.profile(&target, &["--threads", "--max-pause", "50"])?;
        end(target)?;
        let of = |function: &str| percent(profile.samples_with(function), ticks);
        let shares = ["one", "other", "sleep", "hash_long"].map(of);
        let is_right = shares.iter().all(|share| (80..=112).contains(share));
        Ok((is_right, format!("{shares:?} % of {ticks} ticks")))
    })
}

/// Whose interpreter has switched its GIL on is sampled by that: one thread at a time.
fn with_the_gil(case: &Case) -> Outcome<String> {
    measured(|| {
        let target = case.start("compute", true)?;
        let (profile, ticks) = case.profile(&target, &["--max-pause", "50"])?;
        end(target)?;
        let shares = ["one", "other"].map(|f| percent(profile.samples_with(f), ticks));
        let all = shares[0] + shares[1];
        // One of them is attached at each tick but for those at which the GIL goes on; for how
        // long each keeps it is the interpreter's choice.
        let is_right = (80..=120).contains(&all) && shares.iter().all(|share| *share >= 20);
        Ok((is_right, format!("{shares:?} % of {ticks} ticks")))
    })
}

/// A dump says which threads a pause has suspended, and the account how often.
fn pauses(case: &Case) -> Outcome<String> {
    let target = case.start("collect", false)?;
    let words = "suspended by a stop-the-world pause";
    wait_until("a dump meets a pause", || {
        let output = attach(&case.profiler, target.pid(), &["--dump", "--verbose"])?.clean()?;
        let text = String::from_utf8_lossy(&output).into_owned();
        let is_it =
            |thread: &str| thread.contains(words) && thread.contains("side_by_side.py:compute:");
        Ok(text.split("\n\n").any(is_it).then_some(()))
    })?;
    let options = ["-s", "2", "-r", RATE, "--stats", "--max-pause", "50"];
    let finished = attach(&case.profiler, target.pid(), &options)?;
    end(target)?;
    let row = |line: &str| line.strip_prefix("suspended: ").and_then(|n| n.parse::<u64>().ok());
    let suspended = finished.stderr.lines().find_map(row);
    expect(suspended.is_some_and(|ticks| ticks > 50), || finished.words())?;
    Ok(format!("{} ticks in pauses", suspended.unwrap_or(0)))
}

/// A tick ends at its deadline, 0.1 s, however many threads are attached: each that waits for a
/// processor is waited for before it stops.
fn crowd(case: &Case) -> Outcome<String> {
    let target = case.start("crowd", false)?;
    let options = ["--engine", "stop", "--pause", "always"];
    let (profile, ticks) = case.profile(&target, &options)?;
    end(target)?;
    let stacks = profile.samples_with("compute");
    let words = format!("{ticks} ticks of 2 s, {stacks} stacks");
    expect(ticks >= 4 && stacks > 0, || words.clone())?;
    Ok(words)
}
