//! What surrounds a run goes wrong: another tracer, a frozen process, a full disk, a folder that
//! is removed, a closed pipe, too few open files, too little memory, no time on a processor. Each
//! ends in time, says what happened, and leaves the process as it was.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use nix::sys::ptrace;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use crate::support::binaries::{Binaries, is_built};
use crate::support::features::{Feature, Shows, is_recording};
use crate::support::interpreters::{Interpreter, Interpreters, three};
use crate::support::process::{Finished, Running, expect_left_alone, run, status_line, wait_until};
use crate::support::profiler::{Profile, attach, command, may_use_kernel, wait_until_it_catches};
use crate::support::runner::Trial;
use crate::support::target::{Target, new_file};
use crate::support::{Context, Outcome, expect, with_more_time};

/// What a test gets to work with: a target that is busy, and its profiler.
struct Case {
    target: Target,
    profiler: PathBuf,
}

type Test = fn(&mut Case) -> Outcome<String>;

const TESTS: [(&str, Test); 8] = [
    ("traced by another", traced),
    ("frozen by a cgroup", frozen),
    ("a full disk", full_disk),
    ("a folder that is removed", removed_folder),
    ("a closed pipe", closed_pipe),
    ("few open files", few_files),
    ("little memory", little_memory),
    ("the lowest priority", niced),
];

/// What docs/ABIS.md has from here.
pub(crate) const SHOWS: Shows = &[
    (Feature::TracedByAnother, "surrounded by traced by another"),
    (Feature::Frozen, "surrounded by frozen by a cgroup"),
    (Feature::Limits, "surrounded by few open files"),
    (Feature::Limits, "surrounded by little memory"),
    (Feature::Limits, "surrounded by the lowest priority"),
    (Feature::LostOutput, "surrounded by a full disk"),
    (Feature::LostOutput, "surrounded by a folder that is removed"),
    (Feature::LostOutput, "surrounded by a closed pipe"),
];

/// None of it depends on the version: one of each way to build is enough, but for the table.
pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    let all: Vec<&Interpreter> =
        interpreters.one_per_abi().into_iter().filter(|i| is_built(i.abi)).collect();
    let trial = |interpreter: &Interpreter, (name, test): (&str, Test)| {
        let (interpreter, profiler) = (interpreter.clone(), binaries.profiler(interpreter.abi));
        let title = format!("{} surrounded by {name}", interpreter.label);
        Trial::new(title, move || {
            let target = Target::start(&interpreter, "busy.py", &[])?;
            target.expect("ready")?;
            let mut case = Case { target, profiler };
            let words = test(&mut case)?;
            expect_left_alone(case.target.pid())?;
            case.target.spent()?;
            Ok(words)
        })
    };
    let of = |interpreter| TESTS.map(|test| trial(interpreter, test));
    let chosen = if is_recording() { all } else { three(&all) };
    chosen.into_iter().flat_map(of).collect()
}

impl Case {
    fn pid(&self) -> String {
        self.target.pid().to_string()
    }

    fn attach(&self, options: &[&str]) -> Outcome<Finished> {
        attach(&self.profiler, self.target.pid(), options)
    }

    /// The profiler under a shell that does `before` first.
    fn after(&self, before: &str, options: &[&str]) -> Outcome<Finished> {
        let mut command = command(Path::new("sh"), &["-c", &format!("{before}; exec \"$@\"")]);
        command.arg("sh").arg(&self.profiler).args(options).args(["-p", &self.pid()]);
        run(&mut command)
    }
}

fn samples(output: &[u8]) -> Outcome<u64> {
    let profile = Profile::parse(output, true)?;
    Ok(profile.total() - profile.failed - profile.idle)
}

