//! Threads of Python and threads of the kernel, where they are not one to one: a process
//! whose first thread has ended, one that was forked by C code, a thread that is in
//! two interpreters.

use std::sync::Arc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::binaries::{Binaries, age};
use crate::support::features::{Feature, Shows};
use crate::support::interpreters::{Interpreter, Interpreters};
use crate::support::process::{
    Finished, expect_left_alone, run, wait_at_rest, wait_until, wait_until_asleep,
};
use crate::support::profiler::{Profile, attach, command, start_sampling, wait_for_ticks};
use crate::support::runner::{self, Test, Trial};
use crate::support::shape::Shape;
use crate::support::target::Target;
use crate::support::{Context, Outcome, expect, native, with_more_time};

/// What a test gets to work with.
struct Case {
    interpreter: Interpreter,
    binaries: Arc<Binaries>,
}

const TESTS: [(&str, Test<Case>); 8] = [
    ("first thread gone", first_thread_gone),
    ("first thread gone, with its tree", first_thread_gone_in_a_tree),
    ("first thread goes while it is sampled", first_thread_goes),
    ("forked by C, at rest", forked_by_c),
    ("forked by C, busy", forked_by_c_and_busy),
    ("busy in a subinterpreter", busy_in_a_subinterpreter),
    ("waiting in a subinterpreter", waiting_in_a_subinterpreter),
    ("back from a subinterpreter", back_from_a_subinterpreter),
];

/// Without a GIL the first thread keeps a processor busy, and the others need one too.
const SUCCESSORS: [(&str, Test<Case>); 1] = [("threads that follow one another", successors)];

/// What docs/ABIS.md has from here.
pub(crate) const SHOWS: Shows = &[
    (Feature::Subinterpreters, "busy in a subinterpreter"),
    (Feature::Subinterpreters, "waiting in a subinterpreter"),
    (Feature::FirstThreadGone, "first thread gone"),
    (Feature::ForkedByC, "forked by C, at rest"),
];

pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    let case = |interpreter: &Interpreter| Case {
        interpreter: interpreter.clone(),
        binaries: Arc::clone(&binaries),
    };
    let mut trials = runner::one_per_abi(&interpreters, "", &TESTS, case);
    let successors = runner::one_per_abi(&interpreters, "", &SUCCESSORS, case);
    let alone = |trial: Trial| if trial.is_free_threaded() { trial.alone() } else { trial };
    trials.extend(successors.into_iter().map(alone));
    trials
}

/// What is said of those that the interpreter itself cannot do.
const NOT_TRIED: &str = "not tried: a debug build checks which thread it is in, and ends";

impl Case {
    fn profiler(&self) -> std::path::PathBuf {
        self.binaries.profiler(self.interpreter.abi)
    }

    /// The launcher with these options on a process.
    fn launch(&self, pid: u32, options: &[&str]) -> Outcome<Finished> {
        attach(&self.binaries.launcher(), pid, options)
    }

    /// Whether the interpreter ends itself when it finds that it is in a child that C made.
    fn dies_of_raw_forks(&self) -> bool {
        self.interpreter.abi == "2.7d"
    }

    /// The threads of a dump as JSON.
    fn threads(&self, pid: u32) -> Outcome<Vec<Value>> {
        let output = self.launch(pid, &["--dump", "--json"])?.clean()?;
        let dump: Value = serde_json::from_slice(&output).context(|| "JSON".into())?;
        dump["threads"].as_array().cloned().context(|| format!("no threads: {dump}"))
    }

    /// A program whose first thread has ended.
    fn headless(&self) -> Outcome<Target> {
        let mut target = Target::start(&self.interpreter, "headless.py", &[])?;
        target.expect("ready")?;
        target.tell("x")?;
        target.expect("gone")?;
        Ok(target)
    }
}

/// Whether a thread of a dump runs a function.
fn runs(thread: &Value, function: &str) -> bool {
    let frames = thread["frames"].as_array();
    frames.is_some_and(|frames| frames.iter().any(|frame| frame["function"] == function))
}

