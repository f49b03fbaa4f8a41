//! A run that is written at once and the report on its recording are the same bytes, in
//! every format, whatever was chosen.

use super::*;
use crate::app::cli::{Invocation, parse_command};
use crate::profile::filter::{FrameFilter, StackFilter};
use crate::profile::recording::{Reader, Writer};
use crate::render::{FORMATS, fixture};
use crate::stack::{FrameStyle, NativeFrames};

/// What `pyflame report` is asked for by these words.
fn options(words: &str) -> ReportOptions {
    let line = format!("pyflame report a.pyflame {words}");
    let words: Vec<_> = line.split_whitespace().map(std::ffi::OsString::from).collect();
    match parse_command(&words) {
        Ok(Some(Invocation::Report(options))) => options,
        other => panic!("{line}: {other:?}"),
    }
}

/// Where the processes of a profile look for modules: all of them in one place, as the one
/// process of a profiler does, or each in another.
const ONE_PATH: [&str; 2] = ["/srv", "/srv"];
const PATHS: [&str; 2] = ["/srv", "/usr/lib"];

/// The hostile profile, as a profiler has it that reads no more of frames than `told`.
fn seen(detail: Detail, told: FrameStyle, paths: [&str; 2]) -> Profile {
    let whole = fixture::profile();
    let mut profile = whole.clone().emptied(detail);
    profile.follow(&whole);
    whole.timeline().iter().for_each(|event| profile.record_event(*event));
    let processes: Vec<_> = profile.processes().map(|(id, _)| id).collect();
    for (id, path) in processes.into_iter().zip(paths) {
        profile.process_mut(id).search_path = vec![path.to_owned()];
    }
    FrameFilter { style: told, ..FrameFilter::default() }.apply(profile)
}

/// The recording of a run with this filter, which is written in three parts.
fn recorded(frames: &FrameFilter, told: FrameStyle, paths: [&str; 2]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes).expect("a Vec takes everything");
    let profile = seen(Detail::Timeline, told, paths);
    let mut filter = StackFilter::new(frames.clone(), Detail::Timeline);
    let events = profile.timeline();
    for part in events.chunks(events.len() / 3 + 1) {
        let left = filter.put(&profile, part);
        writer.update(left).expect("written");
        writer.flush(&left.about).expect("written");
    }
    writer.finish(filter.put(&profile, &[])).expect("written");
    drop(writer);
    bytes
}

/// What a report in this format makes of a recording.
fn reported(recording: &[u8], format: Format, options: &ReportOptions) -> Vec<u8> {
    let (detail, whole) = details(format, options);
    let mut profile = Profile::new(whole);
    let mut reader = Reader::new(recording).expect("a recording");
    reader.read_all(&mut profile).expect("a slice can be read");
    assert_eq!(reader.ending().complaint(), None);
    profile.about = reader.about();
    profile.sort_timeline();
    written(&choose(options, profile, detail).expect("it tells everything"), format)
}

fn written(profile: &Profile, format: Format) -> Vec<u8> {
    let mut out = Vec::new();
    (format.write)(profile, &Settings::default(), &mut out).expect("a Vec takes everything");
    out
}

const CHOICES: [&str; 8] = [
    "",
    "-n",
    "--function-only",
    "--file-only",
    "--relative",
    "--strip-prefix /srv/",
    "--depth 1 --exclude /srv/long.py",
    "--include *semi* --include *quotes* --relative -n",
];

#[test]
fn a_recording_is_reported_as_the_run_would_have_been_written() {
    for choice in CHOICES {
        let frames = options(choice).frames;
        let told = FrameStyle::with_lines(frames.style == FrameStyle::WithLines);
        let recording = recorded(&frames, told, ONE_PATH);
        for format in FORMATS {
            let direct = frames.apply(seen(format.detail.max(Detail::Threads), told, ONE_PATH));
            let same = written(&direct, *format) == reported(&recording, *format, &options(""));
            assert!(same, "{choice} in {}", format.name);
        }
    }
}

