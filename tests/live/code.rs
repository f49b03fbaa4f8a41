//! Code objects that come and go while they are sampled: no function gets another's name,
//! and hardly a sample is lost.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use crate::support::binaries::Binaries;
use crate::support::features::{Feature, Shows};
use crate::support::interpreters::{Interpreter, Interpreters};
use crate::support::process::expect_left_alone;
use crate::support::profiler::{Frame, Profile, attach, start_sampling, wait_for_ticks};
use crate::support::runner::{self, Test, Trial};
use crate::support::shares::share_within;
use crate::support::target::Target;
use crate::support::{Context, Outcome, expect, measured, with_more_time};

/// What a test gets to work with.
struct Case {
    interpreter: Interpreter,
    profiler: PathBuf,
}

const TESTS: [(&str, Test<Case>); 2] =
    [("in the memory of other code", replaced), ("threads that wait in it", waiting)];

/// Those that measure.
const ALONE: [(&str, Test<Case>); 2] =
    [("the same texts in turn", same_texts), ("always another text", fresh_texts)];

/// What docs/ABIS.md has from here.
pub(crate) const SHOWS: Shows = &[(Feature::NewCode, "code, in the memory of other code")];

pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    let case = |interpreter: &Interpreter| Case {
        interpreter: interpreter.clone(),
        profiler: binaries.profiler(interpreter.abi),
    };
    let alone = runner::one_per_abi(&interpreters, "code, ", &ALONE, case);
    let mut trials = runner::one_per_abi(&interpreters, "code, ", &TESTS, case);
    trials.extend(alone.into_iter().map(Trial::alone));
    trials
}

/// What was known of a code object that is gone says nothing of the next one in its memory,
/// which may run where the old one had ended.
fn replaced(case: &Case) -> Outcome<String> {
    // A profiler that prepares its work waits too, and on a busy machine often.
    with_more_time(&["50", "200", "1000", "5000"], |ticks| {
        let count = ticks.parse().context(|| ticks.to_owned())?;
        let (profile, replaced) = profile_of_replaced(case, count)?;
        let samples = |file: &str| {
            let is_of = |frame: &Frame| frame.file == file && frame.function == "<module>";
            let stacks = profile.stacks.iter().filter(|stack| stack.frames.iter().any(is_of));
            stacks.map(|stack| stack.count).sum::<u64>()
        };
        let (short, longer) = (samples("short.py"), samples("longer.py"));
        let words = format!("replaced: {replaced}; {short} samples before, {longer} after");
        // From 3.11 on the bytecode is part of the object, so the longer one needs more memory.
        let is_possible = ["2.7", "3.4", "3.5", "3.6", "3.7", "3.8", "3.9", "3.10"];
        let is_tested = replaced == "yes" || !is_possible.contains(&case.interpreter.abi);
        expect(is_tested, || words.clone())?;
        Ok(if short >= 50 && longer >= 50 { Ok(words) } else { Err(words) })
    })
}

/// The profile of `replaced.py`, with so many ticks before the code is replaced and after; and
/// whether it was.
fn profile_of_replaced(case: &Case, ticks: u64) -> Outcome<(Profile, String)> {
    let mut target = Target::start(&case.interpreter, "replaced.py", &[])?;
    target.expect("ready")?;
    let running = start_sampling(&case.profiler, target.pid(), &["-r", "0.001"])?;
    wait_for_ticks(&running, ticks)?;
    target.tell("\n")?;
    let replaced = target.expect("replaced")?.concat();
    wait_for_ticks(&running, ticks)?;
    target.close_stdin();
    target.end()?;
    Ok((Profile::parse(&running.finish()?.clean()?, true)?, replaced))
}

