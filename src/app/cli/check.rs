//! The command line of `pyflame check`.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::command::{command, flag};
use super::definition::as_capable;
use super::usage::UsageError;
use super::values::parse_pid;
use crate::app::options::CheckOptions;

const EXAMPLES: &str = "\
Examples:
  pyflame check 4242
  pyflame check --name gunicorn
  pyflame check --report bug.txt 4242

Each line is an answer: ok, note (a run works, but should be known) or FAIL, with what to do
below it. The exit status is 1 if a run would fail.
";

/// The definition of the command.
pub(super) fn definition() -> Command {
    command("check", "[OPTIONS] PID...").after_help(EXAMPLES).args([
        Arg::new("pids")
            .value_name("PID")
            .num_args(1..)
            .allow_hyphen_values(true)
            .required_unless_present_any(["pid", "name"])
            .help("The processes to look at"),
        Arg::new("pid")
            .short('p')
            .long("pid")
            .value_name("PID")
            .action(ArgAction::Append)
            .allow_hyphen_values(true)
            .help("The same"),
        Arg::new("name")
            .long("name")
            .value_name("REGEX")
            .conflicts_with_all(["pids", "pid"])
            .help("All Python processes whose name or command line matches"),
        flag("subprocesses").help("Also all processes that they have started"),
        flag("json").help("Write one line of JSON for each process"),
        Arg::new("report")
            .long("report")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .conflicts_with_all(["name", "subprocesses"])
            .help("Also write what the report of a bug needs to FILE; no memory is in it"),
        as_capable(),
        flag("own").hide(true),
    ])
}

/// What is asked.
///
/// # Errors
/// [`UsageError`] if an id is none, or a report is wanted of several.
pub(super) fn options(matches: &ArgMatches) -> Result<CheckOptions, UsageError> {
    let words = |name: &str| matches.get_many::<String>(name).into_iter().flatten();
    let pids = words("pids").chain(words("pid")).map(|word| parse_pid(word));
    let pids = pids.collect::<Result<Vec<_>, _>>()?;
    if pids.len() > 1 && matches.contains_id("report") {
        return Err(UsageError("--report is about one process: name one PID.".into()));
    }
    Ok(CheckOptions {
        pids,
        name: matches.get_one("name").cloned(),
        subprocesses: matches.get_flag("subprocesses"),
        json: matches.get_flag("json"),
        report: matches.get_one("report").cloned(),
        as_capable: matches.get_flag("as-capable"),
        own: matches.get_flag("own"),
    })
}
