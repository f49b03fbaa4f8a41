//! A hostile profile, in which every name tries to end the string, the line or the tag that
//! it stands in, and the golden files that are made of it.
//!
//! The golden files are also what `make formats-test` gives to the programs that read them.
//! `PYFLAME_BLESS=1 cargo test` writes them anew.

use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs};

use super::{Format, Settings};
use crate::profile::stats::{Key, Refusal, Rows, Value};
use crate::profile::{
    Detail, Process, Profile, RunInfo, Sample, StackId, State, Step, Thread, ThreadId,
};
use crate::stack::{Frame, FrameKind, FrameStyle};

/// Names that each break a careless writer.
const HOSTILE: [&str; 8] = [
    "semi;colon; 17",
    "line\nbreak\r\n",
    "\"quotes\" and \\back\\slash\\",
    "<script>alert('&amp;')</script>",
    "grin \u{1f600} zero\u{0}bell\u{7}escape\u{1b}[31m",
    "separators \u{2028}\u{2029}\u{85} right \u{202e}tfel \u{feff}",
    "${0} %s {} `id` $(id) ]]> */ --> __proto__",
    "",
];

/// Microseconds since the epoch.
const STARTED: u64 = 1_700_000_000_000_000;

/// The profile: two processes, three threads with and without names, each hostile name on
/// a stack, a name of 10 kB, a truncated stack, idle and failed moments, and a gap.
pub(crate) fn profile() -> Profile {
    let mut profile = Profile::new(Detail::Timeline);
    profile.about = about();
    let threads = threads(&mut profile);
    let mut clock = STARTED;
    let state = |holds_gil, on_cpu| State { holds_gil, on_cpu, ..State::default() };
    let main = frame(&mut profile, "/srv/app.py", "<module>", 1);
    let root = profile.child(None, main);
    for (position, name) in HOSTILE.iter().enumerate() {
        let step = frame(&mut profile, &format!("/srv/{name}.py"), name, position as i32);
        let stack = profile.child(Some(root), step);
        clock += 10_000;
        record(&mut profile, clock, stack, threads[0], state(true, Some(true)));
        record(&mut profile, clock, stack, threads[1], state(false, Some(false)));
        record(&mut profile, clock + 3000, root, threads[2], state(true, None));
    }
    let long = frame(&mut profile, "/srv/long.py", &"long ".repeat(2048), i32::MAX);
    let cut = profile.child(None, Step::Truncated);
    let deep = profile.child(Some(cut), long);
    for gap in [10_000, 10_000, 90_000] {
        clock += gap;
        record(&mut profile, clock, deep, threads[0], state(true, None));
    }
    let nameless = frame(&mut profile, "", "f", -1);
    let nameless = profile.child(Some(deep), nameless);
    record(&mut profile, clock + 10_000, nameless, threads[1], state(false, None));
    profile.record_idle(clock + 20_000);
    profile.record_idle(clock + 30_000);
    profile.record_failed(clock + 40_000);
    profile.sort_timeline();
    profile
}

fn about() -> RunInfo {
    let words = "on \"f\"\n<b> at app.py:7".to_owned();
    let refusal = Refusal { words, wants_rights: false };
    let mut account = Rows::from([(Key::Ticks, 25), (Key::Samples, 28)]);
    account.put(Key::NotByKernel, Value::Refusal(refusal));
    account.put(Key::Elapsed, Value::Time(Duration::from_millis(250)));
    RunInfo {
        started: STARTED,
        elapsed: Duration::from_millis(250),
        interval: Duration::from_millis(10),
        ticks: 25,
        every_thread: true,
        tells_processes: true,
        style: FrameStyle::WithLines,
        account,
    }
}

fn threads(profile: &mut Profile) -> [ThreadId; 3] {
    let command = "python3 app.py --name=\"a;b\"\n<c>";
    let parent = profile.add_process(Process::new(4242, command, "3.11.7"));
    let child = profile.add_process(Process::new(4250, "", "3.11.7"));
    let main = profile.intern_thread(parent, 140_737_353_971_520);
    let Thread { native_id, name, .. } = profile.thread_mut(main);
    (*native_id, *name) = (Some(4242), Some("Main\"Thread\n<1>;\u{1f40d}".into()));
    let worker = profile.intern_thread(parent, 140_737_353_926_464);
    profile.thread_mut(worker).native_id = Some(4243);
    [main, worker, profile.intern_thread(child, u64::MAX)]
}

