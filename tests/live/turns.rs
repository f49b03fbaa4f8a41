//! `--pause never` without the kernel's help: no ptrace call, not even to prove the layout,
//! and a thread that waits for its processor while it is read.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::binaries::Binaries;
use crate::support::features::{Feature, Shows};
use crate::support::interpreters::{Build, Interpreter, Interpreters};
use crate::support::process::{Finished, Running, expect_left_alone, run};
use crate::support::profiler::{
    Profile, attach, command, dump, dump_until, has_turns, wait_for_ticks, wait_until_it_catches,
};
use crate::support::runner::{self, Test, Trial};
use crate::support::shape::Shape;
use crate::support::shares::equal_within;
use crate::support::target::Target;
use crate::support::truth::parse_dump;
use crate::support::{Context, Outcome, expect, measured, with_more_time};

/// What a test gets to work with.
struct Case {
    interpreter: Interpreter,
    profiler: PathBuf,
}

const TESTS: [(&str, Test<Case>); 6] = [
    ("no ptrace call", no_ptrace_call),
    ("as fast as possible", as_fast_as_possible),
    ("higher rates than turns allow", higher_rates),
    ("time of threads that were not asked for", other_threads),
    ("threads that compute without the GIL", without_the_gil),
    ("the profiler stands still itself", stands_still),
];

/// What measures, and needs a processor for the profiler's turn.
const ALONE: [(&str, Test<Case>); 2] = [
    ("each tick has its turn", a_turn_a_tick),
    ("threads on processors, in few turns", on_processors),
];

/// What is said of tests of threads that take turns at the GIL.
const NO_GIL: &str = "not tried: its threads run side by side";

impl Case {
    fn has_gil(&self) -> bool {
        !self.interpreter.abi.ends_with('t')
    }
}

/// What docs/ABIS.md has from here.
pub(crate) const SHOWS: Shows = &[
    (Feature::Turns, "turns, each tick has its turn"),
    (Feature::NoPtrace, "turns, no ptrace call"),
    (Feature::WithoutGil, "turns, threads that compute without the GIL"),
];

pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    let case = |interpreter: &Interpreter| Case {
        interpreter: interpreter.clone(),
        profiler: binaries.profiler(interpreter.abi),
    };
    let alone = runner::one_per_abi(&interpreters, "turns, ", &ALONE, case);
    let mut trials = runner::one_per_abi(&interpreters, "turns, ", &TESTS, case);
    trials.extend(alone.into_iter().map(Trial::alone));
    trials
}

/// Runs a profiler that ends by a signal if it makes a ptrace call.
fn without_ptrace(profiler: &Path, pid: u32, options: &[&str]) -> Outcome<Finished> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/targets/without_ptrace.py");
    let mut command = Command::new("/usr/bin/python3");
    command.arg(script).arg(profiler).args(options).args(["-p", &pid.to_string()]);
    run(&mut command)
}

fn no_ptrace_call(case: &Case) -> Outcome<String> {
    let mut target = Target::start(&case.interpreter, "busy.py", &[])?;
    target.expect("ready")?;
    let shape = Shape::of("busy.py")?;
    let never: [&[&str]; 4] = [
        &["-r", "0.005", "--pause", "never"],
        &["-r", "0.005", "--pause", "never", "--engine", "read"],
        &["-r", "0.005", "--pause", "never", "--engine", "read", "--threads"],
        &["-r", "0.0005", "--max-pause", "0", "--engine", "read"],
    ];
    let mut samples = Vec::new();
    for options in never {
        samples.push(with_more_time(&["0.3", "1", "4"], |time| {
            let options = [options, &["-s", time]].concat();
            let finished = without_ptrace(&case.profiler, target.pid(), &options)?;
            let profile = Profile::parse(&finished.clean()?, true)?;
            shape.check(&profile)?;
            let total = profile.total();
            Ok(if total > 10 { Ok(total) } else { Err(format!("{options:?}: {total} samples")) })
        })?);
    }
    let look = || {
        let options = ["--dump", "--pause", "never"];
        parse_dump(&without_ptrace(&case.profiler, target.pid(), &options)?.clean()?)
    };
    // Between two rounds it holds no GIL, or is in its outermost functions only.
    dump_until("a thread with the GIL has more than two frames", look, |threads| {
        threads.iter().any(|thread| thread.holds_gil && thread.frames.len() > 2)
    })?;
    // Whoever may stop it does, and is ended for that here.
    let options = ["--engine", "stop", "-s", "0.3"];
    let finished = without_ptrace(&case.profiler, target.pid(), &options)?;
    expect(!finished.status.success() && finished.stdout.is_empty(), || finished.words())?;
    expect_left_alone(target.pid())?;
    dump(&case.profiler, target.pid())?;
    target.close_stdin();
    target.end()?;
    Ok(format!("{samples:?} samples"))
}

