//! Commands that run more than one Python, and what they leave behind.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use super::{Case, Left, expect_status, script, wait_for_line};
use crate::support::binaries::Binaries;
use crate::support::process::{Running, expect_left_alone, run, wait_until};
use crate::support::profiler::{Profile, command};
use crate::support::target::{in_folder, set_environment};
use crate::support::{Context, Outcome, expect, with_more_time};

/// So many samples show that a program is being sampled.
const ENOUGH: u64 = 20;

/// The line of the account with this name; empty if there is none.
fn row(stderr: &str, name: &str) -> String {
    let line = stderr.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_default().to_owned()
}

/// A start script that asks a Python something first, and then runs the program.
fn after_probe(case: &Case, probe: &str, run: &str) -> Outcome<String> {
    let question = "import sys; sys.stdout.write(\"ok\")";
    let line = format!("answer=$({probe} -c '{question}'); echo $answer; {run}");
    let mut running = case.start(&["-t", "sh", "-c", &line])?;
    let stdin = running.take_stdin();
    case.wait_for(&running, "often", ENOUGH)?;
    drop(stdin);
    let finished = running.finish()?;
    expect(finished.stdout.starts_with(b"ok\nready\n"), || finished.words())?;
    expect_status(&finished, 0)?;
    let program = format!("{}, CPython {}", script("busy.py"), case.interpreter.full_version());
    expect(finished.stderr.contains(&program), || finished.words())?;
    let seen = case.expect_samples("often", ENOUGH)?;
    Ok(format!("{seen} samples of the program"))
}

pub(crate) fn probe(case: &Case) -> Outcome<String> {
    let (python, script) = (case.python(), script("busy.py"));
    after_probe(case, &python, &format!("{python} {script}"))?;
    after_probe(case, &python, &format!("exec {python} {script}"))
}

pub(crate) fn other_probe(case: &Case) -> Outcome<String> {
    let (python, script) = (case.python(), script("busy.py"));
    after_probe(case, &case.other_python(), &format!("{python} {script}"))?;
    after_probe(case, &case.other_python(), &format!("exec {python} {script}"))
}

/// The same process goes on with another version, in the same profile.
pub(crate) fn execution(case: &Case) -> Outcome<String> {
    let (python, other) = (case.python(), case.other_python());
    let (first, second) = (script("executes.py"), script("busy.py"));
    let mut running = case.start(&["-t", &python, &first, &other, &second])?;
    let stdin = running.take_stdin();
    case.wait_for(&running, "before", ENOUGH)?;
    let mut stdin = stdin.context(|| "no standard input".into())?;
    stdin.write_all(b"\n").context(|| "tell it to execute".into())?;
    case.wait_for(&running, "often", ENOUGH)?;
    drop(stdin);
    let finished = running.finish()?;
    expect_status(&finished, 0)?;
    // Of a long command line only the beginning is shown.
    let rows = [
        (format!("{python} {first} "), case.interpreter.full_version()),
        (format!("{other} {second}"), case.other.full_version()),
    ];
    for (words, version) in rows {
        let is_it = |line: &str| {
            let line = line.strip_prefix("sampled process ").and_then(|line| line.split_once(": "));
            let is_it = |(_, line): (&str, &str)| {
                line.starts_with(&words) && line.ends_with(&format!(", CPython {version}"))
            };
            line.is_some_and(is_it)
        };
        expect(finished.stderr.lines().any(is_it), || format!("{words}: {}", finished.words()))?;
    }
    expect(!finished.stderr.contains("Run pyflame"), || finished.words())?;
    case.expect_samples("before", ENOUGH)?;
    let seen = case.expect_samples("often", ENOUGH)?;
    Ok(format!("{seen} samples of {}", case.other.label))
}

/// `conda run python app.py` waits in Python for the program: the program is what is sampled.
pub(crate) fn wrapper(case: &Case) -> Outcome<String> {
    let (python, other) = (case.python(), case.other_python());
    let (wraps, busy) = (script("wraps.py"), script("busy.py"));
    let mut running = case.start(&["-t", &python, &wraps, "run", &other, &busy])?;
    let stdin = running.take_stdin();
    case.wait_for(&running, "often", ENOUGH)?;
    drop(stdin);
    let finished = running.finish()?;
    expect_status(&finished, 0)?;
    let program = format!("{other} {busy}, CPython {}", case.other.full_version());
    expect(finished.stderr.contains(&program), || finished.words())?;
    Ok(String::new())
}

