//! The words that stand behind options, as values.

use std::path::PathBuf;
use std::time::Duration;

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::usage::{UsageError, abi_list};
use crate::app::options::{DumpStyle, EngineChoice};
use crate::cpython::abi::AbiTag;
use crate::profile::filter::{FrameFilter, Glob, SampleFilter, State, ThreadFilter};
use crate::render::{Ambiguous, Format, flamechart, svg};
use crate::sampler::interrupt::{SHORTEST_INTERVAL, SHORTEST_WITH_JITTER};
use crate::sampler::selection::TimeMode;
use crate::sampler::stop::pause::Pause;
use crate::stack::{FrameStyle, NativeFrames};

pub(super) fn parse_pid(text: &str) -> Result<i32, UsageError> {
    match text.parse() {
        Ok(pid) if pid > 0 => Ok(pid),
        _ => Err(UsageError(format!(
            "Error: failed to parse \"{text}\" as a PID.\n\
             A PID is a number from 1 on, such as pgrep prints. To choose processes by their \
             command lines, use --name.\n"
        ))),
    }
}

/// Whether and how the process may be stopped. `--engine read` never stops it.
pub(super) fn pause(matches: &ArgMatches) -> Result<Pause, UsageError> {
    let when = matches.get_one::<String>("pause").map_or("auto", String::as_str);
    let is_never = matches.get_flag("nonblocking") || when == "never";
    let is_always = matches.get_flag("blocking") || when == "always";
    let engine = matches.get_one::<String>("engine").map_or("auto", String::as_str);
    let contradicts = |pause: &str, does: &str| {
        let words = format!("Error: --engine {engine} and --pause {pause} contradict each other.");
        Err(UsageError(format!("{words}\n--engine {engine} {does}\n")))
    };
    match engine {
        "stop" if is_never => return contradicts("never", "stops the process for each sample."),
        "read" if is_always => return contradicts("always", "never stops the process."),
        "kernel" if is_always => {
            return contradicts("always", "needs no stop: each sample is exact.");
        }
        "read" => return Ok(Pause::Never),
        _ if is_never => return Ok(Pause::Never),
        _ if is_always => return Ok(Pause::Always),
        _ => {}
    }
    let text = matches.get_one::<String>("max-pause").map_or("", String::as_str);
    match text.parse::<f64>() {
        Ok(0.0) if engine == "stop" => Err(UsageError(
            "Error: --engine stop and --max-pause 0 contradict each other.\n\
             To sample without any stop, use --engine kernel or --engine read.\n"
                .into(),
        )),
        Ok(0.0) => Ok(Pause::Never),
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Pause::UpTo(percent / 100.0)),
        _ => Err(UsageError(format!(
            "Error: \"{text}\" is not a percentage from 0 to 100 for --max-pause.\n"
        ))),
    }
}

/// Who takes the samples, for samples that are `interval` apart, for a time.
pub(super) fn engine(
    matches: &ArgMatches,
    interval: Duration,
    duration: Option<Duration>,
) -> Result<EngineChoice, UsageError> {
    let name = matches.get_one::<String>("engine").map_or("auto", String::as_str);
    let refusal = || refused_by_kernel(matches, interval, duration);
    match name {
        "stop" => Ok(EngineChoice::Stop),
        "read" => Ok(EngineChoice::Read),
        "kernel" => refusal().map_or(Ok(EngineChoice::Kernel), |words| Err(UsageError(words))),
        _ if refusal().is_none() => Ok(EngineChoice::Auto),
        _ if pause(matches)? == Pause::Never => Ok(EngineChoice::Read),
        _ => Ok(EngineChoice::Stop),
    }
}

