//! Native frames in every format: golden files, and what readers have to find in them.

use std::io::Read;

use serde_json::{Value, json};

use super::fixture::{self, expect_golden, native, written_of};
use super::{FORMATS, dump, dump_json, dump_text, firefox, folded, html, json_lines, pprof, svg};
use crate::profile::snapshot::tests::snapshot;
use crate::stack::{Frame, FrameKind, FrameStyle};

fn text(format: super::Format) -> String {
    String::from_utf8(written_of(&native(), format)).expect("UTF-8")
}

/// A report has its program in it, and a recording is compressed.
#[test]
fn golden() {
    let without = [html::FORMAT.name, super::recording::FORMAT.name];
    for format in FORMATS.iter().filter(|format| !without.contains(&format.name)) {
        let mut seen = written_of(&native(), *format);
        let name = format!("native.{}", format.extensions[0]);
        if format.name == pprof::FORMAT.name {
            let mut golden = Vec::new();
            let file = fixture::golden(&name, &seen);
            let plain = |bytes: &[u8], out: &mut Vec<u8>| {
                flate2::read::GzDecoder::new(bytes).read_to_end(out).map(|_| ())
            };
            plain(&file, &mut golden).expect("it is gzip");
            let mut now = Vec::new();
            plain(&seen, &mut now).expect("it is gzip");
            seen = now;
            assert!(golden == seen, "{name} is not what is written now");
        } else {
            expect_golden(&name, &seen);
        }
    }
}

#[test]
fn folded_stacks_name_the_library_before_the_function() {
    let style = |style: FrameStyle, line: usize| {
        let mut profile = native();
        profile.about.style = style;
        profile.about.tells_processes = false;
        let lines = String::from_utf8(written_of(&profile, folded::FORMAT)).expect("UTF-8");
        lines.lines().nth(line).unwrap_or_default().to_owned()
    };
    let last = "/srv/app.py:main:3;libfoo.so.1!sort<int>;/srv/app.py:key:7;\
                python3.11!_PyEval_EvalFrameDefault;[anonymous]!0x7f0012340000 1";
    assert_eq!(style(FrameStyle::WithLines, 4), last);
    assert_eq!(style(FrameStyle::FunctionOnly, 1), "main;sort<int> 1");
    assert_eq!(style(FrameStyle::FileOnly, 1), "/srv/app.py;libfoo.so.1 1");
    assert_eq!(style(FrameStyle::WithoutLines, 1), "/srv/app.py:main;libfoo.so.1!sort<int> 1");
}

#[test]
fn a_picture_tells_what_its_colours_mean() {
    let picture = text(svg::FLAME_GRAPH);
    for words in ["violet: native code, slate: the interpreter", "sort&lt;int&gt; (libfoo.so.1)"] {
        assert!(picture.contains(words), "{words}: {picture}");
    }
    let without = written_of(&fixture::profile(), svg::FLAME_GRAPH);
    assert!(!String::from_utf8_lossy(&without).contains("violet"));
}

#[test]
fn lines_of_json_tell_what_native_frames_are_of() {
    let lines = text(json_lines::FORMAT);
    let last = lines.lines().nth(5).expect("five samples");
    let sample: Value = serde_json::from_str(last).expect("JSON");
    let kinds: Vec<&Value> =
        sample["frames"].as_array().expect("frames").iter().map(|frame| &frame["kind"]).collect();
    let expected =
        [json!(null), json!("native"), json!(null), json!("interpreter"), json!("native")];
    assert_eq!(kinds, expected.iter().collect::<Vec<_>>());
    assert_eq!(sample["frames"][1]["file"], "/srv/lib/libfoo.so.1");
}

#[test]
fn the_firefox_profiler_finds_the_library_of_a_function() {
    let document: Value = serde_json::from_str(&text(firefox::FORMAT)).expect("JSON");
    let names: Vec<&str> = document["libs"]
        .as_array()
        .expect("libraries")
        .iter()
        .filter_map(|lib| lib["name"].as_str())
        .collect();
    assert_eq!(names, ["libfoo.so.1", "python3.11"]);
    assert_eq!(document["libs"][0]["breakpadId"], "33221100554477668899AABBCCDDEEFF0");
    let thread = &document["threads"][0];
    // Anonymous code is of no library.
    assert_eq!(thread["funcTable"]["resource"], json!([-1, 0, -1, 1, -1]));
    assert_eq!(thread["resourceTable"]["lib"], json!([0, 1]));
    assert_eq!(thread["frameTable"]["subcategory"], json!([0, 1, 0, 2, 1]));
    let categories = &document["meta"]["categories"];
    assert_eq!(categories[3]["subcategories"], json!(["Other", "Native", "Interpreter"]));
}

#[test]
fn a_report_knows_native_frames_and_others_need_no_column() {
    let report = text(html::FORMAT);
    assert!(report.contains("\"kind\":\"pnpcn\""), "{report}");
    let without = String::from_utf8(written_of(&fixture::pauses(), html::FORMAT)).expect("UTF-8");
    assert!(!without.contains("\"kind\":"));
}

#[test]
fn dumps_have_native_frames_in_their_places() {
    let mut snapshot = snapshot();
    let library = Frame::native("/usr/lib/libz.so.1", "zlib_\ncompress", FrameKind::Native);
    let stack = &mut snapshot.threads[0].stack;
    stack.frames.insert(0, snapshot.frames.intern(library));
    stack.variables.insert(0, Some(Vec::new()));
    let line = "    zlib_\\ncompress (libz.so.1)\n";
    let mut out = Vec::new();
    dump::write(&snapshot, FrameStyle::WithLines, &mut out).expect("a Vec takes everything");
    let original = String::from_utf8(out).expect("UTF-8");
    assert!(original.starts_with(&format!("140*:\n{line}app.py:work:7\n")), "{original}");
    let mut out = Vec::new();
    dump_text::write(&snapshot, FrameStyle::WithLines, &mut out).expect("a Vec takes everything");
    let verbose = String::from_utf8(out).expect("UTF-8");
    assert!(verbose.contains(&format!("holds the GIL\n{line}  app.py:work:7\n")), "{verbose}");
    let mut out = Vec::new();
    dump_json::write(&snapshot, &mut out).expect("a Vec takes everything");
    let document: Value = serde_json::from_slice(&out).expect("JSON");
    let frames = &document["threads"][0]["frames"];
    assert_eq!(frames[0]["kind"], "native");
    assert_eq!(frames[1].get("kind"), None);
}
