//! `pyflame check`: what it answers of a process that can be profiled, and of those that cannot;
//! that it samples nothing and stops nobody.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use nix::sys::ptrace;
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::binaries::{Binaries, is_built};
use crate::support::features::{Feature, Shows};
use crate::support::interpreters::{Interpreter, Interpreters, three};
use crate::support::process::{Guard, expect_left_alone, run, status_line};
use crate::support::profiler::{command, may_use_kernel};
use crate::support::runner::Trial;
use crate::support::target::{Target, new_file, set_environment};
use crate::support::{Context, Outcome, expect};

/// Nobody's user id.
const NOBODY: u32 = 65534;

/// What is asked of a process that can be profiled, in this order.
const QUESTIONS: [&str; 11] = [
    "process",
    "executable",
    "namespaces",
    "settings",
    "access",
    "stops",
    "interpreter",
    "profiler",
    "layout",
    "GIL",
    "engine",
];

type Test = fn(&Interpreter, &Binaries) -> Outcome<String>;

const TESTS: [(&str, Test); 6] = [
    ("works", works),
    ("of a process that is traced", traced),
    ("without the profiler", without_the_profiler),
    ("of a process and its children", with_children),
    ("by another user", by_another_user),
    ("for the report of a bug", for_a_bug),
];

/// What docs/ABIS.md has from here.
pub(crate) const SHOWS: Shows = &[(Feature::Check, "check works")];

pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    let mut trials = Vec::new();
    let built: Vec<_> =
        interpreters.one_per_abi().into_iter().filter(|i| is_built(i.abi)).collect();
    let few = three(&built);
    for interpreter in &built {
        for (name, test) in TESTS {
            if name != "works" && !few.iter().any(|few| few.label == interpreter.label) {
                continue;
            }
            let (interpreter, binaries) = ((*interpreter).clone(), Arc::clone(&binaries));
            let name = format!("{} check {name}", interpreter.label);
            trials.push(Trial::new(name, move || test(&interpreter, &binaries)));
        }
    }
    let binaries = Arc::clone(&binaries);
    trials.push(Trial::new("check of what is no Python", move || no_python(&binaries)));
    trials
}

/// What the launcher answers of processes, one object for each, and its exit status.
fn answers(program: &Path, words: &[&str]) -> Outcome<(Vec<Value>, i32)> {
    let mut command = command(program, &["check", "--json"]);
    let finished = run(command.args(words))?;
    let text = String::from_utf8_lossy(&finished.stdout).into_owned();
    let objects = text.lines().map(serde_json::from_str).collect::<Result<Vec<_>, _>>();
    let objects = objects.context(|| finished.words())?;
    Ok((objects, finished.status.code().context(|| finished.words())?))
}

/// The verdict and the answer to one question.
fn answer<'a>(object: &'a Value, question: &str) -> Outcome<(&'a str, &'a str)> {
    let all = object["findings"].as_array().context(|| object.to_string())?;
    let found = all.iter().find(|finding| finding["question"] == question);
    let found = found.context(|| format!("{question} in {object}"))?;
    let word = |key: &str| found[key].as_str().context(|| found.to_string());
    Ok((word("verdict")?, word("answer")?))
}

fn expect_answer(object: &Value, question: &str, verdict: &str, part: &str) -> Outcome {
    let (seen, words) = answer(object, question)?;
    expect(seen == verdict && words.contains(part), || {
        format!("{question}: {seen} {words}, not {verdict} {part}")
    })
}

