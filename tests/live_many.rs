//! Processes with many threads and deep stacks: every tick comes to an end, every thread has
//! its stack, and signals are obeyed.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

#[allow(dead_code)]
mod support;

use support::binaries::Binaries;
use support::interpreters::{Interpreter, Interpreters};
use support::process::{Running, wait_until, wait_until_asleep};
use support::profiler::{Profile, attach, command, wait_until_it_catches};
use support::runner::{self, Test, Trial, one_per_abi};
use support::target::Target;
use support::truth::parse_dump;
use support::{Context, Outcome, expect};

/// What a test gets to work with.
struct Case {
    interpreter: Interpreter,
    profiler: PathBuf,
}

/// So many threads, and calls in each: more than 4 MiB of frames on every ABI.
const THREADS: usize = 1000;
const CALLS: usize = 22;

/// So many calls in one thread.
const DEEP: usize = 10_000;

const TESTS: [(&str, Test<Case>); 6] = [
    ("threads that wait", threads_that_wait),
    ("one that is busy among them", one_that_is_busy),
    ("threads on a processor", threads_on_a_processor),
    ("a deep stack", deep_stack),
    ("a signal ends it", signal_ends_it),
    ("a dump", dump),
];

fn main() -> ExitCode {
    runner::main(|interpreters: Interpreters, binaries: Arc<Binaries>| -> Vec<Trial> {
        one_per_abi(&interpreters, "", &TESTS, |interpreter| Case {
            interpreter: interpreter.clone(),
            profiler: binaries.profiler(interpreter.abi),
        })
    })
}

impl Case {
    fn start(&self, threads: usize, calls: usize, main: &str) -> Outcome<Target> {
        let (number, calls) = (threads.to_string(), calls.to_string());
        let target = Target::start(&self.interpreter, "many.py", &[&number, &calls, main])?;
        target.expect("ready")?;
        let sleepers = threads + usize::from(main == "idle");
        wait_until_asleep(target.pid(), sleepers, threads + 1)?;
        Ok(target)
    }

    /// A profile, and what became of its ticks.
    fn profile(&self, target: &Target, options: &[&str]) -> Outcome<(Profile, Account)> {
        let options = [&["--stats"], options].concat();
        let finished = attach(&self.profiler, target.pid(), &options)?;
        let account = Account::parse(&finished.stderr);
        expect(finished.status.success(), || finished.words())?;
        Ok((Profile::parse(&finished.stdout, true)?, account?))
    }
}

/// Rows of `--stats`.
struct Account {
    ticks: u64,
    samples: u64,
    lost: u64,
    torn: u64,
}

impl Account {
    fn parse(stderr: &str) -> Outcome<Self> {
        let row = |name: &str| {
            let line = stderr.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.strip_prefix(": "));
            number.and_then(|number| number.parse().ok()).context(|| format!("{name}: {stderr}"))
        };
        let (ticks, samples) = (row("ticks")?, row("samples")?);
        Ok(Self { ticks, samples, lost: row("lost threads")?, torn: row("torn")? })
    }
}

/// Each stack with "rest" has as many calls as were made.
fn expect_whole(profile: &Profile, calls: usize) -> Outcome {
    let is_call = |name: &str| ["left", "right"].contains(&name);
    for stack in &profile.stacks {
        let names: Vec<&str> = stack.frames.iter().map(|frame| frame.function.as_str()).collect();
        let Some(rest) = names.iter().position(|name| *name == "rest") else { continue };
        let made = names[..rest].iter().filter(|name| is_call(name)).count();
        expect(made == calls + 1 && rest + 1 == names.len(), || format!("{made} of {calls}"))?;
    }
    Ok(())
}

fn threads_that_wait(case: &Case) -> Outcome<String> {
    let target = case.start(THREADS, CALLS, "idle")?;
    let (profile, account) = case.profile(&target, &["-L", "-s", "1"])?;
    let Account { ticks, samples, lost, torn } = account;
    expect_whole(&profile, CALLS)?;
    let rests = profile.samples_in("rest");
    // All of them at each tick, but for those that were not proven then.
    let all = THREADS as u64 * ticks;
    expect(ticks > 0 && rests + lost + torn * THREADS as u64 >= all, || {
        format!("{rests} of {all} samples, {lost} lost, {torn} ticks torn")
    })?;
    expect(lost * 10 < all && torn * 10 < ticks, || format!("{lost} lost, {torn} torn"))?;
    let idle = profile.stacks.iter().any(|stack| stack.frames.is_empty());
    expect(!idle, || "every thread has a stack, and a tick is idle".into())?;
    Ok(format!("{samples} stacks in {ticks} ticks"))
}

