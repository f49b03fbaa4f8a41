//! What the definitions of all commands of the launcher have in common.

use clap::{Arg, ArgAction, Command};

use super::usage::COMMANDS;

/// A command of the launcher, without options but `--help`.
pub(super) fn command(name: &'static str, usage: &str) -> Command {
    let about = COMMANDS.iter().find(|(other, _)| *other == name).map_or("", |(_, about)| about);
    Command::new(name)
        .about(about)
        .display_name(format!("pyflame {name}"))
        .override_usage(format!("pyflame {name} {usage}"))
        .disable_help_flag(true)
        .args_override_self(true)
        .arg(
            Arg::new("help")
                .short('h')
                .long("help")
                .action(ArgAction::Help)
                .help("Print this help"),
        )
}

/// An option without a value.
pub(super) fn flag(name: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue)
}
