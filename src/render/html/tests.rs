//! Tests of the report's bytes. tests/report/main.rs looks at it in a browser.

use super::*;
use crate::profile::{Process, Sample, State, Step};
use crate::stack::Frame;

fn written(profile: &Profile, title: Option<&str>) -> String {
    let settings = Settings { title: title.map(str::to_owned), ..Settings::default() };
    let mut out = Vec::new();
    write(profile, &settings, &mut out).expect("a Vec takes it");
    String::from_utf8(out).expect("HTML is UTF-8")
}

/// The JSON inside of a report.
fn document(html: &str) -> serde_json::Value {
    let (_, rest) = html.split_once("id=\"profile\">").expect("there is a profile");
    let (json, _) = rest.split_once("</script>").expect("it ends");
    serde_json::from_str(json).expect("it is JSON")
}

#[test]
fn a_report_is_one_file_of_bounded_size() {
    let html = written(&Profile::new(Detail::Timeline), None);
    assert!(html.len() < 100_000, "{}", html.len());
    assert!(!html.contains("{{"), "every place of the template is filled");
    for outside in ["src=", "href=", "url(", "@import", "http://", "https://"] {
        assert!(!html.contains(outside), "{outside}");
    }
}

#[test]
fn names_cannot_break_out() {
    let hostile = "</script><script>alert(1)</script>{{style}}\u{2028}<!--\n;\"🔥";
    let mut profile = Profile::new(Detail::Timeline);
    let process = Process::new(1, hostile, "");
    let process = profile.add_process(process);
    let thread = profile.intern_thread(process, u64::MAX);
    profile.thread_mut(thread).name = Some(hostile.into());
    let frame = Frame::python(hostile, hostile, -1);
    let frame = profile.frames.intern(frame);
    let stack = profile.child(None, Step::Frame(frame));
    profile.record(0, Sample { stack, thread: Some(thread), state: State::default() });
    let html = written(&profile, Some(hostile));
    assert_eq!(html.matches("<script").count(), 2, "the profile's and the program's");
    let document = document(&html);
    assert_eq!(document["title"], hostile);
    assert_eq!(document["functions"][0], hostile);
    assert_eq!(document["files"][0], hostile);
    assert_eq!(document["threads"][0]["name"], hostile);
    assert_eq!(document["threads"][0]["id"], "0xffffffffffffffff");
}

#[test]
fn stacks_are_columns_with_callers_first() {
    let mut profile = Profile::new(Detail::Timeline);
    let cut = profile.child(None, Step::Truncated);
    let frame = profile.frames.intern(Frame::python("a", "f", 3));
    profile.child(Some(cut), Step::Frame(frame));
    let document = document(&written(&profile, None));
    assert_eq!(document["stacks"]["caller"], serde_json::json!([0, 1]));
    assert_eq!(document["stacks"]["frame"], serde_json::json!([0, 1]));
    assert_eq!(document["frames"]["line"], serde_json::json!([3]));
}
