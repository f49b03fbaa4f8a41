//! `--dump` with names and variables against what the target itself says: every
//! interpreter, every thread, every type of value.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::support::binaries::{Binaries, is_built};
use crate::support::features::{Feature, Shows};
use crate::support::interpreters::{Interpreter, Interpreters};
use crate::support::process::wait_at_rest;
use crate::support::profiler::attach;
use crate::support::runner::Trial;
use crate::support::target::Target;
use crate::support::{Context, Outcome, expect};

/// The functions of the target whose variables are compared: those that stand still.
const FUNCTIONS: [&str; 8] = [
    "generate",
    "inner",
    "innermost",
    "with_arguments",
    "of_containers",
    "of_scalars",
    "main",
    "hold",
];

/// What docs/ABIS.md has from here.
pub(crate) const SHOWS: Shows =
    &[(Feature::ThreadNames, "names and variables"), (Feature::Locals, "names and variables")];

pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    let supported = interpreters.here.iter().filter(|i| is_built(i.abi)).cloned();
    let trial = |interpreter: Interpreter| {
        let profiler = binaries.profiler(interpreter.abi);
        let name = format!("{} names and variables", interpreter.label);
        Trial::new(name, move || names_and_variables(&interpreter, &profiler))
    };
    supported.map(trial).collect()
}

/// What the target says of itself.
#[derive(Debug, Default)]
struct Truth {
    /// By identity: the kernel's id and the name, where it tells them.
    threads: BTreeMap<u64, (Option<u64>, Option<String>)>,
    /// By function: kind and value of each variable.
    variables: BTreeMap<String, BTreeMap<String, (String, String)>>,
}

impl Truth {
    fn read(target: &Target) -> Outcome<Self> {
        let mut truth = Self::default();
        let mut function = String::new();
        loop {
            let line = target.line()?;
            let bad = || format!("the target says {line:?}");
            match line.split(' ').collect::<Vec<_>>().as_slice() {
                ["ready"] => return Ok(truth),
                ["thread", id, native, name] => {
                    let name = if *name == "-" { None } else { Some(text(name)?) };
                    truth.threads.insert(id.parse().context(bad)?, (native.parse().ok(), name));
                }
                ["frame", name] => {
                    function = (*name).to_owned();
                    truth.variables.entry(function.clone()).or_default();
                }
                ["variable", kind, name, value] => {
                    let variables = truth.variables.entry(function.clone()).or_default();
                    variables.insert(text(name)?, ((*kind).to_owned(), text(value)?));
                }
                _ => return Err(bad()),
            }
        }
    }
}

fn text(hexadecimal: &str) -> Outcome<String> {
    let digits = hexadecimal.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok();
        pair.and_then(|pair| u8::from_str_radix(pair, 16).ok())
    });
    let bytes: Option<Vec<u8>> = digits.collect();
    String::from_utf8(bytes.context(|| hexadecimal.to_owned())?).context(|| hexadecimal.to_owned())
}

fn names_and_variables(interpreter: &Interpreter, profiler: &Path) -> Outcome<String> {
    let mut target = Target::start(interpreter, "variables.py", &[])?;
    let truth = Truth::read(&target)?;
    wait_at_rest(target.pid())?;
    let dump = json(profiler, target.pid(), &["--dump", "--json", "--locals"])?;
    expect(dump["process"]["pid"] == target.pid(), || "another process".into())?;
    let python = dump["process"]["python"].as_str().unwrap_or_default();
    expect(python == interpreter.full_version(), || format!("Python {python}"))?;
    let command = dump["process"]["command"].as_str().unwrap_or_default();
    expect(command.ends_with("variables.py"), || format!("command line {command}"))?;
    compare_threads(&truth, &dump, true)?;
    let compared = compare_variables(&truth, &dump)?;
    compare_text(profiler, target.pid())?;
    // The names change, and are read anew.
    target.tell("x")?;
    let truth = Truth::read(&target)?;
    wait_at_rest(target.pid())?;
    compare_threads(&truth, &json(profiler, target.pid(), &["--dump", "--json"])?, false)?;
    target.end()?;
    Ok(format!("{} threads, {compared} variables", truth.threads.len()))
}

