//! The command line: arguments to [`Options`].
//!
//! It is the original Pyflame's, and what has been added to it since.

mod check;
mod colour;
mod command;
mod commands;
mod definition;
mod target;
mod times;
mod trace_line;
mod usage;
mod values;

use std::ffi::OsString;

pub use self::commands::{Invocation, commands, named_command, parse_command};
pub use self::definition::definition;
use self::target::{member, target};
use self::times::{duration, interval, rotation};
use self::trace_line::split_at_trace;
pub use self::usage::UsageError;
use self::usage::abi_list;
use self::values::{
    abi, dump_style, engine, format, frame_filter, native_frames, pause, thread_filter, time_mode,
};
use crate::app::options::{Options, Target};
use crate::cpython::abi::AbiTag;
use crate::profile::filter::FrameFilter;
use crate::render::recording;
use crate::stack::NativeFrames;

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Text for stdout, and a clean exit: help or version.
    Show(String),
    /// A profile or a dump.
    Profile(Box<Options>),
}

/// What to do after a command line that names nothing to profile.
const HINT: &str = "Name a process with -p, or a command to run with -t. \
                    For all options and examples, try --help.";

/// Reads a command line; `arguments` start with the program's name. `abis` is
/// what `-v` lists.
///
/// # Errors
/// [`UsageError`] with what to say on stderr.
pub fn parse(arguments: &[OsString], abis: &[AbiTag]) -> Result<Request, UsageError> {
    let mut definition = definition("pyflame", abis);
    let (own, command) = split_at_trace(&definition, arguments);
    let matches = match definition.try_get_matches_from_mut(own) {
        Ok(matches) => matches,
        Err(error) if !error.use_stderr() => return Ok(Request::Show(colour::on_stdout(&error))),
        Err(error) => return Err(UsageError(colour::on_stderr(&error))),
    };
    if matches.get_flag("version") {
        return Ok(Request::Show(version_line(abis)));
    }
    let usage = || UsageError(format!("{}\n\n{HINT}\n", definition.clone().render_usage()));
    let (target, warnings) = target(&matches, command, usage)?;
    let (format, append) = (format(&matches)?, matches.get_flag("append"));
    if append && format != recording::FORMAT {
        return Err(UsageError(
            "Error: --append adds to recordings, such as -o FILE.pyflame, and to nothing else.\n"
                .into(),
        ));
    }
    let mode = time_mode(&matches)?;
    let traced = matches!(target, Target::Command { .. });
    let subprocesses = matches.get_flag("subprocesses");
    let native = native_frames(&matches).unwrap_or(NativeFrames::None);
    // A recording keeps all, and its reports choose.
    let shown = if format == recording::FORMAT { NativeFrames::All } else { native };
    let options = Options {
        target,
        subprocesses,
        is_member: false,
        dump: matches.get_flag("dump"),
        dump_style: dump_style(&matches)?,
        locals: matches.get_flag("locals"),
        mode,
        threads: thread_filter(&matches),
        frames: FrameFilter { native: shown, ..frame_filter(&matches)? },
        native,
        every_thread: mode.is_of_all_threads() || matches.get_flag("dump"),
        exclude_idle: matches.get_flag("exclude-idle"),
        format,
        engine: engine(&matches, interval(&matches)?, duration(&matches, traced)?)?,
        pause: pause(&matches)?,
        jitter: matches.get_flag("jitter"),
        stats: matches.get_flag("stats"),
        interval: interval(&matches)?,
        duration: duration(&matches, traced)?,
        rotation: rotation(&matches)?,
        output: matches.get_one("output").cloned(),
        append,
        title: matches.get_one("title").cloned(),
        as_capable: matches.get_flag("as-capable"),
        sandbox: !matches.get_flag("no-sandbox"),
        abi: abi(&matches)?,
        warnings,
    };
    match (member(&matches)?, options.abi) {
        (Some(pid), _) => Ok(Request::Profile(Box::new(options.of_member(pid)))),
        (None, Some(_)) if options.is_tree() => Err(UsageError(
            "Options --abi and --subprocesses, --name or several -p are not mutually \
             compatible.\nEach process has an ABI of its own, which is found out.\n"
                .into(),
        )),
        _ => Ok(Request::Profile(Box::new(options))),
    }
}

/// The line that `-v` prints.
fn version_line(abis: &[AbiTag]) -> String {
    let (system, libc) =
        if cfg!(target_env = "musl") { ("linux", "musl") } else { ("linux", "gnu") };
    format!(
        "pyflame {} {system}-{libc} {} (ABI list: {})\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH,
        abi_list(abis)
    )
}

#[cfg(test)]
mod tests;
