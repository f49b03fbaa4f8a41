//! The programs of this project, as they find each other: in the same folder, or in
//! `PATH`.

use std::env;
use std::ffi::OsString;
use std::fmt::Display;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::app::error::Error;
use crate::cpython::abi::AbiTag;

/// `pyflameX.Y`; or `pyflameXY`, as `cargo install` has to name it.
#[must_use]
pub(crate) fn profiler(version: AbiTag) -> Option<PathBuf> {
    find(&[version.program(), format!("pyflame{}", version.abi())], |_| true)
}

/// The profiler for process `pid`, which runs CPython `found`.
///
/// # Errors
/// As [`check_supported`]; [`Error::NotInstalled`] if it is not there.
pub(crate) fn profiler_for(
    pid: i32,
    found: &impl Display,
    version: AbiTag,
) -> Result<PathBuf, Error> {
    check_supported(pid, found, version)?;
    let what = || format!("process {pid} runs CPython {found} and");
    profiler(version).ok_or_else(|| Error::NotInstalled { what: what(), version })
}

/// Whether there is a profiler for process `pid`, which runs CPython `found`, of this ABI.
///
/// # Errors
/// [`Error::UnknownVersion`], or [`Error::Unsupported`] if there is one for other builds of it.
pub(crate) fn check_supported(pid: i32, found: &impl Display, tag: AbiTag) -> Result<(), Error> {
    if tag.is_supported() {
        return Ok(());
    }
    let found = found.to_string();
    if !AbiTag::new(tag.major, tag.minor).is_supported() {
        return Err(Error::UnknownVersion { pid, found });
    }
    let kind = if tag.flags.free_threaded {
        "a free-threaded build of"
    } else {
        "a build with reference tracing (Py_TRACE_REFS) of"
    };
    Err(Error::Unsupported { pid, kind, found })
}

/// The launcher, `pyflame`.
#[must_use]
pub(crate) fn launcher() -> Option<PathBuf> {
    // This program may be called so, and is not what it looks for.
    let own = env::current_exe().ok();
    find(&["pyflame".to_owned()], |program| program.canonicalize().ok() != own)
}

/// Executes the launcher in place of this program, because `command` is one of its. Comes
/// back only with an error.
#[must_use]
pub(crate) fn become_launcher(command: &str, arguments: &[OsString]) -> Error {
    let Some(program) = launcher() else {
        return Error::NoLauncher { command: command.to_owned() };
    };
    let source = Command::new(&program).args(arguments.iter().skip(1)).exec();
    Error::Execute { program, source }
}

/// The first program of one of these names that is there, and that `suits`.
fn find(names: &[String], suits: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let own = env::current_exe().ok();
    let beside = own.as_deref().and_then(Path::parent).map(Path::to_path_buf);
    let path = env::var_os("PATH").unwrap_or_default();
    beside
        .into_iter()
        .chain(env::split_paths(&path))
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .find(|program| program.is_file() && suits(program))
}
