//! `-t` takes the rest of the line as a command, so the line is cut there before clap
//! sees it.

use std::ffi::OsString;

use clap::{Arg, Command};

/// Cuts the line after `-t`: what is pyflame's own, and the command if there is one.
/// `definition` tells which options take a value, so that a value is not taken for `-t`.
pub(super) fn split_at_trace<'a>(
    definition: &Command,
    arguments: &'a [OsString],
) -> (&'a [OsString], Option<&'a [OsString]>) {
    let mut position = 1;
    while let Some(argument) = arguments.get(position) {
        let argument = argument.to_string_lossy();
        position += 1;
        if argument == "--" {
            break;
        } else if argument == "--trace" || is_cluster_with_trace(definition, &argument) {
            return (&arguments[..position], Some(&arguments[position..]));
        } else if takes_next_word(definition, &argument) {
            position += 1;
        }
    }
    (arguments, None)
}

/// Whether `argument` is `-t`, or flags that end with it, such as `-xt`.
fn is_cluster_with_trace(definition: &Command, argument: &str) -> bool {
    argument.strip_prefix('-').and_then(|flags| flags.strip_suffix('t')).is_some_and(|flags| {
        flags.chars().all(|flag| flag.is_ascii_alphabetic() && !is_valued(definition, flag))
    })
}

/// The options that take a value.
fn valued(definition: &Command) -> impl Iterator<Item = &Arg> {
    let options = definition.get_arguments().filter(|option| !option.is_positional());
    options.filter(|option| option.get_action().takes_values())
}

fn is_valued(definition: &Command, flag: char) -> bool {
    valued(definition).any(|option| option.get_short() == Some(flag))
}

/// Whether the word after `argument` is its value.
fn takes_next_word(definition: &Command, argument: &str) -> bool {
    if let Some(long) = argument.strip_prefix("--") {
        return valued(definition)
            .any(|option| option.get_long() == Some(long) && !option.is_require_equals_set());
    }
    argument.strip_prefix('-').is_some_and(|cluster| {
        let first = cluster.chars().position(|flag| is_valued(definition, flag));
        first.is_some_and(|at| at + 1 == cluster.chars().count())
    })
}
