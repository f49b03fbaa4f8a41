//! `pyflame`: finds out which Python a process runs, and becomes the
//! `pyflameX.Y` that is for it.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use crate::app::cli::{self, Invocation, Request};
use crate::app::core::profiler_of_core;
use crate::app::diagnosis::begin;
use crate::app::error::Error;
use crate::app::exit::{conclude, show};
use crate::app::find::profiler_of;
use crate::app::launch::handover::VARIABLE;
use crate::app::options::{Options, Target};
use crate::app::sandbox::borrowed;
use crate::app::{check, follow, programs, report, top, tree};
use crate::cpython::abi::{AbiTag, SUPPORTED};

/// The launcher's `main`.
#[must_use]
pub fn main() -> ExitCode {
    begin("pyflame");
    let arguments: Vec<OsString> = env::args_os().collect();
    conclude(launch(&arguments))
}

fn launch(arguments: &[OsString]) -> Result<u8, Error> {
    let invocation = cli::parse_command(arguments)?;
    borrowed::give_up(match &invocation {
        Some(Invocation::Top(options)) => options.as_capable,
        Some(Invocation::Check(options)) => options.as_capable,
        Some(_) => false,
        // Of a profiler, see below.
        None => true,
    })?;
    match invocation {
        Some(Invocation::Show(text)) => return show(&text).map(|()| 0),
        Some(Invocation::Report(options)) => return report::report(&options).map(|()| 0),
        Some(Invocation::Diff(options)) => return report::diff(&options).map(|()| 0),
        Some(Invocation::Top(options)) => return top::top(&options).map(|()| 0),
        Some(Invocation::Check(options)) => return check::check(&options),
        None => {}
    }
    let request = cli::parse(arguments, &installed())?;
    if let Request::Profile(options) = &request {
        borrowed::give_up(options.as_capable)?;
    }
    match request {
        Request::Show(text) => show(&text).map(|()| 0),
        Request::Profile(options) if options.is_tree() => tree::run(&options, arguments),
        Request::Profile(options) => profile(&options, arguments),
    }
}

/// Becomes the profiler for one process.
fn profile(options: &Options, arguments: &[OsString]) -> Result<u8, Error> {
    let mut input = None;
    let program = match (options.abi, &options.target) {
        (Some(version), _) => {
            let what = format!("--abi {}", version.abi());
            programs::profiler(version).ok_or(Error::NotInstalled { what, version })?
        }
        (None, Target::Process(pid)) => profiler_of(*pid)?,
        (None, Target::Core { file, program }) => {
            let (profiler, file) = profiler_of_core(file, program.as_deref())?;
            input = file;
            profiler
        }
        (None, Target::Command { words, .. }) => return follow::start(options, words, arguments),
        // Several processes are a tree, and not for one binary.
        (None, Target::Processes(_) | Target::Named(_)) => {
            return Err(Error::NoLauncher { command: "several processes".into() });
        }
    };
    let mut command = Command::new(&program);
    // Whoever else may have set it, it is not for this one.
    command.args(arguments.iter().skip(1)).env_remove(VARIABLE);
    if let Some(file) = input {
        command.stdin(file);
    }
    log::debug!("executes {}", program.display());
    let source = command.exec();
    Err(Error::Execute { program, source })
}

/// The versions whose binaries are there.
fn installed() -> Vec<AbiTag> {
    SUPPORTED.iter().copied().filter(|version| programs::profiler(*version).is_some()).collect()
}
