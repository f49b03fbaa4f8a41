//! `pyflame`: finds out which Python a process runs, and becomes the
//! `pyflameX.Y` that is for it.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crate::abi::{SUPPORTED, Version};
use crate::attach::wait_for_interpreter;
use crate::cli::{self, Invocation, Options, Request, STARTED_VARIABLE, Target};
use crate::error::Error;
use crate::locate::Interpreter;
use crate::memory::live::LiveMemory;
use crate::process::Process;
use crate::programs;
use crate::report;
use crate::top;
use crate::trace::Child;
use crate::tree;

/// The launcher's `main`.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().collect();
    cli::conclude(launch(&arguments))
}

fn launch(arguments: &[OsString]) -> Result<(), Error> {
    match cli::parse_command(arguments)? {
        Some(Invocation::Show(text)) => return cli::show(&text),
        Some(Invocation::Report(options)) => return report::report(&options),
        Some(Invocation::Diff(options)) => return report::diff(&options),
        Some(Invocation::Top(options)) => return top::top(&options),
        None => {}
    }
    match cli::parse(arguments, &installed())? {
        Request::Show(text) => cli::show(&text),
        Request::Profile(options) if options.is_tree() => tree::run(&options, arguments),
        Request::Profile(options) => Err(become_binary(choose(&options)?, arguments)),
    }
}

/// Which binary to become.
struct Choice {
    program: PathBuf,
    /// The process of the command, where the launcher had to start it.
    started: Option<i32>,
}

fn choose(options: &Options) -> Result<Choice, Error> {
    if let Some(version) = options.abi {
        let what = format!("--abi {}", version.abi());
        let program = programs::profiler(version);
        let program = program.ok_or(Error::NotInstalled { what, version })?;
        return Ok(Choice { program, started: None });
    }
    match &options.target {
        Target::Process(pid) => Ok(Choice { program: profiler_for(*pid)?, started: None }),
        // Several processes are a tree, and not for one binary.
        Target::Processes(_) | Target::Named(_) => {
            Err(Error::NoLauncher { command: "several processes".into() })
        }
        Target::Command { words, .. } => {
            let mut child = Child::start(words)?;
            // A signal ends the launcher as it ends any program.
            match child.find_python(|| false)? {
                Some((process, interpreter)) => Ok(Choice {
                    program: profiler_of(process.pid(), &interpreter)?,
                    started: Some(child.pid()),
                }),
                None => Err(Error::Ended { pid: child.pid() }),
            }
        }
    }
}

/// Executes the binary in place of this program. Comes back only with an error.
fn become_binary(choice: Choice, arguments: &[OsString]) -> Error {
    let Choice { program, started } = choice;
    let mut command = Command::new(&program);
    command.args(arguments.iter().skip(1));
    command.env_remove(STARTED_VARIABLE);
    if let Some(pid) = started {
        command.env(STARTED_VARIABLE, pid.to_string());
    }
    let source = command.exec();
    Error::Execute { program, source }
}

/// The profiler that is for a process.
///
/// # Errors
/// [`Error`] if the process cannot be looked at, or the profiler is not installed.
pub fn profiler_for(pid: i32) -> Result<PathBuf, Error> {
    let process = Process::open(pid)?;
    profiler_of(pid, &wait_for_interpreter(&process, &LiveMemory::new(pid))?)
}

fn profiler_of(pid: i32, interpreter: &Interpreter) -> Result<PathBuf, Error> {
    let found = interpreter.version;
    programs::profiler_for(pid, &found, found.version())
}

/// The versions whose binaries are there.
fn installed() -> Vec<Version> {
    SUPPORTED.into_iter().filter(|version| programs::profiler(*version).is_some()).collect()
}
