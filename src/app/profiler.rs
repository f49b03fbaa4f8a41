//! The `main` of a profiler, which is for one ABI.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::app::cli::{Invocation, Request, named_command, parse, parse_command};
use crate::app::diagnosis::begin;
use crate::app::exit::{conclude, show};
use crate::app::run::run;
use crate::app::{check, programs};
use crate::cpython::abi::Abi;

/// The `main` of the profiler for `A`.
#[must_use]
pub fn main<A: Abi>() -> ExitCode {
    begin(&A::TAG.program());
    let arguments: Vec<OsString> = std::env::args_os().collect();
    // The launcher asks the profiler that is for a process.
    if let Ok(Some(Invocation::Check(options))) = parse_command(&arguments) {
        if options.own {
            return conclude(check::check_own::<A>(&options));
        }
    }
    if let Some(command) = named_command(&arguments) {
        return conclude(Err(programs::become_launcher(command, &arguments)));
    }
    conclude(match parse(&arguments, &[A::TAG]) {
        Ok(Request::Show(text)) => show(&text).map(|()| 0),
        Ok(Request::Profile(options)) if options.is_tree() => {
            let what = if options.subprocesses { "--subprocesses" } else { "several processes" };
            Err(programs::become_launcher(what, &arguments))
        }
        Ok(Request::Profile(options)) => run::<A>(&options, &arguments),
        Err(error) => Err(error.into()),
    })
}
