//! What is made of the samples of several processes.

use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::Value;

use super::Case;
use crate::support::process::{run, wait_until, wait_until_it_works};
use crate::support::profiler::command;
use crate::support::target::Target;
use crate::support::tree::Profile;
use crate::support::{Context, Outcome, expect};

/// One sample of each process, which has to be a proven one: so it is stopped for it.
const MOMENT: [&str; 5] = ["--subprocesses", "-s", "0", "--pause", "always"];

pub(crate) fn dump(case: &Case) -> Outcome<String> {
    let (target, children) = case.family("fork", 2)?;
    let pid = target.pid().to_string();
    let arguments = ["--dump", "--subprocesses", "-p", &pid];
    let output = run(&mut command(&case.binaries.launcher(), &arguments))?.clean()?;
    let text = String::from_utf8_lossy(&output).into_owned();
    let heads: Vec<&str> = text.lines().filter(|line| line.starts_with("process ")).collect();
    let version = format!("CPython {}", case.interpreter.full_version());
    let pids = std::iter::once(target.pid()).chain(children);
    let good = |(head, pid): (&&str, u32)| {
        head.starts_with(&format!("process {pid} (")) && head.ends_with(&version)
    };
    expect(heads.len() == 3 && heads.iter().zip(pids).all(good), || text.clone())?;
    expect(text.matches(":work:").count() == 2, || text.clone())?;
    target.end()?;
    Ok(String::new())
}

pub(crate) fn json_dump(case: &Case) -> Outcome<String> {
    let (target, children) = case.family("fork", 2)?;
    let pid = target.pid().to_string();
    let dump = |more: &[&str]| -> Outcome<Vec<Value>> {
        let arguments = [&["--dump", "--json", "--locals"], more].concat();
        let output = run(&mut command(&case.binaries.launcher(), &arguments))?.clean()?;
        let text = || String::from_utf8_lossy(&output).into_owned();
        let value: Value = serde_json::from_slice(&output).context(text)?;
        value.as_array().cloned().context(text)
    };
    let pids = |dumps: &[Value]| -> Vec<u64> {
        dumps.iter().filter_map(|dump| dump["process"]["pid"].as_u64()).collect()
    };
    let dumps = dump(&["--subprocesses", "-p", &pid])?;
    let expected: Vec<u32> = std::iter::once(target.pid()).chain(children).collect();
    let numbers: Vec<u64> = expected.iter().copied().map(u64::from).collect();
    expect(pids(&dumps) == numbers, || format!("{expected:?}: {dumps:?}"))?;
    for (position, dump) in dumps.iter().enumerate() {
        let version = &dump["process"]["python"];
        expect(*version == *case.interpreter.full_version(), || format!("{version}"))?;
        let threads = dump["threads"].as_array().into_iter().flatten();
        let frames = threads.flat_map(|thread| thread["frames"].as_array()).flatten();
        let works = frames.clone().any(|frame| frame["function"] == "work");
        expect(works == (position > 0), || format!("{dump}"))?;
        expect(frames.clone().any(|frame| frame["locals"].is_array()), || format!("{dump}"))?;
    }
    // Two that are named are an array as well.
    let two = dump(&["-p", &pid, "-p", &expected[1].to_string()])?;
    expect(two.len() == 2, || format!("{two:?}"))?;
    target.end()?;
    Ok(String::new())
}

/// Each window has a file of its own, with what all processes did in its time.
pub(crate) fn windows(case: &Case) -> Outcome<String> {
    let (target, children) = case.family("fork", 2)?;
    let (pid, file) = (target.pid().to_string(), case.output());
    let arguments = ["--subprocesses", "--duration", "inf", "--rotate", "1s", "-p", &pid];
    let own = ["-r", "0.002", "-o", &file];
    let all = [&own[..], &arguments].concat();
    let begin = Instant::now();
    let running = super::Running::start(&mut command(&case.binaries.launcher(), &all), false)?;
    // How soon there is so much in a window depends on how busy the machine is.
    let windows = || -> Outcome<(u64, u64)> {
        let (mut all, mut full) = (0, 0);
        for entry in fs::read_dir(&case.folder).context(|| "list the folder".into())? {
            let path = entry.context(|| "list the folder".into())?.path();
            let workers = Profile::read(&path.display().to_string())?.with("work", 5);
            all += 1;
            full += u64::from(workers == children);
        }
        Ok((all, full))
    };
    wait_until("two windows have all children", || {
        Ok(windows().is_ok_and(|(_, full)| full >= 2).then_some(()))
    })?;
    target.end()?;
    running.finish()?.clean()?;
    let (all, full) = windows()?;
    let seconds = begin.elapsed().as_secs();
    expect(all <= seconds + 1, || format!("{all} windows of 1 s in {seconds} s"))?;
    Ok(format!("{all} windows, {full} with all children"))
}

