//! `PYFLAME_LOG`: a log that names each stage of a run, and nothing without it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::support::binaries::Binaries;
use crate::support::features::Shows;
use crate::support::interpreters::{Interpreter, Interpreters};
use crate::support::process::{Finished, Running, run, wait_until};
use crate::support::profiler::command;
use crate::support::runner::{self, Test, Trial};
use crate::support::target::{Target, set_environment};
use crate::support::{Context, Outcome, expect, targets};

/// How each line of a log begins.
const PREFIX: &str = "pyflame[";

struct Case {
    interpreter: Interpreter,
    binaries: Arc<Binaries>,
    folder: PathBuf,
}

const TESTS: [(&str, Test<Case>); 7] = [
    ("a run, by the launcher", a_run),
    ("windows", windows),
    ("a tree", a_tree),
    ("a command that executes another program", a_command),
    ("an execution in the middle of a run", an_execution),
    ("a level that is none", no_level),
    ("hostile paths", hostile_paths),
];

/// docs/ABIS.md has nothing from here.
pub(crate) const SHOWS: Shows = &[];

pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    runner::one_per_abi_in_folder(&interpreters, "log, ", &TESTS, |interpreter, folder| Case {
        interpreter: interpreter.clone(),
        binaries: Arc::clone(&binaries),
        folder,
    })
}

impl Case {
    fn busy(&self) -> Outcome<Target> {
        let target = Target::start(&self.interpreter, "busy.py", &[])?;
        target.expect("ready")?;
        Ok(target)
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn launcher(&self, level: &str, options: &[&str]) -> Command {
        let mut command = command(&self.binaries.launcher(), options);
        set_environment(&mut command);
        command.env("PYFLAME_LOG", level);
        command
    }
}

/// The lines of a log, each of which has its form.
fn log(stderr: &str) -> Outcome<Vec<&str>> {
    let lines: Vec<&str> = stderr.lines().filter(|line| line.starts_with(PREFIX)).collect();
    for line in &lines {
        let mut words = line[PREFIX.len()..].split_whitespace();
        let pid = words.next().and_then(|word| word.strip_suffix(']')?.parse::<u32>().ok());
        let time = words.next().and_then(|word| word.parse::<f64>().ok());
        let level = words.next().context(|| (*line).to_owned())?;
        let is_level = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&level);
        expect(pid.is_some() && time.is_some() && is_level, || (*line).to_owned())?;
    }
    Ok(lines)
}

/// Fails unless lines with these words come in this order.
fn expect_stages(finished: &Finished, stages: &[&str]) -> Outcome<String> {
    expect(finished.status.success(), || finished.words())?;
    expect_told(finished, stages)
}

/// The same of a run that may have been too short for a sample.
fn expect_told(finished: &Finished, stages: &[&str]) -> Outcome<String> {
    let lines = log(&finished.stderr)?;
    let mut rest = lines.iter();
    for stage in stages {
        let is_there = rest.any(|line| line.contains(stage));
        expect(is_there, || format!("no {stage:?} after the one before: {}", finished.stderr))?;
    }
    Ok(format!("{} lines", lines.len()))
}

fn a_run(case: &Case) -> Outcome<String> {
    let target = case.busy()?;
    let (pid, file) = (target.pid().to_string(), case.file("out.folded"));
    let options = ["-s", "0.2", "-o", &file, "-p", &pid];
    let finished = run(&mut case.launcher("debug", &options))?;
    let program = format!("pyflame{}", case.interpreter.abi);
    let own = [
        "app::diagnosis: pyflame 2",
        "app::launcher: executes ",
        &format!("app::diagnosis: {program} 2"),
        &format!("app::attach: process {pid} executes "),
        &format!("app::attach: process {pid} has CPython "),
        &format!("app::attach: the layout of process {pid} is proven"),
        &format!("app::attach: attached to process {pid}, CPython "),
        &format!("app::session: samples of process {pid}: "),
        "app::session: sampling is over (Run): ",
        &format!("app::sinks: folded written to {file}"),
    ];
    let words = expect_stages(&finished, &own)?;
    // Who takes the samples, and why: the launcher need not be there.
    let finished =
        run(&mut case.launcher("info", &[&["--pause", "never"], &options[..]].concat()))?;
    expect_stages(&finished, &["samples of process", "sampling is over"])?;
    expect(!finished.stderr.contains(" DEBUG "), || finished.words())?;
    for level in ["off", ""] {
        run(&mut case.launcher(level, &options))?.clean()?;
    }
    Ok(words)
}

