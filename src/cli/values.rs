//! The words that stand behind options, as values.

use std::path::PathBuf;

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::{UsageError, abi_list};
use crate::abi::Version;
use crate::dump::DumpStyle;
use crate::filter::{FrameFilter, Glob, SampleFilter, State, ThreadFilter};
use crate::output::{Format, flamechart, svg};
use crate::sampler::pause::Pause;
use crate::sampler::selection::TimeMode;
use crate::stack::FrameStyle;

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

/// What would say nothing to a dump, which is one moment with all its frames, as text or
/// JSON. The original's options are not among them: it took them and said nothing.
const NOT_FOR_DUMPS: [&str; 11] = [
    "append",
    "depth",
    "exclude",
    "file-only",
    "format",
    "function-only",
    "include",
    "relative",
    "rotate",
    "strip-prefix",
    "title",
];

/// How a dump is written. What is for dumps only is refused elsewhere, and for a dump what
/// is for profiles only: it would be passed over in silence.
pub fn dump_style(matches: &ArgMatches) -> Result<DumpStyle, UsageError> {
    if matches.get_flag("dump") {
        let is_given = |name: &&str| matches.value_source(name) == Some(ValueSource::CommandLine);
        if let Some(option) = NOT_FOR_DUMPS.iter().find(|name| is_given(name)) {
            return Err(UsageError(format!(
                "Error: --{option} is for profiles, and --dump makes none.\n\
                 For one sample as a profile, use -s 0 instead of --dump.\n"
            )));
        }
    } else if !matches.get_flag("dump") {
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

/// What a thread has to do to be sampled. More than one answer is refused, except that
/// `--idle` says more than `--threads`.
pub fn time_mode(matches: &ArgMatches) -> Result<TimeMode, UsageError> {
    let modes = [
        ("gil", TimeMode::Gil),
        ("cpu", TimeMode::Cpu),
        ("idle", TimeMode::Idle),
        ("threads", TimeMode::Wall),
    ];
    let mut given = modes.iter().filter(|(name, _)| matches.get_flag(name));
    let Some((name, mode)) = given.next() else { return Ok(TimeMode::Gil) };
    match given.next() {
        Some((other, _)) if (*name, *other) != ("idle", "threads") => Err(UsageError(format!(
            "Error: --{name} and --{other} contradict each other.\n\
             --gil samples the threads that hold the GIL, --cpu those that are on a processor,\n\
             --threads and --idle all of them.\n"
        ))),
        _ => Ok(*mode),
    }
}

/// Which frames are kept, and how they are named.
pub fn frame_filter(matches: &ArgMatches) -> Result<FrameFilter, UsageError> {
    let words = |option: &str| -> Vec<String> {
        matches.get_many::<String>(option).into_iter().flatten().cloned().collect()
    };
    let globs = |option: &str| -> Result<Vec<Glob>, UsageError> {
        let glob = |word: &String| {
            Glob::new(word).map_err(|error| {
                UsageError(format!("Error: \"{word}\" is no pattern for --{option}: {error}.\n"))
            })
        };
        words(option).iter().map(glob).collect()
    };
    let depth = match matches.get_one::<String>("depth").map(|depth| (depth, depth.parse())) {
        None => None,
        Some((_, Ok(depth))) if depth > 0 => Some(depth),
        Some((text, _)) => {
            return Err(UsageError(format!(
                "Error: \"{text}\" is not a number of frames for --depth.\n"
            )));
        }
    };
    let style = match (matches.get_flag("function-only"), matches.get_flag("file-only")) {
        (true, true) => {
            return Err(UsageError(
                "Error: --function-only and --file-only leave nothing of a frame.\n".into(),
            ));
        }
        (true, false) => FrameStyle::FunctionOnly,
        (false, true) => FrameStyle::FileOnly,
        (false, false) => FrameStyle::with_lines(!matches.get_flag("no-line-numbers")),
    };
    Ok(FrameFilter {
        include: globs("include")?,
        exclude: globs("exclude")?,
        depth,
        style,
        strip: words("strip-prefix"),
        relative: matches.get_flag("relative"),
    })
}

/// Which threads were asked for.
pub fn thread_filter(matches: &ArgMatches) -> ThreadFilter {
    let words = matches.get_many::<String>("thread").into_iter().flatten().cloned().collect();
    ThreadFilter { words, main: matches.get_flag("main-thread") }
}

/// Which samples of a recording are kept.
pub fn sample_filter(matches: &ArgMatches) -> Result<SampleFilter, UsageError> {
    let state = match (matches.get_flag("gil"), matches.get_flag("cpu")) {
        (true, true) => {
            return Err(UsageError(
                "Error: --gil and --cpu contradict each other.\n\
                 --gil keeps the samples of threads that held the GIL, --cpu those of threads\n\
                 that were on a processor.\n"
                    .into(),
            ));
        }
        (true, false) => State::HeldGil,
        (false, true) => State::OnCpu,
        (false, false) => State::Any,
    };
    let exclude_idle = matches.get_flag("exclude-idle");
    Ok(SampleFilter { threads: thread_filter(matches), state, exclude_idle })
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

/// The format that `--format` names, or `--flamechart`, or the file of `-o` by the way it
/// ends.
pub fn format(matches: &ArgMatches) -> Format {
    let named = matches.get_one::<String>("format").and_then(|name| Format::named(name));
    let by_file = matches.get_one::<PathBuf>("output").and_then(|path| Format::of_file(path));
    let chart = if by_file == Some(svg::FLAME_GRAPH) { svg::CHART } else { flamechart::FORMAT };
    // Not every command has it.
    let flag = matches.try_get_one::<bool>("flamechart").ok().flatten().copied();
    let flamechart = flag.unwrap_or_default().then_some(chart);
    named.or(flamechart).or(by_file).unwrap_or_default()
}
