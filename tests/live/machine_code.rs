//! Functions that were compiled to machine code, and whose frames no evaluation loop
//! executes: they are shown like any other, each with the first line of its function.
//!
//! The frames are made by a module of the test's own, as Nuitka makes them. `make nuitka-test`
//! runs a program that Nuitka itself has compiled.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::support::binaries::{ABIS, Binaries, age, is_built};
use crate::support::features::{Feature, Shows, not_here};
use crate::support::interpreters::{Build, Interpreter, Interpreters, headers};
use crate::support::process::{Finished, wait_at_rest, wait_until_it_works};
use crate::support::profiler::{Frame, Profile, attach, dump, start_sampling, wait_for_ticks};
use crate::support::runner::{Test, Trial};
use crate::support::target::{Target, in_folder, new_file};
use crate::support::{Context, Outcome, expect, measured, native, with_more_time};

/// What a test gets to work with.
struct Case {
    interpreter: Interpreter,
    profiler: PathBuf,
    /// Where the interpreter's own headers are.
    headers: Vec<PathBuf>,
}

/// The first version in which a frame is more than an object on the heap.
const FIRST: &str = "3.11";

const TESTS: [(&str, Test<Case>); 6] = [
    ("at rest", at_rest),
    ("nothing else", alone),
    ("called for long", called_for_long),
    ("called for less than a microsecond", called_for_short),
    ("called late", called_late),
    ("a stack that cannot be read", spoilt),
];

/// What is called in a thread of its own, and the same for a call of `loop`.
const LOOPS: [&str; 2] = ["made.py:root:10", "loop"];

/// What docs/ABIS.md has from here.
pub(crate) const SHOWS: Shows = &[
    (Feature::MachineCode, "machine code, at rest"),
    (Feature::MachineCode, "machine code, called for long"),
];

pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (abi, _) in ABIS.iter().filter(|(abi, _)| age(abi) < age(FIRST)) {
        not_here(abi, Feature::MachineCode, "up to 3.10 their frames are like all others");
    }
    let has_gil = |abi: &str| abi.ends_with(|letter: char| letter.is_ascii_digit());
    let abis = ABIS.iter().map(|(abi, _)| *abi).skip(age(FIRST)).filter(|abi| has_gil(abi));
    for abi in abis.filter(|abi| is_built(abi)) {
        // What stands for the ABI, if it has headers. Debian has none of debug builds alone.
        let standing = interpreters.one_per_abi().into_iter().chain(&interpreters.here);
        let mut of_abi = standing.filter(|interpreter| interpreter.abi == abi);
        let headers = |label: &str| headers(label.trim_end_matches("-dbg"));
        let found = of_abi.find_map(|i| headers(i.label).ok().map(|headers| (i, headers)));
        let Some((interpreter, headers)) = found else {
            let words = format!("no {abi} here has headers: run `make interpreters`");
            trials.push(Trial::new(format!("{abi} machine code"), move || Err(words)));
            continue;
        };
        for (name, test) in TESTS {
            let case = Case {
                interpreter: interpreter.clone(),
                profiler: binaries.profiler(abi),
                headers: headers.clone(),
            };
            let name = format!("{} machine code, {name}", interpreter.label);
            trials.push(Trial::new(name, move || test(&case)));
        }
    }
    trials
}

/// Starts the target, which then says `word`. What it says, it says within the stack that is
/// sampled: one that goes on to work does so when this returns.
fn start(case: &Case, mode: &str, word: &str) -> Outcome<Target> {
    let label = case.interpreter.label;
    let folders = case.headers.iter().map(|folder| format!("-I{}", folder.display()));
    let folders: Vec<String> = folders.collect();
    let mut options = vec!["-shared", "-fPIC", "-pthread"];
    if case.interpreter.build() == Build::Debug {
        options.push("-DPy_DEBUG=1");
    }
    options.extend(folders.iter().map(String::as_str));
    let library = native::compile("machine_code.c", &format!("machine_code-{label}.so"), &options)?;
    let library = library.display().to_string();
    let target = Target::start(&case.interpreter, "machine_code.py", &[&library, mode])?;
    target.expect(word)?;
    if word == "loops" {
        wait_until_it_works(working_thread(target.pid())?)?;
    }
    Ok(target)
}

