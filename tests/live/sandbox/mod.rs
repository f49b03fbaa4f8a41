//! What a run gives up before the first sample: capabilities, new privileges, system calls. Each
//! way to run is looked at from outside, by `/proc/PID/task/TID/status` of every thread, and what
//! it writes is compared with what a run writes that keeps everything.

mod kernel;
mod outputs;

use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::binaries::Binaries;
use crate::support::features::Shows;
use crate::support::interpreters::{Interpreter, Interpreters};
use crate::support::process::{
    Guard, Running, expect_left_alone, run, status_line, wait_until, wait_until_it_works,
};
use crate::support::profiler::{Profile, attach, command, may_use_kernel, start_sampling};
use crate::support::runner::Trial;
use crate::support::target::{Target, in_folder, new_file};
use crate::support::terminal::Terminal;
use crate::support::{Context, Outcome, expect, with_more_time};

/// Capabilities, as bits (include/uapi/linux/capability.h).
const DAC_READ_SEARCH: u64 = 1 << 2;
const KILL: u64 = 1 << 5;
const SYS_PTRACE: u64 = 1 << 19;
const PERFMON_AND_BPF: u64 = 1 << 38 | 1 << 39;
const CHECKPOINT_RESTORE: u64 = 1 << 40;

/// What reading takes, and no more.
const READS: u64 = DAC_READ_SEARCH | SYS_PTRACE | CHECKPOINT_RESTORE;

/// Nobody's user id.
const NOBODY: u32 = 65534;

/// What a test gets to work with.
struct Case {
    interpreter: Interpreter,
    binaries: Binaries,
    /// A folder of its own, which everybody may enter.
    folder: PathBuf,
}

type Test = fn(&Case) -> Outcome<String>;

const TESTS: [(&str, Test); 11] = [
    ("every engine", every_engine),
    ("all that is kept", everything_kept),
    ("every output", outputs::every_output),
    ("windows and snapshots", outputs::windows_and_snapshots),
    ("a program that executes itself", executes_itself),
    ("dumps", dumps),
    ("a command of two Pythons", command_of_two),
    ("a tree", tree),
    ("the live view", live_view),
    ("nothing stays in the kernel", nothing_stays),
    ("rights of the file", rights_of_the_file),
];

/// docs/ABIS.md has nothing from here.
pub(crate) const SHOWS: Shows = &[];

/// What is given up does not depend on the version, so one of each way to build is enough.
pub(crate) fn trials(interpreters: Interpreters, _: Arc<Binaries>) -> Vec<Trial> {
    let trial = |interpreter: &Interpreter, (name, test): (&str, Test)| {
        let interpreter = interpreter.clone();
        let title = format!("{} sandbox: {name}", interpreter.label);
        Trial::new(title, move || {
            let folder = new_file("sandbox");
            in_folder(&folder, || {
                let abi = interpreter.abi;
                let binaries = Binaries::install_in(&folder.join("bin"), |wanted| wanted == abi)?;
                test(&Case { interpreter, binaries, folder: folder.clone() })
            })
        })
    };
    let of = |interpreter| TESTS.map(|test| trial(interpreter, test));
    interpreters.three_of_python_3().into_iter().flat_map(of).collect()
}

impl Case {
    fn profiler(&self) -> PathBuf {
        self.binaries.profiler(self.interpreter.abi)
    }

    fn busy(&self) -> Outcome<Target> {
        let target = Target::start(&self.interpreter, "busy.py", &[])?;
        target.expect("ready")?;
        Ok(target)
    }
}

fn bits(text: &str) -> Outcome<u64> {
    u64::from_str_radix(text, 16).context(|| text.to_owned())
}

/// What this test has, and so what it starts.
fn own(name: &str) -> Outcome<String> {
    status_line(std::process::id(), name)
}

/// What may be kept: without `CAP_SYS_PTRACE`, all that the process has too.
fn allowed(more: u64) -> Outcome<u64> {
    let own = bits(&own("CapEff")?)?;
    Ok(if own & SYS_PTRACE != 0 { READS | more } else { own })
}

