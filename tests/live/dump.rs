//! `--dump` against what the target itself says: every interpreter, every
//! scenario, frame for frame, line for line, every thread.

use std::path::Path;
use std::sync::Arc;

use crate::support::binaries::{Binaries, age, is_built};
use crate::support::features::{Feature, Shown, Shows, record};
use crate::support::interpreters::{Interpreter, Interpreters, Kind};
use crate::support::process::{expect_left_alone, wait_at_rest};
use crate::support::profiler::dump;
use crate::support::runner::Trial;
use crate::support::target::Target;
use crate::support::truth::{Truth, difference};
use crate::support::{Context, Outcome, expect, native};

/// Every scenario of the targets with the first ABI that has it. A target that
/// offers more or less than this fails.
const SCENARIOS: [(&str, &str); 98] = [
    ("recursion-5", "2.7"),
    ("recursion-1000", "2.7"),
    ("mutual-recursion", "2.7"),
    ("lambdas", "2.7"),
    ("arguments", "2.7"),
    ("decorated", "2.7"),
    ("decorating", "2.7"),
    ("closures", "2.7"),
    ("comprehensions", "2.7"),
    ("callbacks-from-c", "2.7"),
    ("callbacks-in-callbacks", "2.7"),
    ("exec-and-eval", "2.7"),
    ("methods", "2.7"),
    ("special-methods", "2.7"),
    ("class-bodies", "2.7"),
    ("metaclasses", "2.7"),
    ("descriptors", "2.7"),
    ("in-except", "2.7"),
    ("in-finally", "2.7"),
    ("returning-through-finally", "2.7"),
    ("try-else", "2.7"),
    ("with", "2.7"),
    ("returning-through-with", "2.7"),
    ("matching-an-exception", "2.7"),
    ("raising-in-init", "2.7"),
    ("generators-in-generators", "2.7"),
    ("generator-send", "2.7"),
    ("generator-throw-and-close", "2.7"),
    ("generator-deallocated", "2.7"),
    ("generator-resumed-elsewhere", "2.7"),
    ("statements-over-many-lines", "2.7"),
    ("lines-that-go-back", "2.7"),
    ("loops", "2.7"),
    ("default-arguments", "2.7"),
    ("far-lines", "2.7"),
    ("far-instructions", "2.7"),
    ("columns", "2.7"),
    ("semicolons", "2.7"),
    ("continued-lines", "2.7"),
    ("strings-over-many-lines", "2.7"),
    ("optimised-away", "2.7"),
    ("function-names", "2.7"),
    ("file-names", "2.7"),
    ("long-file-names", "2.7"),
    ("names-together", "2.7"),
    ("name-of-a-dead-function", "2.7"),
    ("import", "2.7"),
    ("finalizers", "2.7"),
    ("collected-cycle", "2.7"),
    ("signal-handler", "2.7"),
    ("forked-child", "2.7"),
    ("at-exit", "2.7"),
    ("threads", "2.7"),
    ("checkpoint-in-a-thread", "2.7"),
    ("many-threads", "2.7"),
    ("fork-in-a-thread", "2.7"),
    ("traced", "2.7"),
    ("profiled", "2.7"),
    ("stopped-in-trace-function", "2.7"),
    ("stopped-in-profile-function", "2.7"),
    ("trace-function-that-jumps", "2.7"),
    ("traced-while-running", "2.7"),
    ("ctypes-callback", "2.7"),
    ("ctypes-callbacks-nested", "2.7"),
    ("thread-made-by-c", "2.7"),
    ("gil-held", "2.7"),
    ("gil-held-in-a-thread", "2.7"),
    ("subinterpreter", "2.7"),
    ("yield-from", "3.4"),
    ("deep-generators", "3.4"),
    ("chained-exceptions", "3.4"),
    ("keyword-only", "3.4"),
    ("garbage-collector-callback", "3.4"),
    ("coroutines-in-coroutines", "3.5"),
    ("generators-in-coroutines", "3.5"),
    ("async-with-and-for", "3.5"),
    ("coroutine-throw-and-close", "3.5"),
    ("unpacking", "3.5"),
    ("event-loop", "3.5"),
    ("async-generators", "3.6"),
    ("async-generator-methods", "3.6"),
    ("async-comprehensions", "3.6"),
    ("formatted-strings", "3.6"),
    ("class-hooks", "3.6"),
    ("stopped-between-instructions", "3.7"),
    ("interpreters", "3.8"),
    ("assignment-expressions", "3.8"),
    ("no-line-table", "3.8"),
    ("match", "3.10"),
    ("parenthesised-with", "3.10"),
    ("except-star", "3.11"),
    ("type-parameters", "3.12"),
    ("formatted-strings-over-many-lines", "3.12"),
    ("monitored", "3.12"),
    ("stopped-in-monitoring-callback", "3.12"),
    ("lazy-annotations", "3.14"),
    ("template-strings", "3.14"),
    ("lazy-import", "3.15"),
];

