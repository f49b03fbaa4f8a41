//! Completions for bash, zsh and fish.
//!
//! clap_complete could make them from the same definition, but knows nothing of process
//! ids, and nothing of a command that follows an option. So the scripts are written by
//! hand in packaging/completions, and the options are put in here.

use clap::{Arg, Command, ValueHint};

use crate::Program;
use crate::template::fill;

/// A shell that completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shell {
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
    /// One of these words after an equals sign, or nothing: never the next word.
    Attached(Vec<String>),
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
    pub(crate) const ALL: [Self; 3] = [Self::Bash, Self::Zsh, Self::Fish];

    /// Where the completion of `program` is installed, below `share`.
    pub(crate) fn file(self, program: &str) -> String {
        match self {
            Self::Bash => format!("bash-completion/completions/{program}"),
            Self::Zsh => format!("zsh/vendor-completions/_{program}"),
            Self::Fish => format!("fish/vendor_completions.d/{program}.fish"),
        }
    }
}

/// The completion of `program` in `shell`.
pub(crate) fn script(shell: Shell, program: Program) -> Result<String, String> {
    let command = program.command();
    let options = options_of(&command, program);
    let commands = if program == Program::Launcher { commands(program) } else { Vec::new() };
    let name = program.name();
    let function = name.replace('.', "_");
    let names = [("PROGRAM", name.as_str()), ("FUNCTION", function.as_str())];
    let mut values = match shell {
        Shell::Bash => bash(&options, &function),
        Shell::Zsh => vec![("ARGUMENTS", zsh(&options, &function))],
        Shell::Fish => fish(&options, &name, &function),
    };
    let words = match shell {
        Shell::Bash => bash_commands(&commands, &options, &function),
        Shell::Zsh => zsh_commands(&commands, &function),
        Shell::Fish => fish_commands(&commands, &name),
    };
    values.push(("COMMANDS", words));
    let values: Vec<(&str, &str)> =
        values.iter().map(|(word, text)| (*word, text.as_str())).chain(names).collect();
    let template = match shell {
        Shell::Bash => include_str!("../../packaging/completions/program.bash.in"),
        Shell::Zsh => include_str!("../../packaging/completions/program.zsh.in"),
        Shell::Fish => include_str!("../../packaging/completions/program.fish.in"),
    };
    fill(template, &values)
}

/// A command of the launcher: its name, its help and its options.
type Named = (String, String, Vec<Opt>);

fn commands(program: Program) -> Vec<Named> {
    let named = |mut command: Command| {
        command.build();
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        (command.get_name().to_owned(), about, options_of(&command, program))
    };
    pyflame::app::cli::commands().into_iter().map(named).collect()
}

fn options_of(command: &Command, program: Program) -> Vec<Opt> {
    let arguments = command.get_arguments();
    let named = arguments.filter(|a| !a.is_hide_set() && a.get_long().is_some());
    named.map(|argument| option(argument, program)).collect()
}

