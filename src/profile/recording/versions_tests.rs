//! Recordings of earlier releases, and of later ones.

use std::time::Duration;

use super::bytes::{put_bytes, put_number};
use super::tests::{Growing, STATES, read, with_content, words};
use super::*;
use crate::profile::stats::{Account, ByKernel, Key, Refusal, Rows, SampledProcess, Unit, Value};
use crate::profile::{Seen, Source, State, TornReason};

/// What the recordings hold of each of their two runs, but for the account.
pub(super) fn seen() -> Growing {
    let mut growing = Growing::new();
    growing.profile.process_mut(growing.process).search_path = vec!["/app".into(), "/lib".into()];
    growing.see(1_000_007, 1, &["main", "f"], STATES[0]);
    growing.see(1_000_007, 2, &["wait"], STATES[1]);
    growing.see(1_001_020, 1, &["main", "f", "é;\n"], STATES[2]);
    growing.profile.record_failed(1_002_000);
    growing.profile.record_idle(1_003_000);
    let (id, _) = growing.profile.threads().next().expect("a thread");
    growing.profile.thread_mut(id).name = Some("MainThread".into());
    growing.profile.thread_mut(id).native_id = Some(42);
    growing.profile.record_idle(1_005_000);
    growing
}

/// The account of a run that the kernel sampled, or that was sampled in stops.
fn account(is_by_kernel: bool) -> Account {
    let refusal = Refusal {
        words: "--engine kernel may not load its program: why.\nMore.".into(),
        wants_rights: true,
    };
    let kernel = ByKernel { interrupts: 60, looks: 20, missed: 6 };
    let mut account = Account {
        ticks: 100,
        samples: 80,
        idle: 3,
        at_once: 70,
        retried: 10,
        dropped: 2,
        lost_threads: 1,
        failed: 1,
        late: 4,
        source: Some(if is_by_kernel { Source::Interrupt } else { Source::Stop }),
        refusal: (!is_by_kernel).then_some(refusal),
        skipped: 5,
        kernel: is_by_kernel.then_some(kernel),
        reads: 100,
        cpu: Duration::from_micros(1234),
        elapsed: Duration::from_millis(1250),
        ..Account::default()
    };
    for (ticks, reason) in (1..).zip(TornReason::ALL) {
        account.note_torn(reason, ticks);
    }
    account.stops.add(Duration::from_micros(50));
    account.stops.add(Duration::from_micros(1200));
    account.turns.add(Duration::from_micros(250));
    account
}

/// A run in today's format.
pub(super) fn written(growing: &Growing) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes).expect("a Vec takes everything");
    writer.finish(&growing.profile).expect("written");
    drop(writer);
    bytes
}

/// The key with the highest number when the recordings were made.
const NEWEST_KEY: u64 = 50;

#[test]
fn a_suspended_thread_is_one_whatever_else_is_known_of_it() {
    for on_cpu in [None, Some(false), Some(true)] {
        let mut growing = seen();
        let state = State { is_suspended: true, on_cpu, ..State::default() };
        growing.see(1_006_000, 2, &["wait"], state);
        let (profile, _, _) = read(&written(&growing));
        let mut states = profile.timeline().iter().filter_map(|event| match event.seen {
            Seen::Sample(sample) => Some(sample.state),
            Seen::Idle | Seen::Failed => None,
        });
        assert_eq!(states.next_back(), Some(state));
    }
}

/// Two runs, the first by the kernel, as the last release with format 2 has written them.
const FORMAT_2: &[u8] = include_bytes!("../../../tests/golden/format-2.pyflame");

#[test]
fn a_recording_of_format_2_is_read() {
    let (profile, about, ending) = read(FORMAT_2);
    let mut expected = seen();
    for event in seen().profile.timeline() {
        expected.profile.record_event(*event);
    }
    assert_eq!(words(&profile), words(&expected.profile));
    let complaint = "what only another release knows of it was left out";
    assert_eq!(ending.complaint().as_deref(), Some(complaint));
    assert_eq!(about.ticks, 200);
    assert_eq!(about.elapsed, Duration::from_millis(1250));
    let mut both = account(true);
    both.add(&account(false));
    for (key, value) in both.rows().iter().filter(|(key, _)| key.unit() == Unit::Count) {
        assert_eq!(about.account.get(key), Some(value), "{key:?}");
    }
    let engines = Value::Sources(vec![Source::Interrupt, Source::Stop]);
    assert_eq!(about.account.get(Key::Engine), Some(&engines));
}

