//! Completions for bash, zsh and fish.
//!
//! clap_complete could make them from the same definition, but knows nothing of process
//! ids, and nothing of a command that follows an option. So the scripts are written by
//! hand in packaging/completions, and the options are put in here.

use clap::{Arg, ValueHint};

use crate::Program;
use crate::template::fill;

/// A shell that completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// What can follow an option.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    /// Nothing.
    None,
    Pid,
    File,
    /// One of these words.
    Word(Vec<String>),
    /// Something that cannot be completed.
    Other,
    /// A command, which ends the options.
    Command,
}

/// An option, as shells need it.
#[derive(Clone, Debug)]
struct Opt {
    short: Option<char>,
    long: String,
    help: String,
    value: Value,
    value_name: String,
}

impl Shell {
    pub const ALL: [Self; 3] = [Self::Bash, Self::Zsh, Self::Fish];

    /// Where the completion of `program` is installed, below `share`.
    pub fn file(self, program: &str) -> String {
        match self {
            Self::Bash => format!("bash-completion/completions/{program}"),
            Self::Zsh => format!("zsh/vendor-completions/_{program}"),
            Self::Fish => format!("fish/vendor_completions.d/{program}.fish"),
        }
    }
}

/// The completion of `program` in `shell`.
pub fn script(shell: Shell, program: Program) -> Result<String, String> {
    let command = program.command();
    let arguments = command.get_arguments().filter(|argument| !argument.is_hide_set());
    let options: Vec<Opt> = arguments.map(|argument| option(argument, program)).collect();
    let name = program.name();
    let function = name.replace('.', "_");
    let names = [("PROGRAM", name.as_str()), ("FUNCTION", function.as_str())];
    let values = match shell {
        Shell::Bash => bash(&options, &function),
        Shell::Zsh => vec![("ARGUMENTS", zsh(&options, &function))],
        Shell::Fish => fish(&options, &name, &function),
    };
    let values: Vec<(&str, &str)> =
        values.iter().map(|(word, text)| (*word, text.as_str())).chain(names).collect();
    let template = match shell {
        Shell::Bash => include_str!("../../packaging/completions/program.bash.in"),
        Shell::Zsh => include_str!("../../packaging/completions/program.zsh.in"),
        Shell::Fish => include_str!("../../packaging/completions/program.fish.in"),
    };
    fill(template, &values)
}

fn option(argument: &Arg, program: Program) -> Opt {
    let name = argument.get_value_names().and_then(|names| names.first());
    let words = argument.get_possible_values();
    let value = match (argument.get_id().as_str(), argument.get_value_hint()) {
        ("trace", _) => Value::Command,
        _ if !argument.get_action().takes_values() => Value::None,
        ("pid", _) => Value::Pid,
        ("abi", _) => Value::Word(program.abis().iter().map(|v| v.abi().to_string()).collect()),
        _ if !words.is_empty() => {
            Value::Word(words.iter().map(|word| word.get_name().to_owned()).collect())
        }
        (_, ValueHint::AnyPath) => Value::File,
        _ => Value::Other,
    };
    Opt {
        short: argument.get_short(),
        long: argument.get_long().unwrap_or_default().to_owned(),
        help: argument.get_help().map(ToString::to_string).unwrap_or_default(),
        value,
        value_name: name.map(ToString::to_string).unwrap_or_default(),
    }
}

impl Opt {
    /// `-p`, `--pid`.
    fn names(&self) -> Vec<String> {
        let short = self.short.map(|short| format!("-{short}"));
        short.into_iter().chain([format!("--{}", self.long)]).collect()
    }

    fn takes_value(&self) -> bool {
        !matches!(self.value, Value::None | Value::Command)
    }
}

/// All names of the options that take a value.
fn valued(options: &[Opt], separator: &str) -> String {
    let valued = options.iter().filter(|option| option.takes_value());
    valued.flat_map(Opt::names).collect::<Vec<_>>().join(separator)
}

/// The letters that can stand before the `t` of `-xt`.
fn flags(options: &[Opt]) -> String {
    let flags = options.iter().filter(|option| option.value == Value::None);
    flags.filter_map(|option| option.short).collect()
}