fn first_thread_gone(case: &Case) -> Outcome<String> {
    let target = case.headless()?;
    let pid = target.pid();
    // It says that the other is gone before it calls this function.
    let threads = wait_until("the other thread is in after", || {
        let threads = case.threads(pid)?;
        Ok(Some(threads).filter(|threads| threads.iter().any(|thread| runs(thread, "after"))))
    })?;
    let worker = threads.iter().find(|thread| runs(thread, "after"));
    let worker = worker.context(|| format!("nobody works: {threads:?}"))?;
    let native = worker["native_id"].as_u64();
    let is_told = native.is_some_and(|id| id != u64::from(pid)) && worker["name"] == "worker";
    expect(is_told && worker["state"] == "running", || format!("{worker}"))?;
    // Python keeps what it knew of the other. Before 3.11 that is not its native id.
    let state = if age(case.interpreter.abi) < age("3.11") { Value::Null } else { "ended".into() };
    let ended = |thread: &&Value| !runs(thread, "after") && thread["state"] == state;
    expect(threads.iter().filter(ended).count() == 1, || format!("{threads:?}"))?;
    for options in [&["--gil"][..], &["--cpu"], &["--idle"], &["--pause", "always"]] {
        with_more_time(&["0.2", "1", "4"], |time| {
            let options = [&["-s", time, "-r", "0.004"], options].concat();
            let profile = Profile::parse(&attach(&case.profiler(), pid, &options)?.clean()?, true)?;
            let words = || format!("{options:?}: {profile:?}");
            expect(profile.failed == 0, words)?;
            expect_left_alone(pid)?;
            Ok(if profile.samples_with("after") > 0 { Ok(()) } else { Err(words()) })
        })?;
    }
    target.end()?;
    Ok(String::new())
}

fn first_thread_gone_in_a_tree(case: &Case) -> Outcome<String> {
    let target = case.headless()?;
    let pid = target.pid();
    with_more_time(&["0.8", "3", "10"], |time| {
        let finished = case.launch(pid, &["--subprocesses", "-s", time])?;
        let Some(output) = finished.clean_if_sampled()? else { return Ok(Err("nothing".into())) };
        let text = String::from_utf8_lossy(&output).into_owned();
        let name = format!("process {pid} (");
        let is_named = |line: &str| line.starts_with(&name) && line.contains("headless.py");
        let mut stacks = text.lines().filter(|line| !line.starts_with("(idle)"));
        expect(stacks.all(is_named), || text.clone())?;
        Ok(if text.contains("headless.py:after:") { Ok(()) } else { Err(text) })
    })?;
    let dump = run(command(&case.binaries.launcher(), &["--dump", "--subprocesses"])
        .args(["-p", &pid.to_string()]))?;
    let text = String::from_utf8_lossy(&dump.clean()?).into_owned();
    expect(text.contains("headless.py:after:"), || text.clone())?;
    target.end()?;
    Ok(String::new())
}

fn first_thread_goes(case: &Case) -> Outcome<String> {
    // A profiler that prepares its work waits too, and on a busy machine often.
    with_more_time(&["50", "200", "1000", "5000"], |ticks| {
        let ticks = ticks.parse().context(|| ticks.to_owned())?;
        let mut target = Target::start(&case.interpreter, "headless.py", &[])?;
        target.expect("ready")?;
        let running = start_sampling(&case.profiler(), target.pid(), &["-r", "0.002"])?;
        wait_for_ticks(&running, ticks)?;
        target.tell("x")?;
        target.expect("gone")?;
        wait_for_ticks(&running, ticks)?;
        let pid = i32::try_from(running.pid()).context(|| "a pid".into())?;
        kill(Pid::from_raw(pid), Signal::SIGINT).context(|| "kill".into())?;
        let profile = Profile::parse(&running.finish()?.clean()?, true)?;
        target.end()?;
        let (before, after) = (profile.samples_with("before"), profile.samples_with("after"));
        let words = format!("{before} samples before, {after} after");
        Ok(if before > 0 && after > 0 { Ok(words) } else { Err(format!("{words}: {profile:?}")) })
    })
}