/// Fails unless every thread of a process has given up all but `READS` and `more`.
fn expect_confined(pid: u32, more: u64) -> Outcome {
    let allowed = allowed(more)?;
    wait_until("it is confined", || {
        let is_so = status_line(pid, "NoNewPrivs")? == "1" && status_line(pid, "Seccomp")? == "2";
        Ok(is_so.then_some(()))
    })?;
    let tasks = format!("/proc/{pid}/task");
    for task in fs::read_dir(&tasks).context(|| tasks.clone())?.flatten() {
        let path = task.path().join("status");
        let Ok(text) = fs::read_to_string(&path) else { continue }; // It has ended.
        let line = |name: &str| {
            let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
            line.unwrap_or_default().trim().to_owned()
        };
        let is_so = line("NoNewPrivs") == "1"
            && line("Seccomp") == "2"
            && bits(&line("CapEff"))? & !allowed == 0
            && bits(&line("CapPrm"))? & !allowed == 0;
        expect(is_so, || format!("{} has {allowed:x} and more: {text}", path.display()))?;
    }
    Ok(())
}

/// Fails unless a process has what this test has.
fn expect_unconfined(pid: u32) -> Outcome {
    for name in ["NoNewPrivs", "Seccomp", "CapEff", "CapPrm"] {
        let (found, own) = (status_line(pid, name)?, own(name)?);
        expect(found == own, || format!("{name} of {pid}: {found} instead of {own}"))?;
    }
    Ok(())
}

fn interrupt(running: &Running) -> Outcome {
    kill(Pid::from_raw(running.pid() as i32), Signal::SIGINT).context(|| "SIGINT".into())
}

fn every_engine(case: &Case) -> Outcome<String> {
    let target = case.busy()?;
    let ways: [(&[&str], u64); 7] = [
        (&[], PERFMON_AND_BPF),
        (&["-L"], PERFMON_AND_BPF),
        (&["--pause", "never"], PERFMON_AND_BPF),
        (&["--engine", "stop"], 0),
        (&["--engine", "stop", "--pause", "always", "--idle"], 0),
        (&["--engine", "read", "--pause", "never"], 0),
        (&["--engine", "read", "-r", "0"], 0),
    ];
    for (options, more) in ways {
        let pid = target.pid().to_string();
        let arguments = [&["-s", "3600", "-r", "0.002", "-p", &pid], options].concat();
        let running = Running::start(&mut command(&case.profiler(), &arguments), false)?;
        expect_confined(running.pid(), more).map_err(|e| format!("{options:?}: {e}"))?;
        wait_until_it_works(running.pid())?;
        interrupt(&running)?;
        let profile = Profile::parse(&running.finish()?.clean()?, true)?;
        expect(profile.samples_in("leaf") > 0, || format!("{options:?}: {profile:?}"))?;
        expect_left_alone(target.pid())?;
    }
    target.end()?;
    Ok(String::new())
}

fn everything_kept(case: &Case) -> Outcome<String> {
    let target = case.busy()?;
    let running = start_sampling(&case.profiler(), target.pid(), &["--no-sandbox", "-r", "0.002"])?;
    expect_unconfined(running.pid())?;
    interrupt(&running)?;
    running.finish()?.clean()?;
    let pid = target.pid().to_string();
    let said = run(&mut command(&case.binaries.launcher(), &["check", &pid]))?.clean()?;
    let said = String::from_utf8_lossy(&said).into_owned();
    let line = said.lines().find(|line| line.contains(" sandbox ")).unwrap_or_default();
    expect(line.contains("no_new_privs; system calls are filtered"), || said.clone())?;
    target.end()?;
    Ok(line.trim().to_owned())
}

