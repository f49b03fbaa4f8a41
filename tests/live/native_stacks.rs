//! Native frames between those of Python: each stack is one that the program can be in, with
//! every call of machine code at its place.

use std::path::PathBuf;
use std::sync::Arc;

use crate::support::binaries::{ABIS, Binaries, is_built};
use crate::support::features::{Feature, Shows};
use crate::support::interpreters::{Interpreter, Interpreters, Kind};
use crate::support::native::stacks_library;
use crate::support::process::wait_at_rest;
use crate::support::profiler::{attach, may_use_kernel};
use crate::support::runner::{Test, Trial};
use crate::support::target::Target;
use crate::support::{Context, Outcome, expect, measured};

/// What a test gets to work with.
struct Case {
    interpreter: Interpreter,
    profiler: PathBuf,
}

/// On every interpreter that has `ctypes`.
const EVERYWHERE: [(&str, Test<Case>); 2] =
    [("in interrupts", in_interrupts), ("in a dump", in_a_dump)];

/// On one of each ABI.
const ONCE: [(&str, Test<Case>); 3] = [
    ("in stops", in_stops),
    ("of who waits", of_who_waits),
    ("through code without tables", without_tables),
];

/// What docs/ABIS.md has from here.
pub(crate) const SHOWS: Shows = &[
    (Feature::Native, "native stacks, in interrupts"),
    (Feature::Native, "native stacks, in stops"),
    (Feature::Native, "native stacks, in a dump"),
];

/// So many levels of calls into machine code and back.
const LEVELS: usize = 5;

/// Of 100 stacks so many have their native frames at least: the rest is met on the way into a
/// function or out of it.
const LEAST_COMPLETE: u64 = 95;

pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    let case = |interpreter: &Interpreter| Case {
        interpreter: interpreter.clone(),
        profiler: binaries.profiler(interpreter.abi),
    };
    let has_ctypes =
        |interpreter: &&Interpreter| interpreter.kind == Kind::Normal && is_built(interpreter.abi);
    let all = interpreters.here.iter().filter(has_ctypes);
    let mut trials: Vec<Trial> =
        all.clone().flat_map(|interpreter| group(interpreter, &EVERYWHERE, &case)).collect();
    for (abi, _) in ABIS.iter() {
        let chosen = interpreters.one_per_abi().into_iter().filter(has_ctypes).chain(all.clone());
        let one = chosen.into_iter().find(|interpreter| interpreter.abi == *abi);
        trials.extend(one.into_iter().flat_map(|interpreter| group(interpreter, &ONCE, &case)));
    }
    trials
}

/// The tests of one interpreter.
fn group(
    interpreter: &Interpreter,
    tests: &'static [(&'static str, Test<Case>)],
    case: &dyn Fn(&Interpreter) -> Case,
) -> Vec<Trial> {
    let trial = |(name, test): &'static (&'static str, Test<Case>)| {
        let case = case(interpreter);
        Trial::new(format!("{} native stacks, {name}", interpreter.label), move || test(&case))
    };
    tests.iter().map(trial).collect()
}

/// The target, when it is under way.
fn target(case: &Case, how: &str) -> Outcome<Target> {
    let library = stacks_library()?;
    let library = library.to_str().context(|| "UTF-8".into())?;
    let levels = LEVELS.to_string();
    let arguments = [library, how, &levels];
    let target = Target::start(&case.interpreter, "native_stacks.py", &arguments)?;
    target.expect("ready")?;
    Ok(target)
}

/// The functions of the deepest stack, outermost first.
fn deepest(leaf: &'static str) -> Vec<&'static str> {
    let mut all = vec!["<module>", "main"];
    for level in (0..=LEVELS).rev() {
        all.push("work");
        if level % 2 == 0 {
            all.extend(["truth_outer", "truth_middle"]);
        }
        all.push("called");
    }
    all.push(leaf);
    all
}

/// The known functions of a line of folded stacks, outermost first, and its count.
fn known<'a>(line: &'a str, all: &[&str]) -> Outcome<(Vec<&'a str>, u64)> {
    let (stack, count) = line.rsplit_once(' ').context(|| line.to_owned())?;
    let count = count.parse().context(|| line.to_owned())?;
    let names = stack.split(';').filter_map(|frame| match frame.split_once('!') {
        Some((library, name)) => library.starts_with("native_stacks.so").then_some(name),
        None => frame.rsplit(':').nth(1),
    });
    Ok((names.filter(|name| all.contains(name)).collect(), count))
}

