//! Manual pages: the hand-written text of packaging/man, and the options of the one
//! definition of the command line.

use clap::Command;
use clap_mangen::Man;
use pyflame::cpython::abi::SUPPORTED;

use crate::Program;
use crate::template::fill;

const PAGE: &str = include_str!("../../packaging/man/page.1.in");
const LAUNCHER: &str = include_str!("../../packaging/man/launcher.man");
const PROFILER: &str = include_str!("../../packaging/man/profiler.man");

/// The longest line of text, in characters.
const WIDTH: usize = 79;

/// The page of `program`, in man(7) macros.
pub(crate) fn page(program: Program) -> Result<String, String> {
    let name = program.name();
    let command = program.command();
    let mut commands = String::new();
    let (description, python, others) = match program {
        Program::Launcher => {
            commands = command_sections()?;
            let others: Vec<String> =
                SUPPORTED.iter().map(|tag| format!(".BR {} (1),\n", tag.program())).collect();
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
            ("COMMANDS", &commands),
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

/// The section OPTIONS, with a subsection for each heading of the help.
fn options(command: Command) -> Result<String, String> {
    let mut text = Vec::new();
    let headings: Vec<String> =
        command.get_arguments().filter_map(|a| a.get_help_heading().map(str::to_owned)).collect();
    Man::new(values_in_words(command))
        .render_options_section(&mut text)
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8(text).map_err(|error| error.to_string())?;
    let lines: Vec<String> = text.lines().map(|line| options_line(line, &headings)).collect();
    Ok(format!(".SH OPTIONS\n{}", lines.join("\n")))
}

/// The section COMMANDS: a subsection for each command of the launcher.
fn command_sections() -> Result<String, String> {
    let mut text = "\n.SH COMMANDS".to_owned();
    for mut command in pyflame::app::cli::commands() {
        command.build();
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let (name, synopsis) = (command.get_name().to_owned(), synopsis(&command));
        let options = options(command)?;
        let options =
            options.trim_start_matches(".SH OPTIONS\n").trim_start_matches(".SS OPTIONS\n");
        text += &format!("\n.SS {name}\n{synopsis}\n.PP\n{about}.\n{options}");
    }
    Ok(text)
}

/// A line of what clap_mangen wrote, which makes a section of each heading, and a line of
/// each text, however long.
fn options_line(line: &str, headings: &[String]) -> String {
    if let Some(section) = line.strip_prefix(".SH ") {
        let section = section.trim_matches('"');
        let heading = headings.iter().find(|heading| heading.to_uppercase() == section);
        return format!(".SS {}", heading.map_or(section, String::as_str));
    } else if line.starts_with('.') {
        return line.to_owned();
    }
    let mut wrapped = String::new();
    let mut width = 0;
    for word in line.split(' ') {
        if width > 0 && width + 1 + word.len() > WIDTH {
            // A word with a dot before it would be read as a macro.
            wrapped += if word.starts_with(['.', '\'']) { "\n\\&" } else { "\n" };
            width = 0;
        } else if width > 0 {
            wrapped.push(' ');
            width += 1;
        }
        wrapped += word;
        width += word.len();
    }
    wrapped
}

/// Moves the values that an option can have into its help: as the list that would be
/// rendered they take as many lines as four options.
fn values_in_words(mut command: Command) -> Command {
    let mut with_values = Vec::new();
    for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
        let values = argument.get_possible_values();
        if argument.get_action().takes_values() && !values.is_empty() {
            let values: Vec<&str> = values.iter().map(|value| value.get_name()).collect();
            let help = argument.get_long_help().or(argument.get_help());
            let help = help.map(ToString::to_string).unwrap_or_default();
            let help = format!("{}: {}", help.trim_end_matches('.'), values.join(", "));
            with_values.push((argument.get_id().clone(), help));
        }
    }
    for (id, help) in with_values {
        command =
            command.mut_arg(id, |argument| argument.long_help(help).hide_possible_values(true));
    }
    command
}

#[cfg(test)]
mod tests {
    use pyflame::cpython::abi::AbiTag;

    use super::*;

    #[test]
    fn a_page_has_every_option_and_section() {
        let page = page(Program::Profiler(AbiTag::new(3, 6))).expect("a page");
        assert!(page.contains(".TH PYFLAME3.6 1 "));
        let command = Program::Launcher.command();
        for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
            let name = argument.get_long().expect("a long name").replace('-', "\\-");
            assert!(page.contains(&format!("\\fB\\-\\-{name}\\fR")), "--{name}");
        }
        assert!(page.contains("stopped for a sample: auto, never, always"));
        assert!(page.contains("-t python3.6 app.py") || page.contains("\\-t python3.6 app.py"));
        assert_eq!(page.matches("\n.SH ").count(), 11, "{page}");
    }

    #[test]
    fn the_page_of_the_launcher_has_its_commands() {
        let page = page(Program::Launcher).expect("a page");
        assert_eq!(page.matches("\n.SH ").count(), 12, "{page}");
        for command in pyflame::app::cli::commands() {
            assert!(page.contains(&format!("\n.SS {}\n", command.get_name())), "{page}");
        }
        assert!(page.contains("\\fB\\-\\-lines\\fR"), "{page}");
    }

    #[test]
    fn headings_become_subsections_and_long_lines_are_broken() {
        let headings = ["What to do".to_owned()];
        assert_eq!(options_line(".SH \"WHAT TO DO\"", &headings), ".SS What to do");
        assert_eq!(options_line(".TP", &headings), ".TP");
        let broken = options_line(&format!("{} .5 and {}", "x".repeat(78), "y".repeat(80)), &[]);
        let wanted = format!("{}\n\\&.5 and\n{}", "x".repeat(78), "y".repeat(80));
        assert_eq!(broken, wanted);
    }

    #[test]
    fn usage_is_set_in_the_fonts_of_a_synopsis() {
        assert_eq!(
            synopsis_line("pyflame [OPTIONS] -t COMMAND [ARGUMENT]..."),
            "\\fBpyflame\\fR [\\fIOPTIONS\\fR] \\fB\\-t\\fR \\fICOMMAND\\fR [\\fIARGUMENT\\fR]..."
        );
    }
}
