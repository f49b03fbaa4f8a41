//! Processes that the kernel does not let us read: each is told by its reason, with a
//! remedy, and counted in the account by a row of its own. And `/proc` as it should not be.
//!
//! The profilers run as nobody. Only root can set that up.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use nix::sys::signal::Signal;

use crate::support::binaries::Binaries;
use crate::support::copies::copy;
use crate::support::features::Shows;
use crate::support::interpreters::{Interpreter, Interpreters};
use crate::support::process::{Finished, Guard, Running, expect_left_alone, run, status_line};
use crate::support::profiler::{Profile, command, wait_for_ticks, wait_until_it_catches};
use crate::support::runner::Trial;
use crate::support::target::Target;
use crate::support::{Context, Outcome, expect, with_more_time};

/// Nobody's user id.
const NOBODY: u32 = 65534;

const DENIED: &str = "Operation not permitted";

/// What a test gets to work with.
struct Case {
    interpreter: Interpreter,
    /// A folder of its own that everybody may enter, with the profilers.
    folder: PathBuf,
    binaries: Binaries,
}

type Test = fn(&Case) -> Outcome<String>;

const TESTS: [(&str, Test); 10] = [
    ("dropped root", dropped_root),
    ("while it is sampled", while_sampled),
    ("a file capability", file_capability),
    ("another group", another_group),
    ("children", children),
    ("a dump of children", dump_of_children),
    ("hidepid", hidepid),
    ("files of root about others", private_files),
    ("no /proc", no_proc),
    ("another namespace's /proc", foreign_proc),
];

/// docs/ABIS.md has nothing from here.
pub(crate) const SHOWS: Shows = &[];

/// What is denied does not depend on the version, so one of each way to build is enough. Python
/// 2.7 cannot set what a test needs, and imports modules where it may not any more.
pub(crate) fn trials(interpreters: Interpreters, _: Arc<Binaries>) -> Vec<Trial> {
    let trial = |interpreter: &Interpreter, (name, test): (&str, Test)| {
        let interpreter = interpreter.clone();
        let title = format!("{} denied: {name}", interpreter.label);
        let name = format!("{}-{}", interpreter.abi, name.replace([' ', '/', '\''], "-"));
        Trial::new(title, move || as_root(|| with_case(interpreter, &name, test)))
    };
    let of = |interpreter| TESTS.map(|test| trial(interpreter, test));
    interpreters.three_of_python_3().into_iter().flat_map(of).collect()
}

/// Runs a test that needs root. Where every change is tested, somebody has to be root.
fn as_root(test: impl FnOnce() -> Outcome<String>) -> Outcome<String> {
    const SYS_ADMIN: u64 = 1 << 21;
    let capabilities = status_line(std::process::id(), "CapEff")?;
    let capabilities = u64::from_str_radix(&capabilities, 16).context(|| "CapEff".into())?;
    if capabilities & SYS_ADMIN != 0 {
        return test();
    }
    let words = "not tried: only root can become another user";
    if std::env::var("CI").is_ok_and(|ci| ci == "true") {
        return Err(words.into());
    }
    Ok(words.into())
}

fn with_case(interpreter: Interpreter, name: &str, test: Test) -> Outcome<String> {
    let folder = format!("pyflame-denied-{}-{name}", std::process::id());
    let folder = std::env::temp_dir().join(folder);
    let abi = interpreter.abi;
    let binaries = Binaries::install_in(&folder, |wanted| wanted == abi)?;
    let outcome = test(&Case { interpreter, folder: folder.clone(), binaries });
    // What is left of it does no harm.
    let _ = std::fs::remove_dir_all(folder);
    outcome
}

impl Case {
    /// The launcher or the profiler on its own.
    fn programs(&self) -> [PathBuf; 2] {
        [self.binaries.launcher(), self.binaries.profiler(self.interpreter.abi)]
    }

