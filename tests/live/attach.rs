//! Sampling of running processes: one interpreter per ABI, every option of the
//! command line that shapes a profile, and every way in which a run can end.

use std::path::PathBuf;
use std::sync::Arc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::binaries::{Binaries, age, is_built};
use crate::support::features::{Feature, Shows};
use crate::support::interpreters::{Interpreter, Interpreters};
use crate::support::process::{
    Running, expect_left_alone, status_line, wait_at_rest, wait_until, wait_until_it_works,
};
use crate::support::profiler::{
    Moment, Profile, attach, has_turns, parse_flamechart, start_sampling, wait_for_ticks,
};
use crate::support::runner::Trial;
use crate::support::shape::Shape;
use crate::support::shares::{equal_within, of_all, share_of_looks, share_within};
use crate::support::target::{Target, new_file};
use crate::support::{Context, Outcome, expect, measured, with_more_time};

/// What a test gets to work with.
struct Case {
    interpreter: Interpreter,
    profiler: PathBuf,
}

type Test = fn(&Case) -> Outcome<String>;

/// The functions of `leaves.py` that are called in turn.
const LEAVES: [&str; 4] = ["alpha", "beta", "gamma", "delta"];

/// Those that measure, while no other test runs.
const ALONE: [(&str, Test); 4] = [
    ("shares of short calls", shares_of_short_calls),
    ("samples that count for several ticks", weighted_samples),
    ("except blocks", except_blocks),
    ("busy program", busy_program),
];

const TESTS: [(&str, Test); 15] = [
    ("short calls far from the root, not stopped", short_calls_far_from_the_root),
    ("calls in a tight loop, not stopped", calls_in_a_tight_loop),
    ("constructors, not stopped", constructors),
    ("loops of short calls, not stopped", loops_of_short_calls),
    ("one sample", one_sample),
    ("without line numbers", without_line_numbers),
    ("output to a file", output_to_a_file),
    ("flame chart", flame_chart),
    ("idle program", idle_program),
    ("idle flame chart", idle_flame_chart),
    ("all threads", all_threads),
    ("SIGINT", |case| ended_by(case, Signal::SIGINT)),
    ("SIGTERM", |case| ended_by(case, Signal::SIGTERM)),
    ("target that exits", target_that_exits),
    ("target that is killed", target_that_is_killed),
];

/// What docs/ABIS.md has from here.
pub(crate) const SHOWS: Shows = &[
    (Feature::Stops, "attach, program of short calls"),
    (Feature::Reading, "attach, loops of short calls, not stopped"),
    (Feature::Idle, "attach, idle program"),
    (Feature::AllThreads, "attach, all threads"),
    (Feature::FlameChart, "attach, flame chart"),
];

pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    let mut trials = Vec::new();
    let trial = |interpreter: &Interpreter, name: &str, test: Test| {
        let profiler = binaries.profiler(interpreter.abi);
        let case = Case { interpreter: interpreter.clone(), profiler };
        Trial::new(format!("{} attach, {name}", interpreter.label), move || test(&case))
    };
    for interpreter in interpreters.here.iter().filter(|i| is_built(i.abi)) {
        trials.push(trial(interpreter, "program of short calls", short_calls));
    }
    for interpreter in interpreters.one_per_abi().into_iter().filter(|i| is_built(i.abi)) {
        trials.extend(TESTS.map(|(name, test)| trial(interpreter, name, test)));
        trials.extend(ALONE.map(|(name, test)| trial(interpreter, name, test).alone()));
    }
    trials
}

/// A target that is busy, from the moment this returns.
fn busy(case: &Case) -> Outcome<Target> {
    let target = Target::start(&case.interpreter, "busy.py", &[])?;
    target.expect("ready")?;
    Ok(target)
}

/// A target whose threads all sleep.
fn sleepers(case: &Case) -> Outcome<Target> {
    let target = Target::start(&case.interpreter, "sleepers.py", &[])?;
    target.expect("ready")?;
    wait_at_rest(target.pid())?;
    Ok(target)
}

