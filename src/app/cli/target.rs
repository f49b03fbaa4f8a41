//! What the command line names as the thing to profile.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::ArgMatches;

use super::usage::{COMMANDS, UsageError};
use super::values::parse_pid;
use crate::app::launch::handover::Handover;
use crate::app::options::Target;

/// What to profile, and things to say about that. `command` is what follows `-t`.
pub(super) fn target(
    matches: &ArgMatches,
    command: Option<&[OsString]>,
    usage: impl Fn() -> UsageError,
) -> Result<(Target, Vec<String>), UsageError> {
    if let Some(pid) = member(matches)? {
        return Ok((Target::Process(pid), Vec::new()));
    }
    let words = |option| matches.get_many::<String>(option).into_iter().flatten();
    let given: Vec<i32> = words("pid").map(|pid| parse_pid(pid)).collect::<Result<_, _>>()?;
    let name = matches.get_one::<String>("name");
    let legacy: Vec<&String> = words("legacy-pid").collect();
    if let Some(file) = matches.get_one::<PathBuf>("core") {
        let others = [
            ("-t", command.is_some()),
            ("-p", !given.is_empty()),
            ("--name", name.is_some()),
            ("--subprocesses", matches.get_flag("subprocesses")),
        ];
        if let Some((other, _)) = others.iter().find(|(_, is_there)| *is_there) {
            return Err(incompatible("--core", other));
        }
        return core(file, legacy.as_slice(), matches.get_flag("dump"), usage);
    }
    if let Some(words) = command {
        let is_dump = matches.get_flag("dump");
        let others = [("-d", is_dump), ("-p", !given.is_empty()), ("--name", name.is_some())];
        return match others.iter().find(|(_, is_there)| *is_there) {
            Some((other, _)) => Err(incompatible("-t", other)),
            None => trace(words, usage),
        };
    }
    match (given.as_slice(), name, legacy.as_slice()) {
        ([pid], None, []) => Ok((Target::Process(*pid), Vec::new())),
        ([_, ..], None, []) => Ok((Target::Processes(given), Vec::new())),
        ([], Some(pattern), []) => Ok((Target::Named(pattern.clone()), Vec::new())),
        ([_, ..], Some(_), []) => Err(incompatible("-p", "--name")),
        ([], None, [word, others @ ..]) if word.starts_with(char::is_alphabetic) => {
            // As the original has it, for more words than one.
            let usage = if others.is_empty() { None } else { Some(usage().0 + "\n") };
            let usage = usage.unwrap_or_default();
            Err(UsageError(format!(
                "{usage}Error: failed to parse \"{word}\" as a PID, and it is no command.\n\
                 The commands are {}. To run a program and profile it, write -t before it.\n",
                COMMANDS.map(|(name, _)| name).join(", ")
            )))
        }
        ([], None, [pid]) => {
            let warning = "WARNING: Specifying a PID to trace without -p is deprecated; \
                           write -p PID.";
            Ok((Target::Process(parse_pid(pid)?), vec![warning.into()]))
        }
        _ => Err(usage()),
    }
}

/// A core file, and what follows it.
fn core(
    file: &Path,
    rest: &[&String],
    is_dump: bool,
    usage: impl Fn() -> UsageError,
) -> Result<(Target, Vec<String>), UsageError> {
    if !is_dump {
        return Err(UsageError(
            "Error: --core is for dumps only: a core file has one moment.\n\
             Add --dump, which prints the stacks of all threads.\n"
                .into(),
        ));
    }
    let program = match rest {
        [] => None,
        [program] => Some(PathBuf::from(program)),
        _ => return Err(usage()),
    };
    Ok((Target::Core { file: file.to_path_buf(), program }, Vec::new()))
}

/// The process that a supervisor wants to be sampled for it.
pub(super) fn member(matches: &ArgMatches) -> Result<Option<i32>, UsageError> {
    matches.get_one::<String>("member").map(|pid| parse_pid(pid)).transpose()
}

fn incompatible(one: &str, other: &str) -> UsageError {
    UsageError(format!("Options {one} and {other} are not mutually compatible.\n"))
}

fn trace(
    words: &[OsString],
    usage: impl Fn() -> UsageError,
) -> Result<(Target, Vec<String>), UsageError> {
    let program = words.first().ok_or_else(usage)?;
    if is_pyflame(program) {
        return Err(UsageError(
            "You tried to pyflame a pyflame. Profile a Python program instead.\n".into(),
        ));
    }
    Ok((Target::Command { words: words.to_vec(), handover: Handover::take() }, Vec::new()))
}

/// Whether a command is one of ours: `pyflame`, `pyflame3.6`, by any path.
fn is_pyflame(program: &OsStr) -> bool {
    let name = Path::new(program).file_name().unwrap_or(program).to_string_lossy();
    name.strip_prefix("pyflame")
        .is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.'))
}