/// What it executes then is attached to by who has given up the rest already.
fn executes_itself(case: &Case) -> Outcome<String> {
    let code = "import os, sys, time\n\
                def first():\n    \
                    while time.time() < end: pass\n\
                def second():\n    \
                    while time.time() < end: pass\n\
                end = time.time() + 1.5\n\
                if len(sys.argv) > 1: second()\n\
                else:\n    \
                    print('ready', flush=True); first()\n    \
                    os.execv(sys.executable, [sys.executable, __file__, 'again'])\n";
    let program = case.folder.join("again.py");
    fs::write(&program, code).context(|| "again.py".into())?;
    let mut seen = Vec::new();
    for options in [&["--engine", "auto"][..], &["--engine", "stop"], &["--pause", "never"]] {
        let mut python = Command::new(&case.interpreter.executable);
        let target = Target::start_command(&case.interpreter, python.arg(&program))?;
        target.expect("ready")?;
        let options = [options, &["-s", "20"]].concat();
        let finished = attach(&case.profiler(), target.pid(), &options)?;
        let profile = Profile::parse(&finished.clean()?, true)?;
        let second = profile.samples_in("second");
        expect(second > 0, || format!("{options:?}: {profile:?}"))?;
        seen.push(second.to_string());
    }
    Ok(format!("samples after that: {}", seen.join(", ")))
}

/// A dump is over at once, so it is looked at while nobody takes what it writes.
fn dumps(case: &Case) -> Outcome<String> {
    let (target, _) = Target::at_rest(&case.interpreter)?;
    let pid = target.pid();
    for options in [&["--dump"][..], &["--dump", "--locals", "--verbose"]] {
        let confined = attach(&case.profiler(), pid, options)?.clean()?;
        let free = [options, &["--no-sandbox"]].concat();
        expect(confined == attach(&case.profiler(), pid, &free)?.clean()?, || "it differs".into())?;
    }
    for (options, is_free) in
        [(&[][..], false), (&["--pause", "never"], false), (&["--no-sandbox"], true)]
    {
        let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC).context(|| "pipe".into())?;
        fill(&write)?;
        let pid = pid.to_string();
        let arguments = [options, &["--dump", "-p", &pid]].concat();
        let mut dumping = command(&case.profiler(), &arguments);
        let mut dumping = Guard::spawn(dumping.stdout(Stdio::from(write)).stdin(Stdio::null()))?;
        let writes = if cfg!(target_arch = "x86_64") { "1 0x1 " } else { "64 0x1 " };
        wait_until("the dump is written", || {
            let call = fs::read_to_string(format!("/proc/{}/syscall", dumping.pid()));
            Ok(call.unwrap_or_default().starts_with(writes).then_some(()))
        })?;
        let found = if is_free {
            expect_unconfined(dumping.pid())
        } else {
            expect_confined(dumping.pid(), 0)
        };
        found.map_err(|e| format!("{options:?}: {e}"))?;
        drop(read); // Who wrote has been told that nobody reads.
        dumping.wait("the dump")?;
    }
    drop(target);
    Ok(String::new())
}

/// Fills a pipe, so that the next who writes to it waits.
fn fill(pipe: &impl AsFd) -> Outcome {
    let set = |flags| fcntl(pipe.as_fd(), FcntlArg::F_SETFL(flags)).context(|| "fcntl".into());
    set(OFlag::O_NONBLOCK)?;
    while nix::unistd::write(pipe, &[b' '; 4096]).is_ok() {}
    set(OFlag::empty())?;
    expect(pipe.as_fd().as_raw_fd() > 2, || "it is a standard stream".into())
}