/// Those that need modules which `Kind::FewModules` has not.
const OF_MODULES: [&str; 8] = [
    "ctypes-callback",
    "ctypes-callbacks-nested",
    "thread-made-by-c",
    "gil-held",
    "gil-held-in-a-thread",
    "subinterpreter",
    "event-loop",
    "interpreters",
];

/// A build whose module `_interpreters` cannot be loaded, and the scenario that needs it.
const BROKEN: (&str, &str) = ("3.13t-static", "interpreters");

/// The one that ends the program, and so has to come last.
const LAST: &str = "at-exit";

/// What scenarios show of the interpreter.
const GROUPS: [(Feature, &[&str]); 8] = [
    (
        Feature::Generators,
        &[
            "generators-in-generators",
            "generator-send",
            "generator-throw-and-close",
            "generator-deallocated",
            "generator-resumed-elsewhere",
        ],
    ),
    (
        Feature::Coroutines,
        &["coroutines-in-coroutines", "generators-in-coroutines", "coroutine-throw-and-close"],
    ),
    (Feature::AsyncGenerators, &["async-generators", "async-generator-methods"]),
    (Feature::EventLoop, &["event-loop"]),
    (
        Feature::ThroughC,
        &["callbacks-from-c", "ctypes-callback", "ctypes-callbacks-nested", "thread-made-by-c"],
    ),
    (Feature::Traced, &["traced", "profiled", "stopped-in-trace-function"]),
    (Feature::Monitored, &["monitored", "stopped-in-monitoring-callback"]),
    (Feature::ManyInterpreters, &["subinterpreter", "interpreters"]),
];

/// How many failures of one interpreter are shown.
const SHOWN: usize = 8;

/// How often a thread may be found on its way to the place where it blocks.
const TRIES: usize = 50;

/// What docs/ABIS.md has from here.
pub(crate) const SHOWS: Shows = &[(Feature::Dump, "dump")];

pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for interpreter in interpreters.here.iter().filter(|i| is_built(i.abi)).cloned() {
        let profiler = binaries.profiler(interpreter.abi);
        let name = format!("{} dump", interpreter.label);
        trials.push(Trial::new(name, move || matrix(&interpreter, &profiler)));
    }
    trials.push(Trial::new("every interpreter is in the table", move || known(&interpreters)));
    trials
}

/// One that the table does not have would be passed over.
fn known(Interpreters { here, unknown, .. }: &Interpreters) -> Outcome<String> {
    expect(unknown.is_empty(), || {
        format!("not in the table of tests/support/interpreters.rs: {}", unknown.join(", "))
    })?;
    Ok(format!("all {} of them", here.len()))
}