    /// The launcher and the profiler, each as nobody, must refuse the process with these words.
    fn refused(&self, pid: u32, parts: &[&str]) -> Outcome<String> {
        let pid = pid.to_string();
        let first = format!("Failed to seize PID {pid}: {DENIED}");
        let parts = [&[first.as_str()], parts].concat();
        let mut said = String::new();
        for program in self.programs() {
            let finished = run(as_nobody(&mut command(&program, &["--dump", "-p", &pid])))?;
            finished.expect_error(1, &parts)?;
            expect(finished.stdout.is_empty(), || finished.words())?;
            said = finished.stderr.lines().nth(1).unwrap_or_default().to_owned();
        }
        Ok(said)
    }

    /// A family of which nobody may read some, and the ids of the children.
    fn family(&self) -> Outcome<(Target, Vec<u32>)> {
        let target = Target::start(&self.interpreter, "rights.py", &["family"])?;
        let pids = target.expect("ready")?;
        let pids = pids.iter().map(|pid| pid.parse().context(|| pid.clone()));
        Ok((target, pids.collect::<Outcome<_>>()?))
    }

    /// The launcher, in a mount namespace that `script` prepares, as nobody.
    fn in_namespace(&self, script: &str, arguments: &[&str]) -> Outcome<Finished> {
        let script = format!(
            "{script}; exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups \"$@\""
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "bash", "-e", "-c", &script, "bash"]);
        command.arg(self.binaries.launcher()).args(arguments);
        run(command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"))
    }
}

fn as_nobody(command: &mut Command) -> &mut Command {
    command.uid(NOBODY).gid(NOBODY).current_dir("/")
}

/// A row of the account that was written to stderr.
fn expect_row(finished: &Finished, name: &str, value: &str) -> Outcome {
    let row = format!("{name}: {value}");
    expect(finished.stderr.lines().any(|line| line == row), || {
        format!("no row {row:?}: {}", finished.words())
    })
}

fn dropped_root(case: &Case) -> Outcome<String> {
    let target = Target::start(&case.interpreter, "rights.py", &["dropped"])?;
    target.expect("ready")?;
    let said = case.refused(target.pid(), &["not dumpable", "Run as root"])?;
    expect_left_alone(target.pid())?;
    // For root it is a process like any other.
    let pid = target.pid().to_string();
    run(&mut command(&case.binaries.launcher(), &["--dump", "-p", &pid]))?.clean()?;
    target.end()?;
    Ok(said)
}

/// What root writes about a process of nobody's is for root alone, unless nobody has called
/// `sudo`; what it writes about its own is for all that the mask of this program allows.
fn private_files(case: &Case) -> Outcome<String> {
    let others = Target::start(&case.interpreter, "rights.py", &["family"])?;
    others.expect("ready")?;
    let (own, _) = Target::at_rest(&case.interpreter)?;
    let mode_after = |pid: u32, options: &[&str], invoker: &str| -> Outcome<u32> {
        let file = case.folder.join("out.folded");
        let (path, pid) = (file.display().to_string(), pid.to_string());
        let mut command = command(&case.binaries.launcher(), &["-p", &pid, "-o", &path]);
        run(command.args(options).env("SUDO_UID", invoker))?.clean()?;
        let found = std::fs::metadata(&file).context(|| path.clone())?;
        std::fs::remove_file(&file).context(|| path)?;
        Ok(found.mode() & 0o777)
    };
    let nobody = NOBODY.to_string();
    for options in [&["--dump"][..], &["-s", "0.05"], &["-s", "0.05", "--subprocesses"]] {
        let modes = [
            mode_after(others.pid(), options, "")?,
            mode_after(others.pid(), options, &nobody)?,
            mode_after(own.pid(), options, "")?,
        ];
        let is_open = |mode: u32| mode & 0o044 != 0;
        expect(modes[0] == 0o600 && is_open(modes[1]) && is_open(modes[2]), || {
            format!("{options:?}: {}", modes.map(|mode| format!("{mode:o}")).join(" "))
        })?;
    }
    others.end()?;
    Ok(String::new())
}

