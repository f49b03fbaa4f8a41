//! Tests of the command line: what scripts written for the original rely on.

use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::app::options::{DumpStyle, EngineChoice};

use crate::sampler::selection::TimeMode;
use crate::sampler::stop::pause::Pause;
use crate::stack::FrameStyle;

const ABIS: [AbiTag; 2] = [AbiTag::new(2, 7), AbiTag::new(3, 10)];

fn words(line: &str) -> Vec<OsString> {
    std::iter::once("pyflame").chain(line.split_whitespace()).map(OsString::from).collect()
}

fn options(line: &str) -> Options {
    match parse(&words(line), &ABIS) {
        Ok(Request::Profile(options)) => *options,
        other => panic!("{line}: {other:?}"),
    }
}

fn error(line: &str) -> String {
    match parse(&words(line), &ABIS) {
        Err(error) => error.to_string(),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn defaults_are_the_originals() {
    let options = options("-p 42");
    assert_eq!(options.target, Target::Process(42));
    assert_eq!(options.duration, Some(Duration::from_secs(1)));
    assert_eq!(options.interval, Duration::from_millis(10));
    assert!(!options.every_thread && !options.dump && !options.exclude_idle);
}

#[test]
fn trace_takes_the_rest_of_the_line() {
    let options = options("-x -r 0.5 -t python3 -p x.py -t -- --help");
    let Target::Command { words, .. } = options.target else { panic!("{options:?}") };
    assert_eq!(words, ["python3", "-p", "x.py", "-t", "--", "--help"]);
    assert!(options.exclude_idle);
    assert_eq!(options.duration, None);
}

#[test]
fn trace_may_end_a_cluster_of_flags() {
    let options = options("-nxt python3 -n");
    assert!(options.frames.style == FrameStyle::WithoutLines && options.exclude_idle);
    assert!(matches!(options.target, Target::Command { .. }));
}

#[test]
fn native_frames_are_asked_for_with_or_without_a_value() {
    let asked = |line: &str| {
        let options = options(line);
        (options.native, options.frames.native)
    };
    assert_eq!(asked("-p 42").0, NativeFrames::None);
    let extensions = (NativeFrames::Extensions, NativeFrames::Extensions);
    assert_eq!(asked("-p 42 --native"), extensions);
    assert_eq!(asked("--native -p 42"), extensions);
    assert_eq!(asked("-p 42 --native --native=all"), (NativeFrames::All, NativeFrames::All));
    assert_eq!(asked("--native=all -p 42 --native=none").0, NativeFrames::None);
    // A recording keeps all.
    let recorded = (NativeFrames::Extensions, NativeFrames::All);
    assert_eq!(asked("-p 42 --native -o a.pyflame"), recorded);
    // The word after it is not its value.
    assert!(matches!(options("--native -t python3").target, Target::Command { .. }));
    assert!(error("-p 42 --native=some").contains("--native"));
}

#[test]
fn the_value_of_an_option_is_not_a_flag() {
    assert_eq!(options("-o -t -p 42").output, Some(PathBuf::from("-t")));
    assert_eq!(options("-xo --trace -p 42").output, Some(PathBuf::from("--trace")));
}

#[test]
fn a_bare_pid_is_taken_with_a_warning() {
    let options = options("-s 0 42");
    assert_eq!(options.target, Target::Process(42));
    assert!(options.warnings[0].starts_with("WARNING: "));
    assert_eq!(options.duration, Some(Duration::ZERO));
}

#[test]
fn errors_begin_as_the_originals_did() {
    for line in ["", "1 2", "-t", "-p 1 2"] {
        assert!(error(line).starts_with("Usage: "), "{line}: {}", error(line));
    }
    assert!(error("-p 1 -t python3").contains("not mutually compatible"));
    assert!(error("-d -t python3").contains("not mutually compatible"));
    assert!(error("--abi=0 -p 1").starts_with("Unknown or unsupported ABI version: 0"));
    assert!(error("-t ./src/pyflame").starts_with("You tried to pyflame a pyflame"));
    assert!(error("-t pyflame3.6 -t python3").starts_with("You tried to pyflame a pyflame"));
    for pid in ["-1", "0", "x", "99999999999999999999"] {
        let message = error(&format!("-p {pid}"));
        assert!(message.contains(&format!("failed to parse \"{pid}\" as a PID")), "{message}");
    }
}

#[test]
fn a_word_that_is_no_command_is_told_the_commands() {
    for line in ["reprot a.pyflame", "tpo"] {
        let error = error(line);
        assert!(error.contains("no command") && error.contains("report, diff, top"), "{error}");
    }
    for help in ["-h", "--help"] {
        let Ok(Request::Show(text)) = parse(&words(help), &ABIS) else { panic!("no help") };
        for command in ["pyflame top ", "pyflame report ", "pyflame diff "] {
            assert!(text.contains(command), "{help} has no {command}: {text}");
        }
    }
}

#[test]
fn a_program_may_have_flame_in_its_name() {
    assert!(matches!(options("-t pyflamegraph").target, Target::Command { .. }));
}

#[test]
fn only_recordings_are_added_to() {
    assert!(options("-p 1 -o a.pyflame --append").append);
    assert!(options("-p 1 -o a.bin --format recording --append").append);
    assert!(error("-p 1 -o a.folded --append").contains("--append"));
    assert!(error("-p 1 --append").contains("-o FILE.pyflame"));
}

#[test]
fn the_format_is_named_or_the_files() {
    let format = |line: &str| options(line).format.name;
    assert_eq!(format("-p 1"), "folded");
    assert_eq!(format("-p 1 -o x.svg"), "svg");
    assert_eq!(format("-p 1 -o x.icicle.svg"), "icicle");
    assert_eq!(format("-p 1 -o x.HTML"), "html");
    assert_eq!(format("-p 1 -o x.svg --flamechart"), "svg-chart");
    assert_eq!(format("-p 1 -o x.txt --flamechart"), "flamechart");
    assert_eq!(format("-p 1 -o x.svg --format folded --flamechart"), "folded");
}

#[test]
fn a_title_may_look_like_an_option() {
    assert_eq!(options("--title -t -p 42").title.as_deref(), Some("-t"));
}

#[test]
fn times_are_checked() {
    assert!(error("-p 1 -r -1").contains("--rate"));
    assert!(error("-p 1 -r x").contains("\"x\""));
    assert!(error("-p 1 -s nan").contains("\"nan\""));
    assert_eq!(options("-p 1 -s -1").duration, None);
    assert_eq!(options("-p 1 -r 0").interval, Duration::ZERO);
}

#[test]
fn times_may_have_units() {
    assert_eq!(options("-p 1 -s 90s").duration, Some(Duration::from_secs(90)));
    assert_eq!(options("-p 1 --duration 1h30m").duration, Some(Duration::from_secs(5400)));
    assert_eq!(options("-p 1 -s 5 --duration inf").duration, None);
    assert_eq!(options("-p 1 -r 500us").interval, Duration::from_micros(500));
    assert_eq!(options("-p 1 -r 100hz").interval, Duration::from_millis(10));
    assert_eq!(options("-p 1 --rotate 1m").rotation, Some(Duration::from_secs(60)));
    assert!(error("-p 1 --rotate 0.5").contains("--rotate"));
    assert!(error("-p 1 --rotate inf").contains("1s or more"));
    assert!(error("-p 1 --duration 5x").contains("1h30m"));
    assert!(error("-p 1 -r 0hz").contains("100hz"));
}

#[test]
fn only_duration_limits_a_command() {
    assert_eq!(options("-s 5 -t python3").duration, None);
    assert_eq!(options("--duration 5s -t python3").duration, Some(Duration::from_secs(5)));
    assert_eq!(options("--duration inf -t python3").duration, None);
}

#[test]
fn the_engine_follows_from_what_is_asked() {
    let engine = |line: &str| {
        let options = options(line);
        (options.engine, options.pause)
    };
    let (limited, kernel) = (Pause::UpTo(0.01), cfg!(feature = "kernel"));
    let auto = if kernel { EngineChoice::Auto } else { EngineChoice::Stop };
    let unstopped = if kernel { EngineChoice::Auto } else { EngineChoice::Read };
    assert_eq!(engine("-p 1"), (auto, limited));
    assert_eq!(engine("-p 1 --pause never"), (unstopped, Pause::Never));
    assert_eq!(engine("-p 1 --max-pause 0"), (unstopped, Pause::Never));
    assert_eq!(engine("-p 1 --pause always"), (EngineChoice::Stop, Pause::Always));
    assert_eq!(engine("-p 1 -s 0"), (EngineChoice::Stop, limited));
    assert_eq!(engine("-p 1 -s 0 --nonblocking"), (EngineChoice::Read, Pause::Never));
    assert_eq!(engine("-p 1 --engine stop"), (EngineChoice::Stop, limited));
    assert_eq!(engine("-p 1 --engine read"), (EngineChoice::Read, Pause::Never));
}

#[test]
fn an_engine_and_a_pause_may_contradict() {
    let contradictions = [
        "stop --pause never",
        "stop --nonblocking",
        "stop --max-pause 0",
        "read --pause always",
        "read --blocking",
        "kernel --pause always",
    ];
    for words in contradictions {
        let said = error(&format!("-p 1 --engine {words}"));
        assert!(said.starts_with("Error: --engine "), "{said}");
    }
}

#[test]
fn options_are_known_by_the_definition_to_take_a_value() {
    for option in ["--rotate", "--duration", "--max-pause", "-r"] {
        let line = format!("-p 42 {option} -t");
        assert!(!error(&line).starts_with("Usage: "), "-t is the value of {option}");
    }
}

#[test]
fn the_version_lists_abis() {
    for flag in ["-v", "--version"] {
        let Ok(Request::Show(text)) = parse(&words(flag), &ABIS) else { panic!("{flag}") };
        let expected = format!("pyflame {} linux-gnu ", env!("CARGO_PKG_VERSION"));
        assert!(text.starts_with(&expected), "{text}");
        assert!(text.ends_with("(ABI list: 27 310)\n"), "{text}");
    }
}

#[test]
fn help_goes_to_stdout() {
    let Ok(Request::Show(text)) = parse(&words("--help"), &ABIS) else { panic!("no help") };
    assert!(text.contains("Usage: pyflame"), "{text}");
    assert!(text.contains("--exclude-idle"), "{text}");
}

#[test]
fn what_is_for_dumps_is_refused_elsewhere() {
    for option in ["--json", "--verbose", "--locals"] {
        assert!(error(&format!("{option} -p 1")).contains("is for dumps only"), "{option}");
    }
    assert_eq!(options("-d -p 1").dump_style, DumpStyle::Original);
    assert_eq!(options("-d --json --locals -p 1").dump_style, DumpStyle::Json);
    assert_eq!(options("-d --locals -p 1").dump_style, DumpStyle::Verbose);
}

#[test]
fn a_core_file_is_dumped() {
    let core = |program: Option<&str>| Target::Core {
        file: PathBuf::from("core.1"),
        program: program.map(PathBuf::from),
    };
    assert_eq!(options("--dump --core core.1").target, core(None));
    assert_eq!(options("-d --core core.1 bin/python --locals").target, core(Some("bin/python")));
    assert!(error("--core core.1").contains("Add --dump"));
    for other in ["-p 1", "--name x", "--subprocesses"] {
        let error = error(&format!("-d --core core.1 {other}"));
        assert!(error.contains("--core") && error.contains("not mutually"), "{error}");
    }
    assert!(error("-d --core core.1 a b").starts_with("Usage: "));
}

#[test]
fn what_is_for_profiles_is_refused_with_a_dump() {
    for option in ["--format svg", "--depth 3", "--include x", "--relative", "--rotate 5s"] {
        let error = error(&format!("-d {option} -p 1"));
        assert!(error.contains("is for profiles") && error.contains("-s 0"), "{error}");
    }
    // The original took these.
    for option in ["-s 5", "-x", "-n", "--threads", "--flamechart", "-r 0.1", "-o x.txt"] {
        assert!(options(&format!("-d {option} -p 1")).dump, "{option}");
    }
    assert!(options("-d --main-thread --thread a -p 1").threads.main);
}

#[test]
fn one_time_mode_at_most() {
    assert_eq!(options("-p 1").mode, TimeMode::Gil);
    assert_eq!(options("--gil -p 1").mode, TimeMode::Gil);
    assert_eq!(options("-L -p 1").mode, TimeMode::Wall);
    assert_eq!(options("-L --idle -p 1").mode, TimeMode::Idle);
    let options = options("--cpu -x -p 1");
    assert!(options.mode == TimeMode::Cpu && options.every_thread && options.exclude_idle);
    for line in ["--gil --cpu", "--gil -L", "--cpu --idle", "--cpu -L", "--gil --idle"] {
        assert!(error(&format!("{line} -p 1")).contains("contradict each other"), "{line}");
    }
}

#[test]
fn filters_may_be_given_several_times() {
    let options = options("--thread a --thread -1 --main-thread --include x* --depth 3 -p 1");
    assert_eq!(options.threads.words, ["a", "-1"]);
    assert!(options.threads.main && options.frames.needs_search_path());
    assert_eq!(options.frames.depth, Some(3));
    assert!(error("--depth 0 -p 1").contains("is not a number of frames"));
    assert!(error("--include a[ -p 1").contains("is no pattern for --include"));
    assert!(error("--file-only --function-only -p 1").contains("leave nothing"));
}