/// Those that run while another is sampled are counted, and what samples them is named.
pub(crate) fn others(case: &Case) -> Outcome<String> {
    let (python, family) = (case.python(), script("family.py"));
    let mut running = case.start(&["-t", &python, &family, "fork", "2"])?;
    let stdin = running.take_stdin();
    wait_for_line(&running, "children")?;
    wait_for_looks(&running, 3)?;
    drop(stdin);
    let finished = running.finish()?;
    expect_status(&finished, 0)?;
    let name = "other Pythons at the same time, not sampled (--subprocesses samples all)";
    expect(row(&finished.stderr, name) == "2", || finished.words())?;
    Ok(String::new())
}

/// Waits until the thread that looks at the others has slept so many times more.
fn wait_for_looks(running: &Running, looks: u64) -> Outcome {
    let count = || {
        let tasks = fs::read_dir(format!("/proc/{}/task", running.pid()));
        for task in tasks.context(|| "the threads".into())?.flatten() {
            let read = |name| fs::read_to_string(task.path().join(name)).unwrap_or_default();
            if read("comm").trim() == "watch" {
                let status = read("status");
                let count =
                    status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
                return Ok(count.and_then(|count| count.trim().parse::<u64>().ok()));
            }
        }
        Ok(None)
    };
    let before = wait_until("somebody looks", count)?;
    wait_until("looks have been taken", || {
        Ok(count()?.filter(|count| *count >= before + looks).map(|_| ()))
    })
}

/// The parts of one recording are of one run each.
pub(crate) fn recording(case: &Case) -> Outcome<String> {
    with_more_time(&["0.4", "1.5", "6"], |time| {
        let file = case.file(&format!("run-{time}.pyflame"));
        let programs = [
            format!("{} {} {time} 0 a", case.other_python(), script("traced.py")),
            format!("{} {} {time} 6 b", case.python(), script("traced.py")),
        ];
        let mut made = command(&case.binaries.launcher(), &["-r", "0.002", "-o", &file]);
        set_environment(&mut made);
        let finished = run(made.args(["-t", "sh", "-c", &programs.join("; ")]))?;
        expect_status(&finished, 6)?;
        let report = run(&mut command(&case.binaries.launcher(), &["report", &file]))?.clean()?;
        let text = String::from_utf8_lossy(&report).into_owned();
        let samples = |program: &String| {
            let name = format!("({program})");
            let of_it = text.lines().filter(|line| line.contains(&name) && line.contains("burn"));
            of_it.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum::<u64>()
        };
        let is_enough = programs.iter().all(|program| samples(program) >= ENOUGH);
        Ok(if is_enough { Ok(String::new()) } else { Err(text.clone()) })
    })
}

/// Every window is written, those before the other Python too.
pub(crate) fn windows(case: &Case) -> Outcome<String> {
    let (python, other, script) = (case.python(), case.other_python(), script("traced.py"));
    with_more_time(&["1.4", "6"], |time| {
        let folder = Path::new(&case.file(time)).to_owned();
        let file = folder.join("windows.folded").display().to_string();
        let line = format!("{other} {script} 0.4 0 a; {python} {script} {time} 0 b");
        let mut made = command(&case.binaries.launcher(), &["-r", "0.002", "--rotate", "1s"]);
        set_environment(&mut made);
        in_folder(&folder, || {
            let finished = run(made.args(["-o", &file, "-t", "sh", "-c", &line]))?;
            expect_status(&finished, 0)?;
            let mut total = 0;
            for entry in fs::read_dir(&folder).context(|| "the folder".into())?.flatten() {
                let text = fs::read(entry.path()).context(|| "a window".into())?;
                total += Profile::parse(&text, true)?.samples_with("burn");
            }
            let words = format!("{total} samples");
            Ok(if total >= 3 * ENOUGH { Ok(words) } else { Err(words) })
        })
    })
}

