//! The command line: arguments to [`Options`], errors to words and exit statuses.
//!
//! It is the original Pyflame's. `-t` takes the rest of the line as a command,
//! so the line is cut there before clap sees it.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::abi::{Abi, Version};
use crate::error::Error;
use crate::sampler::pause::Pause;

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Text for stdout, and a clean exit: help or version.
    Show(String),
    /// A profile or a dump.
    Profile(Options),
}

/// What is to be profiled, how, and where the result goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The process.
    pub target: Target,
    /// Print every thread's stack once instead of sampling.
    pub dump: bool,
    /// All threads of all interpreters, instead of those that hold a GIL.
    pub every_thread: bool,
    /// Leave idle samples out.
    pub exclude_idle: bool,
    /// Write `file:function` without the line.
    pub no_line_numbers: bool,
    /// Write every sample with its time, instead of counts.
    pub flamechart: bool,
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
    /// Where the result goes; `None` for stdout.
    pub output: Option<PathBuf>,
    /// The ABI that was asked for.
    pub abi: Option<Version>,
    /// Things to say on stderr before the run.
    pub warnings: Vec<String>,
}

/// The process that is profiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One that runs already.
    Process(i32),
    /// One that is started: a program and its arguments.
    Command {
        /// The words after `-t`.
        words: Vec<OsString>,
        /// Its process, if the launcher has started it already.
        started: Option<i32>,
    },
}

/// A command line that cannot be followed. The text is complete.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(String);

/// Options that take a value, so that the value is not taken for `-t`.
const VALUED: [(char, &str); 7] = [
    ('p', "pid"),
    ('s', "seconds"),
    ('r', "rate"),
    ('o', "output"),
    ('\0', "abi"),
    ('\0', "pause"),
    ('\0', "max-pause"),
];

/// Set by the launcher for the binary it executes: the process of the command
/// that it has started.
pub const STARTED_VARIABLE: &str = "PYFLAME_STARTED_PID";

/// The `main` of the profiler for `A`.
#[must_use]
pub fn main<A: Abi>() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    conclude(match parse(&arguments, &[A::VERSION]) {
        Ok(Request::Show(text)) => show(&text),
        Ok(Request::Profile(options)) => crate::run::run::<A>(&options),
        Err(error) => Err(error.into()),
    })
}

/// Prints help or version on stdout.
///
/// # Errors
/// [`Error::Write`] if stdout does not take it.
pub fn show(text: &str) -> Result<(), Error> {
    io::stdout().write_all(text.as_bytes()).map_err(Error::Write)
}

/// Says what went wrong, if anything did, and turns it into an exit status.
pub fn conclude(result: Result<(), Error>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let text = error.to_string();
            eprintln!("{}", text.trim_end());
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
    let (own, command) = split_at_trace(arguments);
    let mut definition = definition("pyflame", abis);
    let matches = match definition.try_get_matches_from_mut(own) {
        Ok(matches) => matches,
        Err(error) if !error.use_stderr() => return Ok(Request::Show(error.to_string())),
        Err(error) => return Err(UsageError(error.to_string())),
    };
    if matches.get_flag("version") {
        return Ok(Request::Show(version_line(abis)));
    }
    let usage = || UsageError(format!("{}\n", definition.clone().render_usage()));
    let (target, warnings) = target(&matches, command, usage)?;
    let traced = matches!(target, Target::Command { .. });
    Ok(Request::Profile(Options {
        target,
        dump: matches.get_flag("dump"),
        every_thread: matches.get_flag("threads") || matches.get_flag("dump"),
        exclude_idle: matches.get_flag("exclude-idle"),
        no_line_numbers: matches.get_flag("no-line-numbers"),
        flamechart: matches.get_flag("flamechart"),
        pause: pause(&matches)?,
        jitter: matches.get_flag("jitter"),
        stats: matches.get_flag("stats"),
        interval: interval(&matches)?,
        duration: if traced { None } else { duration(&matches)? },
        output: matches.get_one("output").cloned(),
        abi: abi(&matches)?,
        warnings,
    }))
}