/// Why the kernel's engine does not do what is asked for, if it does not.
fn refused_by_kernel(
    matches: &ArgMatches,
    interval: Duration,
    duration: Option<Duration>,
) -> Option<String> {
    if !cfg!(feature = "kernel") {
        return Some(
            "Error: this pyflame was built without --engine kernel.\n\
             Build it with the Cargo feature kernel, which needs clang, or use another engine.\n"
                .into(),
        );
    }
    let others = ["dump", "blocking"];
    let mut given = others.iter().filter(|name| matches.get_flag(name)).copied();
    let is_always = matches.get_one::<String>("pause").is_some_and(|when| when == "always");
    if let Some(other) = given.next().or(is_always.then_some("pause always")) {
        return Some(format!(
            "Error: --engine kernel cannot do --{other} yet.\n\
             It takes samples over a time, and never stops the process.\n"
        ));
    }
    if !interval.is_zero() && interval < SHORTEST_INTERVAL {
        return Some(
            "Error: --engine kernel takes at most 20000 samples a second.\n\
             Choose an interval of 50us or more with --rate.\n"
                .into(),
        );
    }
    let has_jitter = matches.get_flag("jitter") && !interval.is_zero();
    if has_jitter && interval < SHORTEST_WITH_JITTER {
        return Some(
            "Error: --engine kernel with --jitter takes at most 10000 samples a second.\n\
             Choose an interval of 100us or more with --rate.\n"
                .into(),
        );
    }
    if duration.is_some_and(|duration| duration.is_zero()) {
        return Some(
            "Error: --engine kernel takes samples over a time, not at one moment.\n\
             Choose how long with -s, or use another engine.\n"
                .into(),
        );
    }
    None
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
pub(super) fn dump_style(matches: &ArgMatches) -> Result<DumpStyle, UsageError> {
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
pub(super) fn time_mode(matches: &ArgMatches) -> Result<TimeMode, UsageError> {
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
pub(super) fn frame_filter(matches: &ArgMatches) -> Result<FrameFilter, UsageError> {
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
        native: NativeFrames::All,
    })
}

/// Which native frames are wanted; `None` if nothing is said of them.
pub(super) fn native_frames(matches: &ArgMatches) -> Option<NativeFrames> {
    Some(match matches.get_one::<String>("native")?.as_str() {
        "none" => NativeFrames::None,
        "all" => NativeFrames::All,
        _ => NativeFrames::Extensions,
    })
}

/// Which threads were asked for.
pub(super) fn thread_filter(matches: &ArgMatches) -> ThreadFilter {
    let words = matches.get_many::<String>("thread").into_iter().flatten().cloned().collect();
    ThreadFilter { words, main: matches.get_flag("main-thread") }
}

/// Which samples of a recording are kept.
pub(super) fn sample_filter(matches: &ArgMatches) -> Result<SampleFilter, UsageError> {
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

pub(super) fn abi(matches: &ArgMatches) -> Result<Option<AbiTag>, UsageError> {
    let Some(text) = matches.get_one::<String>("abi") else { return Ok(None) };
    match AbiTag::named(text) {
        Some(version) => Ok(Some(version)),
        None => Err(UsageError(format!(
            "Unknown or unsupported ABI version: {text}\n\
             This release supports {}.\n",
            abi_list(crate::cpython::abi::SUPPORTED)
        ))),
    }
}

/// The format that `--format` names, or `--flamechart`, or the file of `-o` by the way it
/// ends.
///
/// # Errors
/// If it ends as files of several formats do, and nothing else tells which.
pub(super) fn format(matches: &ArgMatches) -> Result<Format, UsageError> {
    let named = matches.get_one::<String>("format").and_then(|name| Format::named(name));
    let by_file = matches.get_one::<PathBuf>("output").and_then(|path| Format::of_file(path));
    let chart = if by_file == Some(svg::FLAME_GRAPH) { svg::CHART } else { flamechart::FORMAT };
    // Not every command has it.
    let flag = matches.try_get_one::<bool>("flamechart").ok().flatten().copied();
    let flamechart = flag.unwrap_or_default().then_some(chart);
    if let Some(format) = named.or(flamechart).or(by_file) {
        return Ok(format);
    }
    // A dump is written in none of these.
    let is_dump = matches.try_get_one::<bool>("dump").ok().flatten().copied() == Some(true);
    let file = matches.get_one::<PathBuf>("output").filter(|_| !is_dump);
    match file.and_then(|file| Ambiguous::of_file(file)) {
        Some(ambiguous) => Err(UsageError(ambiguous.to_string())),
        None => Ok(Format::default()),
    }
}
