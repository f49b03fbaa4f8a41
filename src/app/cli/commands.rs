//! The commands of the launcher: `report`, `diff`, `top` and `check`. Everything else is a profiler's
//! command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Arg, ArgMatches, Command, value_parser};

use super::command::{command, flag};
use super::definition::{
    engine_choice, formats, frame_choice, native_choice, rights, thread_choice,
};
use super::usage::{COMMANDS, UsageError};

use super::values::{format, frame_filter, native_frames, parse_pid, sample_filter};
use super::{check, colour};
use crate::app::options::{CheckOptions, DiffOptions, ReportOptions, TopOptions};
use crate::profile::filter::FrameFilter;
use crate::stack::NativeFrames;

/// A command, and what it is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Invocation {
    /// Text for stdout, and a clean exit.
    Show(String),
    /// `report`.
    Report(ReportOptions),
    /// `diff`.
    Diff(DiffOptions),
    /// `top`.
    Top(TopOptions),
    /// `check`.
    Check(CheckOptions),
}

/// The definition of each command.
#[must_use]
pub fn commands() -> Vec<Command> {
    vec![report(), diff(), top(), check::definition()]
}

/// The command that `arguments`, which start with the program's name, are for.
#[must_use]
pub fn named_command(arguments: &[OsString]) -> Option<&str> {
    let first = arguments.get(1)?.to_str()?;
    COMMANDS.iter().any(|(name, _)| *name == first).then_some(first)
}

/// Reads the command line of a command; `None` if it is for a profiler.
///
/// # Errors
/// [`UsageError`] with what to say on stderr.
pub fn parse_command(arguments: &[OsString]) -> Result<Option<Invocation>, UsageError> {
    let Some(name) = named_command(arguments) else { return Ok(None) };
    let Some(mut command) = commands().into_iter().find(|command| command.get_name() == name)
    else {
        return Ok(None);
    };
    let matches = match command.try_get_matches_from_mut(&arguments[1..]) {
        Ok(matches) => matches,
        Err(error) if !error.use_stderr() => {
            return Ok(Some(Invocation::Show(colour::on_stdout(&error))));
        }
        Err(error) => return Err(UsageError(colour::on_stderr(&error))),
    };
    Ok(Some(match name {
        "report" => Invocation::Report(report_options(&matches)?),
        "diff" => Invocation::Diff(diff_options(&matches)),
        "check" => Invocation::Check(check::options(&matches)?),
        _ => Invocation::Top(top_options(&matches)?),
    }))
}

fn file(name: &'static str) -> Arg {
    Arg::new(name).value_name("FILE").value_parser(value_parser!(PathBuf))
}

fn report() -> Command {
    command("report", "[OPTIONS] FILE...")
        .after_help(REPORT_EXAMPLES)
        .args([
            file("files")
                .num_args(1..)
                .required(true)
                .help("Recordings, made with -o FILE.pyflame; several become one. - is stdin"),
            file("output").short('o').long("output").help("Write to FILE instead of stdout"),
            Arg::new("format")
                .long("format")
                .value_name("FORMAT")
                .value_parser(formats())
                .help("How to write it; by default as FILE ends, otherwise folded"),
            Arg::new("title")
                .long("title")
                .value_name("TEXT")
                .allow_hyphen_values(true)
                .help("The title of a picture or an HTML report"),
        ])
        .next_help_heading("Which samples")
        .args([
            flag("gil").help("Keep only the samples of threads that held the GIL"),
            flag("cpu").help("Keep only those of threads that were on a processor").long_help(
                "Keep only the samples of threads that were on a processor; for recordings made \
                 with --idle or --cpu, which tell that.",
            ),
            flag("exclude-idle").short('x').help("Leave out moments at which there is none"),
        ])
        .args(thread_choice().map(kept))
        .next_help_heading("Which frames")
        .arg(kept_native(native_choice()))
        .args(frame_choice())
}

/// The help of an option about samples that have been taken already.
fn kept(option: Arg) -> Arg {
    match option.get_id().as_str() {
        "thread" => option
            .help(
                "Keep only the samples of this thread: its name or id; may be given several times",
            )
            .long_help(
                "Keep only the samples of this thread, named as in the recording, or by the id \
                 that Python or the kernel has for it. May be given several times. A moment at \
                 which none of them was sampled counts as idle.",
            ),
        _ => option.help("Keep only those of the main thread (and of --thread)"),
    }
}

