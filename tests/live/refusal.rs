//! What must be refused: other versions, other builds, other programs, and
//! processes that cannot be read. A refusal prints no stack, says which process
//! and why, has its own exit code, and leaves the process as it was.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::support::binaries::{ABIS, Binaries, is_built};
use crate::support::features::{Feature, Shows};
use crate::support::interpreters::{Interpreter, Interpreters};
use crate::support::process::{Finished, Guard, expect_left_alone, run, status_line, wait_until};
use crate::support::profiler::{attach, command, dump};
use crate::support::runner::Trial;
use crate::support::target::{Target, set_environment};
use crate::support::truth::difference;
use crate::support::{Context, Outcome, expect, native, targets, with_more_time};

/// Another version: `pyflameX.Y` is the wrong one.
const WRONG_BINARY: i32 = 3;
/// A Python that this release cannot profile.
const UNSUPPORTED: i32 = 4;

/// Nobody's user id.
const NOBODY: u32 = 65534;

type Test = fn(&Binaries) -> Outcome<String>;

const TESTS: [(&str, Test); 10] = [
    ("not Python", not_python),
    ("no such process", no_such_process),
    ("zombie", zombie),
    ("kernel thread", kernel_thread),
    ("32-bit program", thirty_two_bit),
    ("process of another user", process_of_another_user),
    ("pre-release", pre_release),
    ("version to come", version_to_come),
    ("nonsense in place of objects", nonsense),
    ("PyPy", pypy),
];

/// What docs/ABIS.md has from here.
pub(crate) const SHOWS: Shows = &[(Feature::Refused, "refused by the other binaries")];

pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for interpreter in interpreters.here.iter().filter(|i| is_built(i.abi)).cloned() {
        let binaries = Arc::clone(&binaries);
        let name = format!("{} refused by the other binaries", interpreter.label);
        trials.push(Trial::new(name, move || other_versions(&interpreter, &binaries)));
    }
    for interpreter in interpreters.one_per_abi().into_iter().cloned() {
        let binaries = Arc::clone(&binaries);
        let name = format!("{} refused by another binary under -t", interpreter.label);
        trials.push(Trial::new(name, move || other_version_traced(&interpreter, &binaries)));
    }
    for (name, test) in TESTS {
        let binaries = Arc::clone(&binaries);
        trials.push(Trial::new(name, move || test(&binaries)));
    }
    trials
}

/// The profilers that are not for this interpreter.
fn wrong_abis(interpreter: &Interpreter) -> Vec<&'static str> {
    let built = ABIS.iter().filter(|(_, built)| built.is_some()).map(|(abi, _)| *abi);
    built.filter(|abi| *abi != interpreter.abi).collect()
}

/// What a profiler for another version has to say.
fn expect_wrong(finished: &Finished, interpreter: &Interpreter, own: &str) -> Outcome {
    let Interpreter { abi, version, .. } = interpreter;
    let what = format!("runs CPython {version}");
    let this = format!("; this is pyflame{own}.");
    let advice = format!("Run pyflame{abi} (package pyflame{abi}).");
    finished.expect_error(WRONG_BINARY, &["process ", &what, &this, &advice])
}

/// Every other binary refuses; the right one then finds all as it was.
fn other_versions(interpreter: &Interpreter, binaries: &Binaries) -> Outcome<String> {
    let (target, truth) = Target::at_rest(interpreter)?;
    let pid = target.pid();
    let wrong = wrong_abis(interpreter);
    for abi in &wrong {
        for options in [&["--dump"][..], &["-s", "0.1"]] {
            let finished = attach(&binaries.profiler(abi), pid, options)?;
            expect_wrong(&finished, interpreter, abi)?;
            let process = format!("process {pid} runs");
            finished.expect_error(WRONG_BINARY, &[&process])?;
            expect(finished.stdout.is_empty(), || finished.words())?;
        }
        expect_left_alone(pid)?;
    }
    let seen = dump(&binaries.profiler(interpreter.abi), pid)?;
    difference(&truth.threads, &seen).map_or(Ok(()), Err)?;
    Ok(format!("{} binaries", wrong.len()))
}