/// What `pyflame report` writes of a recording is what the run would have written.
pub(crate) fn recording(case: &Case) -> Outcome<String> {
    let file = case.file("tree.pyflame");
    let report = |more: &[&str]| {
        let arguments = [&["report", &file], more].concat();
        run(&mut command(&case.binaries.launcher(), &arguments))
    };
    let (target, children) = case.family("fork", 2)?;
    let pid = target.pid().to_string();
    let arguments = ["--subprocesses", "--duration", "inf", "-r", "0.002", "-p", &pid, "-o", &file];
    let running =
        super::Running::start(&mut command(&case.binaries.launcher(), &arguments), false)?;
    // It can be read while it is written.
    wait_until("the recording has enough", || {
        let so_far = Path::new(&file).exists().then(|| report(&[])).transpose()?;
        let profile = so_far.and_then(|report| Profile::parse(&report.stdout).ok());
        Ok(profile.is_some_and(|profile| profile.with("work", 20) == children).then_some(()))
    })?;
    target.end()?;
    running.finish()?.clean()?;
    let profile = Profile::parse(&report(&[])?.clean()?)?;
    expect(profile.with("work", 20) == children, || format!("{children:?}: {profile:?}"))?;
    let chart = report(&["--format", "flamechart"])?.clean()?;
    let chart = String::from_utf8_lossy(&chart).into_owned();
    let of_processes = chart.lines().filter(|line| line.starts_with("process ")).count();
    expect(of_processes as u64 == profile.total(), || {
        format!("{of_processes} samples in the chart")
    })?;
    let lines = report(&["--format", "jsonl"])?.clean()?;
    let end = lines.rsplit(|byte| *byte == b'\n').find(|line| !line.is_empty());
    let end: Value = serde_json::from_slice(end.unwrap_or_default()).context(|| "JSON".into())?;
    expect(end["account"]["processes sampled"] == 3, || format!("the account: {end}"))?;
    Ok(format!("{} samples", profile.total()))
}

/// `-s 0`: each process once.
pub(crate) fn moment(case: &Case) -> Outcome<String> {
    let (target, children) = case.family("fork", 2)?;
    children.iter().try_for_each(|pid| wait_until_it_works(*pid))?;
    let pid = target.pid().to_string();
    let sampled = |more: &[&str]| -> Outcome<Profile> {
        let arguments = [&MOMENT[..], &["-p", &pid], more].concat();
        let output = run(&mut command(&case.binaries.launcher(), &arguments))?.clean()?;
        Profile::parse(&output)
    };
    let profile = sampled(&[])?;
    expect(profile.with("work", 1) == children && profile.total() == 2, || format!("{profile:?}"))?;
    let profile = sampled(&["--threads"])?;
    let is_right = profile.with("work", 1) == children && profile.with("main", 1).len() == 3;
    expect(is_right && profile.total() == 3, || format!("{profile:?}"))?;
    target.end()?;
    // One process alone stands below its process too.
    let target = Target::start(&case.interpreter, "busy.py", &[])?;
    target.expect("ready")?;
    wait_until_it_works(target.pid())?;
    let pid = target.pid().to_string();
    let arguments = [&MOMENT[..], &["-p", &pid]].concat();
    // At a moment between two rounds it holds no GIL.
    wait_until("a moment comes to a stack", || {
        let output = run(&mut command(&case.binaries.launcher(), &arguments))?.clean()?;
        let profile = Profile::parse(&output)?;
        let is_its_own = profile.pids().iter().all(|pid| *pid == target.pid());
        expect(is_its_own && profile.total() <= 1, || format!("{profile:?}"))?;
        Ok((profile.total() == 1).then_some(()))
    })?;
    target.end()?;
    Ok(String::new())
}

/// The profilers of a tree know `sys.path`, and their supervisor learns of it.
pub(crate) fn relative(case: &Case) -> Outcome<String> {
    let (target, children) = case.family("fork", 1)?;
    let pid = target.pid().to_string();
    let running = case.start(&["--relative", "-n", "--duration", "inf", "-p", &pid])?;
    let frame = "family.py:work";
    case.wait_for(&running, |profile| profile.with_frame(frame) >= 20)?;
    target.end()?;
    let (_, profile) = case.finish(running)?;
    expect(profile.pids().contains(&children[0]), || format!("{profile:?}"))?;
    Ok(format!("{} samples", profile.with_frame(frame)))
}