/// The one definition of the command line of `program`, from which help, manual pages
/// and completions are made.
#[must_use]
pub fn definition(program: &str, abis: &[Version]) -> Command {
    let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    let value = |name: &'static str, unit: &'static str| {
        Arg::new(name).long(name).value_name(unit).allow_hyphen_values(true)
    };
    Command::new("pyflame")
        .display_name(program)
        .override_usage(format!(
            "{program} [OPTIONS] -p PID\n       {program} [OPTIONS] -t COMMAND [ARGUMENT]..."
        ))
        .about("A sampling profiler for CPython that leaves the process alone")
        .after_help(format!("{EXAMPLES}\nABIs: {}", abi_list(abis)))
        .disable_version_flag(true)
        .disable_help_flag(true)
        .args_override_self(true)
        .args([
            value("pid", "PID").short('p').help("The process to profile"),
            flag("trace")
                .short('t')
                .help("Run the rest of the line as a command and profile it until it ends"),
            value("seconds", "SECONDS")
                .short('s')
                .default_value("1")
                .help("How long to sample; 0 takes one sample. Has no effect with -t"),
            value("rate", "SECONDS")
                .short('r')
                .default_value("0.01")
                .help("Time between two samples; 0 is as fast as possible"),
            value("output", "FILE")
                .short('o')
                .value_parser(value_parser!(PathBuf))
                .help("Write the result to FILE instead of stdout"),
            flag("threads").short('L').help("Sample all threads, not only those that hold the GIL"),
            flag("exclude-idle").short('x').help("Leave out samples in which nobody held the GIL"),
            flag("no-line-numbers").short('n').help("Write file:function without the line"),
            flag("flamechart").help("Write each sample with its time in microseconds"),
            flag("dump").short('d').help("Print the stacks of all threads once and exit"),
            value("pause", "WHEN")
                .value_parser(["auto", "never", "always"])
                .default_value("auto")
                .help("When the process may be stopped for a sample"),
            flag("nonblocking").help("The same as --pause never"),
            flag("blocking").help("The same as --pause always"),
            value("max-pause", "PERCENT")
                .default_value("1")
                .help("How much of its time the process may stand still with --pause auto"),
            flag("jitter").help("Take samples at random moments, one in each interval"),
            flag("stats").help("Print the account of the run on stderr"),
            value("abi", "ABI").help("The Python ABI to expect: 27, 34, 35, ... 315"),
            flag("version").short('v').help("Print the version and the ABIs"),
            Arg::new("help")
                .short('h')
                .long("help")
                .action(ArgAction::Help)
                .help("Print this help"),
            Arg::new("legacy-pid").hide(true).num_args(0..).allow_hyphen_values(false),
        ])
}

const EXAMPLES: &str = "\
Examples:
  pyflame -p 4242 -s 30 -o out.folded     sample a process for 30 seconds
  pyflame -t python3 app.py --fast        run a program and sample it
  pyflame --dump -p 4242                  what is it doing right now?
  pyflame -p 4242 | flamegraph.pl > out.svg
";

/// Cuts the line after `-t`: what is pyflame's own, and the command if there is one.
fn split_at_trace(arguments: &[OsString]) -> (&[OsString], Option<&[OsString]>) {
    let mut position = 1;
    while let Some(argument) = arguments.get(position) {
        let argument = argument.to_string_lossy();
        position += 1;
        if argument == "--" {
            break;
        } else if argument == "--trace" || is_cluster_with_trace(&argument) {
            return (&arguments[..position], Some(&arguments[position..]));
        } else if takes_next_word(&argument) {
            position += 1;
        }
    }
    (arguments, None)
}

/// Whether `argument` is `-t`, or flags that end with it, such as `-xt`.
fn is_cluster_with_trace(argument: &str) -> bool {
    argument.strip_prefix('-').and_then(|flags| flags.strip_suffix('t')).is_some_and(|flags| {
        flags.chars().all(|flag| flag.is_ascii_alphabetic() && !is_valued(flag))
    })
}

fn is_valued(flag: char) -> bool {
    VALUED.iter().any(|(short, _)| *short == flag)
}

/// Whether the word after `argument` is its value.
fn takes_next_word(argument: &str) -> bool {
    if let Some(long) = argument.strip_prefix("--") {
        return VALUED.iter().any(|(_, name)| *name == long);
    }
    argument.strip_prefix('-').is_some_and(|cluster| {
        cluster.chars().position(is_valued).is_some_and(|at| at + 1 == cluster.chars().count())
    })
}