/// A number in the account of a run.
fn number(finished: &Finished, name: &str) -> f64 {
    let mut lines = finished.stderr.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    value.and_then(|value| value.parse().ok()).unwrap_or(0.0)
}

/// The same, of what is counted.
fn row(finished: &Finished, name: &str) -> u64 {
    number(finished, name) as u64
}

fn profile(case: &Case, options: &[&str]) -> Outcome<(Finished, Profile)> {
    let mut target = Target::start(&case.interpreter, "leaves.py", &[])?;
    target.expect("ready")?;
    let options = [&["--pause", "never", "--engine", "read", "--stats"], options].concat();
    let finished = attach(&case.profiler, target.pid(), &options)?;
    expect_left_alone(target.pid())?;
    target.close_stdin();
    target.end()?;
    let profile = Profile::parse(&finished.stdout, true)?;
    Shape::of("leaves.py")?.check(&profile)?;
    Ok((finished, profile))
}

/// Functions that are shorter than a read have their time from the first tick on.
fn a_turn_a_tick(case: &Case) -> Outcome<String> {
    if !has_turns() {
        return Ok("not tried: before Linux 6.12 nobody has a turn at once".into());
    }
    measured(|| {
        let (finished, profile) = profile(case, &["-s", "1", "-r", "0.002"])?;
        let words = || finished.words();
        expect(finished.stderr.contains("engine: read, in turns\n"), words)?;
        expect(row(&finished, "stopped") == 0, words)?;
        let (ticks, turns) = (row(&finished, "ticks"), row(&finished, "turns"));
        let samples = row(&finished, "samples");
        let leaves = ["alpha", "beta", "gamma", "delta"].map(|leaf| profile.samples_in(leaf));
        // The four are alike but for where their code lies.
        let (are_alike, shares) = equal_within(leaves, 0.03);
        // On a busy machine the thread waits at many ticks, with nobody to take its turn.
        let is_full = turns * 2 > ticks && samples * 100 >= ticks * 98 && ticks > 300;
        Ok((is_full && are_alike, format!("{samples} of {ticks} ticks, {turns} turns, {shares}")))
    })
}

/// As often as can be, a thread is read while it runs, and that is said. It waits only for what
/// is learnt of its calls.
fn as_fast_as_possible(case: &Case) -> Outcome<String> {
    let (finished, profile) = profile(case, &["-s", "0.5", "-r", "0"])?;
    let told = "engine: read, shares are estimates\n";
    let (samples, turns) = (row(&finished, "samples"), row(&finished, "turns"));
    let is_right = samples > 1000 && turns > 0 && row(&finished, "stopped") == 0;
    expect(finished.stderr.contains(told) && is_right, || finished.words())?;
    Ok(format!("{} samples, {turns} turns", profile.total()))
}

/// More often than the thread may wait its turn, samples count for several ticks.
fn higher_rates(case: &Case) -> Outcome<String> {
    if !has_turns() {
        return Ok("not tried: before Linux 6.12 nobody has a turn at once".into());
    }
    let (finished, profile) = profile(case, &["-s", "1", "-r", "0.00002"])?;
    expect(finished.stderr.contains("engine: read, in turns\n"), || finished.words())?;
    let (samples, skipped) = (row(&finished, "samples"), row(&finished, "skipped"));
    let milliseconds = number(&finished, "turns total ms");
    // What was expected of the last one, and what may be spent at first, are more.
    let is_right = milliseconds <= 40.0 && skipped * 2 > samples && row(&finished, "stopped") == 0;
    expect(is_right, || finished.words())?;
    Ok(format!("{} samples, {skipped} without a turn", profile.total()))
}

/// Where a sample counts for the ticks before it, a thread that was asked for does not get the
/// time of those that were not. It has a sixth (2.7) to a half of all.
fn other_threads(case: &Case) -> Outcome<String> {
    if !case.has_gil() {
        return Ok(NO_GIL.into());
    }
    measured(|| {
        let mut target = Target::start(&case.interpreter, "turns.py", &[])?;
        target.expect("ready")?;
        let few = ["-s", "4", "-r", "0.0002", "--engine", "stop", "--max-pause", "0.5"];
        let options = [&few[..], &["--thread", "third, last", "--stats"]].concat();
        let finished = attach(&case.profiler, target.pid(), &options)?;
        target.close_stdin();
        target.end()?;
        let profile = Profile::parse(&finished.stdout, true)?;
        let third = 100 * profile.samples_with("third") / profile.total().max(1);
        let (skipped, ticks) = (row(&finished, "skipped"), row(&finished, "ticks"));
        let words = format!("{third} % of {ticks} ticks, {skipped} without a stop");
        // Who has the GIL next is a matter of the kernel, not of chance alone.
        let least = if case.interpreter.abi == "2.7" { 8 } else { 15 };
        Ok(((least..=75).contains(&third) && skipped * 2 > ticks, words))
    })
}

