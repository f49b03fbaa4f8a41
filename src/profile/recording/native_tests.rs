//! Recordings with native frames.

use super::tests::{Growing, read, with_content, words};
use super::versions_tests::{section_of, sections, seen, with_sections, written};
use super::*;
use crate::profile::{Sample, State, Step};
use crate::stack::{Frame, FrameKind};

/// A run with native frames, and the build of one library.
fn with_native_frames() -> Growing {
    let mut growing = seen();
    let library: std::sync::Arc<str> = "/lib/libz.so.1".into();
    let mut stack = None;
    for (file, function, kind) in [
        ("a.py", "main", FrameKind::Python),
        (&library, "compress", FrameKind::Native),
        ("/usr/bin/python3", "0x1a2b", FrameKind::Interpreter),
        // Of the same names as another.
        ("a.py", "main", FrameKind::Native),
        ("", "0x7f00", FrameKind::Native),
    ] {
        let frame = Frame { kind, ..Frame::python(file, function, 0) };
        let step = Step::Frame(growing.profile.frames.intern(frame));
        stack = Some(growing.profile.child(stack, step));
    }
    growing.profile.modules.add(&library, "00ffab");
    let (stack, state) = (stack.expect("it has frames"), State::default());
    growing.profile.record(1_004_000, Sample { stack, thread: None, state });
    growing
}

#[test]
fn native_frames_and_their_libraries_are_read_as_they_were_written() {
    let growing = with_native_frames();
    let (profile, _, ending) = read(&written(&growing));
    assert_eq!(profile.frames.all(), growing.profile.frames.all());
    assert_eq!(words(&profile), words(&growing.profile));
    assert_eq!(profile.modules.since(0), growing.profile.modules.since(0));
    assert_eq!(ending, Ending { runs: 1, ..Ending::default() });
    // In several parts, of which each begins in the middle.
    let mut bytes = Vec::new();
    let mut growing = seen();
    let mut writer = Writer::new(&mut bytes).expect("a Vec takes everything");
    writer.update(&mut growing.profile).expect("written");
    let more = with_native_frames();
    writer.finish(&more.profile).expect("written");
    drop(writer);
    assert_eq!(read(&bytes).0.frames.all(), more.profile.frames.all());
}

#[test]
fn without_native_frames_a_recording_has_no_sections_of_theirs() {
    let kinds = |growing: &Growing| -> Vec<u8> {
        let all = sections(&written(growing)).into_iter().map(|(kind, _)| kind);
        all.filter(|kind| matches!(*kind, section::KINDS | section::MODULES)).collect()
    };
    assert_eq!(kinds(&seen()), Vec::<u8>::new());
    assert_eq!(kinds(&with_native_frames()), [section::KINDS, section::MODULES]);
}

#[test]
fn an_earlier_release_reads_native_frames_as_if_they_were_of_python() {
    let mut known = sections(&written(&with_native_frames()));
    // It knows neither of the two.
    for (kind, _) in &mut known {
        *kind = if *kind >= section::KINDS { *kind + 100 } else { *kind };
    }
    let (profile, _, ending) = read(&with_sections(&known, |_, length| length));
    assert!(profile.frames.all().iter().all(|frame| frame.kind == FrameKind::Python));
    assert_eq!(profile.timeline().len(), with_native_frames().profile.timeline().len());
    assert!(ending.is_partial && ending.lost == 0);
}

#[test]
fn kinds_of_frames_make_sense_or_end_it_there() {
    let frames =
        [section_of(section::TEXTS, &[1, 1, b'a']), section_of(section::FRAMES, &[1, 0, 0, 0])];
    let kinds_of = |kinds: &[u8]| {
        let kinds = section_of(section::KINDS, kinds);
        let (profile, _, ending) = read(&with_content(3, &[kinds, frames.concat()].concat()));
        let frame = profile.frames.all().first().map(|frame| frame.kind);
        (frame, ending.is_partial, ending.lost > 0)
    };
    assert_eq!(kinds_of(&[1, 0, 2]), (Some(FrameKind::Interpreter), false, false));
    // Of a frame that never comes.
    assert_eq!(kinds_of(&[1, 9, 1]), (Some(FrameKind::Python), false, false));
    // Only a later release knows what it is of.
    assert_eq!(kinds_of(&[1, 0, 3]), (Some(FrameKind::Native), true, false));
    for kinds in
        [&[1, 0, 0][..], &[2, 0, 1, 0, 1], &[2, 3, 1, 2, 1], &[1, 0xff, 0xff, 0xff, 0xff, 1, 1]]
    {
        assert_eq!(kinds_of(kinds), (None, false, true), "{kinds:?}");
    }
    // The frame has come already.
    let late = [&frames[..], &[section_of(section::KINDS, &[1, 0, 1])]].concat().concat();
    assert!(read(&with_content(3, &late)).2.lost > 0);
}
