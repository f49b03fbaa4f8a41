//! Several processes in one profile: what a process starts, in each way there is, by several
//! versions of Python, with programs that are not Python between; several that are named;
//! all that match a pattern. Nothing is left behind, however it ends.
//!
//! Run by `make trees-test`, not yet by `make test`: "execution of another version" fails
//! where only one of the two was seen long enough to be sampled, because one process alone
//! has no frame of its own, and "spawns" where a process ends while it is looked for.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

#[allow(dead_code)]
mod support;

use support::binaries::{Binaries, is_built};
use support::interpreters::{Interpreter, Interpreters};
use support::process::{Finished, Running, expect_left_alone, run, wait_until};
use support::profiler::{command, start_sampling};
use support::runner::{self, Trial};
use support::target::{Target, in_folder, new_file};
use support::{Context, Outcome, expect, targets};

/// What a test gets to work with.
struct Case {
    interpreter: Interpreter,
    /// An interpreter of another version.
    other: Interpreter,
    binaries: Arc<Binaries>,
    /// A folder of its own.
    folder: PathBuf,
}

type Test = fn(&Case) -> Outcome<String>;

const TESTS: [(&str, Test); 14] = [
    ("forks", |case| started(case, "fork")),
    ("spawns", |case| started(case, "spawn")),
    ("a fork server", |case| started(case, "forkserver")),
    ("children of a process that runs already", children_of_a_process),
    ("two versions, with a shell and cat", two_versions),
    ("execution of another version", execution),
    ("2,000 short-lived children", short_lived),
    ("Ctrl-C", interrupted),
    ("a supervisor that is killed", killed),
    ("several process ids", several_ids),
    ("a pattern", pattern),
    ("a dump of all", dump),
    ("a file for each window", windows),
    ("asked of a profiler", asked_of_a_profiler),
];

fn main() -> ExitCode {
    runner::main(trials)
}

fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    let mut trials = Vec::new();
    let all: Vec<Interpreter> =
        interpreters.one_per_abi().into_iter().filter(|i| is_built(i.abi)).cloned().collect();
    // The version after it, and after the last the first.
    for (interpreter, other) in all.iter().zip(all.iter().cycle().skip(1)) {
        for (name, test) in TESTS {
            // Before 3.4 there is only one way to start a process.
            if interpreter.abi == "2.7" && (name == "spawns" || name == "a fork server") {
                continue;
            }
            let case = Case {
                interpreter: interpreter.clone(),
                other: other.clone(),
                binaries: Arc::clone(&binaries),
                folder: new_file("trees"),
            };
            let name = format!("{} {name}", interpreter.label);
            trials.push(Trial::new(name, move || in_folder(&case.folder, || test(&case))));
        }
    }
    trials
}

impl Case {
    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn python(&self) -> String {
        self.interpreter.executable.display().to_string()
    }

    /// Runs the launcher with `--subprocesses`, the account, a file for the result, and
    /// these arguments.
    fn run(&self, arguments: &[&str]) -> Outcome<(Finished, Profile)> {
        let file = self.file("out.folded");
        let own = ["--subprocesses", "--stats", "-r", "0.002", "-o", &file];
        let finished =
            run(&mut command(&self.binaries.launcher(), &[&own[..], arguments].concat()))?;
        expect(finished.status.success(), || finished.words())?;
        let profile = Profile::read(&file)?;
        Ok((finished, profile))
    }

    /// A family of busy children, and their ids.
    fn family(&self, start: &str, number: usize) -> Outcome<(Target, Vec<u32>)> {
        let target = Target::start(&self.interpreter, "family.py", &[start, &number.to_string()])?;
        let words = target.expect("children")?;
        let pids = words.iter().map(|pid| pid.parse().context(|| format!("a pid: {pid}")));
        Ok((target, pids.collect::<Outcome<_>>()?))
    }
}

fn script(name: &str) -> String {
    targets().join(name).display().to_string()
}

/// Folded stacks whose outermost frames are processes.
#[derive(Debug, Default)]
struct Profile {
    /// By process id: the command line, and how many samples had a function of this name
    /// in them.
    processes: BTreeMap<u32, Vec<(String, Vec<String>, u64)>>,
}