#[test]
fn a_report_chooses_as_the_run_would_have() {
    let recording = recorded(&FrameFilter::default(), FrameStyle::WithLines, PATHS);
    for choice in CHOICES {
        let asked = options(choice);
        for format in FORMATS {
            let whole = seen(format.detail.max(Detail::Threads), FrameStyle::WithLines, PATHS);
            let direct = written(&asked.frames.apply(whole), *format);
            let same = direct == reported(&recording, *format, &asked);
            assert!(same, "{choice} in {}", format.name);
        }
    }
}

#[test]
fn native_frames_of_a_recording_are_chosen_as_the_run_would_have() {
    let mut recording = Vec::new();
    let mut writer = Writer::new(&mut recording).expect("a Vec takes everything");
    writer.finish(&fixture::native()).expect("written");
    drop(writer);
    let mut native_frames = Vec::new();
    for (choice, native) in [
        ("--native=none", NativeFrames::None),
        ("--native", NativeFrames::Extensions),
        ("", NativeFrames::Extensions),
        ("--native=all", NativeFrames::All),
    ] {
        let direct = FrameFilter { native, ..FrameFilter::default() };
        for format in FORMATS {
            let direct = written(&direct.apply(fixture::native()), *format);
            let same = direct == reported(&recording, *format, &options(choice));
            assert!(same, "{choice} in {}", format.name);
        }
        let folded = reported(&recording, Format::default(), &options(choice));
        native_frames.push(folded.iter().filter(|byte| **byte == b'!').count());
    }
    // Each of five stacks is one frame deeper: the second and the fifth frame are native, the
    // fourth is the interpreter's. Without that, two stacks are one.
    assert_eq!(native_frames, [0, 1 + 1 + 2, 1 + 1 + 2, 1 + 1 + 2 + 3]);
}

#[test]
fn what_a_recording_does_not_tell_is_refused() {
    let profile = |style| {
        let mut profile = Profile::default();
        profile.about.style = style;
        profile
    };
    let refused = |style, words| choose(&options(words), profile(style), Detail::Threads).err();
    for words in ["--include a", "--exclude a", "--relative", "--strip-prefix /", "--file-only"] {
        assert_eq!(refused(FrameStyle::FunctionOnly, words), Some(Lacking::Files), "{words}");
        assert_eq!(refused(FrameStyle::WithLines, words), None, "{words}");
    }
    assert_eq!(refused(FrameStyle::FileOnly, "--function-only"), Some(Lacking::Functions));
    assert_eq!(refused(FrameStyle::FunctionOnly, "-n --depth 3"), None);
}

#[test]
fn of_recordings_that_tell_more_and_less_the_least_is_told() {
    let mut profile = Profile::new(Detail::Threads);
    let mut runs = Vec::new();
    for style in [FrameStyle::WithLines, FrameStyle::WithoutLines] {
        let frames = FrameFilter { style, ..FrameFilter::default() };
        let recording = recorded(&frames, style, PATHS);
        let mut reader = Reader::new(recording.as_slice()).expect("a recording");
        reader.read_all(&mut profile).expect("a slice can be read");
        runs.push(reader.about());
    }
    profile.about = crate::profile::RunInfo::of_all(&runs);
    let profile = choose(&options(""), profile, Detail::Threads).expect("all is told");
    let text = String::from_utf8(written(&profile, Format::default())).expect("UTF-8");
    assert!(text.contains("/srv/app.py:<module>;"), "{text}");
    let mut times = std::collections::HashMap::new();
    for (stack, _) in text.lines().filter_map(|line| line.rsplit_once(' ')) {
        *times.entry(stack).or_insert(0) += 1;
    }
    // Processes of two files are two.
    assert!(times.values().all(|times| *times <= 2), "{text}");
}
