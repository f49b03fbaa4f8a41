//! `--dump` on several processes: one after the other, each with a line before it.

use std::ffi::OsString;

use super::sampler::command;
use crate::abi::Version;
use crate::cli::Options;
use crate::dump::DumpStyle;
use crate::error::Error;
use crate::locate::{self, Interpreter};
use crate::memory::live::LiveMemory;
use crate::output::Destination;
use crate::process::{self, Process};
use crate::programs;

/// The most processes that are dumped.
const MOST: usize = 10_000;

/// Dumps the `roots`, and with `--subprocesses` all that they have started.
///
/// # Errors
/// [`Error`] if nothing could be dumped or written.
pub fn run(options: &Options, arguments: &[OsString], roots: &[i32]) -> Result<(), Error> {
    let output = Destination::open(options.output.as_deref())?;
    let pids = if options.subprocesses { with_descendants(roots) } else { roots.to_vec() };
    let (mut text, mut others) = (Vec::new(), 0);
    for pid in pids {
        match interpreter(pid) {
            None => others += 1,
            Some(interpreter) => match one(pid, &interpreter, arguments) {
                Ok(dump) => append(&mut text, options.dump_style, pid, &interpreter, &dump),
                Err(words) => eprintln!("{words}"),
            },
        }
    }
    if others > 0 {
        eprintln!("Passed over {others} that run no Python.");
    }
    if text.is_empty() {
        return Err(Error::NothingSampled { found: format!("{others} run no Python") });
    }
    output.write(|out| out.write_all(&text))
}

/// Every process once, parents before their children.
fn with_descendants(roots: &[i32]) -> Vec<i32> {
    let mut pids = roots.to_vec();
    let mut position = 0;
    while let Some(pid) = pids.get(position).copied() {
        position += 1;
        for child in process::children(pid).unwrap_or_default() {
            if pids.len() < MOST && !pids.contains(&child) {
                pids.push(child);
            }
        }
    }
    pids
}

fn interpreter(pid: i32) -> Option<Interpreter> {
    let process = Process::open(pid).ok()?;
    locate::find(&process, &LiveMemory::new(pid)).ok()
}

/// The dump of one process, or why there is none.
fn one(pid: i32, found: &Interpreter, arguments: &[OsString]) -> Result<Vec<u8>, String> {
    let version = Version::new(found.version.major, found.version.minor);
    let what = format!("process {pid} runs CPython {} and", found.version);
    let missing = || Error::NotInstalled { what, version }.to_string();
    let program = programs::profiler(version).ok_or_else(missing)?;
    let failed = |source| Error::Execute { program: program.clone(), source }.to_string();
    let output = command(&program, pid, arguments).output().map_err(failed)?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim_end().to_owned())
    }
}

/// Adds a dump, after a line that names its process where it does not do so itself.
fn append(text: &mut Vec<u8>, style: DumpStyle, pid: i32, found: &Interpreter, dump: &[u8]) {
    if style != DumpStyle::Json && !text.is_empty() {
        text.push(b'\n');
    }
    if style == DumpStyle::Original {
        let line = process::command_line(pid).replace(['\n', '\r'], " ");
        text.extend(format!("process {pid} ({line}), CPython {}\n\n", found.version).bytes());
    }
    text.extend(dump);
}
