//! `--name`: the processes of Python that match a pattern.

use std::fs;
use std::os::unix::fs::MetadataExt;

use regex_lite::Regex;

use crate::error::Error;
use crate::locate;
use crate::memory::live::LiveMemory;
use crate::process::{self, Process};

/// The longest command line in a list, in characters.
const LONGEST_LINE: usize = 120;

/// The processes that match `pattern`, run Python and may be profiled. Lists them on stderr.
///
/// # Errors
/// [`Error::Pattern`] if it is no regular expression, [`Error::NobodyNamed`] if none is.
pub fn choose(pattern: &str) -> Result<Vec<i32>, Error> {
    let expression = Regex::new(pattern).map_err(|source| Error::Pattern {
        pattern: pattern.to_owned(),
        reason: source.to_string(),
    })?;
    let (mut chosen, mut unreadable) = (Vec::new(), 0);
    for pid in process::all().unwrap_or_default() {
        if !is_ours(pid) || !matches(&expression, pid) {
            continue;
        }
        let Ok(process) = Process::open(pid) else {
            unreadable += 1;
            continue;
        };
        if let Ok(interpreter) = locate::find(&process, &LiveMemory::new(pid)) {
            let line: String = process::command_line(pid).chars().take(LONGEST_LINE).collect();
            eprintln!("process {pid} ({line}), CPython {}", interpreter.version);
            chosen.push(pid);
        }
    }
    match chosen.is_empty() {
        true => Err(Error::NobodyNamed { pattern: pattern.to_owned(), unreadable }),
        false => Ok(chosen),
    }
}

/// Whether a process is one of this user, who is not root, and not this one.
fn is_ours(pid: i32) -> bool {
    let user = nix::unistd::geteuid();
    let owner = fs::metadata(format!("/proc/{pid}")).map(|found| found.uid());
    let is_this = u32::try_from(pid) == Ok(std::process::id());
    !is_this && (user.is_root() || owner.is_ok_and(|owner| owner == user.as_raw()))
}

/// Whether its name or its command line matches.
fn matches(expression: &Regex, pid: i32) -> bool {
    let name = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    let name = String::from_utf8_lossy(&name);
    expression.is_match(name.trim_end()) || expression.is_match(&process::command_line(pid))
}
