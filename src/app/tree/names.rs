//! `--name`: the processes of Python that match a pattern.

use std::fs;
use std::os::unix::fs::MetadataExt;

use regex_lite::Regex;

use super::error::TreeError;
use super::tree_stats::Denials;
use crate::app::error::Error;
use crate::escape::{in_line, say};
use crate::target::live::memory::LiveMemory;
use crate::target::live::{self, OpenError, Process, check_proc};
use crate::target::locate;

/// The longest command line in a list, in characters.
const LONGEST_LINE: usize = 120;

/// The processes that match `pattern`, run Python and may be profiled. Lists them on stderr.
///
/// # Errors
/// [`TreeError::Pattern`] if it is no regular expression, [`TreeError::NobodyNamed`] if none is.
pub(in crate::app) fn choose(pattern: &str) -> Result<Vec<i32>, Error> {
    let expression = Regex::new(pattern).map_err(|source| TreeError::Pattern {
        pattern: pattern.to_owned(),
        reason: source.to_string(),
    })?;
    check_proc()?;
    let (mut chosen, mut denied) = (Vec::new(), Denials::default());
    for pid in live::all().unwrap_or_default() {
        if !is_ours(pid) || !matches(&expression, pid) {
            continue;
        }
        let process = match Process::open(pid) {
            Ok(process) => process,
            Err(error) => {
                let denial = if let OpenError::Denied { reason, .. } = &error {
                    Some(*reason)
                } else {
                    None
                };
                if denial.is_some_and(|denial| denied.note(denial)) {
                    say(&error.to_string());
                }
                continue;
            }
        };
        if let Ok(interpreter) = locate::find(&process, &LiveMemory::new(pid)) {
            let line: String = live::command_line(pid).chars().take(LONGEST_LINE).collect();
            let line = in_line(&line);
            say(&format!("process {pid} ({line}), CPython {}", interpreter.full_version()));
            chosen.push(pid);
        }
    }
    denied.summary().iter().for_each(|words| say(words));
    let unreadable = denied.total();
    match chosen.is_empty() {
        true => Err(TreeError::NobodyNamed { pattern: pattern.to_owned(), unreadable }.into()),
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
    expression.is_match(name.trim_end()) || expression.is_match(&live::command_line(pid))
}