fn frame(profile: &mut Profile, file: &str, function: &str, line: i32) -> Step {
    let frame = Frame::python(file, function, line);
    Step::Frame(profile.frames.intern(frame))
}

/// One thread of a free-threaded process: attached, suspended by a stop-the-world pause, then
/// detached, 10 ms each, in a function of its own.
pub(crate) fn pauses() -> Profile {
    let mut profile = Profile::new(Detail::Timeline);
    profile.about = about();
    let process = profile.add_process(Process::new(7, "python3.14t", "3.14.2t"));
    let thread = profile.intern_thread(process, 7);
    let states = [
        State { holds_gil: true, ..State::default() },
        State { is_suspended: true, ..State::default() },
        State::default(),
    ];
    for (position, state) in (1..).zip(states) {
        let step = frame(&mut profile, "a.py", &format!("f{position}"), position);
        let stack = profile.child(None, step);
        let time = STARTED + 10_000 * u64::from(position.unsigned_abs());
        record(&mut profile, time, stack, thread, state);
    }
    profile
}

/// One thread in Python code that calls a library, which calls Python code, and that a function
/// of the interpreter, which calls code that is in no file. It was seen in each of them.
pub(crate) fn native() -> Profile {
    let mut profile = Profile::new(Detail::Timeline);
    profile.about = about();
    let process = profile.add_process(Process::new(7, "python3 app.py", "3.11.7"));
    let thread = profile.intern_thread(process, 7);
    let frames = [
        Frame::python("/srv/app.py", "main", 3),
        Frame::native("/srv/lib/libfoo.so.1", "sort<int>", FrameKind::Native),
        Frame::python("/srv/app.py", "key", 7),
        Frame::native("/usr/bin/python3.11", "_PyEval_EvalFrameDefault", FrameKind::Interpreter),
        Frame::native("", "0x7f0012340000", FrameKind::Native),
    ];
    profile.modules.add(&"/srv/lib/libfoo.so.1".into(), "00112233445566778899aabbccddeeff01234567");
    let mut stack = None;
    for (position, frame) in (0..).zip(frames) {
        let step = Step::Frame(profile.frames.intern(frame));
        let next = profile.child(stack, step);
        let state = State { holds_gil: true, ..State::default() };
        record(&mut profile, STARTED + 10_000 * position, next, thread, state);
        stack = Some(next);
    }
    profile
}

fn record(profile: &mut Profile, time: u64, stack: StackId, thread: ThreadId, state: State) {
    profile.record(time, Sample { stack, thread: Some(thread), state });
}

/// The hostile profile, written.
pub(crate) fn written(format: Format) -> Vec<u8> {
    written_of(&profile(), format)
}

/// Another one, written.
pub(crate) fn written_of(profile: &Profile, format: Format) -> Vec<u8> {
    let mut out = Vec::new();
    let settings = Settings::default();
    (format.write)(profile, &settings, &mut out).expect("a Vec takes everything");
    out
}

/// Compares bytes with a golden file.
pub(crate) fn expect_golden(name: &str, seen: &[u8]) {
    let golden = golden(name, seen);
    let same = golden.iter().zip(seen).take_while(|(a, b)| a == b).count();
    let around = |bytes: &[u8]| {
        let end = bytes.len().min(same + 60);
        String::from_utf8_lossy(&bytes[same.saturating_sub(60).min(end)..end]).into_owned()
    };
    assert!(
        golden == seen,
        "{name} differs from byte {same}:\nthere: {}\nnow:   {}",
        around(&golden),
        around(seen)
    );
}

/// A golden file. With `PYFLAME_BLESS` in the environment, its contents become `seen`.
pub(crate) fn golden(name: &str, seen: &[u8]) -> Vec<u8> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "golden", name].iter().collect();
    if env::var_os("PYFLAME_BLESS").is_some() {
        fs::write(&path, seen).expect("a golden file can be written");
    }
    fs::read(&path).unwrap_or_default()
}