/// The help of the option about native frames that have been recorded already.
fn kept_native(option: Arg) -> Arg {
    option.help("Which native frames to keep: none, yes (the default) or all").long_help(
        "Which native frames to keep of a recording that was made with --native: none of them, \
         yes for those of libraries and extensions (the default), or all, those of the \
         interpreter too.",
    )
}

fn diff() -> Command {
    command("diff", "[OPTIONS] BEFORE AFTER").after_help(DIFF_EXAMPLES).args([
        file("before").value_name("BEFORE").required(true).help("A recording, or folded stacks"),
        file("after").value_name("AFTER").required(true).help("The one to compare with it"),
        file("output").short('o').long("output").help(
            "Also draw a differential flame graph to FILE.svg, or write every stack with both \
                 counts to a FILE of another name",
        ),
        flag("lines").short('l').help("Compare lines instead of functions"),
        flag("all").short('a').help("Show also the differences that chance explains"),
    ])
}

fn top() -> Command {
    let pause = ["auto", "never", "always"].map(PossibleValue::new);
    let own = [
        Arg::new("pid")
            .short('p')
            .long("pid")
            .value_name("PID")
            .required(true)
            .allow_hyphen_values(true)
            .help("The process to watch"),
        Arg::new("rate")
            .short('r')
            .long("rate")
            .value_name("SECONDS")
            .default_value("0.01")
            .allow_hyphen_values(true)
            .help("Time between two samples, or a frequency such as 100hz"),
        Arg::new("pause")
            .long("pause")
            .value_name("WHEN")
            .value_parser(pause)
            .default_value("auto")
            .help("When the process may be stopped for a sample"),
    ];
    command("top", "[OPTIONS] -p PID")
        .after_help("Press ? for the keys.")
        .args(own)
        .arg(native_choice())
        .arg(engine_choice())
        .args(rights())
}

fn report_options(matches: &ArgMatches) -> Result<ReportOptions, UsageError> {
    Ok(ReportOptions {
        files: matches.get_many("files").into_iter().flatten().cloned().collect(),
        output: matches.get_one("output").cloned(),
        format: format(matches)?,
        samples: sample_filter(matches)?,
        frames: FrameFilter {
            native: native_frames(matches).unwrap_or(NativeFrames::Extensions),
            ..frame_filter(matches)?
        },
        title: matches.get_one("title").cloned(),
    })
}

fn diff_options(matches: &ArgMatches) -> DiffOptions {
    let file = |name: &str| matches.get_one::<PathBuf>(name).cloned();
    DiffOptions {
        before: file("before").unwrap_or_default(),
        after: file("after").unwrap_or_default(),
        output: file("output"),
        lines: matches.get_flag("lines"),
        all: matches.get_flag("all"),
    }
}

fn top_options(matches: &ArgMatches) -> Result<TopOptions, UsageError> {
    let word = |name: &str| matches.get_one::<String>(name).map_or("", String::as_str);
    let values = ["rate", "pause", "engine"].map(|name| format!("--{name}={}", word(name)));
    let flags = ["as-capable", "no-sandbox"].into_iter().filter(|name| matches.get_flag(name));
    let native = matches.get_one::<String>("native").map(|which| format!("--native={which}"));
    let flags = flags.map(|name| format!("--{name}")).chain(native);
    let passed_on = values.into_iter().chain(flags).collect();
    Ok(TopOptions {
        pid: parse_pid(word("pid"))?,
        as_capable: matches.get_flag("as-capable"),
        native: native_frames(matches).unwrap_or(NativeFrames::None),
        passed_on,
    })
}

const REPORT_EXAMPLES: &str = "\
Examples:
  pyflame report run.pyflame -o run.svg
  pyflame report monday.pyflame tuesday.pyflame -o both.folded
  pyflame report --format flamechart run.pyflame
  pyflame report run.pyflame --thread pool-1 --exclude '*/site-packages/*' -o pool.svg