/// What was sampled until then is written, with the reason why there is no more.
fn while_sampled(case: &Case) -> Outcome<String> {
    let mut target = Target::start(&case.interpreter, "rights.py", &["later"])?;
    target.expect("ready")?;
    let pid = target.pid().to_string();
    let profiler = case.binaries.profiler(case.interpreter.abi);
    let mut command = command(&profiler, &["-s", "3600", "-r", "0.002", "-p", &pid]);
    let running = Running::start(as_nobody(&mut command), false)?;
    wait_until_it_catches(&running, &[Signal::SIGINT, Signal::SIGTERM])?;
    wait_for_ticks(&running, 200)?;
    target.tell("x")?;
    target.expect("set")?;
    let finished = running.finish()?;
    expect(finished.status.success(), || finished.words())?;
    let says = |words: &str| finished.stderr.contains(words);
    let first = format!("Failed to seize PID {pid}: {DENIED}");
    let is_told = says(&first) && says("not dumpable") && says("The profile ends here");
    expect(is_told, || finished.words())?;
    let profile = Profile::parse(&finished.stdout, true)?;
    expect(profile.samples_in("busy") > 0, || finished.words())?;
    target.end()?;
    Ok(format!("{} samples before", profile.total() - profile.failed))
}

/// Starts a copy of `cat` as this user and group, and waits until it copies.
fn cat(program: &std::path::Path, user: u32, group: u32) -> Outcome<Guard> {
    use std::io::{Read, Write};
    let mut command = Command::new(program);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).current_dir("/");
    let mut guard = Guard::spawn(command.uid(user).gid(group))?;
    let words = || format!("{} copies", program.display());
    guard.0.stdin.as_mut().context(words)?.write_all(b"x").context(words)?;
    guard.0.stdout.as_mut().context(words)?.read_exact(&mut [0]).context(words)?;
    Ok(guard)
}

fn file_capability(case: &Case) -> Outcome<String> {
    let program = copy("/bin/cat".as_ref(), &case.folder, "cat")?;
    let code = "import os, struct, sys\n\
                value = struct.pack('<5I', 0x02000001, 1 << 10, 0, 0, 0)\n\
                os.setxattr(sys.argv[1], 'security.capability', value)";
    // What cap_net_bind_service+ep of setcap(8) writes.
    let mut python = Command::new(&case.interpreter.executable);
    run(python.arg("-c").arg(code).arg(&program))?.clean()?;
    let cat = cat(&program, NOBODY, NOBODY)?;
    let permitted = status_line(cat.pid(), "CapPrm")?;
    expect(permitted.ends_with("0400"), || format!("the capability is not there: {permitted}"))?;
    case.refused(cat.pid(), &["has capabilities", "Run as root"])
}

fn another_group(case: &Case) -> Outcome<String> {
    let cat = cat("/bin/cat".as_ref(), NOBODY, 12345)?;
    case.refused(cat.pid(), &["another group (gid 12345)", "Run with that group"])
}

/// Samples a tree in which two can be: again, and longer, if it was over before both of them
/// were.
fn sampling_two(pid: &str, sample: impl Fn(&[&str]) -> Outcome<Finished>) -> Outcome<Finished> {
    with_more_time(&["1.5", "6"], |time| {
        let finished = sample(&["--subprocesses", "--stats", "-s", time, "-p", pid])?;
        let is_little = ["no process could be sampled", "processes sampled: 1\n"];
        if is_little.iter().any(|words| finished.stderr.contains(words)) {
            return Ok(Err(finished.words()));
        }
        expect(finished.status.success(), || finished.words())?;
        Ok(Ok(finished))
    })
}

/// The children that may be read are sampled; the others are told apart and counted.
fn children(case: &Case) -> Outcome<String> {
    let (target, children) = case.family()?;
    let pid = target.pid().to_string();
    let launcher = case.binaries.launcher();
    let finished =
        sampling_two(&pid, |arguments| run(as_nobody(&mut command(&launcher, arguments))))?;
    let text = String::from_utf8_lossy(&finished.stdout).into_owned();
    let [readable, dropped, root] = children[..] else { return Err("three children".into()) };
    expect(text.contains(&format!("process {readable} (")), || text.clone())?;
    expect_row(&finished, "processes not read, of another user", "1")?;
    expect_row(&finished, "processes not read, not dumpable", "1")?;
    expect_row(&finished, "processes too short to be sampled", "0")?;
    expect_row(&finished, "processes sampled", "2")?;
    for (pid, words) in [(dropped, "not dumpable"), (root, "another user (uid 0)")] {
        let first = format!("Failed to seize PID {pid}: {DENIED}");
        let says = finished.stderr.contains(&first) && finished.stderr.contains(words);
        expect(says, || finished.words())?;
        expect_left_alone(pid)?;
    }
    target.end()?;
    Ok(String::new())
}

