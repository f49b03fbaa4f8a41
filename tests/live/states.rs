//! Processes in unusual states: still starting, stopped, waiting in system calls
//! that must not be disturbed, with a stack deeper than any bound.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::binaries::Binaries;
use crate::support::features::{Feature, Shows};
use crate::support::interpreters::{Interpreter, Interpreters};
use crate::support::process::{
    Guard, expect_left_alone, status_line, wait_until, wait_until_asleep,
};
use crate::support::profiler::{Profile, attach, dump, expect_dump};
use crate::support::runner::{self, Test, Trial};
use crate::support::target::{Target, set_environment};
use crate::support::truth::parse_dump;
use crate::support::{Context, Outcome, expect, measured, native, targets};

/// What a test gets to work with.
struct Case {
    interpreter: Interpreter,
    profiler: PathBuf,
    launcher: PathBuf,
}

const TESTS: [(&str, Test<Case>); 6] = [
    ("still starting", still_starting),
    ("stopped", stopped),
    ("system calls undisturbed by samples", samples_disturb_nothing),
    ("system calls undisturbed by dumps", dumps_disturb_nothing),
    ("too deep", too_deep),
    ("on a crowded processor", crowded),
];

/// How often a starting process is looked at.
const STARTS: usize = 15;

/// What docs/ABIS.md has from here.
pub(crate) const SHOWS: Shows = &[
    (Feature::SystemCalls, "system calls undisturbed by samples"),
    (Feature::SystemCalls, "system calls undisturbed by dumps"),
];

pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    runner::one_per_abi(&interpreters, "", &TESTS, |interpreter| Case {
        interpreter: interpreter.clone(),
        profiler: binaries.profiler(interpreter.abi),
        launcher: binaries.launcher(),
    })
}

/// Looked at right after it was started, a process gives a stack of its own, or
/// none yet; it never gives nonsense, and it comes up undisturbed. One that is kept from
/// running before it has loaded Python is none until then, and is looked at again.
fn still_starting(case: &Case) -> Outcome<String> {
    let mut with_frames = 0;
    for start in 0..STARTS {
        let target = Target::start(&case.interpreter, "busy.py", &[])?;
        let profiler = if start % 2 == 0 { &case.profiler } else { &case.launcher };
        let look = || attach(profiler, target.pid(), &["--dump"]);
        let mut output = look()?;
        let is_early = output.stderr.contains("does not run CPython") && output.stdout.is_empty();
        if is_early {
            target.expect("ready")?;
            output = look()?;
        }
        let threads = parse_dump(&output.clean()?)?;
        expect(threads.len() <= 1, || format!("{} threads", threads.len()))?;
        for frame in threads.iter().flat_map(|thread| &thread.frames) {
            let text = String::from_utf8_lossy(frame);
            let known = ["<frozen ", "<string>:", "/"].iter().any(|start| text.starts_with(start));
            expect(known, || format!("a frame {text}"))?;
        }
        with_frames += threads.len();
        if !is_early {
            target.expect("ready")?;
        }
    }
    Ok(format!("{STARTS} starts, {with_frames} with frames"))
}

fn send(target: &Target, signal: Signal) -> Outcome {
    let pid = i32::try_from(target.pid()).context(|| "a pid".into())?;
    kill(Pid::from_raw(pid), signal).context(|| format!("send {signal}"))
}

/// A process that was stopped is read as any other, and stays stopped.
fn stopped(case: &Case) -> Outcome<String> {
    let (mut target, truth) = Target::at_rest(&case.interpreter)?;
    let state = |wanted: char| {
        wait_until(&format!("the target is in state {wanted}"), || {
            Ok(status_line(target.pid(), "State")?.starts_with(wanted).then_some(()))
        })
    };
    send(&target, Signal::SIGSTOP)?;
    state('T')?;
    expect_dump(&[&case.profiler, &case.launcher], target.pid(), &truth)?;
    let options = ["-s", "0.1", "--threads"];
    let profile = attach(&case.profiler, target.pid(), &options)?.clean()?;
    let profile = Profile::parse(&profile, true)?;
    expect(profile.samples_with("recurse") > 0, || format!("{profile:?}"))?;
    let now = status_line(target.pid(), "State")?;
    expect(now.starts_with('T'), || format!("it was stopped, and now is in state {now}"))?;
    send(&target, Signal::SIGCONT)?;
    state('S')?;
    // The rest of the scenario: its warm run stops once more.
    target.tell("g")?;
    target.next_stop()?.context(|| "it did not go on".into())?;
    Ok(String::new())
}

/// Runs `blocked.py`, lets `look` at it, and expects each call to have returned
/// as if nobody had.
fn blocked(case: &Case, look: impl Fn(&Target) -> Outcome<String>) -> Outcome<String> {
    let library = native::library()?.display().to_string();
    let mut target = Target::start(&case.interpreter, "blocked.py", &[&library])?;
    target.expect("ready")?;
    wait_until_asleep(target.pid(), 7, 7)?;
    let words = look(&target)?;
    target.close_stdin();
    for call in ["in_c_epoll", "in_epoll", "in_lock", "in_poll", "in_read", "in_select"] {
        expect_one(&target, call)?;
    }
    expect_one(&target, "with_the_gil")?;
    target.end()?;
    Ok(words)
}