fn one_that_is_busy(case: &Case) -> Outcome<String> {
    let target = case.start(THREADS, CALLS, "busy")?;
    let (profile, account) = case.profile(&target, &["-L", "-s", "1"])?;
    expect_whole(&profile, CALLS)?;
    let (busy, ticks) = (profile.samples_with("main"), account.ticks);
    expect(busy * 10 > ticks * 7, || format!("busy at {busy} of {ticks} ticks"))?;
    let rests = profile.samples_in("rest");
    expect(rests * 10 > THREADS as u64 * ticks * 9, || format!("{rests} at {ticks} ticks"))?;
    Ok(format!("busy at {busy} of {ticks} ticks"))
}

fn threads_on_a_processor(case: &Case) -> Outcome<String> {
    let target = case.start(THREADS, CALLS, "busy")?;
    let (profile, account) = case.profile(&target, &["--cpu", "-s", "1"])?;
    let (busy, ticks) = (profile.samples_with("main"), account.ticks);
    expect(profile.samples_in("rest") == 0, || "a thread that waits is on no processor".into())?;
    expect(busy > 0 && busy <= ticks, || format!("busy at {busy} of {ticks} ticks"))?;
    Ok(format!("busy at {busy} of {ticks} ticks"))
}

fn deep_stack(case: &Case) -> Outcome<String> {
    let target = case.start(1, DEEP, "idle")?;
    let (profile, account) = case.profile(&target, &["-L", "-s", "1"])?;
    expect_whole(&profile, DEEP)?;
    let (rests, ticks) = (profile.samples_in("rest"), account.ticks);
    expect(rests * 10 > ticks * 9 && ticks > 0, || format!("{rests} of {ticks} ticks"))?;
    Ok(format!("{} frames at {rests} of {ticks} ticks", DEEP + 2))
}

fn signal_ends_it(case: &Case) -> Outcome<String> {
    let target = case.start(THREADS, CALLS, "idle")?;
    // At a rate that no machine can keep up with.
    let id = target.pid().to_string();
    let arguments = ["--idle", "-r", "0.0001", "-s", "3600", "-p", &id];
    let running = Running::start(&mut command(&case.profiler, &arguments), false)?;
    wait_until_it_catches(&running, &[Signal::SIGINT])?;
    wait_until("it has worked for half a second", || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", running.pid()));
        let stat = stat.context(|| "its stat".into())?;
        let times = stat.split(' ').skip(13).take(2).filter_map(|time| time.parse::<u64>().ok());
        Ok((times.sum::<u64>() >= 50).then_some(()))
    })?;
    let pid = i32::try_from(running.pid()).context(|| "a pid".into())?;
    kill(Pid::from_raw(pid), Signal::SIGINT).context(|| "send SIGINT".into())?;
    let profile = Profile::parse(&running.finish()?.clean()?, true)?;
    expect(profile.samples_in("rest") > 0, || "what was sampled is written".into())?;
    Ok(format!("{} samples", profile.total()))
}

fn dump(case: &Case) -> Outcome<String> {
    let target = case.start(THREADS, CALLS, "idle")?;
    let threads = parse_dump(&attach(&case.profiler, target.pid(), &["--dump"])?.clean()?)?;
    let waiting = threads.iter().filter(|thread| thread.frames.len() >= CALLS + 2).count();
    expect(waiting == THREADS, || format!("{waiting} threads"))?;
    let verbose = attach(&case.profiler, target.pid(), &["--dump", "--verbose"])?.clean()?;
    let verbose = String::from_utf8(verbose).context(|| "not UTF-8".into())?;
    let is_told = |line: &&str| line.contains("(native ") && line.ends_with(": idle");
    let told = verbose.lines().filter(is_told).count();
    expect(told > THREADS, || format!("{told} threads with an id and a state: {verbose:.600}"))?;
    Ok(format!("{} threads", threads.len()))
}
