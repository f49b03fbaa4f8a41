//! `--dump --core`: what a core file of a process says is what the process said, byte for byte,
//! whoever wrote the file; and what is said of one that crashed, was cut off, or lacks its program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::binaries::{Binaries, is_built};
use crate::support::copies::{self, copy, copy_file};
use crate::support::features::{Feature, Shows};
use crate::support::interpreters::{Interpreter, Interpreters, Kind, three};
use crate::support::process::{Finished, run, wait_at_rest, wait_until};
use crate::support::profiler::{attach, command};
use crate::support::runner::Trial;
use crate::support::target::{Target, in_folder, new_file, set_environment};
use crate::support::truth::{difference, parse_dump};
use crate::support::{Context, Outcome, expect, native, targets};

/// How the process is dumped.
const STYLES: [&[&str]; 3] = [&["--dump"], &["--dump", "--verbose"], &["--dump", "--locals"]];

/// What docs/ABIS.md has from here.
pub(crate) const SHOWS: Shows =
    &[(Feature::Cores, "core of a process at rest"), (Feature::CoreLocals, "core with variables")];

pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    // It is the machine's, and not for a test to change.
    let pattern = pattern_of_this_machine();
    let mut trials = Vec::new();
    let mut add = |what: &str, interpreter: &Interpreter, test: Test| {
        let (interpreter, binaries) = (interpreter.clone(), Arc::clone(&binaries));
        let name = format!("{} {what}", interpreter.label);
        let pattern = pattern.clone();
        trials.push(Trial::new(name, move || {
            if let Err(words) = pattern {
                return Ok(format!("not tried: {words}"));
            }
            let profiler = binaries.profiler(interpreter.abi);
            let case = Case { launcher: binaries.launcher(), profiler, interpreter };
            let folder = new_file("folder");
            in_folder(&folder, || test(&case, &folder))
        }));
    };
    for interpreter in interpreters.here.iter().filter(|i| is_built(i.abi)) {
        add("core of a process at rest", interpreter, at_rest);
    }
    let chosen = interpreters.one_per_abi();
    let chosen: Vec<&Interpreter> = chosen.into_iter().filter(|i| is_built(i.abi)).collect();
    for interpreter in &chosen {
        add("core with variables", interpreter, variables);
    }
    for interpreter in three(&chosen) {
        add("core of a crash", interpreter, crash);
        add("core with native frames", interpreter, native_frames);
        add("core that is packed", interpreter, packed);
        add("core that was cut off", interpreter, cut_off);
        add("core of a program that has gone", interpreter, gone);
        if Path::new(GCORE).exists() {
            add("core that gdb has written", interpreter, by_gdb);
        }
    }
    trials
}

/// One whose first page patchelf has made the loader write to, and whose build id is in a page
/// that the kernel leaves out: nothing in a core file proves what file it was.
const PATCHED: &str = "3.7-static";

/// A test with a folder of its own.
type Test = fn(&Case, &Path) -> Outcome<String>;

struct Case {
    interpreter: Interpreter,
    launcher: PathBuf,
    profiler: PathBuf,
}

/// The program of gdb that writes a core file of a process that goes on.
const GCORE: &str = "/usr/bin/gcore";

/// Fails unless the kernel leaves a core file in the folder of the process.
fn pattern_of_this_machine() -> Outcome {
    let file = "/proc/sys/kernel/core_pattern";
    let pattern = fs::read_to_string(file).context(|| file.into())?;
    expect(!pattern.contains(['/', '|']), || {
        format!("kernel.core_pattern is {pattern:?}: core files are not left in the folder")
    })
}

/// A command that leaves a core file in `folder` if it crashes, and begins with `words`.
fn leaving_core(interpreter: &Interpreter, executable: &Path, folder: &Path) -> Outcome<Command> {
    let mut command = Command::new("/bin/sh");
    set_environment(&mut command);
    copies::set_paths(&mut command, interpreter)?;
    command.args(["-c", "ulimit -c unlimited; exec \"$@\"", "sh"]).arg(executable);
    command.current_dir(folder);
    Ok(command)
}

/// A target of this script that leaves a core file.
fn start(case: &Case, folder: &Path, script: &str, arguments: &[&str]) -> Outcome<Target> {
    let mut command = leaving_core(&case.interpreter, &case.interpreter.executable, folder)?;
    command.arg(targets().join(script)).args(arguments);
    Target::start_command(&case.interpreter, &mut command)
}

/// Lets a process end by a signal, and finds its core file.
fn abort(target: Target, folder: &Path) -> Outcome<PathBuf> {
    let pid = target.pid();
    kill(Pid::from_raw(pid as i32), Signal::SIGABRT).context(|| "abort the target".into())?;
    let core = core_in(folder, pid)?;
    drop(target);
    Ok(core)
}

