//! The `main` of a profiler, which is for one ABI.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::app::cli::{Invocation, Request, named_command, parse, parse_command};
use crate::app::diagnosis::begin;
use crate::app::exit::{conclude, show};
use crate::app::run::run;
use crate::app::sandbox::borrowed;
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
            let checked = || check::check_own::<A>(&options);
            return conclude(borrowed::give_up(options.as_capable).and_then(|()| checked()));
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
        Ok(Request::Profile(options)) => {
            borrowed::give_up(options.as_capable).and_then(|()| run::<A>(&options, &arguments))
        }
        Err(error) => Err(error.into()),
    })
}