/// The child of a program that forks in C, when its threads are where they stay.
fn forked(case: &Case, arguments: &[&str]) -> Outcome<(Target, u32)> {
    let target = Target::start(&case.interpreter, "raw_fork.py", arguments)?;
    let pid = target.expect("child")?;
    let pid = pid.first().and_then(|pid| pid.parse().ok()).context(|| "no pid".into())?;
    Ok((target, pid))
}

/// The native id and the state of the thread that runs a function.
fn of_thread(threads: &[Value], function: &str) -> Outcome<(Option<u64>, Option<String>)> {
    let mut running = threads.iter().filter(|thread| runs(thread, function));
    let thread = running.next().context(|| format!("nobody runs {function}: {threads:?}"))?;
    expect(running.next().is_none(), || format!("two run {function}: {threads:?}"))?;
    Ok((thread["native_id"].as_u64(), thread["state"].as_str().map(str::to_owned)))
}

/// The thread that has forked is the first of the child. The record that the parent's other
/// thread has left is nobody's, also where a new thread has got its place.
fn forked_by_c(case: &Case) -> Outcome<String> {
    if case.dies_of_raw_forks() {
        return Ok(NOT_TRIED.into());
    }
    let (target, pid) = forked(case, &[])?;
    wait_until_asleep(pid, 2, 2)?;
    let threads = case.threads(pid)?;
    let idle = Some("idle".to_owned());
    let first = of_thread(&threads, "first")?;
    expect(first == (Some(pid.into()), idle.clone()), || format!("{first:?}: {threads:?}"))?;
    let natives: Vec<u64> = threads.iter().filter_map(|t| t["native_id"].as_u64()).collect();
    let [one, other] = natives[..] else { return Err(format!("{natives:?}: {threads:?}")) };
    let own = u64::from(pid);
    expect((one == own) != (other == own), || format!("{natives:?}: {threads:?}"))?;
    let second = |t: &&Value| runs(t, "second") && t["native_id"].is_u64() && t["state"] == "idle";
    expect(threads.iter().filter(second).count() == 1, || format!("{threads:?}"))?;
    let text = case.launch(pid, &["--dump", "--verbose"])?.clean()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    expect(text.contains(&format!("(native {pid}): idle")), || text.clone())?;
    expect_left_alone(pid)?;
    target.end()?;
    Ok(String::new())
}

fn forked_by_c_and_busy(case: &Case) -> Outcome<String> {
    if case.dies_of_raw_forks() {
        return Ok(NOT_TRIED.into());
    }
    let (target, pid) = forked(case, &["busy"])?;
    let first = of_thread(&case.threads(pid)?, "first")?;
    expect(first == (Some(pid.into()), Some("running".into())), || format!("{first:?}"))?;
    let profile = attach(&case.profiler(), pid, &["--cpu", "-s", "1"])?.clean()?;
    let profile = Profile::parse(&profile, true)?;
    let (own, others) = (profile.samples_with("first"), profile.samples_with("second"));
    expect(own > 0 && others == 0, || format!("{profile:?}"))?;
    let main = attach(&case.profiler(), pid, &["--main-thread", "-s", "0.5"])?.clean()?;
    let main = Profile::parse(&main, true)?;
    expect(main.samples_with("first") > 0, || format!("{main:?}"))?;
    target.end()?;
    Ok(format!("{own} samples"))
}

/// A program whose only thread is in two interpreters.
fn nested(case: &Case, how: &str) -> Outcome<Target> {
    let library = native::library()?;
    let library = library.to_str().context(|| "the build folder is not UTF-8".into())?;
    let target = Target::start(&case.interpreter, "nested.py", &[library, how])?;
    target.expect("ready")?;
    Ok(target)
}

/// Its only thread in a dump, which must run this function and not the other.
fn expect_in_dump(case: &Case, target: &Target, function: &str, not: &str) -> Outcome {
    let threads = case.threads(target.pid())?;
    let [thread] = &threads[..] else { return Err(format!("one thread: {threads:?}")) };
    let is_right = runs(thread, function) && !runs(thread, not);
    expect(is_right && thread["native_id"] == target.pid(), || format!("{thread}"))?;
    for options in [&["--dump"][..], &["--dump", "--verbose"]] {
        let text = case.launch(target.pid(), options)?.clean()?;
        let text = String::from_utf8_lossy(&text).into_owned();
        expect(text.contains(function) && !text.contains(not), || text.clone())?;
    }
    Ok(())
}

