//! What is written by who has given up rights, wherever it goes.

use std::collections::BTreeSet;
use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Case, PERFMON_AND_BPF, expect_confined, interrupt};
use crate::support::process::{run, wait_until};
use crate::support::profiler::{attach, command, start_sampling};
use crate::support::target::Target;
use crate::support::{Context, Outcome, expect};

/// What a program at rest is found to do, however the result is written.
pub(super) fn every_output(case: &Case) -> Outcome<String> {
    let (target, _) = Target::at_rest(&case.interpreter)?;
    let (pid, launcher) = (target.pid(), case.binaries.launcher());
    let stacks = |output: &[u8]| -> Outcome<BTreeSet<String>> {
        let text = String::from_utf8_lossy(output).into_owned();
        let stack = |line: &str| line.rsplit_once(' ').map(|(stack, _)| stack.to_owned());
        Ok(text.lines().filter_map(stack).collect())
    };
    let options = ["-L", "-s", "0.1"];
    let free = [&options[..], &["--no-sandbox"]].concat();
    let expected = stacks(&attach(&case.profiler(), pid, &free)?.clean()?)?;
    expect(!expected.is_empty(), || "there is no stack".into())?;
    let same = |name: &str, output: &[u8]| -> Outcome {
        let found = stacks(output)?;
        expect(found == expected, || format!("{name}: {found:?} instead of {expected:?}"))
    };
    same("stdout", &attach(&case.profiler(), pid, &options)?.clean()?)?;
    same(
        "/dev/stdout",
        &attach(&case.profiler(), pid, &[&options[..], &["-o", "/dev/stdout"]].concat())?
            .clean()?,
    )?;
    let path = |name: &str| case.folder.join(name);
    let to = |name: &str, more: &[&str]| -> Outcome<Vec<u8>> {
        let file = path(name).display().to_string();
        let options = [&options[..], &["-o", &file], more].concat();
        attach(&case.profiler(), pid, &options)?.clean()?;
        fs::read(path(name)).context(|| file.clone())
    };
    same("a new file", &to("out.folded", &[])?)?;
    same("a file that is there", &to("out.folded", &[])?)?;
    for more in [&[][..], &["--append"]] {
        to("run.pyflame", more)?;
        let file = path("run.pyflame").display().to_string();
        same("a recording", &run(&mut command(&launcher, &["report", &file]))?.clean()?)?;
    }
    attach(&case.profiler(), pid, &[&options[..], &["-o", "/dev/null"]].concat())?.clean()?;
    let fifo = path("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).context(|| "mkfifo".into())?;
    let reader = fifo.clone();
    let reader = std::thread::spawn(move || fs::read(reader));
    let name = fifo.display().to_string();
    attach(&case.profiler(), pid, &[&options[..], &["-o", &name]].concat())?.clean()?;
    let read = reader.join().map_err(|_| "the reader panicked".to_owned())?;
    same("a pipe with a name", &read.context(|| name)?)?;
    // With the source of the program, which is read last.
    let page = to("out.html", &[])?;
    let page = String::from_utf8_lossy(&page).into_owned();
    let source = "\"excerpts\":[{";
    expect(page.contains(source), || "no source is in the report".into())?;
    for ending in ["svg", "speedscope.json", "pb.gz", "firefox.json", "jsonl", "trace.json"] {
        to(&format!("out.{ending}"), &[])?;
    }
    drop(target);
    Ok(String::new())
}

pub(super) fn windows_and_snapshots(case: &Case) -> Outcome<String> {
    let target = case.busy()?;
    let file = case.folder.join("windows").join("out.folded");
    fs::create_dir(case.folder.join("windows")).context(|| "windows".into())?;
    let name = file.display().to_string();
    let options = ["-s", "2.5", "--rotate", "1s", "-o", &name];
    attach(&case.profiler(), target.pid(), &options)?.clean()?;
    let windows = fs::read_dir(case.folder.join("windows")).context(|| name.clone())?.count();
    expect(windows >= 3, || format!("{windows} windows"))?;
    let file = case.folder.join("snapshot.folded");
    let name = file.display().to_string();
    let running = start_sampling(&case.profiler(), target.pid(), &["-r", "0.002", "-o", &name])?;
    expect(!file.exists(), || "it is complete already".into())?;
    kill(Pid::from_raw(running.pid() as i32), Signal::SIGUSR1).context(|| "SIGUSR1".into())?;
    wait_until("the snapshot is there", || Ok(file.exists().then_some(())))?;
    expect_confined(running.pid(), PERFMON_AND_BPF)?;
    interrupt(&running)?;
    running.finish()?.clean()?;
    target.end()?;
    Ok(format!("{windows} windows"))
}