impl Profile {
    fn read(file: &str) -> Outcome<Self> {
        let text = fs::read_to_string(file).context(|| file.to_owned())?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Outcome<Self> {
        let mut profile = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('(')) {
            let bad = || format!("not a stack of a process: {line:?}");
            let (stack, count) = line.rsplit_once(' ').context(bad)?;
            let count: u64 = count.parse().context(bad)?;
            let (process, frames) = stack.split_once(";").context(bad)?;
            let words = process.strip_prefix("process ").context(bad)?;
            let (pid, line) = words.split_once(" (").context(bad)?;
            let pid = pid.parse().context(bad)?;
            let functions = frames.split(';').filter_map(|frame| frame.rsplit(':').nth(1));
            let functions = functions.map(str::to_owned).collect();
            let entry = (line.trim_end_matches(')').to_owned(), functions, count);
            profile.processes.entry(pid).or_default().push(entry);
        }
        Ok(profile)
    }

    /// How many samples of a process had this function in them.
    fn samples(&self, pid: u32, function: &str) -> u64 {
        let stacks = self.processes.get(&pid).into_iter().flatten();
        stacks
            .filter(|(_, functions, _)| functions.iter().any(|f| f == function))
            .map(|(.., count)| count)
            .sum()
    }

    /// The processes that have at least so many samples in a function.
    fn with(&self, function: &str, least: u64) -> Vec<u32> {
        let pids = self.processes.keys().copied();
        pids.filter(|pid| self.samples(*pid, function) >= least).collect()
    }

    /// All command lines.
    fn commands(&self) -> Vec<&str> {
        self.processes.values().flatten().map(|(line, ..)| line.as_str()).collect()
    }
}

/// A number of the account on stderr.
fn account(finished: &Finished, name: &str) -> Outcome<u64> {
    let mut lines = finished.stderr.lines();
    let row = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let row = row.context(|| format!("no {name} in {}", finished.words()))?;
    row.parse().context(|| format!("{name}: {row}"))
}

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

fn started(case: &Case, start: &str) -> Outcome<String> {
    let (python, family) = (case.python(), script("family.py"));
    let (finished, profile) = case.run(&["-t", &python, &family, start, "2", "0.8"])?;
    let workers = profile.with("work", 20);
    expect(workers.len() == 2, || format!("two processes work: {profile:?}"))?;
    let words: Vec<u32> = String::from_utf8_lossy(&finished.stdout)
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    expect(words.iter().all(|pid| workers.contains(pid)), || {
        format!("{words:?} work, not {workers:?}")
    })?;
    expect(account(&finished, "processes sampled")? >= 3, || finished.words())?;
    expect(account(&finished, "processes that cannot be profiled")? == 0, || finished.words())?;
    Ok(format!("{} processes", profile.processes.len()))
}

fn children_of_a_process(case: &Case) -> Outcome<String> {
    let (target, children) = case.family("fork", 3)?;
    let pid = target.pid().to_string();
    let (finished, profile) = case.run(&["--duration", "800ms", "-p", &pid])?;
    for child in &children {
        expect_left_alone(*child)?;
    }
    target.end()?;
    expect(account(&finished, "processes sampled")? == 4, || finished.words())?;
    let workers = profile.with("work", 20);
    expect(workers == children, || format!("{children:?} work: {profile:?}"))?;
    Ok(String::new())
}

fn two_versions(case: &Case) -> Outcome<String> {
    let line = "\"$0\" \"$2\" 0.8 & \"$1\" \"$2\" 0.8 | cat; wait";
    let (python, other) = (case.python(), case.other.executable.display().to_string());
    let words = ["-t", "sh", "-c", line, &python, &other, &script("becomes.py")];
    let (finished, profile) = case.run(&words)?;
    for executable in [&python, &other] {
        let of = |(line, functions, count): &(String, Vec<String>, u64)| {
            let is_his = line.starts_with(executable.as_str());
            if is_his && functions.iter().any(|f| f == "burn") { *count } else { 0 }
        };
        let samples: u64 = profile.processes.values().flatten().map(of).sum();
        expect(samples >= 20, || format!("{executable}: {samples} samples: {profile:?}"))?;
    }
    expect(account(&finished, "processes not Python")? == 2, || finished.words())?;
    Ok(format!("with {}", case.other.label))
}

