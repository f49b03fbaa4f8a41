//! Interpreters in unusual places: their files deleted or replaced since they
//! started, in other namespaces, started by the dynamic loader, loaded at run
//! time by a program that is not Python, or two in one process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::{fs, os::unix::process::CommandExt};

use crate::support::binaries::{Binaries, is_built};
use crate::support::copies::{copy, libpython, loader, replace, set_paths};
use crate::support::features::{Feature, Shows};
use crate::support::interpreters::{Interpreter, Interpreters, Kind};
use crate::support::process::{status_line, wait_at_rest, wait_until};
use crate::support::profiler::{Profile, attach, expect_dump};
use crate::support::runner::Trial;
use crate::support::target::{Target, in_folder, new_file, set_environment};
use crate::support::{Context, Outcome, copies, expect, native, targets, with_more_time};

/// What a test gets to work with.
struct Case {
    interpreter: Interpreter,
    /// An interpreter of another version, for decoys.
    other: Interpreter,
    /// A shared one of another version that can be in the same process.
    companion: Option<Interpreter>,
    binaries: Arc<Binaries>,
    /// A folder of its own.
    folder: PathBuf,
}

type Test = fn(&Case) -> Outcome<String>;

/// For every release build.
const OF_EXECUTABLES: [(&str, Test); 6] = [
    ("executable deleted", executable_deleted),
    ("executable replaced by another version", executable_replaced),
    ("started by the dynamic loader", started_by_the_loader),
    ("in another mount namespace", other_mount_namespace),
    ("in a changed root", changed_root),
    ("in another process namespace", other_process_namespace),
];

/// For every shared release build.
const OF_LIBRARIES: [(&str, Test); 7] = [
    ("library deleted", library_deleted),
    ("library replaced by another version", library_replaced),
    ("library in another mount namespace", library_in_other_mount_namespace),
    ("library loaded under another name", library_loaded_at_run_time),
    ("loader of a bundled program", bundled),
    ("two interpreters in one process", two_interpreters),
    ("two interpreters of one version", two_of_one_version),
];

/// What docs/ABIS.md has from here.
pub(crate) const SHOWS: Shows = &[
    (Feature::Replaced, "executable replaced by another version"),
    (Feature::Containers, "in another mount namespace"),
];

pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    let mut trials = Vec::new();
    let normal: Vec<&Interpreter> =
        interpreters.here.iter().filter(|i| i.kind == Kind::Normal && is_built(i.abi)).collect();
    for interpreter in &normal {
        let decoy = |o: &&&Interpreter| o.abi != interpreter.abi && o.shared == interpreter.shared;
        let Some(other) = normal.iter().find(decoy) else { continue };
        // Python 2.7 does not stand another one beside it.
        let fits = |o: &&&Interpreter| o.shared && o.abi != interpreter.abi && o.abi != "2.7";
        let companion = normal.iter().find(fits).map(|companion| (*companion).clone());
        let of_libraries = OF_LIBRARIES.iter().filter(|_| interpreter.shared);
        for (name, test) in OF_EXECUTABLES.iter().chain(of_libraries) {
            let case = Case {
                interpreter: (*interpreter).clone(),
                other: (*other).clone(),
                companion: companion.clone(),
                binaries: Arc::clone(&binaries),
                folder: new_file("processes"),
            };
            let name = format!("{} {name}", interpreter.label);
            trials.push(Trial::new(name, move || in_folder(&case.folder, || test(&case))));
        }
    }
    trials
}

