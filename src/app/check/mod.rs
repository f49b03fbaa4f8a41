//! `pyflame check`: would a run work, how, and if not, why and what to do. Nothing is sampled,
//! and no process is stopped.
//!
//! The launcher answers what needs no layout, and asks the profiler that is for the process to
//! answer all; where there is none, its own answers stand.

mod finding;
mod layout;
mod process;
mod python;
mod report;

use std::process::{Command, Stdio};

use self::finding::Findings;
use crate::app::error::Error;
use crate::app::options::CheckOptions;
use crate::app::private::keep_private;
use crate::app::{programs, tree};
use crate::cpython::abi::Abi;
use crate::render::Destination;
use crate::target::live;

/// The exit status if a run would fail for one of the processes.
const WOULD_FAIL: u8 = 1;

/// Answers for each process that was named. Returns the exit status.
///
/// # Errors
/// [`Error`] if nothing matches a name, or the answers cannot be written.
pub(super) fn check(options: &CheckOptions) -> Result<u8, Error> {
    let mut worst = 0;
    for pid in processes(options)? {
        worst = worst.max(check_process(options, pid)?);
    }
    Ok(worst)
}

/// Those that were named, and those below them if they are wanted.
fn processes(options: &CheckOptions) -> Result<Vec<i32>, Error> {
    let pids = match &options.name {
        Some(pattern) => tree::named(pattern)?,
        None => options.pids.clone(),
    };
    Ok(if options.subprocesses { tree::with_descendants(&pids) } else { pids })
}

/// Answers for one process: by its profiler if that is there.
fn check_process(options: &CheckOptions, pid: i32) -> Result<u8, Error> {
    let mut findings = Findings::new(pid, live::command_line(pid));
    let found =
        process::look(pid, &mut findings).and_then(|process| python::look(&process, &mut findings));
    let Some(program) = found.and_then(programs::profiler) else {
        return tell(options, &findings);
    };
    let mut command = Command::new(&program);
    command.args(["check", "--own"]).args(options.words(pid)).stdin(Stdio::null());
    let status = command.status().map_err(|source| Error::Execute { program, source })?;
    // One that was killed has answered nothing.
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(WOULD_FAIL))
}

/// Answers all questions about one process, of which this is the profiler if it runs `A`.
///
/// # Errors
/// [`Error`] if the answers cannot be written.
pub(super) fn check_own<A: Abi>(options: &CheckOptions) -> Result<u8, Error> {
    let mut worst = 0;
    for pid in &options.pids {
        let mut findings = Findings::new(*pid, live::command_line(*pid));
        if let Some(process) = process::look(*pid, &mut findings) {
            if python::look(&process, &mut findings).is_some() {
                layout::look::<A>(&process, &mut findings);
            }
        }
        worst = worst.max(tell(options, &findings)?);
    }
    Ok(worst)
}

/// Writes the answers to stdout. Returns the exit status that they mean.
fn tell(options: &CheckOptions, findings: &Findings) -> Result<u8, Error> {
    if let Some(path) = &options.report {
        keep_private(|| vec![findings.pid]);
        report::write(path, findings)?;
    }
    let text = if options.json { findings.json() } else { findings.text() };
    Destination::Stdout.write(|out| out.write_all(text.as_bytes()))?;
    Ok(if findings.has_failed() { WOULD_FAIL } else { 0 })
}
