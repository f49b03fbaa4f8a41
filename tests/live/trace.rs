//! `-t`: programs that are started by the profiler, directly, through scripts
//! and wrappers; what they print and how they end is left alone.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::{fs, io::Write};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::binaries::{Binaries, is_built};
use crate::support::copies::copy_file;
use crate::support::features::{Feature, Shows};
use crate::support::interpreters::{Interpreter, Interpreters};
use crate::support::process::{Finished, Running, run, wait_until};
use crate::support::profiler::{Profile, command, wait_for_ticks, wait_until_it_catches};
use crate::support::runner::Trial;
use crate::support::target::{in_folder, new_file, set_environment};
use crate::support::{Context, Outcome, expect, targets, with_more_time};

/// What a test gets to work with.
#[derive(Clone)]
struct Case {
    interpreter: Interpreter,
    /// `pyflameX.Y` or the launcher.
    profiler: PathBuf,
    /// A folder of its own.
    folder: PathBuf,
}

type Test = fn(&Case) -> Outcome<String>;

/// For how many seconds a program works, which is also while the profiler still starts: longer
/// where that has left too few samples.
const TIMES: [&str; 3] = ["0.3", "1.5", "6"];

const TESTS: [(&str, Test); 10] = [
    ("command", traced_command),
    ("options of the command", options_of_the_command),
    ("profile after the output", profile_after_the_output),
    ("standard input", standard_input),
    ("script with env in its first line", env_script),
    ("sh -c exec", shell_that_executes),
    ("wrapper that starts Python", wrapper_that_starts),
    ("program that ends before its child", program_that_forks),
    ("SIGTERM", ended_by_sigterm),
    ("killed program", killed_program),
];

/// What docs/ABIS.md has from here.
pub(crate) const SHOWS: Shows = &[
    (Feature::Command, "pyflame -t, command"),
    (Feature::Wrapper, "pyflame -t, wrapper that starts Python"),
];

pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for interpreter in interpreters.one_per_abi().into_iter().filter(|i| is_built(i.abi)) {
        let ways = [
            (format!("pyflame{}", interpreter.abi), binaries.profiler(interpreter.abi)),
            ("pyflame".to_owned(), binaries.launcher()),
        ];
        for (way, profiler) in ways {
            for (name, test) in TESTS {
                let (interpreter, profiler) = (interpreter.clone(), profiler.clone());
                let name = format!("{} {way} -t, {name}", interpreter.label);
                trials.push(Trial::new(name, move || {
                    let folder = new_file("trace");
                    let case = Case { interpreter, profiler, folder };
                    in_folder(&case.folder, || test(&case))
                }));
            }
        }
    }
    trials
}

impl Case {
    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn script(&self) -> String {
        targets().join("traced.py").display().to_string()
    }

    fn python(&self) -> String {
        self.interpreter.executable.display().to_string()
    }

    /// The profiler with these options, writing to the file `profile`.
    fn profiler(&self, options: &[&str]) -> Command {
        let mut made = command(&self.profiler, &["-r", "0.002", "-o"]);
        set_environment(&mut made);
        made.arg(self.file("profile")).args(options);
        made
    }

    /// Runs `-t` with a command that becomes `traced.py SECONDS STATUS WORDS`.
    fn trace(&self, words: &[&str]) -> Outcome<Finished> {
        run(self.profiler(&["-t"]).args(words))
    }

    /// Fails unless the outputs and the exit status are the program's, untouched, and the
    /// profile is that of the program; whether there is enough of it.
    fn expect_traced(
        &self,
        finished: Finished,
        words: &str,
        status: i32,
    ) -> Outcome<Outcome<String>> {
        let expected = format!("out: {words}\nend\n");
        expect(finished.stdout == expected.as_bytes(), || {
            format!("the program's stdout is not {expected:?}: {}", finished.words())
        })?;
        expect(finished.stderr == "err\n", || {
            format!("not the program's stderr: {}", finished.words())
        })?;
        expect(finished.status.code() == Some(status), || finished.words())?;
        self.expect_profile()
    }

    fn expect_profile(&self) -> Outcome<Outcome<String>> {
        let file = self.file("profile");
        let output = fs::read(&file).context(|| file.display().to_string())?;
        check_profile(&output, &self.script())
    }
}

