//! Signals that are sent to the profiler, and how commands end.

use std::fs;
use std::process::Command;

use nix::sys::signal::Signal;

use super::{Case, Left, expect_status, script, send, wait_for_line};
use crate::support::process::{Running, expect_left_alone, run, status_line, wait_until};
use crate::support::profiler::{Profile, command, start_sampling, wait_until_it_catches};
use crate::support::target::{Target, set_environment};
use crate::support::{Context, Outcome, expect, with_more_time};

/// So many samples show that a program is being sampled.
const ENOUGH: u64 = 5;

/// Starts `commanded.py` under the profiler with these options, and waits until it is sampled.
fn start(case: &Case, options: &[&str], words: &[&str]) -> Outcome<(Running, u32)> {
    let (python, script) = (case.python(), script("commanded.py"));
    let arguments = [options, &["-t", &python, &script], words].concat();
    let running = case.start(&arguments)?;
    let pid = wait_for_line(&running, "ready")?.parse().context(|| "a pid".into())?;
    case.wait_for(&running, "burn", ENOUGH)?;
    Ok((running, pid))
}

/// Each reaches the command once, whose cleaning up is in the profile.
pub(crate) fn passed_on(case: &Case) -> Outcome<String> {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
        let number = (signal as i32).to_string();
        let (running, _) = start(case, &[], &["tidy", &number])?;
        send(running.pid(), signal)?;
        let finished = running.finish()?;
        let said = String::from_utf8_lossy(&finished.stdout).into_owned();
        let end = format!("got {number}\ncleaned up\nlast words\n");
        expect(said.ends_with(&end) && said.matches("got").count() == 1, || finished.words())?;
        expect_status(&finished, 3)?;
        case.expect_samples("clean_up", ENOUGH)?;
        expect(!finished.stderr.contains("killed"), || finished.words())?;
    }
    Ok(String::new())
}

/// A command that does not end is left at the second signal, with its profile written.
pub(crate) fn second_signal(case: &Case) -> Outcome<String> {
    let (running, pid) = start(case, &[], &["deaf", "15", "1"])?;
    let _left = Left(pid);
    send(running.pid(), Signal::SIGTERM)?;
    wait_for_line(&running, "got 15")?;
    send(running.pid(), Signal::SIGHUP)?;
    wait_for_line(&running, "got 1\n".trim_end())?;
    let profiler = running.pid();
    wait_until("the profiler has ended", || {
        Ok(status_line(profiler, "State")?.starts_with('Z').then_some(()))
    })?;
    expect_left_alone(pid)?;
    send(pid, Signal::SIGKILL)?;
    let finished = running.finish()?;
    expect_status(&finished, 128 + 1)?;
    let words = format!("The command still runs, and is left: process {pid} (");
    expect(finished.stderr.contains(&words), || finished.words())?;
    case.expect_samples("burn", ENOUGH)?;
    Ok(String::new())
}

/// `timeout` sends to its child and then to the process group: that is one request.
pub(crate) fn timeout(case: &Case) -> Outcome<String> {
    let (python, script) = (case.python(), script("commanded.py"));
    with_more_time(&["1.5", "6", "20"], |time| {
        let made = case.command(&["-t", &python, &script, "tidy", "15"]);
        let mut command = Command::new("timeout");
        command.arg(time).arg(made.get_program()).args(made.get_args());
        set_environment(&mut command);
        let finished = run(&mut command)?;
        // That it was the time that ended it, is what the status of timeout tells.
        expect_status(&finished, 124)?;
        // The command may not be so far, or not be sampled yet.
        let seen = case.profile().map_or(0, |profile| profile.samples_with("burn"));
        if !finished.stdout.starts_with(b"ready ") || seen < ENOUGH {
            return Ok(Err(finished.words()));
        }
        expect(finished.stdout.ends_with(b"cleaned up\nlast words\n"), || finished.words())?;
        expect(!finished.stderr.contains("left"), || finished.words())?;
        case.expect_samples("clean_up", ENOUGH)?;
        Ok(Ok(()))
    })?;
    Ok(String::new())
}

/// What is started with a signal ignored stays so, the command as well.
pub(crate) fn nohup(case: &Case) -> Outcome<String> {
    let (python, script) = (case.python(), script("commanded.py"));
    let made = case.command(&["-t", &python, &script, "tidy", "15"]);
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]);
    command.arg(made.get_program()).args(made.get_args());
    set_environment(&mut command);
    let running = Running::start(&mut command, true)?;
    let pid: u32 = wait_for_line(&running, "ready")?.parse().context(|| "a pid".into())?;
    wait_until_it_catches(&running, &[Signal::SIGUSR1])?;
    case.wait_for(&running, "burn", ENOUGH)?;
    for pid in [running.pid(), pid] {
        let mask = status_line(pid, "SigIgn")?;
        let mask = u64::from_str_radix(&mask, 16).context(|| mask.clone())?;
        expect(mask & 1 == 1, || format!("process {pid} does not ignore SIGHUP: {mask:x}"))?;
        send(pid, Signal::SIGHUP)?;
    }
    send(running.pid(), Signal::SIGTERM)?;
    expect_status(&running.finish()?, 3)?;
    case.expect_samples("clean_up", ENOUGH)?;
    Ok(String::new())
}