/// The program that was started goes on and ends by itself.
fn other_version_traced(interpreter: &Interpreter, binaries: &Binaries) -> Outcome<String> {
    let wrong = wrong_abis(interpreter);
    let Some(abi) = wrong.first() else { return Ok("there is no other binary".into()) };
    with_more_time(&["0.1", "1", "6"], |time| {
        let mut command = command(&binaries.profiler(abi), &["-t"]);
        set_environment(&mut command);
        command.arg(&interpreter.executable).arg(targets().join("traced.py"));
        let finished = run(command.args([time, "0", "x"]))?;
        expect(finished.stdout == b"out: x\nend\n", || finished.words())?;
        // It may be over before it is looked at.
        if finished.stderr.contains(" ended before") {
            return Ok(Err(finished.words()));
        }
        expect_wrong(&finished, interpreter, abi)?;
        Ok(Ok(format!("pyflame{abi}")))
    })
}

/// Everyone must fail on a process with this exit code and these words.
fn everyone_refuses(binaries: &Binaries, pid: u32, code: i32, parts: &[&str]) -> Outcome<String> {
    let profilers = ABIS.iter().filter(|(_, built)| built.is_some());
    let mut programs = vec![binaries.launcher()];
    programs.extend(profilers.map(|(abi, _)| binaries.profiler(abi)));
    for program in programs {
        let finished = attach(&program, pid, &["--dump"])?;
        finished.expect_error(code, parts)?;
        expect(finished.stdout.is_empty(), || finished.words())?;
    }
    Ok(String::new())
}

fn not_python(binaries: &Binaries) -> Outcome<String> {
    let mut command = Command::new("cat");
    let cat = Guard::spawn(command.stdin(Stdio::piped()).stdout(Stdio::null()))?;
    let words = format!("process {}", cat.pid());
    let parts = ["Failed to locate libpython", &words, "does not run CPython"];
    everyone_refuses(binaries, cat.pid(), 1, &parts)?;
    expect_left_alone(cat.pid())?;
    Ok(String::new())
}

fn no_such_process(binaries: &Binaries) -> Outcome<String> {
    let mut ended = Guard::spawn(&mut Command::new("true"))?;
    ended.wait("true")?;
    for pid in [ended.pid(), 4_194_304, 2_147_483_647] {
        let words = format!("Failed to seize PID {pid}: No such process");
        everyone_refuses(binaries, pid, 1, &[&words])?;
    }
    Ok(String::new())
}

fn zombie(binaries: &Binaries) -> Outcome<String> {
    let ended = Guard::spawn(&mut Command::new("true"))?;
    wait_until("a child is a zombie", || {
        Ok(status_line(ended.pid(), "State")?.starts_with('Z').then_some(()))
    })?;
    let words = format!("Failed to seize PID {}", ended.pid());
    everyone_refuses(binaries, ended.pid(), 1, &[&words, "zombie"])
}

fn kernel_thread(binaries: &Binaries) -> Outcome<String> {
    const OF_KERNEL: u64 = 0x0020_0000;
    let flags = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.split(' ').nth(6)?.parse::<u64>().ok()
    };
    let entries = fs::read_dir("/proc").context(|| "/proc".into())?.flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let Some(pid) = pids.into_iter().find(|pid| flags(*pid).is_some_and(|f| f & OF_KERNEL != 0))
    else {
        return Ok("not tried: this container shows no kernel threads".into());
    };
    let words = format!("Failed to seize PID {pid}");
    everyone_refuses(binaries, pid, 1, &[&words, "kernel thread"])
}