/// Whether a good part of the samples is in `burn`, below the module of the script; the others
/// may be of the interpreter's start and end. A stack that cannot have existed is an error.
fn check_profile(output: &[u8], script: &str) -> Outcome<Outcome<String>> {
    let profile = Profile::parse(output, true)?;
    for stack in &profile.stacks {
        let inside = stack.frames.iter().any(|f| f.file == script);
        let root = stack.frames.first().context(|| "an empty stack".into())?;
        let is_module = root.file == script && root.function == "<module>";
        expect(!inside || is_module, || format!("the root is not the script's: {stack:?}"))?;
    }
    let (total, burn) = (profile.total(), profile.samples_with("burn"));
    let words = format!("{total} samples, {burn} in burn()");
    let is_enough = burn >= 10 && burn * 4 > total;
    Ok(if is_enough { Ok(words) } else { Err(format!("{words}: {profile:?}")) })
}

fn traced_command(case: &Case) -> Outcome<String> {
    with_more_time(&TIMES, |time| {
        let words = [&case.python(), &case.script(), time, "7", "a", "b c"];
        case.expect_traced(case.trace(&words)?, "a b c", 7)
    })
}

fn options_of_the_command(case: &Case) -> Outcome<String> {
    let options = "-s 5 --dump -p 1 -t x -o nothing --help -v";
    let (python, script) = (case.python(), case.script());
    with_more_time(&TIMES, |time| {
        let mut words = vec![python.as_str(), &script, time, "0"];
        words.extend(options.split(' '));
        case.expect_traced(case.trace(&words)?, options, 0)
    })
}

fn profile_after_the_output(case: &Case) -> Outcome<String> {
    with_more_time(&TIMES, |time| {
        let mut command = command(&case.profiler, &["-r", "0.002", "-t"]);
        set_environment(&mut command);
        let words = [&case.python(), &case.script(), time, "0", "x"];
        let finished = run(command.args(words))?;
        let rest = finished.stdout.strip_prefix(b"out: x\nend\n".as_slice());
        let output = rest.context(|| format!("not first the program's: {}", finished.words()))?;
        expect(finished.status.success(), || finished.words())?;
        check_profile(output, &case.script())
    })
}

fn standard_input(case: &Case) -> Outcome<String> {
    let echo = "import sys; sys.stdout.write(sys.stdin.read().upper())";
    let mut command = case.profiler(&["-t"]);
    let mut running = Running::start(command.args([&case.python(), "-c", echo]), true)?;
    let mut stdin = running.take_stdin().context(|| "no pipe".into())?;
    // By then it is being sampled: with its input at once it could have ended before.
    wait_for_ticks(&running, 200)?;
    stdin.write_all(b"from the test").context(|| "write to the program".into())?;
    drop(stdin);
    let output = running.finish()?.clean()?;
    expect(output == b"FROM THE TEST", || format!("{:?}", String::from_utf8_lossy(&output)))?;
    Ok(String::new())
}

/// A script `#!/usr/bin/env pythonX`, found through `PATH`.
fn env_script(case: &Case) -> Outcome<String> {
    let words = || "make a script".to_owned();
    symlink(&case.interpreter.executable, case.file("python-of-test")).context(words)?;
    let (text, path) = (case.file("text"), case.file("script"));
    let source = fs::read_to_string(targets().join("traced.py")).context(words)?;
    fs::write(&text, format!("#!/usr/bin/env python-of-test\n{source}")).context(words)?;
    fs::set_permissions(&text, fs::Permissions::from_mode(0o755)).context(words)?;
    copy_file(&text, &path)?;
    with_more_time(&TIMES, |time| {
        let mut command = case.profiler(&["-t"]);
        command.env("PATH", format!("{}:/usr/bin:/bin", case.folder.display()));
        let finished = run(command.arg("script").args([time, "0", "y"]))?;
        expect(finished.status.success(), || finished.words())?;
        expect(finished.stdout == b"out: y\nend\n", || finished.words())?;
        let output = fs::read(case.file("profile")).context(words)?;
        check_profile(&output, &path.display().to_string())
    })
}

fn shell_that_executes(case: &Case) -> Outcome<String> {
    let line = "exec \"$0\" \"$@\"";
    with_more_time(&TIMES, |time| {
        let words = ["sh", "-c", line, &case.python(), &case.script(), time, "0", "z"];
        case.expect_traced(case.trace(&words)?, "z", 0)
    })
}