fn option(argument: &Arg, program: Program) -> Opt {
    let name = argument.get_value_names().and_then(|names| names.first());
    let words = argument.get_possible_values();
    let value = match (argument.get_id().as_str(), argument.get_value_hint()) {
        ("trace", _) => Value::Command,
        _ if !argument.get_action().takes_values() => Value::None,
        ("pid", _) => Value::Pid,
        ("abi", _) => Value::Word(program.abis().iter().map(|v| v.abi()).collect()),
        _ if !words.is_empty() => {
            let words = words.iter().map(|word| word.get_name().to_owned()).collect();
            if argument.is_require_equals_set() {
                Value::Attached(words)
            } else {
                Value::Word(words)
            }
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

    /// Whether the next word is its value.
    fn takes_value(&self) -> bool {
        !matches!(self.value, Value::None | Value::Attached(_) | Value::Command)
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

/// The part of the function that is for commands: what follows them, and they themselves.
fn bash_commands(commands: &[Named], options: &[Opt], function: &str) -> String {
    if commands.is_empty() {
        return String::new();
    }
    let mut text = "    if ((COMP_CWORD > 1)); then\n        case ${COMP_WORDS[1]} in\n".to_owned();
    for (name, _, options) in commands {
        let names: Vec<String> = options.iter().flat_map(Opt::names).collect();
        text += &format!(
            "        {name})\n            COMPREPLY=()\n            case $option in\n{}            \
             *)\n                if [[ $current == -* ]]; then\n                    \
             mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$current\")\n                else\n\
             \x20                   compopt -o filenames && mapfile -t COMPREPLY < \
             <(compgen -f -- \"$current\")\n                fi\n                ;;\n            \
             esac\n            return\n            ;;\n",
            bash_values(options, function, "            "),
            names.join(" ")
        );
    }
    let first = commands.iter().map(|(name, ..)| name.clone());
    let first: Vec<String> = first.chain(options.iter().flat_map(Opt::names)).collect();
    text + &format!(
        "        esac\n    elif [[ $current != -* ]]; then\n        \
         mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$current\")\n        return\n    fi\n",
        first.join(" ")
    )
}

fn zsh_commands(commands: &[Named], function: &str) -> String {
    let mut text = String::new();
    for (name, _, options) in commands {
        text += &format!(
            "if (( CURRENT > 2 )) && [[ $words[2] == {name} ]]; then\n    shift words\n    \
             (( CURRENT-- ))\n    _arguments -s -S \\\n{} \\\n    '*:FILE:_files'\n    return\nfi\n",
            zsh(options, function)
        );
    }
    if !commands.is_empty() {
        let described = commands.iter().map(|(name, about, _)| format!("'{name}:{about}'"));
        let described: Vec<String> = described.collect();
        text += &format!(
            "if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then\n    local -a commands=({})\n    \
             _describe -t commands command commands\nfi\n",
            described.join(" ")
        );
    }
    text
}

fn fish_commands(commands: &[Named], name: &str) -> String {
    let mut text = String::new();
    for (command, about, options) in commands {
        text += &format!(
            "complete -c {name} -n 'test (count (commandline -opc)) -eq 1' -a {command} -d '{about}'\n"
        );
        let follows = format!("contains -- {command} (commandline -opc)[2]");
        if command != "top" {
            text += &format!("complete -c {name} -n '{follows}' -F\n");
        }
        for option in options {
            text += &fish_option(option, name, &follows);
        }
    }
    text
}

fn bash(options: &[Opt], function: &str) -> Vec<(&'static str, String)> {
    let names: Vec<String> = options.iter().flat_map(Opt::names).collect();
    vec![
        ("VALUES", bash_values(options, function, "")),
        ("VALUED", valued(options, " | ")),
        ("FLAGS", flags(options)),
        ("OPTIONS", names.join(" ")),
    ]
}

/// What follows each option, as the branches of a `case`.
fn bash_values(options: &[Opt], function: &str, indent: &str) -> String {
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
            Value::None | Value::Attached(_) | Value::Other | Value::Command => ":".to_owned(),
        };
        values += &format!("{indent}    {}) {action} ;;\n", option.names().join(" | "));
    }
    values
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
        Value::Attached(words) => format!("::{}:({})", option.value_name, words.join(" ")),
        Value::Other => format!(":{}: ", option.value_name),
    };
    let (plus, equals) = match option.value {
        Value::Attached(_) => ("-", "=-"),
        _ if option.takes_value() => ("+", "="),
        _ => ("", ""),
    };
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
    let condition = format!("not __{function}_command >/dev/null");
    for option in options {
        arguments += &fish_option(option, name, &condition);
    }
    vec![("ARGUMENTS", arguments), ("VALUED", valued(options, " ")), ("FLAGS", flags(options))]
}

fn fish_option(option: &Opt, name: &str, condition: &str) -> String {
    let mut line = format!("complete -c {name} -n '{condition}'");
    if let Some(short) = option.short {
        line += &format!(" -s {short}");
    }
    line += &format!(" -l {}", option.long);
    line += &match &option.value {
        Value::None | Value::Command => String::new(),
        Value::Pid => " -x -a '(__fish_complete_pids)'".to_owned(),
        Value::File => " -r -F".to_owned(),
        Value::Word(words) => format!(" -x -a '{}'", words.join(" ")),
        // Without -x the value may be missing.
        Value::Attached(words) => format!(" -f -a '{}'", words.join(" ")),
        Value::Other => " -x".to_owned(),
    };
    line + &format!(" -d '{}'\n", option.help.replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_launcher_completes_its_commands_and_a_profiler_has_none() {
        for shell in Shell::ALL {
            let of = |program| script(shell, program).expect("a script");
            for (name, ..) in commands(Program::Launcher) {
                assert!(of(Program::Launcher).contains(&name), "{shell:?} {name}");
            }
            assert!(!of(Program::Profiler(pyflame::cpython::abi::SUPPORTED[0])).contains("diff"));
        }
    }

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
        let native = ["none", "yes", "all"].map(String::from);
        assert_eq!(value("native"), Value::Attached(native.into()));
        assert_eq!(
            value("pause"),
            Value::Word(["auto", "never", "always"].map(String::from).into())
        );
    }

    #[test]
    fn a_value_that_stands_behind_an_equals_sign_is_no_next_word() {
        let command = Program::Launcher.command();
        let options = options_of(&command, Program::Launcher);
        assert!(!valued(&options, " ").split(' ').any(|name| name == "--native"));
        let native = options.iter().find(|option| option.long == "native").expect("defined");
        assert!(zsh_option(native, "f").contains("--native=-["));
        assert!(zsh_option(native, "f").ends_with("::WHICH:(none yes all)'"));
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
