//! The `main` of a profiler, which is for one ABI.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::app::cli::{Request, named_command, parse};
use crate::app::exit::{conclude, show};
use crate::app::programs;
use crate::app::run::run;
use crate::cpython::abi::Abi;

/// The `main` of the profiler for `A`.
#[must_use]
pub fn main<A: Abi>() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
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