/// The profile of a program that works until its standard input ends.
fn profile_of(case: &Case, script: &str, options: &[&str]) -> Outcome<Profile> {
    let mut target = Target::start(&case.interpreter, script, &[])?;
    target.expect("ready")?;
    let profile = profile(case, &target, options)?;
    Shape::of(script)?.check(&profile)?;
    target.close_stdin();
    target.end()?;
    Ok(profile)
}

fn profile(case: &Case, target: &Target, options: &[&str]) -> Outcome<Profile> {
    let output = attach(&case.profiler, target.pid(), options)?.clean()?;
    expect_left_alone(target.pid())?;
    Profile::parse(&output, true)
}

/// Only possible stacks, counts that add up, and shares of time as the program
/// measured them itself.
fn busy_program(case: &Case) -> Outcome<String> {
    measured(|| {
        let mut target = busy(case)?;
        let profile = profile(case, &target, &["-s", "1", "-r", "0.001"])?;
        Shape::of("busy.py")?.check(&profile)?;
        target.close_stdin();
        let spent = target.expect("spent")?;
        let spent: Vec<f64> = spent.iter().filter_map(|s| s.parse().ok()).collect();
        let &[often, seldom] = spent.as_slice() else { return Err("no times".into()) };
        target.end()?;

        let total = profile.total();
        let (a, b) = (profile.samples_with("often"), profile.samples_with("seldom"));
        expect(a + b <= total, || format!("often {a}, seldom {b} of {total}"))?;
        // Its own times are of its whole life, the samples are of one second.
        let share = share_within(a, a + b, often / (often + seldom), 0.02);
        let stacks = profile.stacks.len();
        let words = format!("{total} samples, {stacks} stacks, in often(): {share}");
        // A tick that comes more than 0.1 s late, where others have the processors, is none.
        Ok(((500..=1010).contains(&total) && share.is_near(), words))
    })
}

/// Functions that are shorter than a look at them: with the process stopped for
/// each sample, every caller stands on a line that calls the next frame.
fn short_calls(case: &Case) -> Outcome<String> {
    let mut target = Target::start(&case.interpreter, "hectic.py", &[])?;
    target.expect("ready")?;
    let shape = Shape::of("hectic.py")?;
    let mut words = Vec::new();
    for more in [&["-r", "0.0002"][..], &["-r", "0.001", "--threads"]] {
        let options = [&["-s", "0.5", "--pause", "always"], more].concat();
        words.push(measured(|| {
            let profile = profile(case, &target, &options)?;
            shape.check(&profile)?;
            let (total, stacks) = (profile.total(), profile.stacks.len());
            Ok((stacks > 3, format!("{total} samples, {stacks} stacks")))
        })?);
    }
    target.close_stdin();
    target.end()?;
    Ok(words.join("; --threads: "))
}

/// The same, read while it runs, and as fast as possible: what was copied is seldom one
/// moment's, and only that may be printed.
fn loops_of_short_calls(case: &Case) -> Outcome<String> {
    let mut words = Vec::new();
    for script in ["loops.py", "hectic.py"] {
        let mut target = Target::start(&case.interpreter, script, &[])?;
        target.expect("ready")?;
        let shape = Shape::of(script)?;
        for engine in ["read", "stop"] {
            words.push(measured(|| {
                let options = ["-s", "0.7", "-r", "0", "--engine", engine];
                let profile = profile(case, &target, &options)?;
                shape.check(&profile)?;
                let total = profile.total();
                Ok((total > 100, format!("{script} {engine} {total} samples")))
            })?);
        }
        target.close_stdin();
        target.end()?;
    }
    Ok(words.join(", "))
}

/// Every look finds the thread in another leaf. That tells nothing against the long calls
/// below it.
fn short_calls_far_from_the_root(case: &Case) -> Outcome<String> {
    // Of 1,111 ticks each is to have a sample, but for those at which the thread waited for its
    // processor and had no turn. Where nobody has a turn at once, it is read while it runs, and
    // up to 3.10 it can take most of a second to learn such calls.
    let enough = match (has_turns(), age(case.interpreter.abi) < age("3.11")) {
        (true, _) => 900,
        (false, true) => 10,
        (false, false) => 100,
    };
    measured(|| {
        let options = ["-s", "1", "-r", "0.0009", "--engine", "read"];
        let profile = profile_of(case, "leaves.py", &options)?;
        Ok((profile.total() >= enough, format!("{} samples in a second", profile.total())))
    })
}