/// The same process, first in one version, then in another.
fn execution(case: &Case) -> Outcome<String> {
    let becomes = script("becomes.py");
    let (python, other) = (case.python(), case.other.executable.display().to_string());
    let words = ["-t", &python, &becomes, "0.5", &other, &becomes, "0.8"];
    let (_, profile) = case.run(&words)?;
    let pids = profile.with("burn", 40);
    expect(pids.len() == 1, || format!("one process: {profile:?}"))?;
    let begins = |executable: &str| profile.commands().iter().any(|l| l.starts_with(executable));
    expect(begins(&python) && begins(&other), || format!("both command lines: {profile:?}"))?;
    Ok(format!("of {}", case.other.label))
}

fn short_lived(case: &Case) -> Outcome<String> {
    let (python, script) = (case.python(), script("short_lived.py"));
    let (finished, profile) = case.run(&["-t", &python, &script, "2000"])?;
    let count = |name| account(&finished, name);
    let (sampled, short) =
        (count("processes sampled")?, count("processes too short to be sampled")?);
    let all = sampled + short + count("processes left out, too many at once")?;
    expect(sampled >= 1 && all <= 2001, || finished.words())?;
    expect(count("processes that cannot be profiled")? == 0, || finished.words())?;
    expect(!profile.with("main", 10).is_empty(), || format!("{profile:?}"))?;
    Ok(format!("{sampled} sampled, {short} too short"))
}

/// Starts a run on a family that is far too long, and waits until all are sampled.
fn start_on_family(case: &Case) -> Outcome<(Target, Vec<u32>, Running)> {
    let (target, mut pids) = case.family("fork", 2)?;
    pids.push(target.pid());
    let file = case.file("out.folded");
    let options = ["--subprocesses", "-r", "0.002", "-o", &file];
    let running = start_sampling(&case.binaries.launcher(), target.pid(), &options)?;
    wait_until("all are sampled", || Ok((samplers(&pids)?.len() == 3).then_some(())))?;
    Ok((target, pids, running))
}

fn send(pid: u32, signal: Signal) -> Outcome {
    let pid = i32::try_from(pid).context(|| "a pid".into())?;
    kill(Pid::from_raw(pid), signal).context(|| format!("send {signal}"))
}

fn interrupted(case: &Case) -> Outcome<String> {
    let (target, pids, running) = start_on_family(case)?;
    // There is something to write.
    let file = case.file("out.folded");
    wait_until("there are samples", || {
        send(running.pid(), Signal::SIGUSR1)?;
        Ok(Profile::read(&file).is_ok_and(|p| p.with("work", 5).len() == 2).then_some(()))
    })?;
    send(running.pid(), Signal::SIGINT)?;
    running.finish()?.clean()?;
    let left = samplers(&pids)?;
    expect(left.is_empty(), || format!("samplers are left: {left:?}"))?;
    let workers = Profile::read(&file)?.with("work", 5);
    expect(workers.len() == 2, || format!("{workers:?} work"))?;
    for pid in pids {
        expect_left_alone(pid)?;
    }
    target.end()?;
    Ok(String::new())
}

fn killed(case: &Case) -> Outcome<String> {
    let (target, pids, running) = start_on_family(case)?;
    send(running.pid(), Signal::SIGKILL)?;
    wait_until("the samplers have ended", || Ok(samplers(&pids)?.is_empty().then_some(())))?;
    for pid in pids {
        expect_left_alone(pid)?;
    }
    target.end()?;
    Ok(String::new())
}

fn several_ids(case: &Case) -> Outcome<String> {
    let targets = [&case.interpreter, &case.other].map(|i| Target::start(i, "busy.py", &[]));
    let [one, two] = targets;
    let (one, two) = (one?, two?);
    one.expect("ready")?;
    two.expect("ready")?;
    let pids = [one.pid().to_string(), two.pid().to_string()];
    let arguments = ["--duration", "800ms", "-r", "0.002", "-p", &pids[0], "-p", &pids[1]];
    let output = run(&mut command(&case.binaries.launcher(), &arguments))?.clean()?;
    let profile = Profile::parse(&String::from_utf8_lossy(&output))?;
    let mut both = vec![one.pid(), two.pid()];
    both.sort_unstable();
    one.end()?;
    two.end()?;
    expect(profile.with("main", 20) == both, || format!("{both:?}: {profile:?}"))?;
    // One that is not Python, or not there, is an error before anything is sampled.
    let own = std::process::id().to_string();
    let finished = run(&mut command(&case.binaries.launcher(), &["-p", &own, "-p", "4194304"]))?;
    expect(finished.status.code() == Some(1), || finished.words())?;
    Ok(format!("with {}", case.other.label))
}

