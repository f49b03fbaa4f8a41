//! Interpreters in unusual places: copied, preloaded, behind a mount.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::interpreters::Interpreter;
use super::target::set_environment;
use super::{Context, Outcome, expect, targets};

/// A command that runs `stacks.py` by an executable which is a copy of the
/// interpreter's, somewhere else. Its name stays the interpreter's own, by which
/// it finds its standard library.
pub(crate) fn command(interpreter: &Interpreter, executable: &Path) -> Outcome<Command> {
    let mut command = Command::new(executable);
    command.arg0(&interpreter.executable);
    set_paths(&mut command, interpreter)?;
    command.arg(targets().join("stacks.py")).arg("-");
    Ok(command)
}

/// Sets the environment of a target, and where its libraries are: it may have
/// been linked to find them relative to its own place.
pub(crate) fn set_paths(command: &mut Command, interpreter: &Interpreter) -> Outcome {
    let bin = interpreter.executable.parent().context(|| "no folder".into())?;
    set_environment(command);
    command.env("LD_LIBRARY_PATH", format!("{0}:{0}/../lib", bin.display()));
    Ok(())
}

/// Copies a file with its permissions. By another program: if this one had the
/// copy open for writing, a process that another thread starts meanwhile would
/// have it open too, and for as long it could not be executed.
pub(crate) fn copy_file(file: &Path, copy: &Path) -> Outcome {
    let output = Command::new("cp").arg("--").arg(file).arg(copy).output();
    let words = || format!("copy {} to {}", file.display(), copy.display());
    let output = output.context(words)?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    expect(output.status.success(), || format!("{}: {stderr}", words()))
}

/// Copies a file into a folder, which may have to be made, under a name.
pub(crate) fn copy(file: &Path, folder: &Path, name: &str) -> Outcome<PathBuf> {
    let copy = folder.join(name);
    fs::create_dir_all(folder).context(|| folder.display().to_string())?;
    copy_file(file, &copy)?;
    Ok(copy)
}

/// Puts another file in the place of one that is in use, as an upgrade does.
pub(crate) fn replace(file: &Path, other: &Path) -> Outcome {
    let words = || format!("put {} in the place of {}", other.display(), file.display());
    let temporary = file.with_extension("upgrade");
    copy_file(other, &temporary)?;
    fs::rename(&temporary, file).context(words)
}

/// The `libpython` of a shared build, by what `ldd` would say: the file that the
/// interpreter itself has mapped.
pub(crate) fn libpython(interpreter: &Interpreter) -> Outcome<PathBuf> {
    let code = "print([l.split()[-1] for l in open('/proc/self/maps') if '/libpython' in l][0])";
    let mut command = Command::new(&interpreter.executable);
    set_environment(&mut command);
    let output = super::process::run(command.args(["-c", code]))?.clean()?;
    let path = String::from_utf8(output).context(|| "its path".into())?;
    Ok(PathBuf::from(path.trim_end()))
}

/// The dynamic loader that an executable asks for.
pub(crate) fn loader(executable: &Path) -> Outcome<String> {
    let words = || format!("read {}", executable.display());
    let bytes = fs::read(executable).context(words)?;
    let elf = goblin::elf::Elf::parse(&bytes).context(words)?;
    elf.interpreter.map(str::to_owned).context(|| format!("{}: static", executable.display()))
}