/// Functions that are called in turn, each as long as the others, and shorter than a fetch:
/// none gets another's time, nor their caller.
fn shares_of_short_calls(case: &Case) -> Outcome<String> {
    measured(|| {
        let options = ["-s", "2", "-r", "0.001", "--pause", "always"];
        let profile = profile_of(case, "leaves.py", &options)?;
        let total = profile.total();
        // The four are alike but for where their code lies.
        let leaves = LEAVES.map(|leaf| profile.samples_in(leaf));
        let (are_alike, shares) = equal_within(leaves, 0.03);
        let caller = 100 * profile.samples_in("work") / total.max(1);
        let words = format!("{total} samples in 2 s, {shares}, {caller} % in their caller");
        // Four calls of 30 turns each are most of it: how much of it depends on the version.
        Ok((total >= 1000 && are_alike && caller < 30, words))
    })
}

/// Where the limit of stops allows one at some ticks only, each sample counts for the ticks
/// before it: the sum is that of the ticks, and no function gets more for it.
fn weighted_samples(case: &Case) -> Outcome<String> {
    measured(|| {
        let mut target = Target::start(&case.interpreter, "leaves.py", &[])?;
        target.expect("ready")?;
        let options =
            ["-s", "2", "-r", "0.0002", "--engine", "stop", "--max-pause", "1", "--stats"];
        let output = attach(&case.profiler, target.pid(), &options)?;
        expect_left_alone(target.pid())?;
        target.close_stdin();
        target.end()?;
        let profile = Profile::parse(&output.stdout, true)?;
        Shape::of("leaves.py")?.check(&profile)?;
        let row = |name: &str| {
            let mut lines = output.stderr.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")?.parse::<u64>().ok())
        };
        let told = [row("ticks"), row("samples"), row("stopped"), row("skipped")];
        let words = || output.words();
        let [Some(ticks), Some(samples), Some(stops), Some(skipped)] = told else {
            return Err(words());
        };
        let counted = profile.total() - profile.idle;
        expect(samples == counted && samples <= ticks && skipped < ticks, words)?;
        let says = output.stderr.contains("One for each tick needs --max-pause ");
        let leaves = LEAVES.map(|leaf| profile.samples_in(leaf));
        let whole: u64 = leaves.iter().sum();
        // Its stops are some milliseconds apart, and so are looks of their own.
        let of_leaf = |leaf| share_of_looks(leaf, whole, samples - skipped, 0.25, 0.03);
        let (are_alike, shares) = of_all(&leaves.map(of_leaf));
        let is_full = samples > 1000 && stops > 50 && skipped > stops && says;
        Ok((is_full && are_alike, format!("{samples} of {ticks} ticks, {stops} stops, {shares}")))
    })
}

/// A call that is mostly over before it is looked at is believed even if no stop tells of it;
/// and a caller is not seen to be on top because its frame was just read.
fn calls_in_a_tight_loop(case: &Case) -> Outcome<String> {
    with_more_time(&["2", "6"], |time| {
        let options = ["-s", time, "-r", "0.0009", "--jitter", "--engine", "read"];
        let profile = profile_of(case, "tight.py", &options)?;
        let among = |function, other| {
            let (one, two) = (profile.samples_in(function), profile.samples_in(other));
            100 * one / (one + two).max(1)
        };
        let (tiny, caller) = (among("tiny", "call_tiny"), among("call_brief", "brief"));
        let total = profile.total();
        let words = format!("{total} samples, {tiny} % in tiny(), {caller} % in brief()'s caller");
        // tiny() is a line of arithmetics that is as long as its call: from 3.11 on calls are
        // shorter. brief() has 50 turns of a loop for each of its caller.
        let is_right = total >= 1600 && (30..=90).contains(&tiny) && caller <= 16;
        Ok(if is_right { Ok(words) } else { Err(words) })
    })
}

