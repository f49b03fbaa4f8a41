//! Tests of the pictures, which are read again as XML and by their titles.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::profile::stats::Key;
use crate::profile::{Process, RunInfo, Sample, State, Step};
use crate::render::fixture;
use crate::stack::Frame;

const SETTINGS: Settings = Settings { title: None, sources: None };

/// A profile of one process with a stack of functions for each sample, as it happened.
fn profile(stacks: &[&[&str]]) -> Profile {
    let mut profile = Profile::new(Detail::Timeline);
    let process = Process::new(7, "python3 app.py", "3.11.7");
    let process = profile.add_process(process);
    let thread = Some(profile.intern_thread(process, 1));
    for (time, functions) in (0..).zip(stacks) {
        let mut stack = None;
        for (line, function) in (1..).zip(*functions) {
            let frame = Frame::python("app.py", *function, line);
            let frame = profile.frames.intern(frame);
            stack = Some(profile.child(stack, Step::Frame(frame)));
        }
        match stack {
            Some(stack) => profile.record(time, Sample { stack, thread, state: State::default() }),
            None => profile.record_idle(time),
        }
    }
    profile.about = RunInfo {
        elapsed: Duration::from_secs(1),
        interval: Duration::from_millis(10),
        account: [(Key::Torn, 0)].into(),
        ..RunInfo::default()
    };
    profile
}

fn drawn(format: Format, profile: &Profile) -> String {
    let mut out = Vec::new();
    (format.write)(profile, &SETTINGS, &mut out).expect("a Vec takes it");
    String::from_utf8(out).expect("SVG is UTF-8")
}