/// A shell script that starts Python as a child and sees its exit code.
fn wrapper_that_starts(case: &Case) -> Outcome<String> {
    let (wrapper, code) = (case.file("wrapper"), case.file("code"));
    let text = format!("\"$@\"\necho $? > '{}'\n", code.display());
    fs::write(&wrapper, text).context(|| wrapper.display().to_string())?;
    let wrapper = wrapper.display().to_string();
    with_more_time(&TIMES, |time| {
        let words = ["sh", &wrapper, &case.python(), &case.script(), time, "7", "w"];
        let words = case.expect_traced(case.trace(&words)?, "w", 0)?;
        let seen = fs::read_to_string(&code).context(|| code.display().to_string())?;
        expect(seen == "7\n", || format!("the wrapper saw exit code {seen}, not 7"))?;
        Ok(words)
    })
}

fn program_that_forks(case: &Case) -> Outcome<String> {
    with_more_time(&["0.2", "1.5", "6"], |time| program_that_forks_once(case, time))
}

fn program_that_forks_once(case: &Case, time: &str) -> Outcome<Outcome<String>> {
    let sign = case.file(&format!("sign-{time}"));
    let forking = targets().join("forking.py").display().to_string();
    let words = [&case.python(), &forking, &sign.display().to_string(), time];
    let finished = case.trace(&words)?;
    expect(finished.status.success() && finished.stdout.is_empty(), || finished.words())?;
    // The child goes on, unless it has ended by then.
    let mut said = finished.stderr.lines();
    expect(said.all(|line| line.starts_with("Started by the command, ")), || finished.words())?;
    let profile = fs::read(case.file("profile")).context(|| "the profile".into())?;
    let words = check_profile(&profile, &forking)?;
    let text = wait_until("the child has gone on", || Ok(fs::read_to_string(&sign).ok()))?;
    expect(text == "tracer 0\n", || format!("the child was not left alone: {text}"))?;
    Ok(words)
}

/// Starts a long program under `-t`, waits until the profile has enough of it, and gives its
/// pid.
fn long_program(case: &Case) -> Outcome<(Running, u32)> {
    let words = [&case.python(), &case.script(), "600", "0"];
    let running = Running::start(case.profiler(&["-t"]).args(words), false)?;
    let child = wait_until("the program runs", || {
        let pid = running.pid();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.context(|| "list the children".into())?;
        let Some(child) = children.split_whitespace().next() else { return Ok(None) };
        let child: u32 = child.parse().context(|| "a pid".into())?;
        Ok(Some(child))
    })?;
    wait_until_it_catches(&running, &[Signal::SIGTERM, Signal::SIGUSR1])?;
    wait_until("the profile has enough of burn()", || {
        send(running.pid(), Signal::SIGUSR1)?;
        let so_far = fs::read(case.file("profile")).unwrap_or_default();
        Ok(check_profile(&so_far, &case.script())?.ok())
    })?;
    Ok((running, child))
}

fn send(pid: u32, signal: Signal) -> Outcome {
    let pid = i32::try_from(pid).context(|| "a pid".into())?;
    kill(Pid::from_raw(pid), signal).context(|| format!("send {signal} to {pid}"))
}

fn ended_by_sigterm(case: &Case) -> Outcome<String> {
    let (running, child) = long_program(case)?;
    send(running.pid(), Signal::SIGTERM)?;
    expect_killed(case, running, child, Signal::SIGTERM)
}

/// The program has been ended by a signal, which is told.
fn expect_killed(case: &Case, running: Running, child: u32, signal: Signal) -> Outcome<String> {
    let finished = running.finish()?;
    let status = 128 + signal as i32;
    let words = format!("The command was killed by signal {} ({signal}).\n", signal as i32);
    expect(finished.status.code() == Some(status), || finished.words())?;
    expect(finished.stderr.ends_with(&words), || finished.words())?;
    expect(!Path::new(&format!("/proc/{child}")).exists(), || "it still runs".into())?;
    case.expect_profile()?
}

fn killed_program(case: &Case) -> Outcome<String> {
    let (running, child) = long_program(case)?;
    send(child, Signal::SIGKILL)?;
    expect_killed(case, running, child, Signal::SIGKILL)
}
