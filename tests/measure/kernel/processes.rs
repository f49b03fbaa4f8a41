//! Several processes, commands, windows and the live view: what the launcher and the rest of
//! a run do is the same with the kernel's engine.

use std::fs;

use super::{Case, KERNEL, account, start};
use crate::support::process::{Finished, run};
use crate::support::profiler::{Profile, attach, command};
use crate::support::runner::Test;
use crate::support::target::{Target, in_folder, new_file, set_environment};
use crate::support::terminal::Terminal;
use crate::support::tree::Profile as Several;
use crate::support::{Context, Outcome, expect, measured};

/// The tests of this file.
pub(crate) const TESTS: [(&str, Test<Case>); 6] = [
    ("several process ids", several_ids),
    ("a pattern", pattern),
    ("what a process starts", subprocesses),
    ("what a command starts", command_and_subprocesses),
    ("windows of all threads", windows),
    ("live view", live_view),
];

/// Fails unless the kernel took the samples, of so many processes.
fn expect_kernel(finished: &Finished, processes: u64) -> Outcome {
    let says = finished.stderr.contains("engine: kernel\n");
    let interrupts = account(finished, "interrupts")?;
    let sampled = account(finished, "processes sampled")?;
    expect(says && interrupts > 0 && sampled == processes, || finished.words())
}

fn several_ids(case: &Case) -> Outcome<String> {
    let (one, two) = (start(case, "busy.py", &[])?, start(case, "busy.py", &[])?);
    let mut pids = [one.pid(), two.pid()];
    pids.sort_unstable();
    let words = pids.map(|pid| pid.to_string());
    let options = ["--stats", "-s", "2", "-r", "0.002", "-p", &words[0], "-p", &words[1]];
    let finished = run(&mut command(&case.launcher, &[KERNEL, &options].concat()))?;
    one.end()?;
    two.end()?;
    expect_kernel(&finished, 2)?;
    let profile = Several::parse(&finished.stdout)?;
    expect(profile.with("main", 5) == pids, || finished.words())?;
    Ok(format!("{} samples", profile.total()))
}

fn pattern(case: &Case) -> Outcome<String> {
    // A word on the command lines that no other test has.
    let word = format!("kernel-{}-{}", std::process::id(), case.interpreter.abi);
    let (one, two) = (start(case, "busy.py", &[&word])?, start(case, "busy.py", &[&word])?);
    let mut pids = [one.pid(), two.pid()];
    pids.sort_unstable();
    let pattern = word.replace('-', ".");
    let options = ["--stats", "--name", &pattern, "-s", "2", "-r", "0.002", "--threads"];
    let finished = run(&mut command(&case.launcher, &[KERNEL, &options].concat()))?;
    one.end()?;
    two.end()?;
    expect_kernel(&finished, 2)?;
    let profile = Several::parse(&finished.stdout)?;
    expect(profile.with("main", 5) == pids, || finished.words())?;
    Ok(format!("{} samples", profile.total()))
}

fn subprocesses(case: &Case) -> Outcome<String> {
    let target = Target::start(&case.interpreter, "family.py", &["fork", "2"])?;
    let children = target.expect("children")?;
    let mut children: Vec<u32> = children.iter().filter_map(|pid| pid.parse().ok()).collect();
    children.sort_unstable();
    let options = ["--stats", "--subprocesses", "-s", "2", "-r", "0.002", "--cpu"];
    let finished = attach(&case.launcher, target.pid(), &[KERNEL, &options].concat())?;
    target.end()?;
    expect_kernel(&finished, 3)?;
    let profile = Several::parse(&finished.stdout)?;
    expect(profile.with("busy", 5) == children, || finished.words())?;
    Ok(format!("{} samples", profile.total()))
}

/// Forks at once, so that its children come while it is sampled.
fn command_and_subprocesses(case: &Case) -> Outcome<String> {
    let code = "import os, time\n\
                def work():\n    \
                    end = time.time() + 3\n    \
                    while time.time() < end: pass\n\
                if os.fork():\n    \
                    work()\n    \
                    os.wait()\n\
                else:\n    \
                    work()\n    \
                    os._exit(0)\n";
    let python = case.interpreter.executable.display().to_string();
    let options = ["--stats", "--subprocesses", "-r", "0.002", "-t", &python, "-S", "-c", code];
    let mut command = command(&case.launcher, &[KERNEL, &options].concat());
    set_environment(&mut command);
    let finished = run(&mut command)?;
    expect_kernel(&finished, 2)?;
    let profile = Several::parse(&finished.stdout)?;
    expect(profile.with("work", 5).len() == 2, || finished.words())?;
    Ok(format!("{} samples", profile.total()))
}

/// Each thread has all its ticks, whichever window they are in.
fn windows(case: &Case) -> Outcome<String> {
    measured(|| {
        let counts = counts_of_windows(case)?;
        let sum = |place: usize| counts.iter().map(|count| count[place]).sum::<u64>();
        let are_alike = (0..3).map(sum).all(|sum| (1200..=1377).contains(&sum));
        Ok((counts.len() > 1 && are_alike, format!("{counts:?} samples")))
    })
}

/// How many samples each thread of `sleepers.py` has in each window.
fn counts_of_windows(case: &Case) -> Outcome<Vec<[u64; 3]>> {
    let target = start(case, "sleepers.py", &[])?;
    let folder = new_file("kernel-windows");
    let counts = in_folder(&folder, || {
        let file = folder.join("out.folded").display().to_string();
        let options =
            ["--threads", "--duration", "2500ms", "--rotate", "1s", "-r", "0.002", "-o", &file];
        attach(&case.profiler, target.pid(), &[KERNEL, &options].concat())?.clean()?;
        let mut counts = Vec::new();
        for entry in fs::read_dir(&folder).context(|| "list the folder".into())? {
            let path = entry.context(|| "list the folder".into())?.path();
            let text = fs::read(&path).context(|| path.display().to_string())?;
            let profile = Profile::parse(&text, true)?;
            counts.push(["left", "right", "main"].map(|function| profile.samples_with(function)));
        }
        Ok(counts)
    })?;
    target.end()?;
    Ok(counts)
}

/// `pyflame top` takes an engine, and tells a thread that works without the GIL from one that
/// waits.
fn live_view(case: &Case) -> Outcome<String> {
    let target = start(case, "modes.py", &[])?;
    let terminal = Terminal::prepare()?;
    let script = format!(
        "cd '{}'; {} top --engine kernel -p {} 2>words; echo left $? >status; echo done; exec cat",
        terminal.folder.display(),
        case.launcher.display(),
        target.pid(),
    );
    terminal.run(&script)?;
    // Not every build releases the GIL to hash.
    let shows = |text: &str| {
        let works = ["runs   busy (", "GIL    busy ("].iter().any(|words| text.contains(words));
        works && text.contains("waits  idle, very (")
    };
    terminal.wait("one thread runs, one waits", shows)?;
    terminal.press("q")?;
    terminal.wait("top has left", |text| text.contains("done"))?;
    let status = terminal.read("status")?;
    expect(status.trim() == "left 0", || status.clone())?;
    Ok("runs, waits".into())
}