/// The core file that process `pid` has left, when it is complete: the process is a zombie then.
fn core_in(folder: &Path, pid: u32) -> Outcome<PathBuf> {
    wait_until(&format!("process {pid} has left a core file"), || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if !stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z')) {
            return Ok(None);
        }
        let entries = fs::read_dir(folder).context(|| folder.display().to_string())?;
        let is_core = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("core"))
        };
        Ok(entries.flatten().map(|entry| entry.path()).find(is_core))
    })
}

/// Runs a program on a core file.
fn dump(program: &Path, options: &[&str], core: &Path, rest: &[&Path]) -> Outcome<Finished> {
    run(command(program, options).arg("--core").arg(core).args(rest))
}

fn text(bytes: Vec<u8>) -> Outcome<String> {
    String::from_utf8(bytes).context(|| "not UTF-8".into())
}

/// A dump without the line that says that it is of a core file.
fn as_of_process(dump: &str) -> String {
    dump.split_inclusive('\n').filter(|line| !line.starts_with("Core file ")).collect()
}

/// What the process says, alive, in each style, and as JSON.
fn say_alive(case: &Case, pid: u32) -> Outcome<Vec<String>> {
    let json: &[&str] = &["--dump", "--json", "--locals"];
    let styles = STYLES.into_iter().chain([json]);
    styles.map(|options| text(attach(&case.profiler, pid, options)?.clean()?)).collect()
}

/// Holds what a core file says against what the process has said.
fn expect_same(case: &Case, alive: &[String], core: &Path) -> Outcome {
    for (options, alive) in STYLES.iter().zip(alive) {
        let finished = dump(&case.launcher, options, core, &[])?;
        expect(finished.status.success(), || finished.words())?;
        let seen = text(finished.stdout)?;
        expect(as_of_process(&seen) == *alive, || {
            format!("{options:?}, of the core file:\n{seen}\nof the process:\n{alive}")
        })?;
    }
    let seen = json(case, core)?;
    let alive: Value = serde_json::from_str(&alive[STYLES.len()]).context(|| "no JSON".into())?;
    expect(seen["process"] == alive["process"], || seen["process"].to_string())?;
    expect(without_kernels_names(&seen) == without_kernels_names(&alive), || {
        format!("of the core file:\n{seen:#}\nof the process:\n{alive:#}")
    })
}

fn json(case: &Case, core: &Path) -> Outcome<Value> {
    let output = dump(&case.profiler, &["--dump", "--json", "--locals"], core, &[])?.clean()?;
    serde_json::from_slice(&output).context(|| "the dump is not JSON".into())
}

/// The threads, without the name of one that Python has no name for: no core file has it.
fn without_kernels_names(dump: &Value) -> Vec<Value> {
    let mut threads = dump["threads"].as_array().cloned().unwrap_or_default();
    for thread in &mut threads {
        if thread["name"].as_str().is_none_or(|name| name.starts_with("python")) {
            thread["name"] = Value::Null;
        }
    }
    threads
}

/// Several threads, each of which waits for something.
fn at_rest(case: &Case, folder: &Path) -> Outcome<String> {
    let mut target = start(case, folder, "stacks.py", &["-"])?;
    target.expect("ready")?;
    target.begin("threads")?;
    target.next_stop()?.context(|| "it did not stop".into())?;
    // A thread may have been on its way to the place where it waits: it is there by now.
    wait_at_rest(target.pid())?;
    target.tell("a")?;
    let truth = target.next_stop()?.context(|| "it went on".into())?;
    wait_at_rest(target.pid())?;
    let alive = say_alive(case, target.pid())?;
    let (pid, sender) = (target.pid(), std::process::id());
    let core = abort(target, folder)?;
    if case.interpreter.label == PATCHED {
        let refused = dump(&case.profiler, &["--dump"], &core, &[])?;
        let is_told = refused.stderr.contains("python3.7\" cannot be told to be the file");
        expect(!refused.status.success() && is_told, || refused.words())?;
        return Ok("refused by name".to_owned());
    }
    expect_same(case, &alive, &core)?;
    let finished = dump(&case.profiler, &["--dump"], &core, &[])?;
    let ending = format!(": SIGABRT from process {sender}, in the thread with native id {pid}\n");
    expect(finished.stderr.ends_with(&ending), || finished.words())?;
    match difference(&truth.threads, &parse_dump(&finished.stdout)?) {
        None => Ok(format!("{} threads", truth.threads.len())),
        Some(words) => Err(words),
    }
}