/// All scenarios of one interpreter, in one process.
fn matrix(interpreter: &Interpreter, profiler: &Path) -> Outcome<String> {
    let library = native::library()?;
    let library = library.to_str().context(|| "the build folder is not UTF-8".into())?;
    let full = interpreter.kind == Kind::Normal;
    let mut target = Target::start(interpreter, "stacks.py", &[if full { library } else { "-" }])?;
    let ready = target.expect("ready")?;
    let scenarios = expected_scenarios(interpreter, &ready)?;
    let mut failures = Vec::new();
    let (mut stops, mut threads) = (0, 0);
    for scenario in &scenarios {
        target.begin(scenario)?;
        let mut stop = 0;
        while let Some(truth) = target.next_stop()? {
            stop += 1;
            threads += truth.threads.len();
            if let Err(words) = compare(&mut target, truth, profiler) {
                failures.push(format!("{scenario}, stop {stop}:\n{words}"));
            }
            target.tell("g")?;
        }
        expect(stop > 0, || format!("{scenario} did not stop"))?;
        stops += stop;
    }
    target.end()?;
    let summary = format!("{} scenarios, {stops} stops, {threads} stacks", scenarios.len());
    if failures.is_empty() {
        record_groups(interpreter, &scenarios)?;
        return Ok(summary);
    }
    let number = failures.len();
    failures.truncate(SHOWN);
    Err(format!("{number} of {stops} stops differ\n{}", failures.join("\n")))
}

/// Records each group of which an interpreter has a scenario: all that ran have passed.
fn record_groups(interpreter: &Interpreter, scenarios: &[&str]) -> Outcome {
    for (feature, group) in GROUPS {
        let first = SCENARIOS.iter().find(|(name, _)| group.contains(name));
        let (_, since) = first.context(|| format!("{feature:?} has no scenario"))?;
        let shown = if age(interpreter.abi) < age(since) {
            Shown::Not(format!("Python has them from {since} on"))
        } else if group.iter().any(|name| scenarios.contains(name)) {
            Shown::Yes
        } else {
            continue;
        };
        record(interpreter, "dump", feature, shown)?;
    }
    Ok(())
}

/// The scenarios to run, if they are exactly those that the target has.
fn expected_scenarios<'a>(interpreter: &Interpreter, ready: &'a [String]) -> Outcome<Vec<&'a str>> {
    let [_, version, offered @ ..] = ready else {
        return Err("the target does not say what it is".into());
    };
    expect(*version == interpreter.version, || {
        format!("this is {version}, not {}: run `make interpreters`", interpreter.version)
    })?;
    let due = |name: &str, since: &str| {
        age(since) <= age(interpreter.abi)
            && (interpreter.label, name) != BROKEN
            && (interpreter.kind == Kind::Normal || !OF_MODULES.contains(&name))
    };
    for (name, since) in SCENARIOS {
        let has = offered.iter().any(|o| o == name);
        expect(has == due(name, since), || {
            format!("the scenario {name} (since {since}): the target has it: {has}")
        })?;
    }
    for name in offered {
        expect(SCENARIOS.iter().any(|(known, _)| known == name), || {
            format!("the scenario {name} is not in the table of tests/live/dump.rs")
        })?;
    }
    let mut scenarios: Vec<&str> = offered.iter().map(String::as_str).collect();
    scenarios.sort_by_key(|name| *name == LAST);
    Ok(scenarios)
}

/// Holds a dump against the truth. Where they differ the truth is asked for
/// again: a thread may have been on its way to the place where it blocks. Only
/// a difference from a truth that did not change is a failure.
fn compare(target: &mut Target, mut truth: Truth, profiler: &Path) -> Outcome {
    expect(!truth.threads.is_empty(), || "a truth without threads".into())?;
    for _ in 0..TRIES {
        wait_at_rest(truth.pid)?;
        let seen = dump(profiler, truth.pid);
        expect_left_alone(truth.pid)?;
        let words = match &seen {
            Ok(seen) => difference(&truth.threads, seen),
            Err(words) => Some(words.clone()),
        };
        let Some(words) = words else { return Ok(()) };
        target.tell("a")?;
        let again = target.next_stop()?.context(|| "the scenario ended early".into())?;
        if again == truth {
            return Err(words);
        }
        truth = again;
    }
    Err(format!("the target was not at rest after {TRIES} tries"))
}
