//! Manual pages: the hand-written text of packaging/man, and the options of the one
//! definition of the command line.

use clap::Command;
use clap_mangen::Man;
use pyflame::abi::SUPPORTED;

use crate::Program;
use crate::template::fill;

const PAGE: &str = include_str!("../../packaging/man/page.1.in");
const LAUNCHER: &str = include_str!("../../packaging/man/launcher.man");
const PROFILER: &str = include_str!("../../packaging/man/profiler.man");

/// The page of `program`, in man(7) macros.
pub fn page(program: Program) -> Result<String, String> {
    let name = program.name();
    let command = program.command();
    let (description, python, others) = match program {
        Program::Launcher => {
            let others = SUPPORTED.map(|version| format!(".BR {} (1),\n", version.program()));
            (LAUNCHER.to_owned(), "3".to_owned(), others.concat())
        }
        Program::Profiler(version) => {
            let python = version.to_string();
            let description = fill(PROFILER, &[("PROGRAM", &name), ("PYTHON", &python)])?;
            (description, python, ".BR pyflame (1),\n".to_owned())
        }
    };
    fill(
        PAGE,
        &[
            ("TITLE", &name.to_uppercase()),
            ("PROGRAM", &name),
            ("VERSION", env!("CARGO_PKG_VERSION")),
            ("ABOUT", &command.get_about().map(ToString::to_string).unwrap_or_default()),
            ("SYNOPSIS", &synopsis(&command)),
            ("DESCRIPTION", &description),
            ("OPTIONS", &options(command)?),
            ("PYTHON", &python),
            ("OTHERS", &others),
        ],
    )
}

/// The usage lines; what is typed as it stands in bold, what stands for something in
/// italics.
fn synopsis(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage);
    let lines: Vec<String> = usage.lines().map(|line| synopsis_line(line.trim())).collect();
    lines.join("\n.br\n")
}

fn synopsis_line(line: &str) -> String {
    let word = |word: &str| {
        let name = word.trim_matches(|c| "[].".contains(c));
        let font = if name.starts_with(|c: char| c.is_ascii_uppercase()) { 'I' } else { 'B' };
        let styled = format!("\\f{font}{}\\fR", name.replace('-', "\\-"));
        word.replace(name, &styled)
    };
    line.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

/// The section OPTIONS.
fn options(command: Command) -> Result<String, String> {
    let mut text = Vec::new();
    Man::new(values_in_words(command))
        .render_options_section(&mut text)
        .map_err(|error| error.to_string())?;
    String::from_utf8(text).map_err(|error| error.to_string())
}

/// Moves the values that an option can have into its help: as the list that would be
/// rendered they take as many lines as four options.
fn values_in_words(mut command: Command) -> Command {
    let mut with_values = Vec::new();
    for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
        let values = argument.get_possible_values();
        if argument.get_action().takes_values() && !values.is_empty() {
            let values: Vec<&str> = values.iter().map(|value| value.get_name()).collect();
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            with_values.push((argument.get_id().clone(), format!("{help}: {}", values.join(", "))));
        }
    }
    for (id, help) in with_values {
        command = command.mut_arg(id, |argument| argument.help(help).hide_possible_values(true));
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_every_option_and_section() {
        let page = page(Program::Profiler(SUPPORTED[3])).expect("a page");
        assert!(page.contains(".TH PYFLAME3.6 1 "));
        let command = Program::Launcher.command();
        for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
            let name = argument.get_long().expect("a long name").replace('-', "\\-");
            assert!(page.contains(&format!("\\fB\\-\\-{name}\\fR")), "--{name}");
        }
        assert!(page.contains("stopped for a sample: auto, never, always"));
        assert!(page.contains("-t python3.6 app.py") || page.contains("\\-t python3.6 app.py"));
        assert_eq!(page.matches("\n.SH ").count(), 10, "{page}");
    }

    #[test]
    fn usage_is_set_in_the_fonts_of_a_synopsis() {
        assert_eq!(
            synopsis_line("pyflame [OPTIONS] -t COMMAND [ARGUMENT]..."),
            "\\fBpyflame\\fR [\\fIOPTIONS\\fR] \\fB\\-t\\fR \\fICOMMAND\\fR [\\fIARGUMENT\\fR]..."
        );
    }
}