/// What was shown of the first run when it was made.
const ACCOUNT_OF_FORMAT_2: &str = "\
engine: kernel
ticks: 100
samples: 80
idle: 3
proven at once: 70
retried: 10
stopped: 2
skipped: 5
stopped total ms: 1.2
stopped p99 us: 1319
torn: 28
dropped: 2
lost threads: 1
failed: 1
late: 4
torn (not fetched): 1
torn (moved meanwhile): 2
torn (unknown call): 3
torn (in a call or return): 4
torn (code changed): 5
torn (ran too early): 6
torn (call was over): 7
turns: 1
turns total ms: 0.2
turns p99 us: 254
interrupts: 60
looks: 20
missed: 6
remote reads per sample: 1.25
cpu us per sample: 15.43
processes sampled: 1
processes not Python: 2
processes too short to be sampled: 3
processes left out, too many at once: 4
processes that cannot be profiled: 5
processes not read, for an unknown reason: 13
processes not read, for want of CAP_SYS_PTRACE: 12
processes not read, hidden by /proc: 10
processes not read, not dumpable: 8
processes not read, of another group: 7
processes not read, of another user: 6
processes not read, protected by ptrace_scope: 11
processes not read, with more capabilities: 9
elapsed s: 1.25
sampled process 42: python a.py, CPython 3.11.7
sampled process 7: sh -c \"x\", CPython 3.6.15
further processes sampled: 14
other Pythons at the same time, not sampled (--subprocesses samples all): 15
left out by --include and --exclude: 16
left out by the choice of threads: 17";

#[test]
fn each_row_of_format_2_has_its_key() {
    let second = FORMAT_2.windows(8).rposition(|bytes| bytes == b"PYFLAME\x02").expect("two runs");
    let (_, first, _) = read(&FORMAT_2[..second]);
    assert_eq!(first.account.to_string(), ACCOUNT_OF_FORMAT_2);
    let known: Vec<Key> = first.account.iter().map(|(key, _)| key).collect();
    let all = Key::ALL.iter().filter(|key| key.number() <= NEWEST_KEY);
    let unknown: Vec<_> = all.filter(|key| !known.contains(key)).collect();
    assert_eq!(unknown, [&Key::NotByKernel], "the kernel took the samples");
    let (_, second, _) = read(&FORMAT_2[second..]);
    let words = "not by the kernel: --engine kernel may not load its program: why.";
    assert!(second.account.to_string().contains(words));
}

#[test]
fn runs_of_several_versions_stand_in_one_file() {
    let growing = seen();
    let bytes = [FORMAT_2, &written(&growing), FORMAT_2].concat();
    let (profile, about, ending) = read(&bytes);
    assert_eq!(profile.timeline().len(), 5 * growing.profile.timeline().len());
    assert_eq!((ending.runs, ending.lost, ending.broken_off), (5, 0, 0));
    assert_eq!(about.account.count(Key::Ticks), 400);
}

/// All rows that there are.
fn all_rows() -> Rows {
    let mut rows = account(false).rows();
    for key in Key::ALL.iter().filter(|key| key.unit() == Unit::Count) {
        rows.put(*key, Value::Count(u64::MAX - key.number()));
    }
    let ways = [Source::Turn, Source::Interrupt, Source::Read, Source::Stop];
    rows.put(Key::Engine, Value::Sources(ways.into()));
    let process = |pid, words: &str| SampledProcess { pid, words: words.to_owned() };
    let processes = vec![process(i32::MAX, "a"), process(-7, "b\n")];
    rows.put(Key::SampledProcesses, Value::Processes(processes));
    assert_eq!(rows.iter().len(), Key::ALL.len());
    rows
}

#[test]
fn every_row_is_read_as_it_was_written() {
    let mut growing = seen();
    growing.profile.about.account = all_rows();
    let (_, about, ending) = read(&written(&growing));
    assert_eq!(about.account, all_rows());
    assert_eq!(ending, Ending { runs: 1, ..Ending::default() });
}

