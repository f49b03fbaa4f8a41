//! The words that stand behind options, as values.

use std::path::PathBuf;

use clap::ArgMatches;

use super::{UsageError, abi_list};
use crate::abi::Version;
use crate::dump::DumpStyle;
use crate::output::Format;
use crate::sampler::pause::Pause;

pub fn parse_pid(text: &str) -> Result<i32, UsageError> {
    match text.parse() {
        Ok(pid) if pid > 0 => Ok(pid),
        _ => Err(UsageError(format!(
            "Error: failed to parse \"{text}\" as a PID.\n\
             A PID is a number from 1 on, such as pgrep prints. To choose processes by their \
             command lines, use --name.\n"
        ))),
    }
}

pub fn pause(matches: &ArgMatches) -> Result<Pause, UsageError> {
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

/// How a dump is written. What is for dumps only is refused elsewhere.
pub fn dump_style(matches: &ArgMatches) -> Result<DumpStyle, UsageError> {
    if !matches.get_flag("dump") {
        for option in ["json", "verbose", "locals"] {
            if matches.get_flag(option) {
                return Err(UsageError(format!(
                    "Error: --{option} is for dumps only.\n\
                     Add --dump, which prints the stacks of all threads once.\n"
                )));
            }
        }
    }
    Ok(if matches.get_flag("json") {
        DumpStyle::Json
    } else if matches.get_flag("verbose") || matches.get_flag("locals") {
        DumpStyle::Verbose
    } else {
        DumpStyle::Original
    })
}

pub fn abi(matches: &ArgMatches) -> Result<Option<Version>, UsageError> {
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

/// The format that `--format` names, or the file of `-o` by the way it ends.
pub fn format(matches: &ArgMatches) -> Format {
    let named = matches.get_one::<String>("format").and_then(|name| Format::named(name));
    let flamechart = || matches.get_flag("flamechart").then(|| Format::named("flamechart"));
    let by_file = || matches.get_one::<PathBuf>("output").and_then(|path| Format::of_file(path));
    named.or_else(|| flamechart().flatten()).or_else(by_file).unwrap_or_default()
}