/// A process has one tracer at most. What needs no stop goes on; what does says so.
fn traced(case: &mut Case) -> Outcome<String> {
    let pid = Pid::from_raw(case.target.pid() as i32);
    ptrace::seize(pid, ptrace::Options::empty()).context(|| "trace the target".into())?;
    let mut words = Vec::new();
    let engines: &[&[&str]] = if may_use_kernel() {
        &[&["--engine", "kernel"], &["--pause", "never"]]
    } else {
        &[&["--pause", "never"]]
    };
    for engine in engines {
        let finished = case.attach(&[&["-s", "0.5"], *engine].concat())?;
        let seen = samples(&finished.stdout)?;
        expect(finished.status.success() && seen > 0, || finished.words())?;
        words.push(format!("{seen} by {}", engine.join(" ")));
    }
    let finished = case.attach(&["-s", "0.5", "--pause", "always"])?;
    let tracer = format!("process {} ", nix::unistd::gettid());
    let is_told = finished.status.code() == Some(1) && finished.stderr.contains(&tracer);
    // It rests when it is written to, and is read then.
    let has_rested = finished.status.success() && samples(&finished.stdout)? < 50;
    expect(is_told || has_rested, || finished.words())?;
    words.push(format!("in stops: {:?}", finished.status.code()));
    ptrace::interrupt(pid).context(|| "stop the target".into())?;
    waitpid(pid, None).context(|| "wait for the target".into())?;
    ptrace::detach(pid, None).context(|| "let the target go".into())?;
    Ok(words.join(", "))
}

/// A frozen process is read where it stands, and stays frozen.
fn frozen(case: &mut Case) -> Outcome<String> {
    let Some(group) = Frozen::of(case.target.pid()) else {
        return Ok("not tried: there is no cgroup that could be frozen here".into());
    };
    wait_until("the target is frozen", || group.is_frozen().map(|is| is.then_some(())))?;
    for options in [&["--dump"][..], &["-s", "0.2"], &["-s", "0.2", "--pause", "always"]] {
        let finished = case.attach(options)?;
        expect(finished.status.success(), || finished.words())?;
        expect(group.is_frozen()?, || format!("it was thawed by {options:?}"))?;
    }
    drop(group);
    Ok(String::new())
}

/// A cgroup with one process that does not run. It is thawed and removed when dropped.
struct Frozen {
    folder: PathBuf,
    pid: u32,
}

impl Frozen {
    /// `None` where no group can be made: not root, or another version of cgroups.
    fn of(pid: u32) -> Option<Self> {
        let folder = PathBuf::from(format!("/sys/fs/cgroup/freezer/pyflame-{pid}"));
        fs::create_dir(&folder).ok()?;
        let group = Self { folder, pid };
        fs::write(group.folder.join("cgroup.procs"), pid.to_string()).ok()?;
        fs::write(group.folder.join("freezer.state"), "FROZEN").ok()?;
        Some(group)
    }

    fn is_frozen(&self) -> Outcome<bool> {
        let state = fs::read_to_string(self.folder.join("freezer.state"));
        Ok(state.context(|| "freezer.state".into())?.trim() == "FROZEN")
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = fs::write(self.folder.join("freezer.state"), "THAWED");
        let _ = fs::write("/sys/fs/cgroup/freezer/cgroup.procs", self.pid.to_string());
        let _ = fs::remove_dir(&self.folder);
    }
}

/// What cannot be written is said, with the name of the file, and nothing is left of it.
fn full_disk(case: &mut Case) -> Outcome<String> {
    if status_line(std::process::id(), "Uid")?.split_whitespace().nth(1) != Some("0") {
        return Ok("not tried: only root can mount a small disk".into());
    }
    let folder = new_file("full");
    fs::create_dir_all(&folder).context(|| folder.display().to_string())?;
    let script = "mount -t tmpfs -o size=8k none \"$0\"; head -c 8k /dev/zero > \"$0/all\"; \
                  \"$@\"; status=$?; ls \"$0\" >&2; exit $status";
    for name in ["out.pyflame", "out.html", "out.folded"] {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script]).arg(&folder).arg(&case.profiler);
        command.args(["-s", "0.3", "-p", &case.pid(), "-o"]).arg(folder.join(name));
        let finished = run(&mut command)?;
        finished.expect_error(1, &[name, "No space left on device"])?;
        let listed = finished.stderr.lines().filter(|line| *line == "all").count();
        expect(listed == 1 && !finished.stderr.contains("unfinished\n"), || finished.words())?;
    }
    let _ = fs::remove_dir_all(&folder);
    Ok(String::new())
}