/// A daemon is named at the end, and left alone.
pub(crate) fn daemon(case: &Case) -> Outcome<String> {
    let (python, script, file) = (case.python(), script("daemon.py"), case.file("end"));
    let mut running = case.start(&["-t", &python, &script, &file])?;
    let stdin = running.take_stdin();
    let started = format!("{file}.started");
    let pid = wait_until("the daemon runs", || Ok(fs::read_to_string(&started).ok()))?;
    let pid: u32 = pid.trim().parse().context(|| pid.clone())?;
    let _left = Left(pid);
    case.wait_for(&running, "work", 1)?;
    drop(stdin);
    let finished = running.finish()?;
    expect_status(&finished, 0)?;
    let words = format!("Started by the command, process {pid} (");
    expect(finished.stderr.contains(&words), || finished.words())?;
    expect_left_alone(pid)?;
    Ok(String::new())
}

/// One that is being sampled, because there is no other Python, ends no later than its command.
pub(crate) fn only_a_daemon(case: &Case) -> Outcome<String> {
    let (python, script, file) = (case.python(), script("daemon.py"), case.file("end"));
    // The program itself ends at once.
    let line = format!("{python} {script} {file} </dev/null; read line; exit 6");
    let mut running = case.start(&["-t", "sh", "-c", &line])?;
    let stdin = running.take_stdin();
    let started = format!("{file}.started");
    let pid = wait_until("the daemon runs", || Ok(fs::read_to_string(&started).ok()))?;
    let pid: u32 = pid.trim().parse().context(|| pid.clone())?;
    let _left = Left(pid);
    case.wait_for(&running, "toil", ENOUGH)?;
    drop(stdin);
    let finished = running.finish()?;
    expect_status(&finished, 6)?;
    let words = format!("Started by the command, process {pid} (");
    expect(finished.stderr.contains(&words), || finished.words())?;
    expect_left_alone(pid)?;
    Ok(String::new())
}

/// It stays in the tree, although its parent has ended.
pub(crate) fn daemon_in_tree(case: &Case) -> Outcome<String> {
    let (python, script, file) = (case.python(), script("daemon.py"), case.file("end"));
    let options = ["--subprocesses", "--format", "jsonl", "-t", &python, &script, &file];
    let mut running = case.start(&options)?;
    let stdin = running.take_stdin();
    let started = format!("{file}.started");
    let pid = wait_until("the daemon runs", || Ok(fs::read_to_string(&started).ok()))?;
    let pid: u32 = pid.trim().parse().context(|| pid.clone())?;
    let _left = Left(pid);
    wait_until("the daemon is sampled", || {
        super::send(running.pid(), nix::sys::signal::Signal::SIGUSR1)?;
        let text = fs::read_to_string(case.output()).unwrap_or_default();
        Ok(text.contains("toil").then_some(()))
    })?;
    drop(stdin);
    let finished = running.finish()?;
    expect_status(&finished, 0)?;
    let words = format!("Started by the command, process {pid} (");
    expect(finished.stderr.contains(&words), || finished.words())?;
    expect_left_alone(pid)?;
    Ok(String::new())
}

/// However late: a wrapper may have had something to fetch first. By then the profiler looks
/// for it less often.
pub(crate) fn late(case: &Case) -> Outcome<String> {
    let (python, script) = (case.python(), script("traced.py"));
    let line = format!("sleep 6; {python} {script} 2 7 late");
    let finished = run(&mut case.command(&["-t", "sh", "-c", &line]))?;
    expect_status(&finished, 7)?;
    case.expect_samples("burn", ENOUGH)?;
    Ok(String::new())
}

/// What is missing is said, and the command runs to its end.
pub(crate) fn missing(case: &Case) -> Outcome<String> {
    let alone = Binaries::install_in(&case.folder.join("bin"), |abi| abi == case.other.abi)?;
    let mut made: Command = command(&alone.launcher(), &["-t"]);
    set_environment(&mut made);
    made.env("PATH", "/usr/bin:/bin");
    made.args([&case.python(), &script("traced.py"), "1", "0", "x"]);
    let finished = run(&mut made)?;
    let package = format!("Install the package pyflame{}.", case.interpreter.abi);
    finished.expect_error(1, &[&package])?;
    expect(finished.stdout == b"out: x\nend\n", || finished.words())?;
    Ok(String::new())
}