/// Samples the program: each stack has to be a beginning of `all`, or of its Python functions alone.
/// How many stacks there are, how many of them have native frames, and words on that.
fn stacks(case: &Case, how: &str, all: &[&str], options: &[&str]) -> Outcome<(u64, u64, String)> {
    let target = target(case, how)?;
    let options = [&["-s", "1", "-r", "0.002"], options].concat();
    let finished = attach(&case.profiler, target.pid(), &options)?;
    let output = String::from_utf8_lossy(&finished.stdout).into_owned();
    target.end()?;
    let python: Vec<&str> = all.iter().copied().filter(|name| !name.starts_with("truth")).collect();
    let (mut total, mut complete) = (0, 0);
    for line in output.lines().filter(|line| !line.starts_with('(')) {
        let (names, count) = known(line, all)?;
        total += count;
        if all.starts_with(&names) {
            complete += count;
        } else {
            expect(python.starts_with(&names), || format!("impossible: {line}"))?;
        }
    }
    let words = format!("{complete} of {total} with native frames; {}", finished.words());
    Ok((total, complete, words))
}

/// Samples the program that ends in `leaf`: nearly all stacks have their native frames.
fn sample(case: &Case, leaf: &'static str, options: &[&str]) -> Outcome<String> {
    measured(|| {
        let how = leaf.trim_start_matches("truth_");
        let (total, complete, words) =
            stacks(case, how, &deepest(leaf), &[&["--native"], options].concat())?;
        Ok((total >= 100 && complete * 100 >= total * LEAST_COMPLETE, words))
    })
}

/// Where unwinding comes to no end the Python frames stand alone.
fn without_tables(case: &Case) -> Outcome<String> {
    let all = ["<module>", "main", "truth_bare", "truth_leaf"];
    let options = ["--native=all", "--engine", "stop", "--pause", "always"];
    let (total, _, words) = stacks(case, "bare", &all, &options)?;
    expect(total >= 100, || words)?;
    Ok(format!("{total} stacks"))
}

fn in_interrupts(case: &Case) -> Outcome<String> {
    if !may_use_kernel() {
        return Ok("not tried: the kernel does not let this user load programs".into());
    }
    sample(case, "truth_leaf", &["--engine", "kernel"])
}

fn in_stops(case: &Case) -> Outcome<String> {
    sample(case, "truth_leaf", &["--engine", "stop", "--pause", "always"])
}

/// The kernel tells the registers of a thread that has lost its processor.
fn of_who_waits(case: &Case) -> Outcome<String> {
    if !may_use_kernel() {
        return Ok("not tried: the kernel does not let this user load programs".into());
    }
    sample(case, "truth_doze", &["--engine", "kernel"])
}

fn in_a_dump(case: &Case) -> Outcome<String> {
    let target = target(case, "wait")?;
    wait_at_rest(target.pid())?;
    let finished = attach(&case.profiler, target.pid(), &["--dump", "--json", "--native"])?;
    let output = String::from_utf8_lossy(&finished.clean()?).into_owned();
    // It was stopped, since its frames need more registers than are told, and waits as before.
    wait_at_rest(target.pid())?;
    target.end()?;
    let all = deepest("truth_wait");
    let functions = output.split("\"function\":").skip(1).map(|rest| {
        let rest = rest.trim_start().trim_start_matches('"');
        rest.split('"').next().unwrap_or_default()
    });
    let mut names: Vec<&str> = functions.filter(|name| all.contains(name)).collect();
    names.reverse();
    expect(names == all, || format!("{names:?} in {output}"))?;
    Ok(String::new())
}
