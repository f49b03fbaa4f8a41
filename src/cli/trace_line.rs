//! `-t` takes the rest of the line as a command, so the line is cut there before clap
//! sees it.

use std::ffi::OsString;

/// Options that take a value, so that the value is not taken for `-t`.
const VALUED: [(char, &str); 8] = [
    ('p', "pid"),
    ('s', "seconds"),
    ('r', "rate"),
    ('o', "output"),
    ('\0', "format"),
    ('\0', "abi"),
    ('\0', "pause"),
    ('\0', "max-pause"),
];

/// Cuts the line after `-t`: what is pyflame's own, and the command if there is one.
pub fn split_at_trace(arguments: &[OsString]) -> (&[OsString], Option<&[OsString]>) {
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