#[test]
fn a_row_that_is_too_long_is_left_out() {
    let mut growing = seen();
    let words = "x".repeat(1 << 16);
    let refusal = Refusal { words, wants_rights: false };
    growing.profile.about.account = [(Key::Ticks, 1)].into();
    growing.profile.about.account.put(Key::NotByKernel, Value::Refusal(refusal));
    let (_, about, _) = read(&written(&growing));
    assert_eq!(about.account, [(Key::Ticks, 1)].into());
}

/// A section with its length: a number of entries, and the entries.
pub(super) fn section_of(kind: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    put_bytes(&mut bytes, rest);
    bytes
}

/// A run that began, of which nothing else is known.
fn about_section() -> Vec<u8> {
    section_of(section::ABOUT, &[1, 1, 1, 1, 1, 0, 0])
}

/// A recording with an account of these rows: numbers of keys, and the bytes of their values.
fn with_rows(rows: &[(u64, &[u8])]) -> Vec<u8> {
    let mut account = Vec::new();
    put_number(&mut account, rows.len() as u64);
    for (key, value) in rows {
        put_number(&mut account, *key);
        put_bytes(&mut account, value);
    }
    with_content(3, &[about_section(), section_of(section::ACCOUNT, &account)].concat())
}

#[test]
fn a_row_of_another_release_is_left_out() {
    let ticks = Key::Ticks.number();
    for (key, value) in [
        (1000, &b"anything"[..]),
        (u64::MAX, b""),
        (0, b""),
        (Key::Engine.number(), &[0, 9]), // a way to a sample that is not known
        (Key::Torn.number(), &[1, 1]),   // more than a count
        (Key::Late.number(), &[]),       // less than one
        (Key::NotByKernel.number(), &[2, 0]), // neither yes nor no
        (Key::NotByKernel.number(), &[0, 1, 0xff]), // no text
        (Key::SampledProcesses.number(), &[2]), // a process without words
    ] {
        let (_, about, ending) = read(&with_rows(&[(key, value), (ticks, &[7])]));
        assert_eq!(about.account, [(Key::Ticks, 7)].into(), "{key} {value:?}");
        assert_eq!((ending.lost, ending.is_partial), (0, true), "{key} {value:?}");
        assert!(ending.complaint().is_some_and(|words| words.ends_with("was left out")));
    }
}

#[test]
fn a_row_that_is_longer_than_its_section_is_lost() {
    let ticks = Key::Ticks.number() as u8;
    for rows in [&[1, ticks, 2, 7][..], &[2, ticks, 1, 7], &[1, 0, 0xff, 0xff, 0xff, 0x7f]] {
        let content = [section_of(section::ACCOUNT, rows), about_section()].concat();
        assert!(read(&with_content(3, &content)).2.lost > 0, "{rows:?}");
    }
}

/// The sections of a recording of one block, in today's format: kinds, and what follows their
/// lengths.
pub(super) fn sections(recording: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut parts = block::Parts::new(&recording[8..]);
    assert_eq!(parts.next().expect("a slice can be read"), block::Part::Block);
    let mut unpacker = block::Unpacker::new().expect("there is memory");
    let mut rest = bytes::Bytes(unpacker.unpack(parts.body()).expect("a block"));
    let mut sections = Vec::new();
    while let Some(kind) = rest.byte() {
        sections.push((kind, rest.part().expect("it is whole").0.to_vec()));
    }
    sections
}

/// A block of these sections, of which each has the length that `length` makes of the true one.
pub(super) fn with_sections(
    sections: &[(u8, Vec<u8>)],
    length: impl Fn(usize, u64) -> u64,
) -> Vec<u8> {
    let mut content = Vec::new();
    for (position, (kind, rest)) in sections.iter().enumerate() {
        content.push(*kind);
        put_number(&mut content, length(position, rest.len() as u64));
        content.extend_from_slice(rest);
    }
    with_content(3, &content)
}

#[test]
fn a_section_of_a_later_release_is_skipped() {
    let mut growing = seen();
    growing.profile.about.account = all_rows();
    let known = sections(&written(&growing));
    let (expected, about, _) = read(&written(&growing));
    for place in 0..=known.len() {
        for (kind, rest) in [(200, &b"\x01anything"[..]), (0, b""), (113, &[0xff; 300])] {
            let mut all = known.clone();
            all.insert(place, (kind, rest.to_vec()));
            let (profile, seen, ending) = read(&with_sections(&all, |_, length| length));
            assert_eq!(words(&profile), words(&expected));
            assert_eq!(seen, about);
            let expected = Ending { runs: 1, is_partial: true, ..Ending::default() };
            assert_eq!(ending, expected, "{kind} before {place}");
        }
    }
}

