//! Which processes are chosen, how a run is ended, and what it leaves behind.

use std::fs;

use nix::sys::signal::Signal;

use super::{Case, send};
use crate::support::process::{Running, expect_left_alone, run, wait_until};
use crate::support::profiler::command;
use crate::support::target::Target;
use crate::support::tree::Profile;
use crate::support::{Context, Outcome, copies, expect, with_more_time};

/// So many samples of a process are enough.
const ENOUGH: u64 = 20;

/// How long a run on processes that work may take until there is enough of each.
const TIMES: [&str; 3] = ["800ms", "3s", "10s"];

/// The samplers of these processes that there are.
fn samplers(pids: &[u32]) -> Outcome<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").context(|| "list /proc".into())? {
        let entry = entry.context(|| "list /proc".into())?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let is_sampler = |of: &u32| {
            let option = format!("--member\0{of}\0");
            line.windows(option.len()).any(|part| part == option.as_bytes())
        };
        if pids.iter().any(is_sampler) {
            found.push(pid);
        }
    }
    Ok(found)
}

/// Starts a run without end on a family, and waits until all of it are sampled.
fn start_on_family(case: &Case) -> Outcome<(Target, Vec<u32>, Running)> {
    let (target, mut pids) = case.family("fork", 2)?;
    pids.push(target.pid());
    let running = case.start(&["--duration", "inf", "-p", &target.pid().to_string()])?;
    wait_until("all are sampled", || Ok((samplers(&pids)?.len() == 3).then_some(())))?;
    Ok((target, pids, running))
}

pub(crate) fn interrupted(case: &Case) -> Outcome<String> {
    let (target, pids, running) = start_on_family(case)?;
    case.wait_for(&running, |profile| profile.with("work", ENOUGH).len() == 2)?;
    send(running.pid(), Signal::SIGINT)?;
    let (_, profile) = case.finish(running)?;
    let left = samplers(&pids)?;
    expect(left.is_empty(), || format!("samplers are left: {left:?}"))?;
    let workers = profile.with("work", ENOUGH);
    expect(workers.len() == 2, || format!("{workers:?} work"))?;
    for pid in pids {
        expect_left_alone(pid)?;
    }
    target.end()?;
    Ok(String::new())
}

pub(crate) fn killed(case: &Case) -> Outcome<String> {
    let (target, pids, running) = start_on_family(case)?;
    send(running.pid(), Signal::SIGKILL)?;
    wait_until("the samplers have ended", || Ok(samplers(&pids)?.is_empty().then_some(())))?;
    for pid in pids {
        expect_left_alone(pid)?;
    }
    target.end()?;
    Ok(String::new())
}

pub(crate) fn several_ids(case: &Case) -> Outcome<String> {
    let start = |interpreter| Target::start(interpreter, "busy.py", &[]);
    let (one, two) = (start(&case.interpreter)?, start(&case.other)?);
    one.expect("ready")?;
    two.expect("ready")?;
    let pids = [one.pid(), two.pid()].map(|pid| pid.to_string());
    let running = case.start(&["--duration", "inf", "-p", &pids[0], "-p", &pids[1]])?;
    let mut both = vec![one.pid(), two.pid()];
    both.sort_unstable();
    case.wait_for(&running, |profile| profile.with("main", ENOUGH) == both)?;
    one.end()?;
    two.end()?;
    let (_, profile) = case.finish(running)?;
    expect(profile.pids() == both, || format!("{both:?}: {profile:?}"))?;
    // One that is not Python, or not there, is an error before anything is sampled.
    let own = std::process::id().to_string();
    let finished = run(&mut command(&case.binaries.launcher(), &["-p", &own, "-p", "4194304"]))?;
    expect(finished.status.code() == Some(1), || finished.words())?;
    Ok(format!("with {}", case.other.label))
}

pub(crate) fn pattern(case: &Case) -> Outcome<String> {
    // A word on the command lines that no other test has.
    let word = format!("sign-{}-{}", std::process::id(), case.interpreter.abi);
    let start = || Target::start(&case.interpreter, "busy.py", &[&word]);
    let (one, two, other) = (start()?, start()?, Target::start(&case.other, "busy.py", &[])?);
    for target in [&one, &two, &other] {
        target.expect("ready")?;
    }
    let pattern = word.replace('-', ".");
    // With its file the profiler is not one of those that match.
    let mut both = vec![one.pid(), two.pid()];
    both.sort_unstable();
    let finished = with_more_time(&TIMES, |time| {
        let arguments = ["--name", &pattern, "--duration", time, "-r", "0.002"];
        let finished = run(&mut command(&case.binaries.launcher(), &arguments))?;
        let profile = Profile::parse(&finished.stdout)?;
        expect(profile.pids().iter().all(|pid| both.contains(pid)), || finished.words())?;
        let is_enough = profile.with("main", 5) == both;
        Ok(if is_enough { Ok(finished) } else { Err(finished.words()) })
    })?;
    expect(finished.stderr.lines().count() == 2, || finished.words())?;
    for pid in &both {
        let line = format!("process {pid} ({}", case.python());
        expect(finished.stderr.contains(&line), || finished.words())?;
    }
    for target in [one, two, other] {
        target.end()?;
    }
    let nobody = run(&mut command(&case.binaries.launcher(), &["--name", &pattern]))?;
    nobody.expect_error(1, &["--name", &pattern])?;
    let wrong = run(&mut command(&case.binaries.launcher(), &["--name", "("]))?;
    wrong.expect_error(1, &["not a regular expression"])?;
    Ok(String::new())
}

pub(crate) fn asked_of_a_profiler(case: &Case) -> Outcome<String> {
    let (target, children) = case.family("fork", 1)?;
    let pid = target.pid().to_string();
    let profiler = case.binaries.profiler(case.interpreter.abi);
    let arguments = ["--subprocesses", "-r", "0.002", "-p", &pid, "--duration"];
    with_more_time(&TIMES, |time| {
        let finished = run(command(&profiler, &arguments).arg(time))?;
        let profile = Profile::parse(&finished.clean_if_sampled()?.unwrap_or_default())?;
        let is_enough = profile.with("work", 5) == children;
        Ok(if is_enough { Ok(()) } else { Err(format!("{profile:?}")) })
    })?;
    // Alone it cannot: it says what is missing.
    let alone = case.folder.join("bin");
    fs::create_dir(&alone).context(|| "a folder".into())?;
    copies::copy(&profiler, &alone, "pyflame-alone")?;
    let mut alone_there = command(&alone.join("pyflame-alone"), &arguments);
    let finished = run(alone_there.arg("1s").env("PATH", &alone))?;
    finished.expect_error(1, &["--subprocesses", "package pyflame"])?;
    target.end()?;
    Ok(String::new())
}
