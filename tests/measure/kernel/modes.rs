//! All threads, those on a processor, and what a recording tells of that.

use std::collections::{BTreeMap, BTreeSet};

use super::{Case, account, sample, share, start};
use crate::support::process::{run, wait_until_asleep};
use crate::support::profiler::{Folded, Profile, command};
use crate::support::runner::Test;
use crate::support::shape::Shape;
use crate::support::shares::{equal_within, share_of_looks};
use crate::support::target::{Target, in_folder, new_file};
use crate::support::{Context, Outcome, expect, measured, twice};

/// The tests of this file.
pub(crate) const TESTS: [(&str, Test<Case>); 7] = [
    ("choice of threads", choices),
    ("stacks of all threads", stacks),
    ("portions of each thread", |case| twice(case, portions)),
    ("time on a processor", |case| twice(case, processor_time)),
    ("states in a recording", states),
    ("many threads", many),
    ("threads that start, without the GIL", |case| twice(case, threads_that_start)),
];

/// The functions of `modes.py` that were met.
fn functions(profile: &Profile) -> BTreeSet<&str> {
    let frames = profile.stacks.iter().flat_map(|stack| &stack.frames);
    let own = frames.filter(|frame| frame.file.ends_with("modes.py"));
    own.map(|frame| frame.function.as_str()).filter(|name| *name != "<module>").collect()
}

/// What each option samples, as with the other engines.
fn choices(case: &Case) -> Outcome<String> {
    let mut target = Target::start(&case.interpreter, "modes.py", &[])?;
    let id = target.expect("ready")?.first().cloned().context(|| "no identity".into())?;
    // The main thread and the idle one; the third fills.
    wait_until_asleep(target.pid(), 2, 3)?;
    let cases: [(&[&str], &[&str]); 9] = [
        (&["--threads"], &["packing", "sleeping", "waiting"]),
        (&["--idle"], &["packing", "sleeping", "waiting"]),
        (&["--cpu"], &["packing"]),
        (&["--threads", "--thread", "idle, very"], &["sleeping"]),
        (&["--threads", "--thread", &id, "--jitter"], &["sleeping"]),
        (&["--threads", "--main-thread"], &["waiting"]),
        (&["--threads", "--main-thread", "--thread", "busy"], &["packing", "waiting"]),
        (&["--cpu", "--thread", "idle, very"], &[]),
        (&["--cpu", "--jitter", "--thread", "busy"], &["packing"]),
    ];
    for (options, expected) in cases {
        let options = [&["-s", "0.5", "-r", "0.002"], options].concat();
        let (profile, finished) = sample(case, &target, &options)?;
        let seen = functions(&profile);
        expect(seen == expected.iter().copied().collect(), || finished.words())?;
        let ticks = account(&finished, "ticks")?;
        // Each thread that waits has all its ticks.
        for function in seen.iter().filter(|function| **function != "packing") {
            let samples = profile.samples_with(function);
            expect(samples.abs_diff(ticks) <= 1, || finished.words())?;
        }
        let is_idle = expected.is_empty();
        expect(is_idle == (profile.idle == profile.total()), || finished.words())?;
    }
    let (profile, finished) = sample(case, &target, &["-s", "0.5", "--cpu", "-x"])?;
    expect(profile.idle == 0 && profile.total() > 0, || finished.words())?;
    target.tell("x")?;
    target.end()?;
    Ok(format!("{} choices", cases.len()))
}

/// Only possible stacks, of a program that is interrupted in calls and returns.
fn stacks(case: &Case) -> Outcome<String> {
    let mut words = Vec::new();
    for script in ["busy.py", "hectic.py"] {
        let target = start(case, script, &[])?;
        for mode in ["--threads", "--cpu"] {
            words.push(measured(|| {
                let options = ["-s", "1", "-r", "0.0002", "--jitter", mode];
                let (profile, finished) = sample(case, &target, &options)?;
                Shape::of(script)?.check(&profile)?;
                let (lost, interrupts) =
                    (account(&finished, "lost threads")?, account(&finished, "interrupts")?);
                let is_full = lost * 5 <= interrupts && profile.total() > 0;
                Ok((is_full, format!("{} stacks, {lost} lost", profile.stacks.len())))
            })?);
        }
        target.end()?;
    }
    Ok(words.join(", "))
}