/// Starts a program that says `ready` when it is up.
fn start(program: &std::path::Path) -> Outcome<Guard> {
    use std::io::Read;
    let mut command = Command::new(program);
    let mut guard = Guard::spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
    let mut word = [0; 6];
    let stdout = guard.0.stdout.as_mut().context(|| "no pipe".into())?;
    stdout.read_exact(&mut word).context(|| format!("{} says nothing", program.display()))?;
    Ok(guard)
}

fn thirty_two_bit(binaries: &Binaries) -> Outcome<String> {
    if !cfg!(target_arch = "x86_64") {
        return Ok("not tried: only on x86-64".into());
    }
    let options = ["-m32", "-nostdlib", "-static", "-fno-stack-protector"];
    let program = native::compile("thirty_two.c", "thirty-two", &options)?;
    let target = match start(&program) {
        Ok(target) => target,
        Err(words) => return Ok(format!("not tried: this kernel runs no such program: {words}")),
    };
    let parts = ["Failed to locate libpython", "32-bit"];
    everyone_refuses(binaries, target.pid(), 1, &parts)
}

/// As root, the profiler runs as nobody and the target as root; otherwise the
/// target is the first process of the system.
fn process_of_another_user(binaries: &Binaries) -> Outcome<String> {
    let uid = status_line(std::process::id(), "Uid")?;
    let is_root = uid.split_whitespace().nth(1) == Some("0");
    if !is_root {
        let words = "Failed to seize PID 1: Operation not permitted";
        return everyone_refuses(binaries, 1, 1, &[words]);
    }
    let mut cat = Command::new("cat");
    let cat = Guard::spawn(cat.stdin(Stdio::piped()).stdout(Stdio::null()))?;
    let pid = cat.pid().to_string();
    let words = format!("Failed to seize PID {pid}: Operation not permitted");
    let built = ABIS.iter().filter(|(_, built)| built.is_some());
    let profilers = built.map(|(abi, _)| binaries.profiler(abi));
    for program in profilers.chain([binaries.launcher()]) {
        // Nobody may not walk to the build folder: go through an open file.
        let file = File::open(&program).context(|| program.display().to_string())?;
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let mut command = command(path.as_ref(), &["--dump", "-p", &pid]);
        command.uid(NOBODY).gid(NOBODY);
        run(&mut command)?.expect_error(1, &[&words])?;
    }
    Ok("as another user".into())
}

fn impostor(name: &str, define: &str) -> Outcome<Guard> {
    start(&native::compile("impostor.c", name, &["-rdynamic", define])?)
}

fn pre_release(binaries: &Binaries) -> Outcome<String> {
    let target = impostor("impostor-beta", "-DHEX=0x030c00b1")?;
    everyone_refuses(binaries, target.pid(), UNSUPPORTED, &["pre-release", "3.12.0b1"])
}

fn version_to_come(binaries: &Binaries) -> Outcome<String> {
    let target = impostor("impostor-future", "-DHEX=0x036300f0")?;
    everyone_refuses(binaries, target.pid(), UNSUPPORTED, &["CPython 3.99.0"])
}

/// All that names a version says 3.12.7, but nothing behind it is Python's.
fn nonsense(binaries: &Binaries) -> Outcome<String> {
    if !is_built("3.12") {
        return Ok("not tried: pyflame3.12 is not built".into());
    }
    let target = impostor("impostor-nonsense", "-DHEX=0x030c07f0")?;
    for options in [&["--dump"][..], &["-s", "0.1"], &["--threads", "-s", "0.1"]] {
        for program in [binaries.profiler("3.12"), binaries.launcher()] {
            let finished = attach(&program, target.pid(), options)?;
            finished.expect_error(1, &[&format!("process {}", target.pid())])?;
            expect(finished.stdout.is_empty(), || finished.words())?;
        }
    }
    Ok(String::new())
}

fn pypy(binaries: &Binaries) -> Outcome<String> {
    let target = impostor("impostor-pypy", "-DPYPY")?;
    let parts = ["Failed to locate libpython", "PyPy"];
    everyone_refuses(binaries, target.pid(), UNSUPPORTED, &parts)
}