fn dump_of_children(case: &Case) -> Outcome<String> {
    let (target, children) = case.family()?;
    let pid = target.pid().to_string();
    let arguments = ["--subprocesses", "--dump", "-p", &pid];
    let finished = run(as_nobody(&mut command(&case.binaries.launcher(), &arguments)))?;
    expect(finished.status.success(), || finished.words())?;
    let text = String::from_utf8_lossy(&finished.stdout).into_owned();
    let heads: Vec<&str> = text.lines().filter(|line| line.starts_with("process ")).collect();
    let is_there = |pid: u32| heads.iter().any(|head| head.starts_with(&format!("process {pid} ")));
    expect(heads.len() == 2 && is_there(children[0]), || text.clone())?;
    for pid in &children[1..] {
        let first = format!("Failed to seize PID {pid}: {DENIED}");
        expect(finished.stderr.contains(&first), || finished.words())?;
    }
    target.end()?;
    Ok(String::new())
}

/// Where `/proc` hides what is not ours, it is there all the same.
fn hidepid(case: &Case) -> Outcome<String> {
    let (target, children) = case.family()?;
    let pid = target.pid().to_string();
    for how in ["noaccess", "invisible", "ptraceable"] {
        let script = format!("mount -t proc -o hidepid={how} proc /proc");
        for (child, words) in
            [(children[1], "does not let itself be read"), (children[2], "another user")]
        {
            let child = child.to_string();
            let finished = case.in_namespace(&script, &["--dump", "-p", &child])?;
            let first = format!("Failed to seize PID {child}: {DENIED}");
            let parts = [first.as_str(), "hidepid", words, "Run as root"];
            finished.expect_error(1, &parts).map_err(|e| format!("hidepid={how}: {e}"))?;
        }
        let finished = sampling_two(&pid, |arguments| case.in_namespace(&script, arguments))?;
        expect_row(&finished, "processes not read, hidden by /proc", "2")?;
        expect_row(&finished, "processes too short to be sampled", "0")?;
        expect_row(&finished, "processes sampled", "2")?;
        let summary = "2 processes could not be read: hidden by /proc. Run as root";
        expect(finished.stderr.contains(summary), || finished.words())?;
    }
    let finished = case.in_namespace(
        "mount -t proc -o hidepid=invisible proc /proc",
        &["--dump", "-p", "4194304"],
    )?;
    finished.expect_error(1, &["Failed to seize PID 4194304: No such process"])?;
    target.end()?;
    Ok(String::new())
}

fn no_proc(case: &Case) -> Outcome<String> {
    let target = Target::start(&case.interpreter, "busy.py", &[])?;
    target.expect("ready")?;
    let pid = target.pid().to_string();
    let script = "mount -t tmpfs none /proc";
    let parts = ["/proc is not mounted", "mount -t proc proc /proc"];
    for options in [&["--dump"][..], &["--subprocesses"], &["-s", "0.1"]] {
        let arguments = [options, &["-p", &pid]].concat();
        case.in_namespace(script, &arguments)?.expect_error(1, &parts)?;
    }
    case.in_namespace(script, &["--name", "busy"])?.expect_error(1, &parts)?;
    target.end()?;
    Ok(String::new())
}

/// In a process namespace of its own, with the `/proc` of another one.
fn foreign_proc(case: &Case) -> Outcome<String> {
    let target = Target::start(&case.interpreter, "busy.py", &[])?;
    target.expect("ready")?;
    let pid = target.pid().to_string();
    let mut unshare = Command::new("unshare");
    unshare.args(["--pid", "--fork", "--kill-child"]).arg(case.binaries.launcher());
    unshare.args(["--dump", "-p", &pid]);
    let finished = run(unshare.env_clear().env("PATH", "/usr/bin:/bin"))?;
    finished.expect_error(1, &["/proc belongs to another process namespace", "mount -t proc"])?;
    target.end()?;
    Ok(String::new())
}
