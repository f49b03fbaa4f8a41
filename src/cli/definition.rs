//! The one definition of the command line, from which help, manual pages and completions
//! are made.

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, Command, value_parser};

use super::abi_list;
use crate::abi::Version;
use crate::output::FORMATS;

/// The command line of `program`, which profiles `abis`.
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
            Arg::new("format")
                .long("format")
                .value_name("FORMAT")
                .value_parser(formats())
                .help("How to write the result; by default as FILE ends, otherwise folded"),
            flag("threads").short('L').help("Sample all threads, not only those that hold the GIL"),
            flag("exclude-idle").short('x').help("Leave out samples in which nobody held the GIL"),
            flag("no-line-numbers").short('n').help("Write file:function without the line"),
            flag("flamechart").help("The same as --format flamechart"),
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

/// What `--format` takes.
fn formats() -> Vec<PossibleValue> {
    FORMATS.iter().map(|format| PossibleValue::new(format.name).help(format.about)).collect()
}

const EXAMPLES: &str = "\
Examples:
  pyflame -p 4242 -s 30 -o out.folded     sample a process for 30 seconds
  pyflame -t python3 app.py --fast        run a program and sample it
  pyflame --dump -p 4242                  what is it doing right now?
  pyflame -p 4242 | flamegraph.pl > out.svg
";