/// The command has all that it would have by itself, and the next profiler what it needs.
fn command_of_two(case: &Case) -> Outcome<String> {
    let code = "import sys, time\n\
                with open('/proc/self/status') as status:\n    \
                    lines = [l for l in status\n             \
                             if l.startswith(('NoNewPrivs', 'Seccomp:', 'CapEff'))]\n\
                sys.stdout.write(''.join(lines)); sys.stdout.flush()\n\
                end = time.time() + float(sys.argv[2])\n\
                def first():\n    \
                    while time.time() < end: pass\n\
                def second():\n    \
                    while time.time() < end: pass\n\
                first() if sys.argv[1] == '1' else second()\n";
    let program = case.folder.join("two.py");
    fs::write(&program, code).context(|| "two.py".into())?;
    let python = case.interpreter.executable.display().to_string();
    let status = |name: &str| Ok::<_, String>(format!("{name}:\t{}\n", own(name)?));
    let expected = [status("CapEff")?, status("NoNewPrivs")?, status("Seccomp")?].concat();
    let run = |options: &[&str], time: &str| {
        let (two, each) = (program.display(), "for i in 1 2; do");
        let script = format!("{each} '{python}' '{two}' $i {time}; done");
        let file = case.folder.join("command.folded");
        let name = file.display().to_string();
        let arguments = [options, &["-o", &name, "-t", "sh", "-c", &script]].concat();
        let mut run = command(&case.binaries.launcher(), &arguments);
        let running = Running::start(&mut run, false)?;
        let more = if options.is_empty() { PERFMON_AND_BPF | KILL } else { KILL };
        expect_confined(running.pid(), more)?;
        let output = running.finish()?.clean()?;
        let output = String::from_utf8_lossy(&output).into_owned();
        expect(output == expected.repeat(2), || format!("{output} instead of {expected}"))?;
        let text = fs::read(&file).context(|| name)?;
        let profile = Profile::parse(&text, true)?;
        let samples = ["first", "second"].map(|name| profile.samples_in(name));
        let is_seen = samples.iter().all(|count| *count > 0);
        Ok(if is_seen { Ok(()) } else { Err(format!("{samples:?}: {profile:?}")) })
    };
    for options in [&[][..], &["--pause", "never", "--engine", "read"]] {
        with_more_time(&["2", "8"], |time| run(options, time))?;
    }
    Ok(String::new())
}

/// Those that sample are confined, each by itself; who starts them is not.
fn tree(case: &Case) -> Outcome<String> {
    let target = case.busy()?;
    let (launcher, pid) = (case.binaries.launcher(), target.pid().to_string());
    let run = |options: &[&str], time: &str| {
        let arguments = ["-s", time, "-p", &pid, "--subprocesses", "-r", "0.002"];
        let arguments = [&arguments[..], options].concat();
        let running = Running::start(&mut command(&launcher, &arguments), false)?;
        let member = wait_until("a process is sampled", || first_child(running.pid()))?;
        wait_until_it_works(member)?;
        expect_unconfined(running.pid())?;
        if options.is_empty() {
            expect_confined(member, PERFMON_AND_BPF)?;
        } else {
            expect_unconfined(member)?;
        }
        let text = String::from_utf8_lossy(&running.finish()?.clean()?).into_owned();
        let is_sampled = text.contains(":leaf:");
        Ok(if is_sampled { Ok(()) } else { Err(text) })
    };
    for options in [&[][..], &["--no-sandbox"]] {
        with_more_time(&["1", "4"], |time| run(options, time))?;
    }
    target.end()?;
    Ok(String::new())
}

fn first_child(pid: u32) -> Outcome<Option<u32>> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let threads = fs::read_dir(format!("/proc/{pid}/task")).context(|| "task".into())?;
    let of_threads = threads
        .flatten()
        .map(|task| fs::read_to_string(task.path().join("children")).unwrap_or_default());
    let all = list + &of_threads.collect::<String>();
    Ok(all.split_whitespace().find_map(|pid| pid.parse().ok()))
}

fn live_view(case: &Case) -> Outcome<String> {
    let target = case.busy()?;
    let terminal = Terminal::prepare()?;
    let (launcher, pid) = (case.binaries.launcher(), target.pid());
    let script = format!(
        "cd '{}'; sh -c 'echo $$ >pid; exec {} top -p {pid}'; echo left $?; exec cat",
        terminal.folder.display(),
        launcher.display(),
    );
    terminal.run(&script)?;
    terminal.wait_for("leaf (")?;
    let own = terminal.read("pid")?;
    let own = own.trim().parse().context(|| own.clone())?;
    let profiler = first_child(own)?.context(|| "it has no profiler".into())?;
    expect_confined(profiler, PERFMON_AND_BPF)?;
    expect_unconfined(own)?;
    terminal.press("q")?;
    terminal.wait_for("left 0")?;
    target.end()?;
    Ok(String::new())
}