/// What `shares.py` spent in its functions, in seconds.
fn spent(mut target: Target) -> Outcome<BTreeMap<String, f64>> {
    target.close_stdin();
    let words = target.expect("spent")?;
    target.end()?;
    let pair = |pair: &[String]| {
        let [name, seconds] = pair else { return None };
        Some((name.clone(), seconds.parse().ok()?))
    };
    words.chunks(2).map(pair).collect::<Option<_>>().context(|| format!("{words:?}"))
}

/// Each thread has a sample for every tick, and what it did on the wall clock its share.
fn portions(case: &Case) -> Outcome<String> {
    let target = start(case, "shares.py", &[])?;
    let (profile, finished) = sample(case, &target, &["--threads", "-s", "3", "-r", "0.001"])?;
    let spent = spent(target)?;
    let ticks = account(&finished, "ticks")?;
    for function in ["waits", "rests"] {
        let samples = profile.samples_with(function);
        expect(samples.abs_diff(ticks) <= 1, || finished.words())?;
    }
    let mut words = Vec::new();
    for pair in [["fills", "sleeps"], ["spins", "naps"]] {
        let samples = pair.map(|function| profile.samples_with(function));
        let [first, second] = pair.map(|function| spent.get(function).copied().unwrap_or(0.0));
        let all = samples[0] + samples[1];
        // Its own times are of its whole life, and what it does between the two is neither.
        // Turns of 10 ms on average are ten samples.
        let turns = all / 10;
        let seen = share_of_looks(samples[0], all, turns, first / (first + second), 0.02);
        words.push(format!("{}: {seen}", pair[0]));
        let is_whole = all <= ticks + ticks / 20 && all >= ticks * 4 / 5;
        expect(is_whole && seen.is_near(), || format!("{words:?}: {}", finished.words()))?;
    }
    Ok(words.join(", "))
}

/// How long each thread of a process has been on a processor, in nanoseconds, by its id.
fn processor_times(pid: u32) -> Outcome<BTreeMap<u32, u64>> {
    let folder = format!("/proc/{pid}/task");
    let mut times = BTreeMap::new();
    for entry in std::fs::read_dir(&folder).context(|| folder.clone())? {
        let path = entry.context(|| folder.clone())?.path();
        let text = std::fs::read_to_string(path.join("schedstat"));
        let text = text.context(|| path.display().to_string())?;
        let tid = path.file_name().and_then(|name| name.to_str()?.parse().ok());
        let time = text.split_whitespace().next().and_then(|time| time.parse().ok());
        times.insert(tid.context(|| path.display().to_string())?, time.context(|| text.clone())?);
    }
    Ok(times)
}

/// Threads have as many samples as they had time on a processor, with the GIL or without, and
/// those that wait have none.
fn processor_time(case: &Case) -> Outcome<String> {
    let target = start(case, "shares.py", &[])?;
    let pid = target.pid();
    let before = processor_times(pid)?;
    let (profile, finished) = sample(case, &target, &["--cpu", "-s", "3", "-r", "0.001"])?;
    let after = processor_times(pid)?;
    spent(target)?;
    // The main thread, and then in the order in which they started: numbers begin again from
    // below when the highest has been given.
    let order = after.range(pid..).chain(after.range(..pid));
    let times: Vec<u64> = order.map(|(tid, time)| time - before.get(tid).unwrap_or(time)).collect();
    let &[_, filling, spinning, _] = times.as_slice() else { return Err(format!("{times:?}")) };
    let samples = ["fills", "spins"].map(|function| profile.samples_with(function));
    // The kernel's times are of the same turns, but for the beginning and the end of a run.
    let (truth, whole) = (share(filling, filling + spinning), samples[0] + samples[1]);
    let seen = share_of_looks(samples[0], whole, whole, truth, 0.02);
    let words = format!("in fills: {seen}; {samples:?} of {times:?} ns");
    expect(seen.is_near(), || format!("{words}; {}", finished.words()))?;
    // The profiler takes some of that time to begin and to end.
    let expected = share(filling + spinning, 1_000_000);
    let counted = share(samples[0] + samples[1], 1);
    expect(counted < expected * 1.05 && counted > expected * 0.7, || {
        format!("{words}; {}", finished.words())
    })?;
    let waiting = profile.samples_with("rests") + profile.samples_with("waits");
    expect(waiting == 0, || finished.words())?;
    Ok(words)
}