fn target(
    matches: &ArgMatches,
    command: Option<&[OsString]>,
    usage: impl Fn() -> UsageError,
) -> Result<(Target, Vec<String>), UsageError> {
    let given = matches.get_one::<String>("pid");
    if let Some(words) = command {
        let other = match (matches.get_flag("dump"), given) {
            (true, _) => Some("-d"),
            (false, Some(_)) => Some("-p"),
            (false, None) => None,
        };
        if let Some(other) = other {
            return Err(UsageError(format!(
                "Options -t and {other} are not mutually compatible.\n"
            )));
        }
        let program = words.first().ok_or_else(usage)?;
        if is_pyflame(program) {
            return Err(UsageError(
                "You tried to pyflame a pyflame. Profile a Python program instead.\n".into(),
            ));
        }
        return Ok((Target::Command { words: words.to_vec(), started: started() }, Vec::new()));
    }
    let legacy: Vec<&String> =
        matches.get_many::<String>("legacy-pid").into_iter().flatten().collect();
    match (given, legacy.as_slice()) {
        (Some(pid), []) => Ok((Target::Process(parse_pid(pid)?), Vec::new())),
        (None, [pid]) => {
            let warning = "WARNING: Specifying a PID to trace without -p is deprecated; \
                           write -p PID.";
            Ok((Target::Process(parse_pid(pid)?), vec![warning.into()]))
        }
        _ => Err(usage()),
    }
}

/// The process that the launcher has started for this command, if it did.
fn started() -> Option<i32> {
    std::env::var(STARTED_VARIABLE).ok()?.parse().ok()
}

/// Whether a command is one of ours: `pyflame`, `pyflame3.6`, by any path.
fn is_pyflame(program: &OsStr) -> bool {
    let name = std::path::Path::new(program).file_name().unwrap_or(program).to_string_lossy();
    name.strip_prefix("pyflame")
        .is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

fn parse_pid(text: &str) -> Result<i32, UsageError> {
    match text.parse() {
        Ok(pid) if pid > 0 => Ok(pid),
        _ => Err(UsageError(format!(
            "Error: failed to parse \"{text}\" as a PID.\n\
             A PID is a number from 1 on, such as pgrep prints.\n"
        ))),
    }
}

fn seconds(matches: &ArgMatches, option: &str) -> Result<f64, UsageError> {
    let text = matches.get_one::<String>(option).map_or("", String::as_str);
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() => Ok(seconds),
        _ => Err(UsageError(format!(
            "Error: \"{text}\" is not a number of seconds for --{option}.\n"
        ))),
    }
}

fn interval(matches: &ArgMatches) -> Result<Duration, UsageError> {
    let seconds = seconds(matches, "rate")?;
    Duration::try_from_secs_f64(seconds).map_err(|_| {
        UsageError(format!("Error: --rate {seconds} is not a time between two samples.\n"))
    })
}

/// As in the original, a negative number of seconds means until the end.
fn duration(matches: &ArgMatches) -> Result<Option<Duration>, UsageError> {
    let seconds = seconds(matches, "seconds")?;
    Ok(Duration::try_from_secs_f64(seconds).ok())
}

fn pause(matches: &ArgMatches) -> Result<Pause, UsageError> {
    let when = matches.get_one::<String>("pause").map_or("auto", String::as_str);
    if matches.get_flag("nonblocking") || when == "never" {
        return Ok(Pause::Never);
    } else if matches.get_flag("blocking") || when == "always" {
        return Ok(Pause::Always);
    }
    let text = matches.get_one::<String>("max-pause").map_or("", String::as_str);
    match text.parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Pause::Auto(percent / 100.0)),
        _ => Err(UsageError(format!(
            "Error: \"{text}\" is not a percentage from 0 to 100 for --max-pause.\n"
        ))),
    }
}

fn abi(matches: &ArgMatches) -> Result<Option<Version>, UsageError> {
    let Some(text) = matches.get_one::<String>("abi") else { return Ok(None) };
    match text.parse().ok().and_then(Version::from_abi) {
        Some(version) => Ok(Some(version)),
        None => Err(UsageError(format!(
            "Unknown or unsupported ABI version: {text}\n\
             This release supports {}.\n",
            abi_list(&crate::abi::SUPPORTED)
        ))),
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
#[path = "cli_tests.rs"]
mod tests;