fn nothing_stays(case: &Case) -> Outcome<String> {
    if !may_use_kernel() {
        return Ok("not tried: the kernel's engine may not be used here".into());
    }
    let target = case.busy()?;
    let options = ["--engine", "kernel", "-r", "0.002"];
    let running = start_sampling(&case.profiler(), target.pid(), &options)?;
    let of = |kind| kernel::ids(running.pid(), kind);
    let programs = wait_until("its program is loaded", || {
        Ok(Some(of("prog_id")?).filter(|programs| !programs.is_empty()))
    })?;
    let maps = of("map_id")?;
    expect(!maps.is_empty(), || "there is no map".into())?;
    for id in &programs {
        expect(kernel::has_program(*id)?, || format!("program {id} is not there"))?;
    }
    kill(Pid::from_raw(running.pid() as i32), Signal::SIGKILL).context(|| "SIGKILL".into())?;
    running.finish()?;
    wait_until("its programs and maps are gone", || {
        for id in &programs {
            if kernel::has_program(*id)? {
                return Ok(None);
            }
        }
        for id in &maps {
            if kernel::has_map(*id)? {
                return Ok(None);
            }
        }
        Ok(Some(()))
    })?;
    target.end()?;
    Ok(format!("{} programs, {} maps", programs.len(), maps.len()))
}

fn as_nobody(command: &mut Command) -> &mut Command {
    command.uid(NOBODY).gid(NOBODY).current_dir("/")
}

/// A program with `cap_sys_ptrace+ep` reads no more than its caller could, unless it is told to.
fn rights_of_the_file(case: &Case) -> Outcome<String> {
    if bits(&own("CapEff")?)? & (1 << 31) == 0 {
        return Ok("not tried: only root can give a file capabilities".into());
    }
    let code = "import os, struct, sys\n\
                value = struct.pack('<5I', 0x02000001, 1 << 19, 0, 0, 0)\n\
                for name in sys.argv[1:]: os.setxattr(name, 'security.capability', value)";
    let programs = [case.binaries.launcher(), case.profiler()];
    let mut python = Command::new(&case.interpreter.executable);
    run(python.arg("-c").arg(code).args(&programs))?.clean()?;
    let roots = case.busy()?;
    let pid = roots.pid().to_string();
    for program in &programs {
        let look = |options: &[&str]| {
            let arguments = [options, &["--dump", "-p", &pid]].concat();
            run(as_nobody(&mut command(program, &arguments)))
        };
        let parts = ["Operation not permitted", "another user (uid 0)", "--as-capable"];
        look(&[])?.expect_error(1, &parts)?;
        let seen = look(&["--as-capable"])?.clean()?;
        expect(String::from_utf8_lossy(&seen).contains("busy.py"), || "no dump".into())?;
    }
    let check = |options: &[&str]| {
        let arguments = [&["check"], options, &[&pid]].concat();
        run(as_nobody(&mut command(&programs[0], &arguments)))
    };
    expect(!check(&[])?.status.success(), || "it could be read".into())?;
    check(&["--as-capable"])?.clean()?;
    // What the caller could read needs no right.
    let mut sleeper = Command::new("/bin/sleep");
    let own = Guard::spawn(as_nobody(sleeper.arg("1000")))?;
    let pid = own.pid().to_string();
    let finished = run(as_nobody(&mut command(&programs[0], &["--dump", "-p", &pid])))?;
    expect(!finished.stderr.contains("not permitted"), || finished.words())?;
    roots.end()?;
    Ok(String::new())
}