/// The thread of the target that works: the first, unless that has started another one.
fn working_thread(pid: u32) -> Outcome<u32> {
    let tasks = format!("/proc/{pid}/task");
    let entries = fs::read_dir(&tasks).context(|| tasks.clone())?.flatten();
    let mut threads = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(threads.find(|thread| *thread != pid).unwrap_or(pid))
}

/// The frames of the thread that begins with `root`, outermost first, as text.
fn rooted(case: &Case, target: &Target) -> Outcome<Vec<String>> {
    wait_at_rest(target.pid())?;
    let threads = dump(&case.profiler, target.pid())?.into_iter();
    let frame = |text: &Vec<u8>| Frame::parse(&String::from_utf8_lossy(text), true);
    let stacks = threads.map(|thread| thread.frames.iter().rev().map(frame).collect());
    let stacks: Vec<Vec<Frame>> = stacks.collect::<Outcome<_>>()?;
    let begins = |frames: &&Vec<Frame>| frames.first().is_some_and(|f| f.function == "root");
    let words = || format!("no thread begins with root: {stacks:?}");
    Ok(stacks.iter().find(begins).context(words)?.iter().map(brief).collect())
}

/// A frame of the made file in full; of the target only the function.
fn brief(frame: &Frame) -> String {
    if frame.file == "made.py" { frame.to_string() } else { frame.function.clone() }
}

fn at_rest(case: &Case) -> Outcome<String> {
    let target = start(case, "rests", "waits")?;
    let expected = ["made.py:root:10", "made.py:outer:20", "made.py:inner:30", "wait"];
    let seen = rooted(case, &target)?;
    expect(seen == expected, || format!("the dump shows {seen:?}"))?;
    for engine in ["auto", "stop", "read"] {
        with_more_time(&["0.2", "1", "4"], |time| {
            let options = ["--threads", "-s", time, "--engine", engine];
            let profile = attach(&case.profiler, target.pid(), &options)?.clean()?;
            let all = stacks(&Profile::parse(&profile, true)?);
            let words = format!("--threads --engine {engine}: {all:?}");
            let is_of_root = |stack: &Vec<String>| stack[0] == expected[0];
            let mut rooted = all.iter().filter(|(stack, _)| is_of_root(stack));
            expect(rooted.clone().all(|(stack, _)| *stack == expected), || words.clone())?;
            Ok(if rooted.any(|(_, count)| *count >= 5) { Ok(()) } else { Err(words) })
        })?;
    }
    Ok(String::new())
}

fn alone(case: &Case) -> Outcome<String> {
    let target = start(case, "alone", "waits")?;
    let seen = rooted(case, &target)?;
    expect(seen == ["made.py:root:10"], || format!("the dump shows {seen:?}"))?;
    Ok(String::new())
}

/// The stacks of a profile, briefly, and how often each was seen.
fn stacks(profile: &Profile) -> Vec<(Vec<String>, u64)> {
    let brief = |stack: &crate::support::profiler::Folded| stack.frames.iter().map(brief).collect();
    profile.stacks.iter().map(|stack| (brief(stack), stack.count)).collect()
}

/// Fails unless each stack is that of `callers`, or that with `inner`; the samples that are
/// of `inner`, and all.
fn inner_of(profile: &Profile, callers: &[&str]) -> Outcome<(u64, u64)> {
    let (mut inner, mut all) = (0, 0);
    for (stack, count) in stacks(profile) {
        let is_inner = stack.last().is_some_and(|frame| frame == "made.py:inner:30");
        let rest = &stack[..stack.len() - usize::from(is_inner)];
        // Before `root` calls it, and in it.
        let is_begun = rest.iter().zip(callers).all(|(frame, caller)| frame == caller);
        let is_right =
            is_begun && rest.len() <= callers.len() && (!is_inner || rest.len() == callers.len());
        expect(is_right, || format!("a stack that cannot have existed: {stack:?}"))?;
        inner += if is_inner { count } else { 0 };
        all += count;
    }
    Ok((inner, all))
}

fn called_for_long(case: &Case) -> Outcome<String> {
    called(case, "long", 50)
}

/// While it is not called, the frame of `inner` shows no caller, and might be taken for a
/// stack of its own.
fn called_for_short(case: &Case) -> Outcome<String> {
    called(case, "short", 0)
}