/// The text of every `title` element, unescaped, in order.
fn titles(svg: &str) -> Vec<String> {
    let unescaped = |text: &str| {
        let mut text = text.to_owned();
        for (escape, character) in
            [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")]
        {
            text = text.replace(escape, character);
        }
        text
    };
    let parts = svg.split("<title>").skip(1);
    parts.map(|part| unescaped(part.split("</title>").next().unwrap_or_default())).collect()
}

/// Samples by the label of the box. Fails on a title that has another form.
fn rectangles(svg: &str) -> BTreeMap<String, Vec<u64>> {
    let mut rectangles: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for title in titles(svg) {
        let (label, counts) = title.rsplit_once(" (").expect("a label and its counts");
        let samples = counts.split(' ').next().expect("a count").replace(',', "");
        rectangles.entry(label.to_owned()).or_default().push(samples.parse().expect("a number"));
    }
    rectangles
}

#[test]
fn golden() {
    for (name, format) in
        [("hostile.svg", FLAME_GRAPH), ("hostile.icicle.svg", ICICLE), ("hostile.chart.svg", CHART)]
    {
        fixture::expect_golden(name, &fixture::written(format));
    }
}

#[test]
fn boxes_are_as_wide_as_their_samples() {
    let profile = profile(&[&["main", "a"], &["main", "b"], &["main", "a"], &[]]);
    for format in [FLAME_GRAPH, ICICLE] {
        let rectangles = rectangles(&drawn(format, &profile));
        let expected =
            [("(idle)", 1), ("a (app.py)", 2), ("all", 4), ("b (app.py)", 1), ("main (app.py)", 3)]
                .map(|(label, samples)| (label.to_owned(), vec![samples]));
        assert_eq!(rectangles, BTreeMap::from(expected));
    }
    assert_ne!(drawn(FLAME_GRAPH, &profile), drawn(ICICLE, &profile));
}

#[test]
fn a_chart_keeps_the_order_of_time() {
    let profile = profile(&[&["main", "a"], &["main", "a"], &["main", "b"], &["main", "a"], &[]]);
    let svg = drawn(CHART, &profile);
    let rectangles = rectangles(&svg);
    assert_eq!(rectangles["a (app.py)"].iter().sum::<u64>(), 3);
    assert_eq!(rectangles["a (app.py)"].len(), 2);
    // Where a box begins, in samples.
    let starts = |label: &str| -> Vec<u64> {
        svg.split("<g>")
            .filter(|part| part.starts_with(&format!("<title>{label} (")))
            .map(|part| {
                let (_, x) = part.split_once("fg:x=\"").expect("a box has a place");
                x.split('"').next().expect("a number").parse().expect("a number")
            })
            .collect()
    };
    let mut of_a = starts("a (app.py)");
    of_a.sort_unstable();
    assert_eq!(of_a, [0, 3]);
    assert_eq!(starts("b (app.py)"), [2]);
    assert_eq!(starts("(idle)"), [4]);
}

#[test]
fn a_chart_of_many_threads_has_one_beside_the_other() {
    let mut profile = profile(&[&["main"], &["main"]]);
    profile.about.every_thread = true;
    let (process, _) = profile.processes().next().expect("one");
    let stack = profile.stacks().next().expect("one").0;
    let second = profile.intern_thread(process, 2);
    profile.thread_mut(second).name = Some("worker; <2>".into());
    profile.record(1, Sample { stack, thread: Some(second), state: State::default() });
    let rectangles = rectangles(&drawn(CHART, &profile));
    assert_eq!(rectangles["Thread 0x1"], [2]);
    assert_eq!(rectangles["worker; <2> (0x2)"], [1]);
    assert_eq!(rectangles["main (app.py)"], [2, 1]);
}

#[test]
fn processes_have_boxes_of_their_own() {
    let mut profile = profile(&[&["main"]]);
    let process = Process::new(8, "python3 x", "");
    let process = profile.add_process(process);
    let thread = profile.intern_thread(process, 1);
    let stack = profile.stacks().next().expect("one").0;
    profile.record(1, Sample { stack, thread: Some(thread), state: State::default() });
    let rectangles = rectangles(&drawn(FLAME_GRAPH, &profile));
    assert_eq!(rectangles["python3 x (pid 8)"], [1]);
    assert_eq!(rectangles["python3 app.py (pid 7)"], [1]);
}

#[test]
fn hostile_names_survive() {
    let long = "x".repeat(10_000);
    let names = [
        "a;b",
        "# c",
        "line\nbreak",
        "<\"&'>",
        "🔥 é",
        " blank",
        "\u{1b}[31m\u{0}\u{ffff}",
        "",
        "9",
        &long,
        "]]>",
        "-",
        "--",
        "_[k]",
    ];
    let stacks: Vec<Vec<&str>> = names.iter().map(|name| vec![*name, "leaf"]).collect();
    let stacks: Vec<&[&str]> = stacks.iter().map(Vec::as_slice).collect();
    for format in [FLAME_GRAPH, ICICLE, CHART] {
        let svg = drawn(format, &profile(&stacks));
        let allowed =
            |c: char| matches!(c, '\n' | '\t' | '\r') || (!c.is_control() && c != '\u{ffff}');
        assert!(svg.chars().all(allowed));
        let rectangles = rectangles(&svg);
        for name in names {
            let shown = match name {
                " blank" => "␠ blank".to_owned(),
                "" => "␠ (app.py)".replace(" (app.py)", ""),
                name => super::super::flame_labels::printable(name),
            };
            assert_eq!(rectangles.get(&format!("{shown} (app.py)")), Some(&vec![1]), "{name:?}");
        }
    }
}

#[test]
fn equal_profiles_give_equal_bytes() {
    let stacks: Vec<Vec<String>> =
        (0..200).map(|n| vec!["main".to_owned(), format!("f{n}"), format!("g{}", n % 7)]).collect();
    let stacks: Vec<Vec<&str>> =
        stacks.iter().map(|stack| stack.iter().map(String::as_str).collect()).collect();
    let stacks: Vec<&[&str]> = stacks.iter().map(Vec::as_slice).collect();
    for format in [FLAME_GRAPH, ICICLE, CHART] {
        assert_eq!(drawn(format, &profile(&stacks)), drawn(format, &profile(&stacks)));
    }
}

#[test]
fn the_head_says_what_was_profiled() {
    let svg = drawn(FLAME_GRAPH, &profile(&[&["main"]]));
    assert!(svg.contains("python3 app.py (pid 7)"));
    assert!(svg.contains("1 samples · 100 Hz for 1.0 s · Python 3.11.7 · torn 0"));
    let mut out = Vec::new();
    let settings = Settings { title: Some("A & <B>\u{7}".into()), sources: None };
    write_flame_graph(&profile(&[&["main"]]), &settings, &mut out).expect("drawn");
    assert!(String::from_utf8_lossy(&out).contains("A &amp; &lt;B&gt;\\u{7}"));
}

#[test]
fn no_samples_are_said_to_be_none() {
    for format in [FLAME_GRAPH, ICICLE, CHART] {
        assert!(drawn(format, &profile(&[])).contains("no samples were taken"));
    }
}