/// What a thread calls that is never seen holding the GIL is learnt all the same.
fn without_the_gil(case: &Case) -> Outcome<String> {
    let mut target = Target::start(&case.interpreter, "native_work.py", &[])?;
    target.expect("ready")?;
    let mut words = Vec::new();
    for engine in ["stop", "read"] {
        let options = ["--threads", "-s", "1", "-r", "0.01", "--stats", "--engine", engine];
        let finished = attach(&case.profiler, target.pid(), &options)?;
        let profile = Profile::parse(&finished.stdout, true)?;
        let counts = ["first", "second", "third"].map(|name| profile.samples_with(name));
        let lost = row(&finished, "lost threads");
        expect(counts.iter().all(|count| *count > 10) && lost * 2 < counts.iter().sum(), || {
            format!("{counts:?}, {lost} lost: {}", finished.words())
        })?;
        words.push(format!("{engine} {counts:?}, {lost} lost"));
    }
    target.close_stdin();
    target.end()?;
    Ok(words.join("; "))
}

/// A sample that counts for several ticks counts for as much of a thread's time on a processor:
/// threads that take turns at the GIL have no more of it than one processor gives, and two in
/// 2.7, where those that wait for it keep one busy.
fn on_processors(case: &Case) -> Outcome<String> {
    if !case.has_gil() {
        return Ok(NO_GIL.into());
    }
    if !has_turns() {
        return Ok("not tried: before Linux 6.12 nobody has a turn at once".into());
    }
    measured(|| {
        let mut target = Target::start(&case.interpreter, "turns.py", &[])?;
        target.expect("ready")?;
        let often = ["-s", "2", "-r", "0.00005", "--cpu", "--engine", "read", "--stats"];
        let finished = attach(&case.profiler, target.pid(), &often)?;
        target.close_stdin();
        target.end()?;
        let counted = Profile::parse(&finished.stdout, true)?.total();
        let (skipped, ticks) = (row(&finished, "skipped"), row(&finished, "ticks"));
        let words = format!("{counted} of {ticks} ticks, {skipped} without a turn");
        let processors = if case.interpreter.abi.starts_with("2.7") { 2 } else { 1 };
        // What the kernel counts of a thread lags behind, and is counted ahead by up to 20 ms.
        // In debug builds, where threads take more turns, more of that adds up.
        let tenths = if case.interpreter.build() == Build::Debug { 13 } else { 12 };
        let most = ticks * processors / 10 * tenths;
        let is_right = counted <= most && counted * 2 > ticks && skipped * 2 > ticks;
        Ok((is_right, words))
    })
}

/// Ticks that pass while the profiler is stopped (Ctrl-Z, with its command) are late, and no
/// sample counts for them.
fn stands_still(case: &Case) -> Outcome<String> {
    measured(|| {
        let mut target = Target::start(&case.interpreter, "busy.py", &[])?;
        target.expect("ready")?;
        let pid = target.pid().to_string();
        let options = ["-s", "4", "-r", "0.01", "--stats", "--engine", "read", "-p", &pid];
        let running = Running::start(&mut command(&case.profiler, &options), false)?;
        wait_until_it_catches(&running, &[Signal::SIGINT, Signal::SIGTERM])?;
        wait_for_ticks(&running, 20)?;
        let profiler =
            i32::try_from(running.pid()).map(Pid::from_raw).context(|| "a pid".into())?;
        let send = |signal| kill(profiler, signal).context(|| format!("send {signal}"));
        send(Signal::SIGSTOP)?;
        // That it stands still for so long is what is tried here.
        std::thread::sleep(Duration::from_secs(1));
        send(Signal::SIGCONT)?;
        let finished = running.finish()?;
        target.close_stdin();
        target.end()?;
        let profile = Profile::parse(&finished.stdout, true)?;
        let (counted, late) = (profile.total(), row(&finished, "late"));
        // At the others the program may have been kept from running; and the profiler, until after
        // the end.
        let is_right = late >= 95 && counted >= 1 && counted + late <= 402;
        Ok((is_right, format!("{counted} ticks, {late} late")))
    })
}