";

const DIFF_EXAMPLES: &str = "\
Examples:
  pyflame diff before.pyflame after.pyflame
  pyflame diff old.folded new.folded -o change.svg
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::filter::State;
    use crate::render::Format;
    use crate::stack::FrameStyle;

    fn parse(line: &str) -> Result<Option<Invocation>, UsageError> {
        let words = std::iter::once("pyflame").chain(line.split_whitespace());
        parse_command(&words.map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn the_first_word_tells_a_command() {
        let defined = commands();
        assert_eq!(
            defined.iter().map(Command::get_name).collect::<Vec<_>>(),
            COMMANDS.map(|(name, _)| name)
        );
        assert_eq!(parse("-p 42 report").expect("not for it"), None);
        assert_eq!(parse("42").expect("not for it"), None);
        assert!(matches!(parse("report a.pyflame"), Ok(Some(Invocation::Report(_)))));
        assert!(matches!(parse("top --help"), Ok(Some(Invocation::Show(_)))));
    }

    #[test]
    fn a_report_is_in_the_format_of_its_file() {
        let Ok(Some(Invocation::Report(options))) = parse("report a b -o c.flamechart -n") else {
            panic!("a report")
        };
        assert_eq!(options.files, [PathBuf::from("a"), PathBuf::from("b")]);
        assert_eq!(Some(options.format), Format::named("flamechart"));
        assert_eq!(options.frames.style, FrameStyle::WithoutLines);
        assert!(options.samples.is_open());
        assert!(parse("report").is_err());
    }

    #[test]
    fn a_report_chooses_as_a_profiler_does() {
        let line = "report a --include x* --depth 3 --thread -1 --main-thread --cpu -x";
        let Ok(Some(Invocation::Report(options))) = parse(line) else { panic!("a report") };
        let ReportOptions { samples, frames, .. } = options;
        assert_eq!((frames.include.len(), frames.depth), (1, Some(3)));
        assert_eq!((samples.threads.words, samples.threads.main), (vec!["-1".to_owned()], true));
        assert_eq!((samples.state, samples.exclude_idle), (State::OnCpu, true));
        assert!(parse("report a --gil --cpu").is_err());
    }

    #[test]
    fn a_report_keeps_native_frames_unless_told_otherwise() {
        let kept = |line: &str| match parse(line) {
            Ok(Some(Invocation::Report(options))) => options.frames.native,
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(kept("report a"), NativeFrames::Extensions);
        assert_eq!(kept("report a --native"), NativeFrames::Extensions);
        assert_eq!(kept("report --native=none a"), NativeFrames::None);
        assert_eq!(kept("report --native=all a"), NativeFrames::All);
        assert!(parse("report a --native=0").is_err());
    }

    #[test]
    fn what_to_watch_is_checked() {
        let Ok(Some(Invocation::Top(options))) = parse("top -p 42 -r 50hz") else {
            panic!("a view")
        };
        assert_eq!(
            (options.pid, options.passed_on.join(" ")),
            (42, "--rate=50hz --pause=auto --engine=auto".into())
        );
        let Ok(Some(Invocation::Top(options))) = parse("top --native -p 42") else {
            panic!("a view")
        };
        assert_eq!(options.native, NativeFrames::Extensions);
        assert!(options.passed_on.contains(&"--native=yes".to_owned()));
        assert!(parse("top").is_err());
        assert!(parse("top -p x").is_err());
    }

    #[test]
    fn a_report_of_a_bug_is_about_one_process() {
        assert!(matches!(parse("check 42 43"), Ok(Some(Invocation::Check(_)))));
        assert!(matches!(parse("check --report a 42"), Ok(Some(Invocation::Check(_)))));
        assert!(parse("check --report a 42 43").is_err());
        assert!(parse("check --report a 42 -p 43").is_err());
    }

    #[test]
    fn two_are_compared() {
        let Ok(Some(Invocation::Diff(options))) = parse("diff -a a b") else { panic!("a diff") };
        assert_eq!((options.before, options.after), (PathBuf::from("a"), PathBuf::from("b")));
        assert!(options.all && !options.lines);
        assert!(parse("diff a").is_err());
    }
}