/// Fails unless `inner` has so many percent of the samples.
fn called(case: &Case, mode: &str, percent: u64) -> Outcome<String> {
    let mut words = Vec::new();
    for engine in [["--engine", "auto"], ["--pause", "always"], ["--engine", "read"]] {
        let target = start(case, mode, "loops")?;
        words.push(measured(|| {
            let options = ["-s", "0.5", "-r", "0.001", "-x", engine[0], engine[1]];
            let profile = attach(&case.profiler, target.pid(), &options)?.clean()?;
            let (inner, all) = inner_of(&Profile::parse(&profile, true)?, &LOOPS)?;
            let is_within = all >= 100 && 100 * inner >= percent * all;
            Ok((is_within, format!("{}: {inner} of {all}", engine[1])))
        })?);
    }
    Ok(words.join("; "))
}

/// Where frames say that they are executed, that is believed without the pointer to the top
/// (3.11 and 3.12): until a frame is met that no loop executes.
fn called_late(case: &Case) -> Outcome<String> {
    let mut target = start(case, "late", "loops")?;
    let options = ["-r", "0.0005", "-x", "--engine", "read"];
    let running = start_sampling(&case.profiler, target.pid(), &options)?;
    target.tell("\n")?;
    target.expect("told")?;
    wait_for_ticks(&running, 1000)?;
    drop(target);
    let mut profile = Profile::parse(&running.finish()?.clean()?, true)?;
    // It says that it was told, which is soon over.
    profile.stacks.retain(|stack| stack.frames.last().is_none_or(|last| last.function != "say"));
    let (inner, all) = inner_of(&profile, &["<module>", "main", "late"])?;
    let words = format!("{inner} of {all}");
    expect(inner >= 500, || words.clone())?;
    Ok(words)
}

/// A run that proves nothing says so, in every form, and is no success; and nobody says that
/// a stack changed which did not.
fn spoilt(case: &Case) -> Outcome<String> {
    let target = start(case, "spoilt", "loops")?;
    let pid = target.pid();
    let output = attach(&case.profiler, pid, &["--dump"])?;
    // In 3.11 the frame says besides that a call of the loop begins with it.
    let reasons = ["a stack ends in the middle of a call", "a frame stands outside of its code"];
    let is_told = reasons.iter().any(|reason| output.stderr.contains(reason));
    expect(is_told && output.status.code() == Some(1), || output.words())?;
    let folder = new_file("spoilt");
    in_folder(&folder, || {
        let file = |name: &str| folder.join(name).display().to_string();
        let (folded, window, recording) = (file("a.folded"), file("b.folded"), file("c.pyflame"));
        let launcher = case.profiler.with_file_name("pyflame");
        let one = format!("process {pid}");
        let runs: [(&PathBuf, &[&str]); 5] = [
            (&case.profiler, &["-s", "0.1"]),
            (&case.profiler, &["-s", "0", "--pause", "always"]),
            (&case.profiler, &["-s", "0.1", "-o", &folded]),
            (&case.profiler, &["-s", "1.2", "--rotate", "1s", "-o", &window]),
            (&case.profiler, &["-s", "0.1", "-o", &recording]),
        ];
        for (profiler, options) in runs {
            expect_nothing_proven(&attach(profiler, pid, options)?, &one)?;
        }
        with_more_time(&["0.3", "2", "8"], |time| {
            let output = attach(&launcher, pid, &["-s", time, "--subprocesses"])?;
            if is_without_ticks(&output) {
                return Ok(Err(output.words()));
            }
            expect_nothing_proven(&output, "any of the processes").map(Ok)
        })?;
        let is_there = |path: &String| Path::new(path).exists();
        expect(is_there(&folded) && is_there(&recording), || "a result was not written".into())
    })?;
    Ok(String::new())
}

fn expect_nothing_proven(output: &Finished, what: &str) -> Outcome {
    let begin = format!("no stack of {what} could be proven; ");
    let is_right = output.stderr.lines().any(|line| line.starts_with(&begin))
        && output.stderr.contains(" torn")
        && !output.stderr.contains("changed");
    expect(is_right && output.status.code() == Some(1), || output.words())
}

/// Whether a run on several processes was over before any of them was looked at.
fn is_without_ticks(output: &Finished) -> bool {
    let is_nothing = output.stderr.is_empty() || output.stderr.contains("no process could be");
    is_nothing && output.stdout.is_empty()
}