fn json(profiler: &Path, pid: u32, options: &[&str]) -> Outcome<Value> {
    let output = attach(profiler, pid, options)?.clean()?;
    serde_json::from_slice(&output).context(|| "the dump is not JSON".into())
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Names, ids and states of all threads, every one of which waits.
fn compare_threads(truth: &Truth, dump: &Value, with_locals: bool) -> Outcome {
    let seen: BTreeMap<u64, &Value> = list(&dump["threads"])
        .filter_map(|thread| Some((thread["id"].as_u64()?, thread)))
        .collect();
    expect(seen.keys().eq(truth.threads.keys()), || format!("other threads: {:?}", seen.keys()))?;
    for (id, (native, name)) in &truth.threads {
        let thread = seen[id];
        let seen_name = thread["name"].as_str();
        let is_right = match name {
            Some(name) => seen_name == Some(name),
            None => seen_name.is_some(), // The kernel's, which differs.
        };
        expect(is_right, || format!("thread {id} is {name:?}; seen: {seen_name:?}"))?;
        let seen_native = thread["native_id"].as_u64();
        let has_native = seen_native.is_some() && (native.is_none() || seen_native == *native);
        expect(has_native, || format!("native id {native:?}; seen: {seen_native:?}"))?;
        expect(thread["state"] == "idle", || format!("state {}", thread["state"]))?;
        let has_locals = list(&thread["frames"]).all(|f| f.get("locals").is_some() == with_locals);
        expect(has_locals, || format!("locals: {thread}"))?;
    }
    Ok(())
}

/// The variables of the functions in which the main thread stands.
fn compare_variables(truth: &Truth, dump: &Value) -> Outcome<usize> {
    let mut compared = 0;
    let mut wrong = Vec::new();
    for frame in list(&dump["threads"]).flat_map(|thread| list(&thread["frames"])) {
        let function = frame["function"].as_str().unwrap_or_default();
        let is_still = FUNCTIONS.contains(&function);
        let Some(expected) = truth.variables.get(function).filter(|_| is_still) else { continue };
        let word = |local: &Value, key: &str| local[key].as_str().unwrap_or_default().to_owned();
        let seen: BTreeMap<String, (String, String)> = list(&frame["locals"])
            .map(|local| (word(local, "name"), (word(local, "kind"), word(local, "value"))))
            .collect();
        compared += expected.len();
        for (name, expected) in expected {
            if seen.get(name) != Some(expected) {
                wrong.push(format!("{function}, {name}: {expected:?}; seen: {:?}", seen.get(name)));
            }
        }
        for (name, value) in seen.iter().filter(|(name, _)| !expected.contains_key(*name)) {
            wrong.push(format!("{function}, {name}: not expected; seen: {value:?}"));
        }
    }
    expect(wrong.is_empty(), || wrong.join("\n"))?;
    expect(compared > 50, || format!("only {compared} variables"))?;
    Ok(compared)
}

/// The extended text says the same as the other.
fn compare_text(profiler: &Path, pid: u32) -> Outcome {
    let output = attach(profiler, pid, &["--dump", "--locals"])?.clean()?;
    let text = String::from_utf8(output).context(|| "not UTF-8".into())?;
    for line in [
        &format!("Process {pid}: "),
        " \"pool-7\" (native ",
        " \"MainThread\" (native ",
        "): idle\n",
        ":of_scalars:",
        "\n      small = -5\n",
        "\n      quote = \"it's\"\n",
    ] {
        expect(text.contains(line), || format!("no {line:?} in\n{text}"))?;
    }
    let plain = attach(profiler, pid, &["--dump", "--verbose"])?.clean()?;
    let plain = String::from_utf8(plain).context(|| "not UTF-8".into())?;
    expect(plain.contains("\"pool-7\"") && !plain.contains("small ="), || plain.clone())
}