fn busy_in_a_subinterpreter(case: &Case) -> Outcome<String> {
    let target = nested(case, "busy")?;
    let mut counts = Vec::new();
    for options in [&["--gil"][..], &["--threads"], &["--cpu"], &["--idle"], &["--main-thread"]] {
        counts.push(with_more_time(&["0.3", "1", "4"], |time| {
            let options = [&["-s", time, "-r", "0.003", "--stats"], options].concat();
            let finished = attach(&case.profiler(), target.pid(), &options)?;
            expect(finished.status.success(), || finished.words())?;
            let ticks = finished.stderr.lines().find_map(|line| line.strip_prefix("ticks: "));
            let ticks = ticks.and_then(|ticks| ticks.parse::<u64>().ok());
            let ticks = ticks.context(|| finished.words())?;
            let profile = Profile::parse(&finished.stdout, true)?;
            let (inner, outer) = (profile.samples_with("inner"), profile.samples_with("outer"));
            let words = || format!("{options:?}: {ticks} ticks: {profile:?}");
            // The timer of the thread has a phase of its own: it may tick once more in a run.
            expect(outer == 0 && profile.total() <= ticks + 1, words)?;
            Ok(if inner > 0 { Ok(inner) } else { Err(words()) })
        })?);
    }
    expect_in_dump(case, &target, "inner", "outer")?;
    target.end()?;
    Ok(format!("{counts:?} samples"))
}

fn waiting_in_a_subinterpreter(case: &Case) -> Outcome<String> {
    let target = nested(case, "waits")?;
    wait_at_rest(target.pid())?;
    expect_in_dump(case, &target, "inner", "outer")?;
    let profile = attach(&case.profiler(), target.pid(), &["-L", "-s", "0.5"])?.clean()?;
    let profile = Profile::parse(&profile, true)?;
    let (inner, outer) = (profile.samples_with("inner"), profile.samples_with("outer"));
    expect(inner > 0 && outer == 0, || format!("{profile:?}"))?;
    target.end()?;
    Ok(String::new())
}

/// The innermost is not always the interpreter that was made last.
fn back_from_a_subinterpreter(case: &Case) -> Outcome<String> {
    if age(case.interpreter.abi) < age("3.10") {
        return Ok("not tried: up to 3.9 nothing tells".into());
    }
    let target = nested(case, "back")?;
    wait_at_rest(target.pid())?;
    expect_in_dump(case, &target, "again", "returning")?;
    target.end()?;
    Ok(String::new())
}

/// The thread state and the C stack of a thread that has ended are the next one's, which has
/// another id.
fn successors(case: &Case) -> Outcome<String> {
    let mut target = Target::start(&case.interpreter, "successors.py", &[])?;
    target.expect("ready")?;
    let shape = Shape::of("successors.py")?;
    let mut totals = Vec::new();
    for options in [&["--gil"][..], &["--threads"], &["--pause", "always", "--threads"]] {
        let options = [&["-r", "0.001", "--engine", "stop", "--max-pause", "50"], options].concat();
        totals.push(with_more_time(&["2", "6", "18"], |time| {
            let options = [&options[..], &["-s", time]].concat();
            let finished = attach(&case.profiler(), target.pid(), &options)?;
            let profile = Profile::parse(&finished.clean()?, true)?;
            shape.check(&profile)?;
            let works = profile.samples_with("work");
            // Without the GIL the first thread spins for most of the time.
            let enough = if case.interpreter.abi.ends_with('t') { 20 } else { 100 };
            Ok(if works > enough { Ok(works) } else { Err(format!("{options:?}: {profile:?}")) })
        })?);
        expect_left_alone(target.pid())?;
    }
    target.close_stdin();
    target.end()?;
    Ok(format!("{totals:?} samples of such threads"))
}
