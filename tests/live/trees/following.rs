//! What a process starts, or becomes.

use super::{Case, numbers, script};
use crate::support::process::expect_left_alone;
use crate::support::tree::{Profile, account};
use crate::support::{Context, Outcome, expect};

/// So many samples of a process are enough.
const ENOUGH: u64 = 20;

pub(crate) fn forks(case: &Case) -> Outcome<String> {
    started(case, "fork")
}

pub(crate) fn spawns(case: &Case) -> Outcome<String> {
    started(case, "spawn")
}

pub(crate) fn fork_server(case: &Case) -> Outcome<String> {
    started(case, "forkserver")
}

fn started(case: &Case, start: &str) -> Outcome<String> {
    let (python, family) = (case.python(), script("family.py"));
    let mut running = case.start(&["-t", &python, &family, start, "2"])?;
    let stdin = running.take_stdin();
    case.wait_for(&running, |profile| profile.with("work", ENOUGH).len() == 2)?;
    drop(stdin);
    let (finished, profile) = case.finish(running)?;
    let said = String::from_utf8_lossy(&finished.stdout).into_owned();
    let said = said.lines().find_map(|line| line.strip_prefix("children "));
    let said = said.context(|| finished.words())?.split_whitespace().map(str::to_owned);
    let mut children = numbers(&said.collect::<Vec<_>>())?;
    children.sort_unstable();
    let workers = profile.with("work", ENOUGH);
    expect(workers == children, || format!("{children:?} work, not {workers:?}"))?;
    expect(account(&finished, "processes sampled")? >= 3, || finished.words())?;
    Ok(format!("{} processes", profile.pids().len()))
}

pub(crate) fn children_of_a_process(case: &Case) -> Outcome<String> {
    let (target, children) = case.family("fork", 3)?;
    let pid = target.pid().to_string();
    let running = case.start(&["--duration", "inf", "-p", &pid])?;
    case.wait_for(&running, |profile| profile.with("work", ENOUGH) == children)?;
    for child in &children {
        expect_left_alone(*child)?;
    }
    target.end()?;
    let (finished, profile) = case.finish(running)?;
    expect(account(&finished, "processes sampled")? == 4, || finished.words())?;
    let workers = profile.with("work", ENOUGH);
    expect(workers == children, || format!("{children:?} work: {profile:?}"))?;
    Ok(String::new())
}

pub(crate) fn two_versions(case: &Case) -> Outcome<String> {
    // What runs in the background has no standard input unless it is given one.
    let line = "exec 3<&0; \"$0\" \"$2\" <&3 & \"$1\" \"$2\" | cat; wait";
    let (python, other) = (case.python(), case.other_python());
    let words = ["-t", "sh", "-c", line, &python, &other, &script("busy.py")];
    let mut running = case.start(&words)?;
    let stdin = running.take_stdin();
    let is_there =
        |profile: &Profile, program: &str| profile.of_program(program, "often") >= ENOUGH;
    case.wait_for(&running, |seen| is_there(seen, &python) && is_there(seen, &other))?;
    drop(stdin);
    let (finished, _) = case.finish(running)?;
    expect(account(&finished, "processes sampled")? == 2, || finished.words())?;
    // The shell, cat, and one that is to become another may be met before.
    expect(account(&finished, "processes not Python")? >= 2, || finished.words())?;
    Ok(format!("with {}", case.other.label))
}

pub(crate) fn execution(case: &Case) -> Outcome<String> {
    executes(case, &case.other_python())?;
    Ok(format!("of {}", case.other.label))
}

/// The process level shows what a process executes now, even if it is the same file.
pub(crate) fn same_program(case: &Case) -> Outcome<String> {
    executes(case, &case.python())
}

/// The same process, first in one program, then in another.
fn executes(case: &Case, other: &str) -> Outcome<String> {
    let (python, first, second) = (case.python(), script("executes.py"), script("busy.py"));
    let mut running = case.start(&["-t", &python, &first, other, &second])?;
    let stdin = running.take_stdin();
    let programs = [format!("{python} {first}"), format!("{other} {second}")];
    let seen = |profile: &Profile| {
        (profile.of_program(&programs[0], "before"), profile.of_program(&programs[1], "often"))
    };
    case.wait_for(&running, |profile| seen(profile).0 >= ENOUGH)?;
    let mut stdin = stdin.context(|| "no standard input".into())?;
    std::io::Write::write_all(&mut stdin, b"\n").context(|| "tell it to execute".into())?;
    case.wait_for(&running, |profile| seen(profile).1 >= ENOUGH)?;
    drop(stdin);
    let (_, profile) = case.finish(running)?;
    expect(profile.pids().len() == 1, || format!("one process: {profile:?}"))?;
    // What is loaded at fixed addresses reads as before until the next look at what it is,
    // within 50 ms; at 500 Hz that is 25 samples, and a few more on a crowded machine.
    let mixed =
        profile.of_program(&programs[0], "often") + profile.of_program(&programs[1], "before");
    expect(mixed <= 40, || format!("{mixed} samples of the wrong program: {profile:?}"))?;
    let (before, after) = seen(&profile);
    Ok(format!("{before} samples before, {after} after"))
}

/// Whatever a child is doing when it is found, or between that and the first sample: it is
/// counted, and nothing is said.
pub(crate) fn changing(case: &Case) -> Outcome<String> {
    const CHILDREN: u64 = 48;
    let (python, script, other) = (case.python(), script("changing.py"), case.other_python());
    let running = case.start(&["-t", &python, &script, &CHILDREN.to_string(), &other])?;
    let (finished, _) = case.finish(running)?;
    let count = |name| account(&finished, name);
    let sampled = count("processes sampled")?;
    let not_python = count("processes not Python")?;
    let others = not_python
        + count("processes too short to be sampled")?
        + count("processes left out, too many at once")?;
    expect(sampled > 1 && sampled + others <= CHILDREN + 1, || finished.words())?;
    // Only a quarter of the children executes anything else.
    expect(not_python <= CHILDREN / 4, || finished.words())?;
    Ok(format!("{sampled} sampled, {others} not"))
}

pub(crate) fn short_lived(case: &Case) -> Outcome<String> {
    const CHILDREN: u64 = 500;
    let (python, script) = (case.python(), script("short_lived.py"));
    let running = case.start(&["-t", &python, &script, &CHILDREN.to_string()])?;
    let (finished, profile) = case.finish(running)?;
    let count = |name| account(&finished, name);
    let (sampled, short) =
        (count("processes sampled")?, count("processes too short to be sampled")?);
    let all = sampled + short + count("processes left out, too many at once")?;
    expect(sampled >= 1 && all <= CHILDREN + 1, || finished.words())?;
    expect(!profile.with("main", 1).is_empty(), || format!("{profile:?}"))?;
    Ok(format!("{sampled} sampled, {short} too short"))
}