fn removed_folder(case: &mut Case) -> Outcome<String> {
    let folder = new_file("removed");
    fs::create_dir_all(&folder).context(|| folder.display().to_string())?;
    let file = folder.join("out.folded").display().to_string();
    let options = ["-s", "3600", "-p", &case.pid(), "-o", &file];
    let running = Running::start(&mut command(&case.profiler, &options), false)?;
    wait_until_it_catches(&running, &[nix::sys::signal::Signal::SIGINT])?;
    fs::remove_dir_all(&folder).context(|| "remove the folder".into())?;
    let pid = Pid::from_raw(running.pid() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).context(|| "a signal".into())?;
    running.finish()?.expect_error(1, &["out.folded", "No such file or directory"])?;
    Ok(String::new())
}

/// Who reads no further has seen enough.
fn closed_pipe(case: &mut Case) -> Outcome<String> {
    for options in [&["--dump"][..], &["-s", "0.2"], &["-s", "0.2", "--format", "jsonl"]] {
        let mut command = command(Path::new("sh"), &["-c", "\"$@\" | true"]);
        command.arg("sh").arg(&case.profiler).args(options).args(["-p", &case.pid()]);
        let finished = run(&mut command)?;
        expect(finished.stderr.is_empty(), || finished.words())?;
    }
    Ok(String::new())
}

/// A limit that is too low is said; with one that is not, all is as ever.
fn few_files(case: &mut Case) -> Outcome<String> {
    for limit in [6, 8, 15] {
        for options in [&["--dump"][..], &["-s", "0.2", "-r", "0.001"]] {
            let finished = case.after(&format!("ulimit -n {limit}"), options)?;
            let words = format!("may have {limit} open files");
            finished.expect_error(1, &[&words, "ulimit -n"])?;
            expect(finished.stdout.is_empty(), || finished.words())?;
        }
    }
    let mut words = Vec::new();
    for limit in ["-n 16", "-n 64", "-S -n 6"] {
        words.push(with_more_time(&["0.5", "2", "8"], |time| {
            let options = ["-s", time, "-r", "0.001"];
            let finished = case.after(&format!("ulimit {limit}"), &options)?;
            let seen = samples(&finished.stdout)?;
            expect(finished.status.success(), || finished.words())?;
            let words = format!("{seen} samples with {limit}");
            Ok(if seen > 100 { Ok(words) } else { Err(finished.words()) })
        })?);
    }
    Ok(words.join(", "))
}

/// With too little memory it ends and leaves the process alone.
fn little_memory(case: &mut Case) -> Outcome<String> {
    let mut least = None;
    for kib in [8_000, 16_000, 32_000, 64_000, 128_000] {
        let finished = case.after(&format!("ulimit -v {kib}"), &["-s", "0.2", "-r", "0.001"])?;
        let is_sampled = finished.status.success() && samples(&finished.stdout)? > 0;
        expect(is_sampled || !finished.status.success(), || finished.words())?;
        expect_left_alone(case.target.pid())?;
        if is_sampled && least.is_none() {
            least = Some(kib);
        }
    }
    let least = least.context(|| "128 MB are not enough".into())?;
    Ok(format!("{least} KiB are enough"))
}

fn niced(case: &mut Case) -> Outcome<String> {
    let mut command = command(Path::new("nice"), &["-n", "19"]);
    command.arg(&case.profiler).args(["-s", "1", "-p", &case.pid()]);
    let finished = run(&mut command)?;
    let seen = samples(&finished.stdout)?;
    expect(finished.status.success() && seen > 0, || finished.words())?;
    Ok(format!("{seen} samples of 100 ticks"))
}