fn bash(options: &[Opt], function: &str) -> Vec<(&'static str, String)> {
    let mut values = String::new();
    for option in options.iter().filter(|option| option.takes_value()) {
        let action = match &option.value {
            Value::Pid => format!("_{function}_pids \"$current\""),
            Value::File => "compopt -o filenames && mapfile -t COMPREPLY < \
                            <(compgen -f -- \"$current\")"
                .to_owned(),
            Value::Word(words) => format!(
                "mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$current\")",
                words.join(" ")
            ),
            Value::None | Value::Other | Value::Command => ":".to_owned(),
        };
        values += &format!("    {}) {action} ;;\n", option.names().join(" | "));
    }
    let names: Vec<String> = options.iter().flat_map(Opt::names).collect();
    vec![
        ("VALUES", values),
        ("VALUED", valued(options, " | ")),
        ("FLAGS", flags(options)),
        ("OPTIONS", names.join(" ")),
    ]
}

fn zsh(options: &[Opt], function: &str) -> String {
    let specifications: Vec<String> = options.iter().map(|o| zsh_option(o, function)).collect();
    specifications.join(" \\\n")
}

/// One word for `_arguments`.
fn zsh_option(option: &Opt, function: &str) -> String {
    let quoted = |text: &str| {
        let text = text.replace('\'', "'\\''");
        ["[", "]", ":"].iter().fold(text, |text, c| text.replace(c, &format!("\\{c}")))
    };
    let action = match &option.value {
        Value::None => String::new(),
        Value::Command => ":*::command:_normal".to_owned(),
        Value::Pid => format!(":{}:_{function}_pids", option.value_name),
        Value::File => format!(":{}:_files", option.value_name),
        Value::Word(words) => format!(":{}:({})", option.value_name, words.join(" ")),
        Value::Other => format!(":{}: ", option.value_name),
    };
    let (plus, equals) = if option.takes_value() { ("+", "=") } else { ("", "") };
    let (long, help) = (&option.long, quoted(&option.help));
    match option.short {
        Some(short) => format!(
            "    '(-{short} --{long})'{{-{short}{plus},--{long}{equals}}}'[{help}]{action}'"
        ),
        None => format!("    '--{long}{equals}[{help}]{action}'"),
    }
}

fn fish(options: &[Opt], name: &str, function: &str) -> Vec<(&'static str, String)> {
    let mut arguments = String::new();
    for option in options {
        arguments += &format!("complete -c {name} -n 'not __{function}_command >/dev/null'");
        if let Some(short) = option.short {
            arguments += &format!(" -s {short}");
        }
        arguments += &format!(" -l {}", option.long);
        arguments += &match &option.value {
            Value::None | Value::Command => String::new(),
            Value::Pid => " -x -a '(__fish_complete_pids)'".to_owned(),
            Value::File => " -r -F".to_owned(),
            Value::Word(words) => format!(" -x -a '{}'", words.join(" ")),
            Value::Other => " -x".to_owned(),
        };
        arguments += &format!(" -d '{}'\n", option.help.replace('\'', "\\'"));
    }
    vec![("ARGUMENTS", arguments), ("VALUED", valued(options, " ")), ("FLAGS", flags(options))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_is_told_every_option() {
        for shell in Shell::ALL {
            let script = script(shell, Program::Launcher).expect("a script");
            let command = Program::Launcher.command();
            for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
                let Some(long) = argument.get_long() else { continue };
                let name =
                    if shell == Shell::Fish { format!("-l {long}") } else { format!("--{long}") };
                assert!(script.contains(&name), "{shell:?} {name}");
            }
        }
    }

    #[test]
    fn values_are_those_of_the_definition() {
        let command = Program::Launcher.command();
        let value = |id: &str| {
            let argument = command.get_arguments().find(|argument| argument.get_id() == id);
            option(argument.expect("defined"), Program::Launcher).value
        };
        assert_eq!(value("pid"), Value::Pid);
        assert_eq!(value("output"), Value::File);
        assert_eq!(value("seconds"), Value::Other);
        assert_eq!(value("threads"), Value::None);
        assert_eq!(value("trace"), Value::Command);
        assert_eq!(
            value("pause"),
            Value::Word(["auto", "never", "always"].map(String::from).into())
        );
    }

    #[test]
    fn what_zsh_would_read_as_its_own_is_quoted() {
        let option = Opt {
            short: Some('n'),
            long: "no".to_owned(),
            help: "it's [a:b]".to_owned(),
            value: Value::None,
            value_name: String::new(),
        };
        assert_eq!(zsh_option(&option, "f"), "    '(-n --no)'{-n,--no}'[it'\\''s \\[a\\:b\\]]'");
    }
}