/// Every type of value, and names.
fn variables(case: &Case, folder: &Path) -> Outcome<String> {
    let target = start(case, folder, "variables.py", &[])?;
    while target.line()? != "ready" {}
    wait_at_rest(target.pid())?;
    let alive = attach(&case.profiler, target.pid(), &["--dump", "--json", "--locals"])?.clean()?;
    let alive: Value = serde_json::from_slice(&alive).context(|| "no JSON".into())?;
    let seen = json(case, &abort(target, folder)?)?;
    let (seen, alive) = (without_kernels_names(&seen), without_kernels_names(&alive));
    expect(seen == alive, || format!("of the core file:\n{seen:#?}\nalive:\n{alive:#?}"))?;
    Ok(format!("{} threads", seen.len()))
}

/// Native frames in a core file are those of the process.
fn native_frames(case: &Case, folder: &Path) -> Outcome<String> {
    let library = native::stacks_library()?;
    let library = library.to_str().context(|| "UTF-8".into())?;
    let target = start(case, folder, "native_stacks.py", &[library, "wait", "3"])?;
    target.expect("ready")?;
    wait_at_rest(target.pid())?;
    let options = ["--dump", "--verbose", "--native=all"];
    let alive = text(attach(&case.profiler, target.pid(), &options)?.clean()?)?;
    let core = abort(target, folder)?;
    let finished = dump(&case.profiler, &options, &core, &[])?;
    expect(finished.status.success(), || finished.words())?;
    let seen = as_of_process(&text(finished.stdout)?);
    expect(alive.contains("truth_wait"), || alive.clone())?;
    let frames = |dump: &str| {
        let lines = dump.lines().filter(|line| line.starts_with(' '));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    expect(frames(&seen) == frames(&alive), || {
        format!("of the core file:\n{seen}\nof the process:\n{alive}")
    })?;
    Ok(format!("{} frames", frames(&seen).len()))
}

/// A null pointer that C code reads: the header says so, and who it was.
fn crash(case: &Case, folder: &Path) -> Outcome<String> {
    expect(case.interpreter.kind == Kind::Normal, || "it has no ctypes".into())?;
    let code = "import ctypes, threading\ndef fall(address):\n    ctypes.string_at(address)\n\
                thread = threading.Thread(target=fall, args=(8,), name='falling')\n\
                thread.start()\nthread.join()\n";
    let script = folder.join("crash.py");
    fs::write(&script, code).context(|| script.display().to_string())?;
    let mut command = leaving_core(&case.interpreter, &case.interpreter.executable, folder)?;
    let target = Target::start_command(&case.interpreter, command.arg(&script))?;
    let core = core_in(folder, target.pid())?;
    let seen = json(case, &core)?;
    let told = &seen["core"];
    expect(told["signal"] == "SIGSEGV" && told["address"] == 8, || told.to_string())?;
    let threads = seen["threads"].as_array().context(|| "no threads".into())?;
    let fallen = threads.iter().find(|thread| thread["native_id"] == told["native_id"]);
    let fallen = fallen.context(|| format!("no such thread: {seen:#}"))?;
    let is_it = fallen["name"] == "falling" && fallen["state"] == "running";
    expect(is_it, || fallen.to_string())?;
    let functions: Vec<&Value> =
        fallen["frames"].as_array().into_iter().flatten().map(|f| &f["function"]).collect();
    expect(functions.contains(&&Value::from("fall")), || format!("{functions:?}"))?;
    Ok(told.to_string())
}

/// Of half a file there is what there is, and it is said what is missing.
fn cut_off(case: &Case, folder: &Path) -> Outcome<String> {
    let (target, _) = start(case, folder, "stacks.py", &["-"])?.stop()?;
    wait_at_rest(target.pid())?;
    let core = abort(target, folder)?;
    let whole = fs::read(&core).context(|| core.display().to_string())?;
    let (mut dumps, mut refusals) = (0, 0);
    for tenths in 0..10 {
        let part = folder.join("part");
        let length = whole.len() / 10 * tenths;
        fs::write(&part, &whole[..length]).context(|| part.display().to_string())?;
        let finished = dump(&case.launcher, &["--dump", "--verbose"], &part, &[])?;
        let (status, words) = (finished.status, finished.stderr.clone());
        if status.success() {
            dumps += 1;
            let seen = text(finished.stdout)?;
            let is_told =
                seen.contains("it was cut off, and ") && seen.contains(" bytes of memory");
            expect(is_told, || seen.clone())?;
        } else {
            refusals += 1;
            expect(status.code().is_some_and(|code| code < 100), || format!("{status}: {words}"))?;
            expect(words.contains("cut off") || words.contains("not an ELF file"), || words)?;
        }
    }
    Ok(format!("{dumps} dumps, {refusals} refusals"))
}

/// Through a pipe, and packed, and both.
fn packed(case: &Case, folder: &Path) -> Outcome<String> {
    let (target, _) = start(case, folder, "stacks.py", &["-"])?.stop()?;
    wait_at_rest(target.pid())?;
    let core = abort(target, folder)?;
    let expected = dump(&case.launcher, &["--dump"], &core, &[])?.stdout;
    let whole = fs::read(&core).context(|| core.display().to_string())?;
    let small = zstd::encode_all(whole.as_slice(), 1).context(|| "pack it".into())?;
    let packed = folder.join("packed.zst");
    fs::write(&packed, &small).context(|| packed.display().to_string())?;
    let finished = dump(&case.launcher, &["--dump"], &packed, &[])?;
    expect(finished.stdout == expected && !expected.is_empty(), || finished.words())?;
    for (program, file) in [(&case.launcher, &core), (&case.profiler, &packed)] {
        let file = fs::File::open(file).context(|| file.display().to_string())?;
        let mut cat = Command::new("cat");
        let mut cat = cat.stdin(file).stdout(std::process::Stdio::piped()).spawn();
        let cat = cat.as_mut().map_err(|error| error.to_string())?;
        let pipe = cat.stdout.take().context(|| "no pipe".into())?;
        let mut command = command(program, &["--dump", "--core", "-"]);
        let output = command.stdin(pipe).output().context(|| "read from a pipe".into())?;
        cat.wait().context(|| "cat".into())?;
        expect(output.stdout == expected, || String::from_utf8_lossy(&output.stderr).into())?;
    }
    Ok(format!("{} of {} bytes", small.len(), whole.len()))
}

/// The program has another place, or there is another one in its place.
fn gone(case: &Case, folder: &Path) -> Outcome<String> {
    let name = case.interpreter.executable.file_name().context(|| "no name".into())?;
    let name = name.to_string_lossy();
    let executable = copy(&case.interpreter.executable, &folder.join("bin"), &name)?;
    let mut command = leaving_core(&case.interpreter, &executable, folder)?;
    // Its standard library is where it was.
    let original = case.interpreter.executable.parent().and_then(Path::parent);
    command.env("PYTHONHOME", original.context(|| "no folder".into())?);
    command.arg(targets().join("stacks.py")).arg("-");
    let (target, truth) = Target::start_command(&case.interpreter, &mut command)?.stop()?;
    wait_at_rest(target.pid())?;
    let core = abort(target, folder)?;
    let moved = folder.join("moved");
    fs::rename(&executable, &moved).context(|| "move the program".into())?;
    let is_needed = !case.interpreter.shared;
    let finished = dump(&case.profiler, &["--dump"], &core, &[])?;
    expect(finished.status.success() != is_needed, || finished.words())?;
    if is_needed {
        let words = format!("\"{}\" is not there", executable.display());
        expect(finished.stderr.contains(&words), || finished.words())?;
    }
    copy_file(Path::new("/bin/sh"), &executable)?;
    let finished = dump(&case.profiler, &["--dump"], &core, &[])?;
    expect(finished.status.success() != is_needed, || finished.words())?;
    if is_needed {
        let words = format!("\"{}\" is another file", executable.display());
        expect(finished.stderr.contains(&words), || finished.words())?;
    }
    let finished = dump(&case.launcher, &["--dump"], &core, &[&moved])?;
    expect(finished.status.success(), || finished.words())?;
    match difference(&truth.threads, &parse_dump(&finished.stdout)?) {
        None => Ok(if is_needed { "refused by name" } else { "the library is enough" }.into()),
        Some(words) => Err(words),
    }
}

/// The process goes on, so there is no signal.
fn by_gdb(case: &Case, folder: &Path) -> Outcome<String> {
    let (target, _) = start(case, folder, "stacks.py", &["-"])?.stop()?;
    let pid = target.pid();
    wait_at_rest(pid)?;
    let alive = say_alive(case, pid)?;
    let prefix = folder.join("gdb");
    let output = Command::new(GCORE).arg("-o").arg(&prefix).arg(pid.to_string()).output();
    let output = output.context(|| GCORE.into())?;
    let core = folder.join(format!("gdb.{pid}"));
    expect(core.exists(), || String::from_utf8_lossy(&output.stderr).into_owned())?;
    expect_same(case, &alive, &core)?;
    let head = text(dump(&case.profiler, &["--dump", "--verbose"], &core, &[])?.stdout)?;
    expect(head.contains(": no signal has ended the process\n"), || head)?;
    target.end()?;
    Ok("as the process".to_owned())
}