fn windows(case: &Case) -> Outcome<String> {
    let target = case.busy()?;
    let (pid, file) = (target.pid().to_string(), case.file("out.folded"));
    let options = ["-s", "2.3", "--rotate", "1", "-o", &file, "-p", &pid];
    let finished = run(&mut case.launcher("debug", &options))?;
    expect_stages(&finished, &["a window is over", "written to", "a window is over", "written to"])
}

fn a_tree(case: &Case) -> Outcome<String> {
    let target = case.busy()?;
    let (pid, file) = (target.pid().to_string(), case.file("out.folded"));
    let options = ["--subprocesses", "-s", "0.5", "-o", &file, "-p", &pid];
    let finished = run(&mut case.launcher("debug", &options))?;
    let sampled = format!(" samples process {pid}");
    expect_stages(&finished, &[&format!("process {pid} runs CPython"), &sampled])?;
    // The lines of the profiler of the process are passed on.
    let attached = format!("app::attach: attached to process {pid}");
    expect_stages(&finished, &[&attached, "sampling is over"])
}

fn a_command(case: &Case) -> Outcome<String> {
    let python = case.interpreter.executable.display().to_string();
    let file = case.file("out.folded");
    let program = "import time; end = time.time() + .3\nwhile time.time() < end: pass";
    // A shell that becomes Python.
    let line = "exec \"$0\" -c \"$1\"";
    let options = ["-o", &file, "-t", "sh", "-c", line, &python, program];
    let finished = run(&mut case.launcher("debug", &options))?;
    expect_stages(
        &finished,
        &["of the command runs CPython ", "app::attach: attached to process", "written to"],
    )
}

fn an_execution(case: &Case) -> Outcome<String> {
    let python = case.interpreter.executable.display().to_string();
    let next = targets().join("busy.py").display().to_string();
    let mut target = Target::start(&case.interpreter, "executes.py", &[&python, &next])?;
    target.expect("ready")?;
    let (pid, file) = (target.pid().to_string(), case.file("out.folded"));
    let options = ["--duration", "inf", "-o", &file, "-p", &pid];
    let running = Running::start(&mut case.launcher("debug", &options), false)?;
    let says = |words: &str| {
        wait_until(words, || Ok(running.stderr_so_far().contains(words).then_some(())))
    };
    says("app::session: samples of process")?;
    target.tell("\n")?; // One byte: the next program ends at a line.
    target.expect("ready")?;
    says("app::session::search: attached anew")?;
    target.end()?;
    let finished = running.finish()?;
    expect_told(&finished, &["has another program", "attached anew", "sampling is over (Process)"])
}

fn no_level(case: &Case) -> Outcome<String> {
    let target = case.busy()?;
    let (pid, file) = (target.pid().to_string(), case.file("out.folded"));
    let finished =
        run(&mut case.launcher("loud\u{1b}[31m", &["-s", "0", "-o", &file, "-p", &pid]))?;
    expect(finished.status.success(), || finished.words())?;
    let words = "PYFLAME_LOG=loud\\u{1b}[31m is none of off, error, warn, info, debug, trace.";
    expect(finished.stderr.contains(words), || finished.words())?;
    expect(!finished.stderr.contains(PREFIX), || finished.words())?;
    Ok(String::new())
}

/// Nothing in a path acts on a terminal, or forges a line of the log.
fn hostile_paths(case: &Case) -> Outcome<String> {
    let target = case.busy()?;
    let pid = target.pid().to_string();
    let file = case.file("out\npyflame[1] 0.1 INFO  x: \u{1b}[31m.folded");
    let finished = run(&mut case.launcher("debug", &["-s", "0", "-o", &file, "-p", &pid]))?;
    expect_stages(&finished, &["written to"])?;
    let forged = finished.stderr.lines().any(|line| line.starts_with("pyflame[1]"));
    expect(!forged && !finished.stderr.contains('\u{1b}'), || finished.words())?;
    expect(Path::new(&file).exists() && targets().exists(), || "not written".into())?;
    Ok(String::new())
}
