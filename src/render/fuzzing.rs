//! Names that try to end the string, the line or the tag that they stand in.

use super::{FORMATS, Format, Settings};
use crate::escape::{Terminal, in_line};
use crate::profile::{Detail, Process, Profile, Sample, State, Step};
use crate::stack::{Frame, FrameKind, FrameStyle};
use std::io::Write;

/// Microseconds since the epoch.
const STARTED: u64 = 1_700_000_000_000_000;

/// Names, parted by bytes 0xff, in a profile of every format.
pub fn writers(bytes: &[u8]) {
    let names: Vec<String> = bytes
        .split(|byte| *byte == 0xff)
        .take(64)
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect();
    let harmless: Vec<String> = (0..names.len()).map(|number| format!("name{number}")).collect();
    terminal(bytes);
    for format in FORMATS {
        let [hostile, plain] = [&names, &harmless].map(|names| written(names, *format));
        match format.name {
            "pprof" | "recording" => continue,
            "html" | "svg" | "icicle" | "svg-chart" => same_tags(&hostile, &plain),
            _ => {}
        }
        let text = std::str::from_utf8(&hostile);
        assert!(text.is_ok(), "{}: not UTF-8", format.name);
        let text = text.unwrap_or_default();
        match format.name {
            "folded" => records(text, names.len()),
            "flamechart" => assert_eq!(text.lines().count() % 2, 0, "a stack without its time"),
            "jsonl" => text.lines().for_each(expect_json),
            "firefox" | "speedscope" | "cpuprofile" | "trace-event" => expect_json(text),
            _ => {}
        }
    }
}

/// What frames are of, one after the other.
const KINDS: [FrameKind; 3] = [FrameKind::Python, FrameKind::Native, FrameKind::Interpreter];

fn written(names: &[String], format: Format) -> Vec<u8> {
    let mut profile = Profile::new(Detail::Timeline);
    profile.about.started = STARTED;
    profile.about.style = FrameStyle::WithLines;
    let mut out = Vec::new();
    let command = names.first().map_or("", String::as_str);
    let process = profile.add_process(Process::new(42, command, "3.11.7"));
    let thread = profile.intern_thread(process, 7);
    profile.thread_mut(thread).name = Some(command.into());
    let mut stack = None;
    for (time, pair) in (STARTED..).step_by(10_000).zip(names.chunks(2)) {
        let (file, function) = (pair.first(), pair.last());
        let [file, function] = [file, function].map(|name| name.map_or("", String::as_str));
        let kind = KINDS[profile.frames.all().len() % KINDS.len()];
        let frame = Frame { kind, ..Frame::python(file, function, 3) };
        let step = Step::Frame(profile.frames.intern(frame));
        let child = profile.child(stack, step);
        let sample = Sample { stack: child, thread: Some(thread), state: State::default() };
        profile.record(time, sample);
        stack = Some(child);
    }
    let settings = Settings { title: names.last().cloned(), sources: None };
    assert!((format.write)(&profile, &settings, &mut out).is_ok());
    out
}

/// A line is a record: some names, and a number.
fn records(text: &str, most: usize) {
    assert!(text.lines().count() <= most, "more lines than stacks");
    for line in text.lines() {
        let count = line.rsplit_once(' ').and_then(|(_, count)| count.parse::<u64>().ok());
        assert!(count.is_some(), "no count: {line:?}");
        assert_eq!(line, in_line(line), "something acts");
    }
}

fn expect_json(text: &str) {
    let parsed = serde_json::from_str::<serde::de::IgnoredAny>(text);
    assert!(parsed.is_ok(), "{parsed:?}: {text}");
}

/// No name opens or closes a tag, a comment or a script that others do not.
fn same_tags(hostile: &[u8], plain: &[u8]) {
    let count = |bytes: &[u8], tag: &[u8]| {
        bytes.windows(tag.len()).filter(|part| part.eq_ignore_ascii_case(tag)).count()
    };
    for tag in [&b"<script"[..], b"</script", b"<!--", b"]]>", b"<a ", b"<image", b"<foreign"] {
        let name = String::from_utf8_lossy(tag);
        assert_eq!(count(hostile, tag), count(plain, tag), "{name}");
    }
}

/// Nothing acts on a terminal, however it is cut into writes.
fn terminal(bytes: &[u8]) {
    let size = usize::from(bytes.first().copied().unwrap_or(0) % 16) + 1;
    let mut shown = Vec::new();
    let mut terminal = Terminal::new(&mut shown);
    assert!(bytes.chunks(size).all(|part| terminal.write_all(part).is_ok()));
    let shown = String::from_utf8_lossy(&shown).replace(['\n', '\t'], "");
    assert_eq!(shown, in_line(&shown), "something acts on a terminal");
}