fn expect_one(target: &Target, call: &str) -> Outcome {
    let result = target.expect(call)?.join(" ");
    expect(result == "1", || format!("the call {call} returned {result}"))
}

fn samples_disturb_nothing(case: &Case) -> Outcome<String> {
    blocked(case, |target| {
        let mut total = 0;
        let often: [&[&str]; 3] = [&[], &["--engine", "stop"], &["--engine", "read"]];
        let often = often.map(|engine| [&["-s", "0.3", "-r", "0.001"], engine].concat());
        for options in often.iter().chain([&vec!["-s", "0.3", "--threads"]]) {
            let output = attach(&case.profiler, target.pid(), options)?.clean()?;
            let profile = Profile::parse(&output, true)?;
            let found = profile.samples_with("<module>");
            expect(found > 0, || format!("{options:?}: {profile:?}"))?;
            // Its holder does not run, so there is nothing that may not be counted.
            let is_full = options.contains(&"--threads") || found * 10 >= profile.total() * 9;
            expect(is_full, || format!("{options:?}: {profile:?}"))?;
            total += profile.total();
        }
        Ok(format!("{total} samples"))
    })
}

fn dumps_disturb_nothing(case: &Case) -> Outcome<String> {
    blocked(case, |target| {
        for _ in 0..10 {
            let threads = dump(&case.profiler, target.pid())?;
            let holders = threads.iter().filter(|thread| thread.holds_gil).count();
            expect(threads.len() == 7 && holders == 1, || format!("{threads:?}"))?;
        }
        Ok(String::new())
    })
}

/// A stack deeper than the profiler follows: what is printed is a part of the
/// real stack from the innermost frame on, and it is said that it is not whole.
fn too_deep(case: &Case) -> Outcome<String> {
    let code = "import os, sys, threading\n\
                def f(n):\n    \
                    return f(n - 1) if n else (os.write(1, b'ready\\n'), os.read(0, 1))\n\
                sys.setrecursionlimit(100000)\n\
                threading.stack_size(1 << 30)\n\
                thread = threading.Thread(target=f, args=(50000,))\n\
                thread.start()\n\
                thread.join()\n";
    let mut command = Command::new(&case.interpreter.executable);
    set_environment(&mut command);
    let target = Target::start_command(&case.interpreter, command.args(["-c", code]))?;
    target.expect("ready")?;
    let output = attach(&case.profiler, target.pid(), &["--dump"])?.clean()?;
    let text = String::from_utf8_lossy(&output);
    let inner = text.lines().filter(|line| *line == "<string>:f:3").count();
    expect((1000..=50001).contains(&inner), || format!("{inner} frames of f"))?;
    expect(inner == 50001 || text.contains("(truncated)"), || {
        format!("{inner} of 50001 frames, and not a word about the others")
    })?;
    Ok(format!("{inner} of 50001 frames"))
}

/// Where a process has to wait for its processor it stops long after it was told
/// to. It must be let go then too: it is not kept from running for much longer than another
/// at its side that nobody profiles.
fn crowded(case: &Case) -> Outcome<String> {
    let processor = status_line(std::process::id(), "Cpus_allowed_list")?;
    let processor: String = processor.chars().take_while(char::is_ascii_digit).collect();
    let pinned = |program: &str| {
        let mut command = Command::new("taskset");
        set_environment(&mut command);
        command.args(["-c", &processor, program]);
        command
    };
    let mut crowd = Vec::new();
    for _ in 0..4 {
        crowd.push(Guard::spawn(pinned("sh").args(["-c", "while :; do :; done"]))?);
    }
    let python = case.interpreter.executable.display().to_string();
    let start = || -> Outcome<Target> {
        let mut command = pinned(&python);
        command.arg(targets().join("pauses.py"));
        let target = Target::start_command(&case.interpreter, &mut command)?;
        target.expect("ready")?;
        Ok(target)
    };
    measured(|| {
        let (target, beside) = (start()?, start()?);
        let output = attach(&case.profiler, target.pid(), &["-s", "1.5", "-r", "0.002"])?;
        expect_left_alone(target.pid())?;
        let profile = Profile::parse(&output.clean()?, true)?;
        let (longest, usual) = (longest_pause(target)?, longest_pause(beside)?);
        let (total, busy) = (profile.total(), profile.samples_with("main"));
        let words = format!(
            "kept waiting for {longest:.2} s at most, and {usual:.2} s where nobody looks; \
             {busy} of {total} samples in it"
        );
        Ok((longest < usual + 0.4 && busy > 20, words))
    })
}

/// Ends a `pauses.py`: the longest time for which it was kept from running.
fn longest_pause(mut target: Target) -> Outcome<f64> {
    target.close_stdin();
    let words = target.expect("longest")?;
    words.first().and_then(|w| w.parse().ok()).context(|| "a time".into())
}