/// All is well, by the launcher and by the profiler itself, for people and as JSON.
fn works(interpreter: &Interpreter, binaries: &Binaries) -> Outcome<String> {
    let (target, _) = Target::at_rest(interpreter)?;
    let pid = target.pid().to_string();
    let switches = || status_line(target.pid(), "nonvoluntary_ctxt_switches");
    let before = (status_line(target.pid(), "voluntary_ctxt_switches")?, switches()?);
    for program in [binaries.launcher(), binaries.profiler(interpreter.abi)] {
        let (objects, status) = answers(&program, &[&pid])?;
        let [object] = objects.as_slice() else { return Err(format!("{objects:?}")) };
        expect(status == 0 && object["works"] == true, || object.to_string())?;
        for question in QUESTIONS {
            let (verdict, words) = answer(object, question)?;
            expect(verdict == "ok" || question == "engine", || format!("{question}: {words}"))?;
        }
        expect_answer(object, "interpreter", "ok", &interpreter.full_version())?;
        let engine = if may_use_kernel() { "kernel" } else { "stop" };
        let (_, words) = answer(object, "engine")?;
        expect(words.starts_with(engine), || words.to_owned())?;
    }
    let finished = run(&mut command(&binaries.launcher(), &["check", &pid]))?;
    let text = String::from_utf8_lossy(&finished.clean()?).into_owned();
    expect(text.lines().count() > QUESTIONS.len(), || text.clone())?;
    let after = (status_line(target.pid(), "voluntary_ctxt_switches")?, switches()?);
    expect(before == after, || format!("it has run: {before:?}, {after:?}"))?;
    expect_left_alone(target.pid())?;
    Ok(String::new())
}

/// Who traces a process is named: it cannot be stopped, and the kernel's engine needs no stop.
fn traced(interpreter: &Interpreter, binaries: &Binaries) -> Outcome<String> {
    let (target, _) = Target::at_rest(interpreter)?;
    let pid = Pid::from_raw(target.pid() as i32);
    ptrace::seize(pid, ptrace::Options::empty()).context(|| "trace the target".into())?;
    let (objects, status) = answers(&binaries.launcher(), &[&pid.to_string()])?;
    expect(status == 0, || format!("{objects:?}"))?;
    expect_answer(&objects[0], "stops", "note", &format!("process {} ", nix::unistd::gettid()))?;
    ptrace::interrupt(pid).context(|| "stop the target".into())?;
    nix::sys::wait::waitpid(pid, None).context(|| "wait for the target".into())?;
    ptrace::detach(pid, None).context(|| "let the target go".into())?;
    Ok(String::new())
}

/// The launcher alone says which package is missing, after what it can answer by itself.
fn without_the_profiler(interpreter: &Interpreter, _: &Binaries) -> Outcome<String> {
    let (target, _) = Target::at_rest(interpreter)?;
    let folder = new_file("check-alone");
    let alone = Binaries::install_in(&folder, |_| false)?;
    let mut command = command(&alone.launcher(), &["check", "--json", &target.pid().to_string()]);
    let finished = run(command.env("PATH", "/nowhere"))?;
    let _ = fs::remove_dir_all(&folder);
    let object: Value = serde_json::from_slice(&finished.stdout).context(|| finished.words())?;
    expect(finished.status.code() == Some(1) && object["works"] == false, || finished.words())?;
    expect_answer(&object, "interpreter", "ok", &interpreter.full_version())?;
    expect_answer(&object, "profiler", "fail", &format!("pyflame{}", interpreter.abi))?;
    Ok(String::new())
}

/// A shell and the Python that it has started: one that fails, and one that works.
fn with_children(interpreter: &Interpreter, binaries: &Binaries) -> Outcome<String> {
    let mut shell = Command::new("sh");
    set_environment(&mut shell);
    shell.args([
        "-c",
        "\"$0\" -c 'import sys; print(7); sys.stdout.flush(); sys.stdin.read()'; true",
    ]);
    shell.arg(&interpreter.executable).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut shell = Guard::spawn(&mut shell)?;
    let mut line = [0; 2];
    let out = shell.0.stdout.as_mut().context(|| "no pipe".into())?;
    std::io::Read::read_exact(out, &mut line).context(|| "it says nothing".into())?;
    let pid = shell.pid().to_string();
    let (objects, status) = answers(&binaries.launcher(), &["--subprocesses", &pid])?;
    expect(objects.len() == 2 && status == 1, || format!("{objects:?}"))?;
    expect_answer(&objects[0], "interpreter", "fail", "does not run CPython")?;
    expect_answer(&objects[1], "layout", "ok", "proven")?;
    drop(shell.0.stdin.take());
    Ok(String::new())
}

