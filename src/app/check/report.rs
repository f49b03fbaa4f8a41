//! `pyflame check --report FILE`: what the report of a bug needs. Nothing of the process's
//! memory is in it.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::finding::Findings;
use crate::app::error::Error;
use crate::escape::in_lines;
use crate::render::Destination;

/// Small files of the kernel that tell what system this is.
const OF_SYSTEM: [&str; 2] = ["/proc/version", "/etc/os-release"];

/// Those that tell what a process is. Its environment and its command line are not among them.
const OF_PROCESS: [&str; 4] = ["status", "limits", "cgroup", "maps"];

/// The longest of them that is taken, in bytes.
const LONGEST: usize = 256 << 10;

/// Writes the answers, this program's version and what the kernel says of the process.
///
/// # Errors
/// [`Error`] if the file cannot be written.
pub(super) fn write(path: &Path, findings: &Findings) -> Result<(), Error> {
    let text = text(findings);
    Destination::open(Some(path))?.write(|out| out.write_all(text.as_bytes()))?;
    Ok(())
}

fn text(findings: &Findings) -> String {
    let answers = Findings { command: String::new(), ..findings.clone() }.text();
    let mut text = format!("pyflame {}\n\n{answers}", env!("CARGO_PKG_VERSION"));
    let of_process = OF_PROCESS.map(|file| format!("/proc/{}/{file}", findings.pid));
    for file in OF_SYSTEM.into_iter().map(str::to_owned).chain(of_process) {
        let bytes = fs::read(&file).unwrap_or_default();
        let bytes = bytes.get(..LONGEST).unwrap_or(&bytes);
        let _ = write!(text, "\n--- {file}\n{}", in_lines(&String::from_utf8_lossy(bytes)));
    }
    text
}