pub(crate) fn subprocesses(case: &Case) -> Outcome<String> {
    let (python, script) = (case.python(), script("commanded.py"));
    let options = ["--subprocesses", "--format", "jsonl", "-t", &python, &script, "tidy", "15"];
    let running = case.start(&options)?;
    wait_for_line(&running, "ready")?;
    wait_until("it is sampled", || {
        send(running.pid(), Signal::SIGUSR1)?;
        let text = fs::read_to_string(case.output()).unwrap_or_default();
        Ok(text.contains("burn").then_some(()))
    })?;
    send(running.pid(), Signal::SIGTERM)?;
    let finished = running.finish()?;
    expect(finished.stdout.ends_with(b"got 15\ncleaned up\nlast words\n"), || finished.words())?;
    expect_status(&finished, 3)?;
    let text = fs::read_to_string(case.output()).context(|| "the profile".into())?;
    expect(text.contains("clean_up"), || "cleaning up is not in the profile".into())?;
    Ok(String::new())
}

/// In a container of its own, where it has to collect what nobody else does.
pub(crate) fn first_process(case: &Case) -> Outcome<String> {
    let (python, script) = (case.python(), script("zombies.py"));
    let made = case.command(&["-t", &python, &script]);
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--mount-proc", "--kill-child"]);
    command.arg(made.get_program()).args(made.get_args());
    set_environment(&mut command);
    let running = Running::start(&mut command, true)?;
    if let Err(words) = wait_for_line(&running, "collected") {
        let said = running.stderr_so_far();
        return match said.contains("Operation not permitted") {
            true => Ok("not tried: no container may be made".into()),
            false => Err(format!("{words}: {said}")),
        };
    }
    let pid = running.pid();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let profiler: u32 = children
        .context(|| "the child of unshare".into())?
        .trim()
        .parse()
        .context(|| "a pid".into())?;
    wait_until("it is sampled", || {
        send(profiler, Signal::SIGUSR1)?;
        let is_enough = |profile: Profile| profile.samples_in("main") >= ENOUGH;
        Ok(case.profile().is_ok_and(is_enough).then_some(()))
    })?;
    // From outside of it, which it cannot see.
    send(profiler, Signal::SIGTERM)?;
    let finished = running.finish()?;
    expect_status(&finished, 5)?;
    case.expect_samples("main", ENOUGH)?;
    Ok(String::new())
}

pub(crate) fn exit_status(case: &Case) -> Outcome<String> {
    let python = case.python();
    for (end, status, words) in [
        ("sys.exit(0)", 0, ""),
        ("sys.exit(250)", 250, ""),
        ("os.kill(os.getpid(), 9)", 137, "killed by signal 9 (SIGKILL)"),
        ("os.kill(os.getpid(), 15)", 143, "killed by signal 15 (SIGTERM)"),
        ("os.kill(os.getpid(), 40)", 128, "killed by a real-time signal"),
    ] {
        with_more_time(&["0.3", "1.5", "6"], |time| {
            let burn = format!("e = time.time() + {time}\nwhile time.time() < e: pass\n");
            let program = format!("import os, sys, time\n{burn}{end}");
            let finished = run(&mut case.command(&["-t", &python, "-c", &program]))?;
            expect_status(&finished, status)?;
            expect(finished.stderr.contains(words), || finished.words())?;
            expect(!words.is_empty() || !finished.stderr.contains("killed"), || finished.words())?;
            let seen = case.profile()?.samples_with("<module>");
            Ok(if seen >= ENOUGH { Ok(()) } else { Err(format!("{end}: {seen} samples")) })
        })?;
    }
    // Where there is no profile, the status is the profiler's.
    let finished = run(&mut case.command(&["-t", "sh", "-c", "exit 7"]))?;
    finished.expect_error(1, &["Failed to locate libpython: sh ended before"])?;
    Ok(String::new())
}

pub(crate) fn hangup_attached(case: &Case) -> Outcome<String> {
    let target = Target::start(&case.interpreter, "busy.py", &[])?;
    target.expect("ready")?;
    let output = case.output();
    let profiler = case.binaries.profiler(case.interpreter.abi);
    let running = start_sampling(&profiler, target.pid(), &["-o", &output])?;
    case.wait_for(&running, "main", ENOUGH)?;
    send(running.pid(), Signal::SIGHUP)?;
    running.finish()?.clean()?;
    case.expect_samples("main", ENOUGH)?;
    expect_left_alone(target.pid())?;
    target.end()?;
    Ok(String::new())
}

/// While the launcher still looks for Python, the command is given what it is sent.
pub(crate) fn before_python(case: &Case) -> Outcome<String> {
    let line = "trap 'echo got it; exit 4' TERM; echo ready; while :; do sleep 0.01; done";
    let running = Running::start(&mut command(&case.profiler, &["-t", "sh", "-c", line]), false)?;
    wait_for_line(&running, "ready")?;
    send(running.pid(), Signal::SIGTERM)?;
    let finished = running.finish()?;
    expect(finished.stdout.ends_with(b"got it\n"), || finished.words())?;
    finished.expect_error(1, &["Failed to locate libpython: sh ended before"])?;
    Ok(String::new())
}