/// A handler that calls nothing gets its time: the traceback holds the frame, as a callee
/// would.
fn except_blocks(case: &Case) -> Outcome<String> {
    measured(|| {
        // Without --jitter, where a round takes a millisecond, it is met in the same half
        // each time.
        let options = ["-s", "1", "-r", "0.001", "--jitter"];
        let profile = profile_of(case, "handlers.py", &options)?;
        let total = profile.total();
        // The loops are the same, but one of them lies inside a `try`.
        let samples = ["handle", "plain"].map(|function| profile.samples_in(function));
        let (are_alike, shares) = equal_within(samples, 0.03);
        let words = format!("{total} samples, in handlers and beside them {shares}");
        let whole: u64 = samples.iter().sum();
        // The rest is the function that fails, a twentieth as long.
        Ok((total >= 500 && whole * 10 >= total * 8 && are_alike, words))
    })
}

/// From 3.13 a frame of the interpreter's own stands between the call of a class and its
/// `__init__`, and no stop tells what is behind it.
fn constructors(case: &Case) -> Outcome<String> {
    measured(|| {
        let options = ["-s", "0.5", "-r", "0.0005", "--engine", "read"];
        let profile = profile_of(case, "constructs.py", &options)?;
        let (all, inside) = (profile.total(), profile.samples_with("work"));
        let words = format!("{inside} of {all} samples in constructors");
        // All but a loop that calls them, and a look at the standard input.
        Ok((all >= 100 && inside * 10 > all * 8, words))
    })
}

/// `-s 0`: a single tick, and it comes to a stack, however little is known of the program.
fn one_sample(case: &Case) -> Outcome<String> {
    for script in ["busy.py", "leaves.py"] {
        let mut target = Target::start(&case.interpreter, script, &[])?;
        target.expect("ready")?;
        wait_until_it_works(target.pid())?;
        for pause in ["auto", "never", "always"] {
            let profile = profile(case, &target, &["-s", "0", "--pause", pause])?;
            expect(profile.total() == 1, || format!("{script} {pause}: {}", profile.total()))?;
            Shape::of(script)?.check(&profile)?;
        }
        target.close_stdin();
        target.end()?;
    }
    Ok(String::new())
}

fn without_line_numbers(case: &Case) -> Outcome<String> {
    let target = busy(case)?;
    measured(|| {
        let options = ["-n", "-s", "0.3", "-r", "0.001"];
        let output = attach(&case.profiler, target.pid(), &options)?.clean()?;
        let profile = Profile::parse(&output, false)?;
        let mut stacks: Vec<_> = profile.stacks.iter().map(|s| &s.frames).collect();
        let number = stacks.len();
        for frame in stacks.iter().flat_map(|frames| frames.iter()) {
            expect(frame.file.ends_with("/tests/targets/busy.py"), || format!("a line: {frame}"))?;
        }
        stacks.sort_by_key(|frames| frames.iter().map(ToString::to_string).collect::<Vec<_>>());
        stacks.dedup();
        expect(stacks.len() == number, || "a stack has two lines".into())?;
        Ok((number > 1, format!("{} samples, {number} stacks", profile.total())))
    })
}

fn output_to_a_file(case: &Case) -> Outcome<String> {
    let target = busy(case)?;
    let file = new_file("profile");
    let name = file.display().to_string();
    let options = ["-o", &name, "-s", "0.2", "-r", "0.001"];
    let stdout = attach(&case.profiler, target.pid(), &options)?.clean()?;
    expect(stdout.is_empty(), || format!("on stdout: {}", String::from_utf8_lossy(&stdout)))?;
    let output = std::fs::read(&file).context(|| name.clone())?;
    std::fs::remove_file(&file).context(|| name.clone())?;
    let profile = Profile::parse(&output, true)?;
    Shape::of("busy.py")?.check(&profile)?;
    expect(!profile.stacks.is_empty(), || "nothing in the file".into())?;
    Ok(format!("{} samples", profile.total()))
}

fn flame_chart(case: &Case) -> Outcome<String> {
    let target = busy(case)?;
    measured(|| {
        let options = ["--flamechart", "-s", "0.5", "-r", "0.001"];
        let output = attach(&case.profiler, target.pid(), &options)?.clean()?;
        let chart = parse_flamechart(&output)?;
        let is_rising = chart.is_sorted_by_key(|moment| moment.microseconds);
        expect(is_rising, || "the times fall".into())?;
        let busy = chart.iter().filter(|moment| !moment.frames.is_empty());
        let root = |f: &crate::support::profiler::Frame| f.function == "<module>";
        for moment in busy {
            expect(moment.frames.first().is_some_and(root), || "another root".into())?;
        }
        let time = |moment: Option<&Moment>| moment.map_or(0, |moment| moment.microseconds);
        let (length, samples) = (time(chart.last()) - time(chart.first()), chart.len());
        // Half a second of ticks. Ticks that come too late on a busy
        // machine are none: what is tested is that times rise, not how many there are.
        let is_within = (200_000..=2_000_000).contains(&length) && (50..=510).contains(&samples);
        Ok((is_within, format!("{samples} samples in {length} µs")))
    })
}

