//! The command line: arguments to [`Options`], errors to words and exit statuses.
//!
//! It is the original Pyflame's, and what has been added to it since.

mod colour;
mod commands;
mod definition;
mod target;
mod times;
mod trace_line;
mod values;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

pub use self::commands::{
    DiffOptions, Invocation, ReportOptions, TopOptions, commands, named_command, parse_command,
};
pub use self::definition::definition;
use self::target::{member, target};
use self::times::{duration, interval, rotation};
use self::trace_line::split_at_trace;
use self::values::{
    abi, dump_style, engine, format, frame_filter, pause, thread_filter, time_mode,
};
use crate::app::dump::DumpStyle;
use crate::app::error::Error;
use crate::app::launch::handover::Handover;
use crate::app::programs;
use crate::cpython::abi::{Abi, Version};
use crate::escape::say;
use crate::profile::SaveError;
use crate::profile::filter::{FrameFilter, ThreadFilter};
use crate::render::{Format, recording};
use crate::sampler::pause::Pause;
use crate::sampler::selection::TimeMode;
use crate::stack::FrameStyle;

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Text for stdout, and a clean exit: help or version.
    Show(String),
    /// A profile or a dump.
    Profile(Box<Options>),
}

/// What is to be profiled, how, and where the result goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The process, or several.
    pub target: Target,
    /// Also all processes that it starts.
    pub subprocesses: bool,
    /// It is one process of many, for a supervisor that looks anew at one that executes
    /// another program.
    pub is_member: bool,
    /// Print every thread's stack once instead of sampling.
    pub dump: bool,
    /// How the dump is written.
    pub dump_style: DumpStyle,
    /// Show the variables of every frame of a dump.
    pub locals: bool,
    /// What a thread has to do to be sampled.
    pub mode: TimeMode,
    /// Which threads are sampled.
    pub threads: ThreadFilter,
    /// Which frames are kept, and how they are named.
    pub frames: FrameFilter,
    /// All threads of all interpreters, instead of those that hold a GIL.
    pub every_thread: bool,
    /// Leave idle samples out.
    pub exclude_idle: bool,
    /// How the profile is written.
    pub format: Format,
    /// Who takes the samples.
    pub engine: EngineChoice,
    /// Whether and how the process may be stopped.
    pub pause: Pause,
    /// Move each tick by a random part of the interval.
    pub jitter: bool,
    /// Print the account of the run on stderr.
    pub stats: bool,
    /// Time between two samples; zero for as fast as possible.
    pub interval: Duration,
    /// How long to sample; `None` until the process ends.
    pub duration: Option<Duration>,
    /// One file for each window of this length.
    pub rotation: Option<Duration>,
    /// Where the result goes; `None` for stdout.
    pub output: Option<PathBuf>,
    /// Add to the recording that is there.
    pub append: bool,
    /// The title of a picture or a report.
    pub title: Option<String>,
    /// The ABI that was asked for.
    pub abi: Option<Version>,
    /// Things to say on stderr before the run.
    pub warnings: Vec<String>,
}

/// Who takes the samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineChoice {
    /// The kernel where it may; else this program, in stops, or without them if there shall
    /// be none.
    #[default]
    Auto,
    /// The kernel, in interrupts of the process.
    Kernel,
    /// This program, while the thread that runs is stopped.
    Stop,
    /// This program, while the process runs.
    Read,
}

/// The process that is profiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One that runs already.
    Process(i32),
    /// Several that run already.
    Processes(Vec<i32>),
    /// All of Python that match a regular expression.
    Named(String),
    /// One that is started: a program and its arguments.
    Command {
        /// The words after `-t`.
        words: Vec<OsString>,
        /// What the program before this one in this process has started and done of that.
        handover: Option<Handover>,
    },
}

/// A command line that cannot be followed. The text is complete.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(String);

/// What to do after a command line that names nothing to profile.
const HINT: &str = "Name a process with -p, or a command to run with -t. \
                    For all options and examples, try --help.";

/// The `main` of the profiler for `A`.
#[must_use]
pub fn main<A: Abi>() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if let Some(command) = named_command(&arguments) {
        return conclude(Err(programs::become_launcher(command, &arguments)));
    }
    conclude(match parse(&arguments, &[A::VERSION]) {
        Ok(Request::Show(text)) => show(&text).map(|()| 0),
        Ok(Request::Profile(options)) if options.is_tree() => {
            let what = if options.subprocesses { "--subprocesses" } else { "several processes" };
            Err(programs::become_launcher(what, &arguments))
        }
        Ok(Request::Profile(options)) => crate::app::run::run::<A>(&options, &arguments),
        Err(error) => Err(error.into()),
    })
}

/// Prints help or version on stdout.
///
/// # Errors
/// [`SaveError::Write`] if stdout does not take it.
pub fn show(text: &str) -> Result<(), Error> {
    Ok(io::stdout().write_all(text.as_bytes()).map_err(SaveError::Write)?)
}

/// Says what went wrong, if anything did, and turns it into an exit status.
pub fn conclude(result: Result<u8, Error>) -> ExitCode {
    match result {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            let text = error.to_string();
            match &error {
                // It may be in colour, and quotes the command line only.
                Error::Usage(_) => eprintln!("{}", text.trim_end()),
                _ => say(text.trim_end()),
            }
            ExitCode::from(error.exit_status())
        }
    }
}

/// Reads a command line; `arguments` start with the program's name. `abis` is
/// what `-v` lists.
///
/// # Errors
/// [`UsageError`] with what to say on stderr.
pub fn parse(arguments: &[OsString], abis: &[Version]) -> Result<Request, UsageError> {
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
    let options = Options {
        target,
        subprocesses,
        is_member: false,
        dump: matches.get_flag("dump"),
        dump_style: dump_style(&matches)?,
        locals: matches.get_flag("locals"),
        mode,
        threads: thread_filter(&matches),
        frames: frame_filter(&matches)?,
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

impl Options {
    /// Whether there may be several processes, of several ABIs: `pyflame` supervises that.
    #[must_use]
    pub fn is_tree(&self) -> bool {
        self.subprocesses || matches!(self.target, Target::Processes(_) | Target::Named(_))
    }

    /// Whether it matters on which lines of functions the samples are.
    #[must_use]
    pub fn reads_lines(&self) -> bool {
        self.frames.style == FrameStyle::WithLines
    }

    /// Whether it matters where a process looks for its modules; who reads a recording may
    /// want to know.
    #[must_use]
    pub fn needs_search_path(&self) -> bool {
        self.frames.needs_search_path() || self.format == recording::FORMAT
    }

    /// The options for one process of many, whose recording a supervisor reads from a pipe
    /// until it has enough.
    fn of_member(self, pid: i32) -> Self {
        let is_moment = self.duration.is_some_and(|duration| duration.is_zero());
        Self {
            target: Target::Process(pid),
            subprocesses: false,
            is_member: true,
            format: recording::FORMAT,
            stats: false,
            duration: if is_moment { self.duration } else { None },
            rotation: None,
            output: None,
            append: false,
            warnings: Vec::new(),
            ..self
        }
    }
}

/// The line that `-v` prints.
fn version_line(abis: &[Version]) -> String {
    let (system, libc) =
        if cfg!(target_env = "musl") { ("linux", "musl") } else { ("linux", "gnu") };
    format!(
        "pyflame {} {system}-{libc} {} (ABI list: {})\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH,
        abi_list(abis)
    )
}

fn abi_list(abis: &[Version]) -> String {
    let abis: Vec<String> = abis.iter().map(|version| version.abi().to_string()).collect();
    abis.join(" ")
}

#[cfg(test)]
mod tests;