/// A recording tells of each sample whether its thread held the GIL, and whether it was on a
/// processor.
fn states(case: &Case) -> Outcome<String> {
    let target = start(case, "shares.py", &[])?;
    let folder = new_file("kernel-states");
    let words = in_folder(&folder, || {
        let file = folder.join("run.pyflame").display().to_string();
        sample(case, &target, &["--idle", "-s", "2", "-r", "0.001", "-o", &file])?;
        let report = |options: &[&str]| -> Outcome<Profile> {
            let arguments = [&["report", &file], options].concat();
            Profile::parse(&run(&mut command(&case.launcher, &arguments))?.clean()?, true)
        };
        let count = |profile: &Profile| {
            ["fills", "sleeps", "spins", "naps", "rests", "waits"]
                .map(|function| profile.samples_with(function))
        };
        let (all, on_cpu, with_gil) =
            (count(&report(&[])?), count(&report(&["--cpu"])?), count(&report(&["--gil"])?));
        let words = format!("{all:?}, on a processor {on_cpu:?}, with the GIL {with_gil:?}");
        let &[fills, sleeps, spins, naps, rests, waits] = &on_cpu;
        // A thread that goes to sleep or wakes up is still on a processor.
        let is_seldom = |part: u64, whole: u64| part * 10 <= whole;
        expect(rests + waits == 0 && fills > 0 && spins > 0, || words.clone())?;
        expect(is_seldom(sleeps, all[1]) && is_seldom(naps, all[3]), || words.clone())?;
        let [fills, sleeps, spins, naps, rests, waits] = with_gil;
        expect(rests + waits == 0 && spins > 0, || words.clone())?;
        expect(is_seldom(sleeps, all[1]) && is_seldom(naps, all[3]), || words.clone())?;
        // What works without the GIL takes it for a moment in each turn.
        expect(fills * 2 <= all[0], || words.clone())?;
        Ok(words)
    })?;
    spent(target)?;
    Ok(words)
}

/// However many threads there are, each that waits has all its ticks, and none is late.
fn many(case: &Case) -> Outcome<String> {
    let target = start(case, "many.py", &["300", "10", "busy"])?;
    wait_until_asleep(target.pid(), 300, 301)?;
    measured(|| {
        let (profile, finished) = sample(case, &target, &["--threads", "-s", "1", "-r", "0.001"])?;
        let ticks = account(&finished, "ticks")?;
        let (rest, main) = (profile.samples_with("rest"), profile.samples_with("main"));
        expect(rest >= 300 * (ticks - 1) && rest <= 300 * ticks, || finished.words())?;
        let is_rest = |stack: &&Folded| stack.frames.iter().any(|frame| frame.function == "rest");
        let one_stack = profile.stacks.iter().filter(is_rest);
        expect(one_stack.count() == 1, || finished.words())?;
        let words = format!("{rest} samples of 300 threads that wait, {main} of main");
        let is_within = main <= ticks + ticks / 10 && main * 2 >= ticks;
        Ok((is_within, format!("{words}, {ticks} ticks")))
    })
}

/// Threads that are there for a moment only are sampled when they are on a processor, and take
/// nothing from the one that starts them: their states have its id at first.
fn threads_that_start(case: &Case) -> Outcome<String> {
    let target = start(case, "starting.py", &[])?;
    let (all, account_of_all) = sample(case, &target, &["--threads", "-s", "1", "-r", "0.001"])?;
    let (main, ticks) = (all.samples_with("main"), account(&account_of_all, "ticks")?);
    expect(main * 50 >= ticks * 49 && main <= ticks + 5, || account_of_all.words())?;
    let (profile, finished) = sample(case, &target, &["--cpu", "-s", "1", "-r", "0.0002"])?;
    target.end()?;
    let samples = ["first", "second", "third"].map(|function| profile.samples_in(function));
    let whole: u64 = samples.iter().sum();
    // They have the same to do, for the time of some samples each.
    let (are_alike, words) = equal_within(samples, 0.05);
    expect(whole > 50 && are_alike, || format!("{words}; {}", finished.words()))?;
    // Nothing else takes long in it.
    expect(profile.total() - profile.idle < whole * 3, || finished.words())?;
    Ok(words)
}