#[test]
fn a_length_that_lies_ends_it_there() {
    let mut growing = seen();
    growing.profile.about.account = all_rows();
    let mut known = sections(&written(&growing));
    known.push((200, b"later".to_vec()));
    for (lying, (kind, _)) in known.iter().enumerate() {
        for lie in [-1, 1, 1 << 20, i64::MAX] {
            let bytes = with_sections(&known, |position, length| {
                if position == lying { length.saturating_add_signed(lie) } else { length }
            });
            let (_, _, ending) = read(&bytes);
            assert_eq!(ending.lost, bytes.len() as u64 - 8, "{kind} {lie}");
        }
    }
}

#[test]
fn a_section_that_is_cut_off_ends_it_there() {
    let known = sections(&written(&seen()));
    let whole = with_sections(&known, |_, length| length);
    for (position, (kind, rest)) in known.iter().enumerate() {
        for left in 0..rest.len() {
            let mut cut = known[..=position].to_vec();
            cut[position].1.truncate(left);
            // The length is still that of the whole one.
            let bytes = with_sections(&cut, |at, _| known[at].1.len() as u64);
            let (_, _, ending) = read(&[&whole[..], &bytes[8..]].concat());
            assert_eq!(ending.lost, bytes.len() as u64 - 8, "{kind} {left}");
            assert_eq!(ending.runs, 1);
        }
    }
}

/// The same two runs in format 3, each with all rows.
const FORMAT_3: &[u8] = include_bytes!("../../../tests/golden/format-3.pyflame");

#[test]
fn a_recording_of_format_3_is_read() {
    let (profile, about, ending) = read(FORMAT_3);
    let mut expected = seen();
    for event in seen().profile.timeline() {
        expected.profile.record_event(*event);
    }
    assert_eq!(words(&profile), words(&expected.profile));
    let mut both = all_rows();
    both.add_run(&all_rows());
    for (key, value) in both.iter().filter(|(key, _)| key.number() <= NEWEST_KEY) {
        assert_eq!(about.account.get(key), Some(value), "{key:?}");
    }
    assert_eq!(ending, Ending { runs: 2, ..Ending::default() });
}

#[test]
fn a_recording_of_any_format_may_be_cut_off() {
    // Those of format 2 have two blocks to a run, of which the second ends with a moment.
    for (whole, without_the_last) in [(FORMAT_2, 11), (FORMAT_3, 6)] {
        let mut last = 0;
        for cut in 8..whole.len() {
            let (profile, _, ending) = read(&whole[..cut]);
            assert!(profile.timeline().len() >= last, "{cut}");
            last = profile.timeline().len();
            let ends_between_runs = ending.runs == 1 && ending.broken_off == 0;
            assert!(ending.broken_off == 1 || ends_between_runs, "{cut} {ending:?}");
        }
        assert_eq!(last, without_the_last);
    }
}

#[test]
fn a_run_of_another_release_is_told() {
    let later = [b"PYFLAME\x04", &b"whatever it is"[..]].concat();
    let (profile, _, ending) = read(&[FORMAT_3, &later].concat());
    assert_eq!(profile.timeline().len(), 2 * seen().profile.timeline().len());
    let words = "the last 22 bytes are runs of another release, in format 4, and were not read";
    assert_eq!(ending.complaint().as_deref(), Some(words));
}

#[test]
fn nothing_is_written_over_a_run_of_another_release() {
    let path = std::env::temp_dir().join(format!("pyflame-versions-{}", std::process::id()));
    let bytes = [FORMAT_2, b"PYFLAME\x04", b"whatever it is"].concat();
    std::fs::write(&path, &bytes).expect("written");
    let error = Recorder::open(Some(&path), true, None).expect_err("it is not read");
    assert!(error.to_string().contains("in format 4: this one reads formats 2 to 3"), "{error}");
    assert_eq!(std::fs::read(&path).expect("read"), bytes);
    // Runs of several versions may follow each other.
    std::fs::write(&path, FORMAT_2).expect("written");
    Recorder::open(Some(&path), true, None).expect("opened").finish(&seen().profile).expect("done");
    assert_eq!(read(&std::fs::read(&path).expect("read")).2.runs, 3);
    std::fs::remove_file(&path).expect("removed");
}