impl Case {
    /// Starts a command that becomes `stacks.py`, lets something happen to its
    /// files while it is at rest, and holds the dumps against its truth.
    fn check(&self, command: &mut Command, then: impl FnOnce() -> Outcome) -> Outcome<String> {
        let (target, truth) = Target::start_command(&self.interpreter, command)?.stop()?;
        wait_at_rest(target.pid())?;
        then()?;
        let own = self.binaries.profiler(self.interpreter.abi);
        expect_dump(&[&own, &self.binaries.launcher()], target.pid(), &truth)?;
        Ok(String::new())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn copied_executable(&self) -> Outcome<PathBuf> {
        copy(&self.interpreter.executable, &self.folder, "python")
    }

    /// The interpreter with a copy of its library, which it loads first.
    fn with_copied_library(&self) -> Outcome<(Command, PathBuf)> {
        let library = libpython(&self.interpreter)?;
        let name = library.file_name().and_then(|n| n.to_str()).context(|| "a name".into())?;
        let copied = copy(&library, &self.folder, name)?;
        let mut command = copies::command(&self.interpreter, &self.interpreter.executable)?;
        command.env("LD_PRELOAD", &copied);
        Ok((command, copied))
    }
}

fn executable_deleted(case: &Case) -> Outcome<String> {
    let copied = case.copied_executable()?;
    let mut command = copies::command(&case.interpreter, &copied)?;
    case.check(&mut command, || fs::remove_file(&copied).context(|| "delete it".into()))
}

fn executable_replaced(case: &Case) -> Outcome<String> {
    let copied = case.copied_executable()?;
    let mut command = copies::command(&case.interpreter, &copied)?;
    case.check(&mut command, || replace(&copied, &case.other.executable))?;
    Ok(format!("by {}", case.other.label))
}

/// The executable of such a process is the loader.
fn started_by_the_loader(case: &Case) -> Outcome<String> {
    let loader = loader(&case.interpreter.executable)?;
    let mut command = Command::new(&loader);
    set_paths(&mut command, &case.interpreter)?;
    command.arg(&case.interpreter.executable).arg(targets().join("stacks.py")).arg("-");
    case.check(&mut command, || Ok(()))?;
    Ok(loader)
}

fn library_deleted(case: &Case) -> Outcome<String> {
    let (mut command, copied) = case.with_copied_library()?;
    case.check(&mut command, || fs::remove_file(&copied).context(|| "delete it".into()))
}

fn library_replaced(case: &Case) -> Outcome<String> {
    let (mut command, copied) = case.with_copied_library()?;
    let other = libpython(&case.other)?;
    case.check(&mut command, || replace(&copied, &other))?;
    Ok(format!("by {}", case.other.label))
}

/// A command that is not Python, and loads it from a file whose name says nothing.
fn embedding(case: &Case, options: &[&str], script: &str) -> Outcome<Command> {
    let program = native::compile("embed.c", "embed", &["-ldl"])?;
    let library = copy(&libpython(&case.interpreter)?, &case.folder, "plugin.bin")?;
    let home = case.interpreter.executable.ancestors().nth(2);
    let home = home.context(|| "no folder".into())?;
    // By the interpreter's own loader, which has the libraries that it needs.
    let mut command = Command::new(loader(&case.interpreter.executable)?);
    let folder = libpython(&case.interpreter)?;
    let folder = folder.parent().context(|| "no folder".into())?;
    set_environment(&mut command);
    command.env("LD_LIBRARY_PATH", folder);
    command.arg(program).args(options).arg(library).arg(home).arg(targets().join(script));
    Ok(command)
}

fn library_loaded_at_run_time(case: &Case) -> Outcome<String> {
    case.check(embedding(case, &[], "stacks.py")?.arg("-"), || Ok(()))
}

/// As PyInstaller makes it: the program starts itself again, and only that one loads Python.
/// Alone, the first is refused with the name of the other. In a tree, it is no Python.
fn bundled(case: &Case) -> Outcome<String> {
    let mut command = embedding(case, &["--below"], "busy.py")?;
    let target = Target::start_command(&case.interpreter, &mut command)?;
    target.expect("ready")?;
    let pid = target.pid();
    let child = child_of(pid)?;
    let names = format!("Process {child}, which it has started, runs CPython");
    let refused = format!("process {pid} (");
    let parts = [refused.as_str(), "does not run CPython", &names, &case.interpreter.version];
    for profiler in [case.binaries.launcher(), case.binaries.profiler(case.interpreter.abi)] {
        attach(&profiler, pid, &["--dump"])?.expect_error(1, &parts)?;
    }
    let launcher = case.binaries.launcher();
    let tree = with_more_time(&["1.5", "6"], |time| {
        let tree = attach(&launcher, pid, &["--subprocesses", "--stats", "-s", time])?;
        let is_little = tree.stderr.contains("no process could be") || tree.stdout.is_empty();
        Ok(if is_little { Err(tree.words()) } else { Ok(tree) })
    })?;
    expect(tree.status.success(), || tree.words())?;
    let row = |name: &str, count: u32| tree.stderr.contains(&format!("{name}: {count}\n"));
    let counts = row("processes sampled", 1) && row("processes not Python", 1);
    expect(counts && !tree.stderr.contains("does not run"), || tree.words())?;
    let text = String::from_utf8_lossy(&tree.stdout).into_owned();
    let is_child = |line: &str| line.starts_with(&format!("process {child} ("));
    let stacks = text.lines().filter(|line| !line.starts_with("(idle)"));
    expect(stacks.clone().count() > 0 && stacks.clone().all(is_child), || text.clone())?;
    target.end()?;
    Ok(String::new())
}

/// The child of a process that has one.
fn child_of(pid: u32) -> Outcome<u32> {
    wait_until("a process has a child", || {
        let path = format!("/proc/{pid}/task/{pid}/children");
        let children = fs::read_to_string(&path).context(|| path.clone())?;
        Ok(children.split_whitespace().next().and_then(|pid| pid.parse().ok()))
    })
}

/// A program of two interpreters, the second of which is in this library.
fn with_another(case: &Case, library: &Path, home: &Interpreter) -> Outcome<Target> {
    let home = home.executable.ancestors().nth(2).context(|| "no folder".into())?;
    let arguments = [library, home].map(|path| path.display().to_string());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let target = Target::start(&case.interpreter, "two_pythons.py", &arguments)?;
    target.expect("ready")?;
    Ok(target)
}

/// The profile of it must be of this function only, and all must be listed.
fn expect_one_of_two(
    profiler: &Path,
    target: &Target,
    options: &[&str],
    function: &str,
    listed: &[&str],
) -> Outcome {
    let finished = attach(profiler, target.pid(), &[&["-s", "0.5"], options].concat())?;
    expect(finished.status.success(), || finished.words())?;
    let head = format!("process {} has 2 Python interpreters:", target.pid());
    let says = |words: &str| finished.stderr.contains(words);
    expect(says(&head) && listed.iter().all(|words| says(words)), || finished.words())?;
    let profile = Profile::parse(&finished.stdout, true)?;
    let (first, second) = (profile.samples_with("in_first"), profile.samples_with("in_second"));
    let (own, other) = if function == "in_first" { (first, second) } else { (second, first) };
    expect(own > 0 && other == 0, || format!("{options:?}: {profile:?}"))
}

/// The one that the program is linked to is taken, unless another one is asked for.
fn two_interpreters(case: &Case) -> Outcome<String> {
    let Some(companion) = &case.companion else { return Ok("there is no other one".into()) };
    if case.interpreter.abi == "2.7" {
        return Ok("not tried: 2.7 does not stand another one beside it".into());
    }
    // Under a name that says nothing.
    let library = copy(&libpython(companion)?, &case.folder, "plugin.bin")?;
    let target = with_another(case, &library, companion)?;
    let (own, other) = (case.interpreter.abi, companion.abi);
    let linked = format!("CPython {} (", case.interpreter.version);
    let loaded = format!("CPython {} ({})", companion.version, library.display());
    let number = |abi: &str| abi.replace('.', "");
    let launcher = case.binaries.launcher();
    let take_other = format!("{loaded}: --abi {} takes this one", number(other));
    let listed = [linked.as_str(), "which its program is linked to: this one is read", &take_other];
    expect_one_of_two(&launcher, &target, &[], "in_first", &listed)?;
    expect_one_of_two(&case.binaries.profiler(own), &target, &[], "in_first", &listed)?;
    let take_own = format!("is linked to: --abi {} takes this one", number(own));
    let read = format!("{loaded}: this one is read");
    let listed = [linked.as_str(), &take_own, &read];
    expect_one_of_two(&launcher, &target, &["--abi", &number(other)], "in_second", &listed)?;
    expect_one_of_two(&case.binaries.profiler(other), &target, &[], "in_second", &listed)?;
    expect_dump_of_second(&case.binaries.profiler(other), target.pid())?;
    target.end()?;
    Ok(format!("with {}", companion.label))
}

/// Every dump is of the second interpreter alone. Between two calls it is in its module only.
fn expect_dump_of_second(profiler: &Path, pid: u32) -> Outcome {
    wait_until("a dump shows in_second", || {
        let dump = attach(profiler, pid, &["--dump"])?;
        let text = String::from_utf8_lossy(&dump.stdout).into_owned();
        let is_of_second = text.contains("<module>") && !text.contains("in_first");
        expect(dump.status.success() && is_of_second, || dump.words())?;
        Ok(text.contains("in_second").then_some(()))
    })
}

fn two_of_one_version(case: &Case) -> Outcome<String> {
    if matches!(case.interpreter.abi, "2.7" | "3.11") {
        return Ok("not tried: two of this version end each other".into());
    }
    let library = copy(&libpython(&case.interpreter)?, &case.folder, "plugin.bin")?;
    let target = with_another(case, &library, &case.interpreter)?;
    let loaded = format!("CPython {} ({})", case.interpreter.version, library.display());
    let loaded = format!("{loaded}: not read; none of the same version can be chosen");
    let listed = ["which its program is linked to: this one is read", &loaded];
    for profiler in [case.binaries.launcher(), case.binaries.profiler(case.interpreter.abi)] {
        expect_one_of_two(&profiler, &target, &[], "in_first", &listed)?;
    }
    target.end()?;
    Ok(String::new())
}

/// Says why a test that needs root is not run, if this is not root.
fn without_root() -> Outcome<Option<String>> {
    let capabilities = status_line(std::process::id(), "CapEff")?;
    let capabilities = u64::from_str_radix(&capabilities, 16).context(|| "CapEff".into())?;
    const SYS_ADMIN: u64 = 1 << 21;
    let may = capabilities & SYS_ADMIN != 0;
    Ok((!may).then(|| "not tried: only root can make namespaces".into()))
}

/// A shell that runs `script` in a new mount namespace with these arguments.
fn in_mount_namespace(case: &Case, script: &str, arguments: &[&Path]) -> Outcome<Command> {
    let mut command = Command::new("unshare");
    command.args(["--mount", "bash", "-e", "-c", script, "bash"]).args(arguments);
    set_paths(&mut command, &case.interpreter)?;
    // The libraries are the interpreter's, not the shell's.
    command.env_remove("LD_LIBRARY_PATH").env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    Ok(command)
}

/// The folder `real` is mounted over the folder `place`, for the target only.
/// Outside, `place` has a decoy: a file of another version under the same name.
fn with_decoy(case: &Case, file: &Path, decoy: &Path, name: &str) -> Outcome<(PathBuf, PathBuf)> {
    let (real, place) = (case.file("real"), case.file("place"));
    copy(file, &real, name)?;
    copy(decoy, &place, name)?;
    Ok((real, place))
}

fn other_mount_namespace(case: &Case) -> Outcome<String> {
    if let Some(words) = without_root()? {
        return Ok(words);
    }
    let (executable, decoy) = (&case.interpreter.executable, &case.other.executable);
    let (real, place) = with_decoy(case, executable, decoy, "python")?;
    let script = "mount --bind \"$1\" \"$2\"; export LD_LIBRARY_PATH=\"$5:$5/../lib\"; \
                  exec -a \"$3\" \"$2/python\" \"$4\" -";
    let bin = executable.parent().context(|| "no folder".into())?;
    let stacks = targets().join("stacks.py");
    let arguments: [&Path; 5] = [&real, &place, executable, &stacks, bin];
    case.check(&mut in_mount_namespace(case, script, &arguments)?, || Ok(()))?;
    Ok(format!("with {} in its place outside", case.other.label))
}

fn library_in_other_mount_namespace(case: &Case) -> Outcome<String> {
    if let Some(words) = without_root()? {
        return Ok(words);
    }
    let (library, decoy) = (libpython(&case.interpreter)?, libpython(&case.other)?);
    let name = library.file_name().and_then(|n| n.to_str()).context(|| "a name".into())?;
    let (real, place) = with_decoy(case, &library, &decoy, name)?;
    let script = "mount --bind \"$1\" \"$2\"; export LD_PRELOAD=\"$3\"; exec \"$4\" \"$5\" -";
    let (inside, stacks) = (place.join(name), targets().join("stacks.py"));
    let arguments: [&Path; 5] = [&real, &place, &inside, &case.interpreter.executable, &stacks];
    case.check(&mut in_mount_namespace(case, script, &arguments)?, || Ok(()))?;
    Ok(format!("with {} in its place outside", case.other.label))
}

/// A root directory of its own: the whole file system mounted in a folder, and
/// in it the interpreter where outside is the decoy.
fn changed_root(case: &Case) -> Outcome<String> {
    if let Some(words) = without_root()? {
        return Ok(words);
    }
    let (executable, decoy) = (&case.interpreter.executable, &case.other.executable);
    let (real, place) = with_decoy(case, executable, decoy, "python")?;
    let root = case.file("root");
    fs::create_dir(&root).context(|| root.display().to_string())?;
    let script = "mount --rbind / \"$6\"; mount --bind \"$1\" \"$6$2\"; \
                  exec chroot \"$6\" bash -c 'export LD_LIBRARY_PATH=\"$4:$4/../lib\"; \
                  exec -a \"$2\" \"$1/python\" \"$3\" -' bash \"$2\" \"$3\" \"$4\" \"$5\"";
    let bin = executable.parent().context(|| "no folder".into())?;
    let stacks = targets().join("stacks.py");
    let arguments: [&Path; 6] = [&real, &place, executable, &stacks, bin, &root];
    case.check(&mut in_mount_namespace(case, script, &arguments)?, || Ok(()))?;
    Ok(format!("with {} in its place outside", case.other.label))
}

/// Inside, the process has the number 1; outside, another one.
fn other_process_namespace(case: &Case) -> Outcome<String> {
    if let Some(words) = without_root()? {
        return Ok(words);
    }
    let mut command = Command::new("unshare");
    set_environment(&mut command);
    command.args(["--pid", "--fork", "--kill-child"]).arg(&case.interpreter.executable);
    command.arg(targets().join("stacks.py")).arg("-").process_group(0);
    let (target, truth) = Target::start_command(&case.interpreter, &mut command)?.stop()?;
    let pid = child_of(target.pid())?;
    wait_at_rest(pid)?;
    let own = case.binaries.profiler(case.interpreter.abi);
    expect_dump(&[&own, &case.binaries.launcher()], pid, &truth)?;
    Ok(format!("there it is process {}", truth.pid))
}