/// By the time that a sample is compared, what it saw may be there again, after something
/// else that had the same addresses.
fn same_texts(case: &Case) -> Outcome<String> {
    let mut words = Vec::new();
    for engine in [["--pause", "always"], ["--engine", "read"]] {
        words.push(measured(|| {
            let (profile, proven) = profile(case, "same", &engine)?;
            let samples = ["run1", "run2", "run3"].map(|text| profile.samples_with(text));
            // It runs as often as the others together. Of what is not proven, the times of a
            // text that is just compiled, there may be more in one than in the others.
            let first = share_within(samples[0], samples.iter().sum(), 0.5, 0.05);
            let is_within = proven >= 60 && first.is_near();
            Ok((is_within, format!("{engine:?}: {proven} % proven, in run1 {first}")))
        })?);
    }
    Ok(words.join("; "))
}

/// Nothing that has been learnt of one text tells anything of the next.
fn fresh_texts(case: &Case) -> Outcome<String> {
    let mut words = Vec::new();
    for engine in [["--pause", "always"], ["--engine", "read"]] {
        words.push(measured(|| {
            let (_, proven) = profile(case, "fresh", &engine)?;
            Ok((proven >= 40, format!("{engine:?}: {proven} % proven")))
        })?);
    }
    Ok(words.join("; "))
}

/// A thread that waits looks the same as before, though it waits in other code.
fn waiting(case: &Case) -> Outcome<String> {
    // The program may be kept from running, and then it waits for long in one.
    with_more_time(&["0.5", "2", "8"], |time| {
        let (profile, _) = profile(case, "waiting", &["--threads", "-s", time])?;
        let texts: HashSet<u32> =
            profile.stacks.iter().flat_map(|stack| texts(&stack.frames)).collect();
        let samples = |text: &u32| profile.samples_with(&format!("f{text}"));
        let most = texts.iter().map(samples).max().unwrap_or(0);
        let total = profile.total();
        let words = format!("{total} samples of {} texts, {most} of one", texts.len());
        let is_within = total >= 100 && texts.len() >= 20 && most * 5 < total;
        Ok(if is_within { Ok(words) } else { Err(words) })
    })
}

/// The profile of `renewed.py`, of half a second unless the options say more, and how many
/// percent of the ticks came to a sample.
fn profile(case: &Case, texts: &str, options: &[&str]) -> Outcome<(Profile, u64)> {
    let mut target = Target::start(&case.interpreter, "renewed.py", &[texts])?;
    target.expect("ready")?;
    // More often than a thread that is never stopped could wait its turn.
    let options = [&["-s", "0.5", "-r", "0.0009", "--stats"], options].concat();
    let output = attach(&case.profiler, target.pid(), &options)?;
    expect_left_alone(target.pid())?;
    target.close_stdin();
    target.end()?;
    let account = |what: &str| -> Outcome<u64> {
        let lines = output.stderr.lines();
        let number = lines.filter_map(|line| line.trim().strip_prefix(what)).next();
        let number = number.context(|| format!("no {what:?}: {}", output.words()))?;
        number.trim().parse().context(|| format!("{what:?}: {}", output.words()))
    };
    let proven = 100 * account("samples:")? / account("ticks:")?.max(1);
    let profile = Profile::parse(&output.stdout, true)?;
    expect_one_text_each(&profile)?;
    Ok((profile, proven))
}

/// Fails if there is a stack of which not all frames have to do with the same text.
fn expect_one_text_each(profile: &Profile) -> Outcome {
    for stack in &profile.stacks {
        expect(texts(&stack.frames).len() <= 1, || {
            let frames: Vec<String> = stack.frames.iter().map(Frame::to_string).collect();
            format!("a stack that cannot have existed: {}", frames.join(";"))
        })?;
    }
    Ok(())
}

/// The numbers of the texts that frames have to do with.
fn texts(frames: &[Frame]) -> HashSet<u32> {
    let of_frame = |frame: &Frame| {
        let file = frame.file.strip_prefix("<text ").and_then(|rest| rest.strip_suffix('>'));
        let function = &frame.function;
        let function = function.strip_prefix("run").or_else(|| function.strip_prefix('f'));
        [file, function].into_iter().flatten().filter_map(|n| n.parse().ok()).collect::<Vec<u32>>()
    };
    frames.iter().flat_map(of_frame).collect()
}