fn idle_program(case: &Case) -> Outcome<String> {
    let target = sleepers(case)?;
    let words = measured(|| {
        let profile = profile(case, &target, &["-s", "0.3", "-r", "0.01"])?;
        expect(profile.stacks.is_empty(), || format!("stacks: {:?}", profile.stacks))?;
        // Thirty ticks; late ones, on a busy machine, are none.
        Ok(((5..=31).contains(&profile.idle), format!("{} idle", profile.idle)))
    })?;
    let options = ["-x", "-s", "0.1", "-r", "0.01"];
    let output = attach(&case.profiler, target.pid(), &options)?.clean()?;
    expect(output.is_empty(), || format!("-x left {:?}", String::from_utf8_lossy(&output)))?;
    Ok(words)
}

fn idle_flame_chart(case: &Case) -> Outcome<String> {
    let target = sleepers(case)?;
    let options = ["--flamechart", "-s", "0.1", "-r", "0.01"];
    let output = attach(&case.profiler, target.pid(), &options)?.clean()?;
    let chart = parse_flamechart(&output)?;
    let idle = chart.iter().all(|moment| moment.frames.is_empty());
    expect(idle && !chart.is_empty(), || String::from_utf8_lossy(&output).into_owned())?;
    Ok(format!("{} idle", chart.len()))
}

fn all_threads(case: &Case) -> Outcome<String> {
    let target = sleepers(case)?;
    measured(|| {
        let profile = profile(case, &target, &["--threads", "-s", "0.3", "-r", "0.002"])?;
        let counts = ["left", "right", "main"].map(|name| profile.samples_with(name));
        let words = || format!("left, right and main thread: {counts:?}, all {}", profile.total());
        let [left, right, main] = counts;
        expect(left.abs_diff(right) <= 2 && left.abs_diff(main) <= 2, words)?;
        expect(left + right + main == profile.total(), words)?;
        Ok((left.min(right).min(main) >= 20, words()))
    })
}

/// Samples a busy program until `end` ends that, or the profiler: the samples are written then.
fn until_the_end(case: &Case, end: impl Fn(&Running, Target) -> Outcome) -> Outcome<String> {
    // A profiler that prepares its work waits too, and on a busy machine often.
    with_more_time(&["1", "1000", "5000"], |ticks| {
        let target = busy(case)?;
        let running = start_sampling(&case.profiler, target.pid(), &["-r", "0.001"])?;
        wait_for_ticks(&running, ticks.parse().context(|| ticks.to_owned())?)?;
        end(&running, target)?;
        let profile = Profile::parse(&running.finish()?.clean()?, true)?;
        Shape::of("busy.py")?.check(&profile)?;
        let words = format!("{} samples", profile.total());
        Ok(if profile.total() > 0 { Ok(words) } else { Err(words) })
    })
}

fn ended_by(case: &Case, signal: Signal) -> Outcome<String> {
    until_the_end(case, |running, target| {
        let pid = i32::try_from(running.pid()).context(|| "a pid".into())?;
        kill(Pid::from_raw(pid), signal).context(|| format!("send {signal}"))?;
        wait_until("the profiler has ended", || {
            Ok(status_line(running.pid(), "State")?.starts_with('Z').then_some(()))
        })?;
        expect_left_alone(target.pid())
    })
}

fn target_that_exits(case: &Case) -> Outcome<String> {
    until_the_end(case, |_, mut target| {
        target.close_stdin();
        target.expect("spent")?;
        target.end()
    })
}

fn target_that_is_killed(case: &Case) -> Outcome<String> {
    until_the_end(case, |_, target| {
        drop(target);
        Ok(())
    })
}
