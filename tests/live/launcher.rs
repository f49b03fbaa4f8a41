//! The launcher: finds the right binary for every interpreter, or says which
//! package is missing.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use crate::support::binaries::{ABIS, Binaries, is_built};
use crate::support::features::{Feature, Shows};
use crate::support::interpreters::{Interpreter, Interpreters};
use crate::support::process::run;
use crate::support::profiler::{Profile, attach, command, expect_dump};
use crate::support::runner::Trial;
use crate::support::target::{Target, new_file};
use crate::support::truth::{difference, parse_dump};
use crate::support::{Context, Outcome, expect};

type Test = fn(&Interpreter, &Binaries, &Path) -> Outcome<String>;

const TESTS: [(&str, Test); 6] = [
    ("process id without -p", process_id_without_p),
    ("--abi", chosen_abi),
    ("no binary", no_binary),
    ("binary in PATH", binary_in_path),
    ("through a symbolic link", through_a_link),
    ("-v", version_of_what_is_there),
];

/// What docs/ABIS.md has from here.
pub(crate) const SHOWS: Shows = &[(Feature::Launcher, "launcher")];

pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for interpreter in interpreters.here.iter().filter(|i| is_built(i.abi)).cloned() {
        let binaries = Arc::clone(&binaries);
        let name = format!("{} launcher", interpreter.label);
        trials.push(Trial::new(name, move || finds(&interpreter, &binaries)));
    }
    for interpreter in interpreters.one_per_abi().into_iter().filter(|i| is_built(i.abi)) {
        for (name, test) in TESTS {
            let (interpreter, binaries) = (interpreter.clone(), Arc::clone(&binaries));
            let name = format!("{} launcher, {name}", interpreter.label);
            trials.push(Trial::new(name, move || {
                let folder = new_file("launcher");
                let outcome = test(&interpreter, &binaries, &folder);
                // Whatever is left in the build folder does no harm.
                let _ = fs::remove_dir_all(&folder);
                outcome
            }));
        }
    }
    trials
}

/// Dump and profile are those of the right binary.
fn finds(interpreter: &Interpreter, binaries: &Binaries) -> Outcome<String> {
    let (target, truth) = Target::at_rest(interpreter)?;
    expect_dump(&[&binaries.launcher()], target.pid(), &truth)?;
    let output = attach(&binaries.launcher(), target.pid(), &["-s", "0"])?.clean()?;
    let profile = Profile::parse(&output, true)?;
    expect(profile.idle == 1 && profile.stacks.is_empty(), || format!("{profile:?}"))?;
    Ok(String::new())
}

/// The original's way to name the process still works, with a warning.
fn process_id_without_p(
    interpreter: &Interpreter,
    binaries: &Binaries,
    _: &Path,
) -> Outcome<String> {
    let (target, truth) = Target::at_rest(interpreter)?;
    let pid = target.pid().to_string();
    for profiler in [binaries.launcher(), binaries.profiler(interpreter.abi)] {
        let finished = run(&mut command(&profiler, &["--dump", &pid]))?;
        finished.expect_error(0, &["WARNING: "])?;
        let good = finished.stderr.starts_with("WARNING: ") && finished.stderr.lines().count() == 1;
        expect(good, || finished.words())?;
        difference(&truth.threads, &parse_dump(&finished.stdout)?).map_or(Ok(()), Err)?;
    }
    Ok(String::new())
}

fn chosen_abi(interpreter: &Interpreter, binaries: &Binaries, _: &Path) -> Outcome<String> {
    let (target, truth) = Target::at_rest(interpreter)?;
    let number = |abi: &str| abi.replace('.', "");
    for profiler in [binaries.launcher(), binaries.profiler(interpreter.abi)] {
        let own = number(interpreter.abi);
        let dump = attach(&profiler, target.pid(), &["--abi", &own, "--dump"])?.clean()?;
        difference(&truth.threads, &parse_dump(&dump)?).map_or(Ok(()), Err)?;
    }
    let others = ABIS.iter().filter(|(abi, built)| built.is_some() && *abi != interpreter.abi);
    for (other, _) in others {
        let options = ["--dump", "--abi", &number(other)];
        let finished = attach(&binaries.launcher(), target.pid(), &options)?;
        finished.expect_error(3, &[&format!("this is pyflame{other}")])?;
    }
    Ok(String::new())
}

/// Only other binaries are there.
fn no_binary(interpreter: &Interpreter, _: &Binaries, folder: &Path) -> Outcome<String> {
    let few = Binaries::install_in(folder, |abi| abi != interpreter.abi)?;
    let (target, _) = Target::at_rest(interpreter)?;
    let finished = attach(&few.launcher(), target.pid(), &["--dump"])?;
    let name = format!("pyflame{}", interpreter.abi);
    let advice = format!("Install the package {name}");
    let process = format!("process {} runs CPython {}", target.pid(), interpreter.version);
    finished.expect_error(1, &[&process, &name, &advice])?;
    expect(finished.stdout.is_empty(), || finished.words())?;
    Ok(String::new())
}

fn binary_in_path(
    interpreter: &Interpreter,
    binaries: &Binaries,
    folder: &Path,
) -> Outcome<String> {
    let alone = Binaries::install_in(folder, |_| false)?;
    let (target, truth) = Target::at_rest(interpreter)?;
    let pid = target.pid().to_string();
    let mut command = command(&alone.launcher(), &["--dump", "-p", &pid]);
    command.env("PATH", format!("/nowhere:{}", binaries.folder().display()));
    let seen = parse_dump(&run(&mut command)?.clean()?)?;
    difference(&truth.threads, &seen).map_or(Ok(()), Err)?;
    Ok(String::new())
}

/// The binaries are beside the file, not beside the link to it.
fn through_a_link(
    interpreter: &Interpreter,
    binaries: &Binaries,
    folder: &Path,
) -> Outcome<String> {
    fs::create_dir(folder).context(|| folder.display().to_string())?;
    let link = folder.join("pyflame");
    symlink(binaries.launcher(), &link).context(|| link.display().to_string())?;
    let (target, truth) = Target::at_rest(interpreter)?;
    expect_dump(&[&link], target.pid(), &truth)?;
    Ok(String::new())
}

fn version_of_what_is_there(
    interpreter: &Interpreter,
    _: &Binaries,
    folder: &Path,
) -> Outcome<String> {
    let few = Binaries::install_in(folder, |abi| abi == interpreter.abi)?;
    let seen = run(&mut command(&few.launcher(), &["-v"]))?.clean()?;
    let seen = String::from_utf8_lossy(&seen).into_owned();
    let list = format!("(ABI list: {})\n", interpreter.abi.replace('.', ""));
    expect(seen.ends_with(&list), || format!("{seen:?} should end with {list:?}"))?;
    Ok(String::new())
}