fn pattern(case: &Case) -> Outcome<String> {
    // A word on the command lines that no other test has.
    let word = format!("sign-{}-{}", std::process::id(), case.interpreter.abi);
    let start = || Target::start(&case.interpreter, "busy.py", &[&word]);
    let (one, two, other) = (start()?, start()?, Target::start(&case.other, "busy.py", &[])?);
    for target in [&one, &two, &other] {
        target.expect("ready")?;
    }
    let pattern = word.replace('-', ".");
    let arguments = ["--name", &pattern, "--duration", "800ms", "-r", "0.002"];
    let finished = run(&mut command(&case.binaries.launcher(), &arguments))?;
    let profile = Profile::parse(&String::from_utf8_lossy(&finished.stdout))?;
    let mut both = vec![one.pid(), two.pid()];
    both.sort_unstable();
    expect(profile.with("main", 20) == both, || format!("{both:?}: {profile:?}"))?;
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

fn dump(case: &Case) -> Outcome<String> {
    let (target, children) = case.family("fork", 2)?;
    let pid = target.pid().to_string();
    let arguments = ["--dump", "--subprocesses", "-p", &pid];
    let output = run(&mut command(&case.binaries.launcher(), &arguments))?.clean()?;
    let text = String::from_utf8_lossy(&output).into_owned();
    target.end()?;
    let heads: Vec<&str> = text.lines().filter(|line| line.starts_with("process ")).collect();
    let version = format!("CPython {}", case.interpreter.version);
    let good = |(head, pid): (&&str, u32)| {
        head.starts_with(&format!("process {pid} (")) && head.ends_with(&version)
    };
    let pids = std::iter::once(pid.parse().unwrap_or(0)).chain(children);
    expect(heads.len() == 3 && heads.iter().zip(pids).all(good), || text.clone())?;
    expect(text.matches(":work:").count() == 2, || text.clone())?;
    Ok(String::new())
}

fn windows(case: &Case) -> Outcome<String> {
    let (target, children) = case.family("fork", 2)?;
    let (pid, file) = (target.pid().to_string(), case.file("out.folded"));
    let arguments = ["--subprocesses", "--duration", "2500ms", "--rotate", "1s", "-p", &pid];
    let own = ["-r", "0.002", "-o", &file];
    run(&mut command(&case.binaries.launcher(), &[&own[..], &arguments].concat()))?.clean()?;
    target.end()?;
    let mut names = Vec::new();
    for entry in fs::read_dir(&case.folder).context(|| "list the folder".into())? {
        let path = entry.context(|| "list the folder".into())?.path();
        names.push(path.display().to_string());
    }
    expect((2..=3).contains(&names.len()), || format!("windows of 2.5 s: {names:?}"))?;
    for name in &names {
        let workers = Profile::read(name)?.with("work", 5);
        expect(workers == children, || format!("{name}: {workers:?} of {children:?}"))?;
    }
    Ok(format!("{} windows", names.len()))
}

fn asked_of_a_profiler(case: &Case) -> Outcome<String> {
    let (target, children) = case.family("fork", 1)?;
    let pid = target.pid().to_string();
    let arguments = ["--subprocesses", "--duration", "800ms", "-r", "0.002", "-p", &pid];
    let profiler = case.binaries.profiler(case.interpreter.abi);
    let output = run(&mut command(&profiler, &arguments))?.clean()?;
    let profile = Profile::parse(&String::from_utf8_lossy(&output))?;
    expect(profile.with("work", 20) == children, || format!("{profile:?}"))?;
    // Alone it cannot: it says what is missing.
    let alone = case.folder.join("bin");
    fs::create_dir(&alone).context(|| "a folder".into())?;
    support::copies::copy(&profiler, &alone, "pyflame-alone")?;
    let finished =
        run(command(Path::new(&alone.join("pyflame-alone")), &arguments).env("PATH", &alone))?;
    finished.expect_error(1, &["--subprocesses", "package pyflame"])?;
    target.end()?;
    Ok(String::new())
}
