//! Processes with many threads and deep stacks: every tick comes to an end, every thread has
//! its stack, and signals are obeyed.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::binaries::Binaries;
use crate::support::features::{Feature, Shows};
use crate::support::interpreters::{Interpreter, Interpreters};
use crate::support::process::{Running, wait_until, wait_until_asleep};
use crate::support::profiler::{Profile, attach, command, wait_until_it_catches};
use crate::support::runner::{Test, Trial, one_per_abi};
use crate::support::target::{Target, in_folder, new_file};
use crate::support::truth::parse_dump;
use crate::support::{Context, Outcome, expect, measured};

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

/// Ticks with so many threads end at their deadline where others need the processors.
const ALONE: [(&str, Test<Case>); 2] =
    [("threads that wait", threads_that_wait), ("one that is busy among them", one_that_is_busy)];

const TESTS: [(&str, Test<Case>); 4] = [
    ("threads on a processor", threads_on_a_processor),
    ("a deep stack", deep_stack),
    ("a signal ends it", signal_ends_it),
    ("a dump", dump),
];

/// What docs/ABIS.md has from here.
pub(crate) const SHOWS: Shows =
    &[(Feature::ManyThreads, "threads that wait"), (Feature::DeepStacks, "a deep stack")];

pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    let case = |interpreter: &Interpreter| Case {
        interpreter: interpreter.clone(),
        profiler: binaries.profiler(interpreter.abi),
    };
    let alone = one_per_abi(&interpreters, "", &ALONE, case);
    let mut trials = one_per_abi(&interpreters, "", &TESTS, case);
    trials.extend(alone.into_iter().map(Trial::alone));
    trials
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
    measured(|| {
        let (profile, account) = case.profile(&target, &["-L", "-s", "1"])?;
        let Account { ticks, samples, lost, torn } = account;
        expect_whole(&profile, CALLS)?;
        let rests = profile.samples_in("rest");
        // All of them at each tick, but for those that were not proven then.
        let all = THREADS as u64 * ticks;
        expect(ticks > 0 && rests + lost + torn * THREADS as u64 >= all, || {
            format!("{rests} of {all} samples, {lost} lost, {torn} ticks torn")
        })?;
        let idle = profile.stacks.iter().any(|stack| stack.frames.is_empty());
        expect(!idle, || "every thread has a stack, and a tick is idle".into())?;
        let words = format!("{samples} stacks in {ticks} ticks, {lost} lost, {torn} ticks torn");
        // A tick ends at its deadline, and the threads it did not come to are lost: with so many
        // that happens where others need the processor.
        Ok((lost * 10 < all && torn * 10 < ticks, words))
    })
}

fn one_that_is_busy(case: &Case) -> Outcome<String> {
    let target = case.start(THREADS, CALLS, "busy")?;
    measured(|| {
        let (profile, account) = case.profile(&target, &["-L", "-s", "1"])?;
        expect_whole(&profile, CALLS)?;
        let (busy, ticks) = (profile.samples_with("main"), account.ticks);
        let rests = profile.samples_in("rest");
        // On a busy machine some ticks end at their deadline and have not come to all threads.
        let is_full = busy * 10 > ticks * 7 && rests * 10 > THREADS as u64 * ticks * 9;
        Ok((is_full, format!("busy at {busy} of {ticks} ticks, {rests} that wait")))
    })
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
    measured(|| {
        let (profile, account) = case.profile(&target, &["-L", "-s", "1"])?;
        expect_whole(&profile, DEEP)?;
        let (rests, ticks) = (profile.samples_in("rest"), account.ticks);
        let words = format!("{} frames at {rests} of {ticks} ticks", DEEP + 2);
        Ok((rests * 10 > ticks * 9 && ticks > 0, words))
    })
}

fn signal_ends_it(case: &Case) -> Outcome<String> {
    let target = case.start(THREADS, CALLS, "idle")?;
    // At a rate that no machine can keep up with.
    let folder = new_file("many");
    in_folder(&folder, || {
        let (id, file) = (target.pid().to_string(), folder.join("out.folded"));
        let name = file.display().to_string();
        let arguments = ["--idle", "-r", "0.0001", "-s", "3600", "-o", &name, "-p", &id];
        let running = Running::start(&mut command(&case.profiler, &arguments), false)?;
        wait_until_it_catches(&running, &[Signal::SIGINT, Signal::SIGUSR1])?;
        let pid = i32::try_from(running.pid()).context(|| "a pid".into())?;
        let send = |signal| kill(Pid::from_raw(pid), signal).context(|| format!("send {signal}"));
        let seen = || Profile::parse(&fs::read(&file).unwrap_or_default(), true);
        wait_until("something was sampled", || {
            send(Signal::SIGUSR1)?;
            Ok((seen()?.samples_in("rest") > 0).then_some(()))
        })?;
        let before = seen()?.total();
        send(Signal::SIGINT)?;
        running.finish()?.clean()?;
        let total = seen()?.total();
        expect(total >= before, || format!("{total} samples, {before} before the end"))?;
        Ok(format!("{total} samples"))
    })
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
