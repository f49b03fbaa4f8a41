//! The C parts of the targets, compiled by the system's compiler when the tests
//! run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::target::new_file;
use super::{Context, Outcome, targets};

/// The shared library of `native.c`, made once for each test program.
pub(crate) fn library() -> Outcome<PathBuf> {
    static LIBRARY: OnceLock<Outcome<PathBuf>> = OnceLock::new();
    LIBRARY
        .get_or_init(|| compile("native.c", "native.so", &["-shared", "-fPIC", "-pthread"]))
        .clone()
}

/// The functions that call back into Python, of `native_stacks.c`, without symbols but those that
/// are exported, and without frame pointers.
pub(crate) fn stacks_library() -> Outcome<PathBuf> {
    static LIBRARY: OnceLock<Outcome<PathBuf>> = OnceLock::new();
    let flags = ["-shared", "-fPIC", "-O2", "-fomit-frame-pointer", "-s"];
    LIBRARY.get_or_init(|| compile("native_stacks.c", "native_stacks.so", &flags)).clone()
}

/// Compiles a source file of the targets with the given arguments.
pub(crate) fn compile(source: &str, name: &str, arguments: &[&str]) -> Outcome<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let made = folder.join(name);
    // Of its own name, because several tests may compile the same.
    let temporary = new_file(name);
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let output = Command::new(&compiler)
        .args(["-Wall", "-O1", "-o"])
        .arg(&temporary)
        .arg(targets().join(source))
        .args(arguments)
        .output()
        .context(|| format!("run the C compiler {}", Path::new(&compiler).display()))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{source} does not compile:\n{words}"));
    }
    std::fs::rename(&temporary, &made).context(|| format!("put {name} in its place"))?;
    Ok(made)
}