/// A process of root's may not be read by nobody; nobody's own may, but not by the kernel's
/// engine.
fn by_another_user(interpreter: &Interpreter, _: &Binaries) -> Outcome<String> {
    if status_line(std::process::id(), "Uid")?.split_whitespace().nth(1) != Some("0") {
        return Ok("not tried: only root can be another user".into());
    }
    let (target, _) = Target::at_rest(interpreter)?;
    // Nobody may not walk to the build folder.
    let folder = std::env::temp_dir().join(format!("pyflame-check-{}", target.pid()));
    let own_binaries = Binaries::install_in(&folder, |abi| abi == interpreter.abi)?;
    let ask = |pid: u32| -> Outcome<Value> {
        let mut command = command(&own_binaries.launcher(), &["check", "--json", &pid.to_string()]);
        let finished = run(command.uid(NOBODY).gid(NOBODY))?;
        serde_json::from_slice(&finished.stdout).context(|| finished.words())
    };
    let refused = ask(target.pid());
    let mut own = Command::new("sleep");
    let own = Guard::spawn(own.arg("60").uid(NOBODY).gid(NOBODY))?;
    let not_python = ask(own.pid());
    let _ = fs::remove_dir_all(&folder);
    let (refused, not_python) = (refused?, not_python?);
    expect_answer(&refused, "access", "fail", "Operation not permitted")?;
    expect_answer(&not_python, "access", "ok", "same user")?;
    expect_answer(&not_python, "interpreter", "fail", "does not run CPython")?;
    Ok(String::new())
}

/// The report names the version, the system and the mappings, and not what is secret.
fn for_a_bug(interpreter: &Interpreter, binaries: &Binaries) -> Outcome<String> {
    let mut command_of = Command::new(&interpreter.executable);
    set_environment(&mut command_of);
    command_of.env("SECRET", "hunter2").args(["-c", "import sys; sys.stdin.read()", "hunter2"]);
    let guard = Guard::spawn(command_of.stdin(Stdio::piped()).stdout(Stdio::null()))?;
    let file = new_file("bug.txt");
    let path = file.display().to_string();
    let words = ["check", "--report", &path, &guard.pid().to_string()];
    let finished = run(&mut command(&binaries.launcher(), &words))?;
    let text = fs::read_to_string(&file).context(|| finished.words())?;
    let _ = fs::remove_file(&file);
    for part in ["pyflame 2", "/proc/version", "maps", "layout"] {
        expect(text.contains(part), || format!("no {part} in {text}"))?;
    }
    expect(!text.contains("hunter2"), || text.clone())?;
    Ok(String::new())
}

/// A process that has ended, and one that is no Python.
fn no_python(binaries: &Binaries) -> Outcome<String> {
    let mut ended = Guard::spawn(&mut Command::new("true"))?;
    ended.wait("true")?;
    let mut cat = Command::new("cat");
    let cat = Guard::spawn(cat.stdin(Stdio::piped()).stdout(Stdio::null()))?;
    let pids = [ended.pid().to_string(), cat.pid().to_string()];
    let (objects, status) = answers(&binaries.launcher(), &[&pids[0], &pids[1]])?;
    expect(status == 1 && objects.len() == 2, || format!("{objects:?}"))?;
    expect_answer(&objects[0], "process", "fail", "No such process")?;
    expect_answer(&objects[1], "interpreter", "fail", "does not run CPython")?;
    expect_left_alone(cat.pid())?;
    Ok(String::new())
}
