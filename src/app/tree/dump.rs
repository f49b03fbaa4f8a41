//! `--dump` on several processes: one after the other, each with a line before it, or as JSON
//! in one array.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use super::error::TreeError;
use super::sampler::command;
use super::tree_stats::{Denials, TreeStats};
use crate::app::error::Error;
use crate::app::options::{DumpStyle, Options};
use crate::app::programs;
use crate::escape::{in_line, say};
use crate::render::Destination;
use crate::target::live::memory::LiveMemory;
use crate::target::live::{self, Denial, Execution, OpenError, Process, nap};
use crate::target::locate::{self, Interpreter, LocateError};

/// The most processes that are dumped.
const MOST: usize = 10_000;

/// How long a process is looked at again that starts its interpreter, or executes another
/// program while it is looked at.
const PATIENCE: Duration = Duration::from_millis(500);

/// The pause between two looks.
const NAP: Duration = Duration::from_millis(1);

/// What became of one process.
enum Outcome {
    /// Its version and its dump.
    Dump(String, Vec<u8>),
    /// It runs no Python.
    Other,
    /// Its interpreter is being started.
    Starting,
    /// It has ended, and is none of those that there are.
    Gone,
    /// It may not be read.
    Denied(Denial, String),
    /// It could not be dumped, for this reason.
    Failed(String),
}

/// Dumps the `roots`, and with `--subprocesses` all that they have started.
///
/// # Errors
/// [`Error`] if nothing could be dumped or written.
pub(super) fn run(options: &Options, arguments: &[OsString], roots: &[i32]) -> Result<(), Error> {
    let output = Destination::open(options.output.as_deref())?;
    let pids = if options.subprocesses { with_descendants(roots) } else { roots.to_vec() };
    let (mut dumps, mut others, mut denied) = (Vec::new(), 0, Denials::default());
    for pid in pids {
        match patiently(pid, arguments) {
            Outcome::Dump(version, dump) => dumps.push((pid, version, dump)),
            Outcome::Other | Outcome::Starting => others += 1,
            Outcome::Gone => {}
            // Of those with the same reason, one is enough.
            Outcome::Denied(denial, words) if denied.note(denial) => say(&words),
            Outcome::Denied(..) => {}
            Outcome::Failed(words) => say(&words),
        }
    }
    denied.summary().iter().for_each(|words| say(words));
    if others > 0 {
        eprintln!("Passed over {others} that run no Python.");
    }
    if dumps.is_empty() {
        let stats = TreeStats { not_python: others, denied, ..TreeStats::default() };
        let found = match others {
            0 if stats.denied.total() == 0 => "there is none any more that can be".to_owned(),
            _ => stats.to_string(),
        };
        return Err(TreeError::NothingSampled { found }.into());
    }
    let text = together(options.dump_style, &dumps);
    Ok(output.write(|out| out.write_all(&text))?)
}

/// Every process once, parents before their children.
pub(in crate::app) fn with_descendants(roots: &[i32]) -> Vec<i32> {
    let mut pids = roots.to_vec();
    let mut position = 0;
    while let Some(pid) = pids.get(position).copied() {
        position += 1;
        for child in live::children(pid).unwrap_or_default() {
            if pids.len() < MOST && !pids.contains(&child) {
                pids.push(child);
            }
        }
    }
    pids
}

/// Dumps one process. What passes is waited for.
fn patiently(pid: i32, arguments: &[OsString]) -> Outcome {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let execution = Execution::of(pid);
        let outcome = one(pid, arguments);
        let is_over = || execution.is_some_and(|execution| execution.is_over(pid));
        let passes = match outcome {
            Outcome::Starting => true,
            Outcome::Other | Outcome::Denied(..) | Outcome::Failed(_) => is_over(),
            Outcome::Dump(..) | Outcome::Gone => return outcome,
        };
        if live::is_ending(pid) {
            return Outcome::Gone;
        } else if !passes || Instant::now() > deadline {
            return outcome;
        }
        nap(NAP);
    }
}

fn one(pid: i32, arguments: &[OsString]) -> Outcome {
    let process = match Process::open(pid) {
        Ok(process) => process,
        Err(error @ OpenError::Denied { reason, .. }) => {
            return Outcome::Denied(reason, error.to_string());
        }
        Err(error @ OpenError::Unreadable { .. }) => return Outcome::Failed(error.to_string()),
        Err(error) if error.is_gone() => return Outcome::Gone,
        Err(_) => return Outcome::Other,
    };
    let found = match locate::find(&process, &LiveMemory::new(pid)) {
        Ok(found) => found,
        Err(LocateError::NotPython { .. }) => return Outcome::Other,
        Err(error) if error.is_starting() => return Outcome::Starting,
        Err(error) if error.is_gone() => return Outcome::Gone,
        Err(error) => return Outcome::Failed(error.to_string()),
    };
    match ask_profiler(pid, &found, arguments) {
        Ok(dump) => Outcome::Dump(found.full_version(), dump),
        Err(words) => Outcome::Failed(words),
    }
}

/// The dump by the profiler for this Python, or why there is none.
fn ask_profiler(pid: i32, found: &Interpreter, arguments: &[OsString]) -> Result<Vec<u8>, String> {
    let program = programs::profiler_for(pid, &found.full_version(), found.tag());
    let program = program.map_err(|error| error.to_string())?;
    let failed = |source| Error::Execute { program: program.clone(), source }.to_string();
    let output = command(&program, pid, arguments).output().map_err(failed)?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim_end().to_owned())
    }
}

/// All dumps, each of a process and its version, as one text.
fn together(style: DumpStyle, dumps: &[(i32, String, Vec<u8>)]) -> Vec<u8> {
    let mut text = Vec::new();
    for (position, (pid, version, dump)) in dumps.iter().enumerate() {
        text.extend_from_slice(match (style, position) {
            (DumpStyle::Json, 0) => b"[\n",
            (DumpStyle::Json, _) => b",\n",
            (_, 0) => b"",
            (_, _) => b"\n",
        });
        // The others name their process themselves.
        if style == DumpStyle::Original {
            let command = live::command_line(*pid);
            let line = in_line(&command);
            text.extend(format!("process {pid} ({line}), CPython {version}\n\n").bytes());
        }
        text.extend_from_slice(match style {
            DumpStyle::Json => dump.trim_ascii_end(),
            _ => dump,
        });
    }
    if style == DumpStyle::Json {
        text.extend_from_slice(b"\n]\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_become_one_array() {
        let dump = |pid, text: &str| (pid, "3.11.7".to_owned(), text.as_bytes().to_vec());
        let one = together(DumpStyle::Json, &[dump(1, "{\n  \"a\": 1\n}\n")]);
        assert_eq!(String::from_utf8_lossy(&one), "[\n{\n  \"a\": 1\n}\n]\n");
        let two = together(DumpStyle::Json, &[dump(1, "{}\n"), dump(2, "{}\n")]);
        let value: serde_json::Value = serde_json::from_slice(&two).expect("JSON");
        assert_eq!(value, serde_json::json!([{}, {}]));
    }

    #[test]
    fn a_line_stands_between_two_dumps() {
        let dump = |text: &str| (0, "3.11.7".to_owned(), text.as_bytes().to_vec());
        let text = together(DumpStyle::Verbose, &[dump("a\n"), dump("b\n")]);
        assert_eq!(String::from_utf8_lossy(&text), "a\n\nb\n");
        let text = together(DumpStyle::Original, &[dump("a\n")]);
        assert_eq!(String::from_utf8_lossy(&text), "process 0 (), CPython 3.11.7\n\na\n");
    }
}
