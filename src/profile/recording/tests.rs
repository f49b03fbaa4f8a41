//! Recordings as a whole: what is written is read, whole or broken.

use std::io::{self, Read};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::profile::stats::Key;
use crate::profile::{
    Detail, Event, Process, ProcessId, Profile, RunInfo, Sample, Seen, StackId, State, Step,
};
use crate::stack::Frame;

/// A profile that grows step by step.
pub(super) struct Growing {
    pub(super) profile: Profile,
    pub(super) process: ProcessId,
}

impl Growing {
    pub(super) fn new() -> Self {
        let mut profile = Profile::new(Detail::Timeline);
        let process = Process::new(42, "python a.py", "3.11.7");
        let process = profile.add_process(process);
        profile.about.started = 1_000_000;
        profile.about.interval = Duration::from_millis(1);
        profile.about.tells_processes = true;
        Self { profile, process }
    }

    fn stack(&mut self, functions: &[&str]) -> StackId {
        let mut stack = self.profile.child(None, Step::Truncated);
        for (line, function) in (1..).zip(functions) {
            let frame = Frame::python("a.py", *function, line);
            let step = Step::Frame(self.profile.frames.intern(frame));
            stack = self.profile.child(Some(stack), step);
        }
        stack
    }

    pub(super) fn see(&mut self, time: u64, thread: u64, functions: &[&str], state: State) {
        let stack = self.stack(functions);
        let thread = Some(self.profile.intern_thread(self.process, thread));
        self.profile.record(time, Sample { stack, thread, state });
    }
}

/// All that a profile says, in words.
pub(super) fn words(profile: &Profile) -> Vec<String> {
    let mut words: Vec<String> = profile.processes().map(|(_, p)| format!("{p:?}")).collect();
    words.extend(profile.threads().map(|(_, thread)| format!("{thread:?}")));
    let mut events = profile.timeline().to_vec();
    events.sort_by_key(|event| event.microseconds);
    words.extend(events.iter().map(|event| in_words(profile, *event)));
    words.push(format!("idle {} failed {}", profile.idle(), profile.failed()));
    words
}

fn in_words(profile: &Profile, event: Event) -> String {
    let time = event.microseconds;
    let Seen::Sample(sample) = event.seen else { return format!("{time} {:?}", event.seen) };
    let mut steps = Vec::new();
    profile.steps(sample.stack, &mut steps);
    let steps: Vec<String> = steps
        .iter()
        .map(|step| match step {
            Step::Truncated => "...".to_owned(),
            Step::Frame(frame) => format!("{:?}", profile.frames.frame(*frame)),
        })
        .collect();
    let thread = sample.thread.map(|thread| profile.thread(thread).id);
    format!("{time} {thread:?} {:?} {}", sample.state, steps.join(";"))
}

pub(super) fn read(bytes: &[u8]) -> (Profile, RunInfo, Ending) {
    let mut profile = Profile::new(Detail::Timeline);
    let mut reader = Reader::new(bytes).expect("a recording");
    reader.read_all(&mut profile).expect("a slice can be read");
    (profile, reader.about(), reader.ending())
}

pub(super) const STATES: [State; 3] = [
    State { holds_gil: true, is_suspended: false, on_cpu: None },
    State { holds_gil: false, is_suspended: false, on_cpu: Some(false) },
    State { holds_gil: true, is_suspended: false, on_cpu: Some(true) },
];

/// A run of two increments, and what it says.
fn two_increments() -> (Vec<u8>, Vec<String>) {
    let mut bytes = Vec::new();
    let mut growing = Growing::new();
    let mut writer = Writer::new(&mut bytes).expect("a Vec takes everything");
    growing.see(1_000_007, 1, &["main", "f"], STATES[0]);
    growing.see(1_000_007, 2, &["wait"], STATES[1]);
    growing.profile.record_idle(1_000_990);
    let mut all = growing.profile.timeline().to_vec();
    writer.update(&mut growing.profile).expect("written");
    assert!(growing.profile.timeline().is_empty(), "what is written is not kept");
    writer.flush(&growing.profile.about).expect("written");
    let (id, _) = growing.profile.threads().next().expect("a thread");
    growing.profile.thread_mut(id).name = Some("MainThread".into());
    growing.profile.thread_mut(id).native_id = Some(43);
    growing.profile.record_failed(1_002_000);
    // Samples wait for their proof, and come after what was seen later.
    growing.see(999_999, 1, &["main", "f", "g"], STATES[2]);
    growing.profile.about.account.add(Key::Ticks, 3);
    all.extend_from_slice(growing.profile.timeline());
    all.sort_by_key(|event| event.microseconds);
    writer.finish(&growing.profile).expect("written");
    let _ = growing.profile.take_timeline();
    let mut expected = words(&growing.profile);
    let last = expected.pop().expect("counts");
    expected.extend(all.iter().map(|event| in_words(&growing.profile, *event)));
    expected.push(last);
    (bytes, expected)
}

#[test]
fn increments_are_read_as_one_profile() {
    let (bytes, expected) = two_increments();
    let (profile, about, ending) = read(&bytes);
    assert_eq!(words(&profile), expected);
    assert_eq!(about.account, [(Key::Ticks, 3)].into());
    assert_eq!((about.started, about.interval), (1_000_000, Duration::from_millis(1)));
    assert_eq!((about.every_thread, about.tells_processes), (false, true));
    assert_eq!(ending, Ending { runs: 1, ..Ending::default() });
    assert_eq!(ending.complaint(), None);
}

#[test]
fn wherever_it_is_cut_off_the_whole_blocks_are_read() {
    let (bytes, expected) = two_increments();
    let mut sizes = std::collections::BTreeSet::new();
    for cut in 8..bytes.len() {
        let (profile, _, ending) = read(&bytes[..cut]);
        let said = words(&profile);
        let events: Vec<&String> = said.iter().filter(|line| line.contains("a.py\"")).collect();
        assert!(events.iter().all(|event| expected.contains(event)), "{cut}: {said:?}");
        assert_eq!(ending.broken_off, 1, "{cut}");
        assert!(ending.complaint().is_some());
        sizes.insert(profile.timeline().len());
    }
    assert_eq!(sizes.into_iter().collect::<Vec<_>>(), [0, 3], "a block is there or is not");
}

#[test]
fn a_changed_byte_ends_it_there() {
    let (bytes, _) = two_increments();
    let mut changed = bytes.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    let (profile, _, ending) = read(&changed);
    assert_eq!(profile.timeline().len(), 3);
    assert!(ending.lost > 8);
    let complaint = ending.complaint().expect("something is missing");
    assert!(complaint.starts_with("the run was broken off; the last "), "{complaint}");
}

#[test]
fn runs_follow_each_other_in_a_file() {
    let (first, _) = two_increments();
    let cut = &first[..first.len() - 5];
    let mut bytes = first.clone();
    bytes.extend_from_slice(&first);
    let (profile, about, ending) = read(&bytes);
    assert_eq!(profile.timeline().len(), 10);
    assert_eq!(profile.processes().count(), 1, "the same process of two runs is one");
    assert_eq!(about.account, [(Key::Ticks, 6)].into());
    assert_eq!(ending, Ending { runs: 2, ..Ending::default() });
    // Nobody may write behind a block that is not whole.
    bytes = [cut, &first].concat();
    assert_eq!(read(&bytes).2.runs, 1);
}

#[test]
fn two_recordings_are_read_into_one_profile() {
    let (bytes, _) = two_increments();
    let mut profile = Profile::new(Detail::Threads);
    for _ in 0..2 {
        let mut reader = Reader::new(bytes.as_slice()).expect("a recording");
        reader.read_all(&mut profile).expect("read");
    }
    assert_eq!(profile.processes().count(), 2, "they may be of two machines");
    assert_eq!(profile.stacks().map(|(_, samples)| samples).sum::<u64>(), 6);
    assert!(profile.timeline().is_empty());
    let (id, _) = profile.threads().next().expect("threads");
    assert_eq!(profile.thread(id).name.as_deref(), Some("MainThread"));
}

#[test]
fn something_else_is_refused() {
    assert!(matches!(Reader::new(&b""[..]), Err(RecordingError::Other)));
    assert!(matches!(Reader::new(&b"a;b;c 17\n"[..]), Err(RecordingError::Other)));
    for (bytes, words) in [
        (b"PYFLAME\x01rest", "an earlier release"),
        (b"PYFLAME\x04rest", "a later release, in format 4: this one reads formats 2 to 3"),
    ] {
        let error = Reader::new(&bytes[..]).err().expect("another format").to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_reader_sees_what_was_flushed_and_nothing_that_was_not() {
    let (from, to) = nix::unistd::pipe().expect("a pipe");
    let (from, to) = (std::fs::File::from(from), std::fs::File::from(to));
    let mut growing = Growing::new();
    let mut writer = Writer::new(to).expect("written");
    growing.see(1_000_007, 1, &["main"], STATES[0]);
    writer.update(&mut growing.profile).expect("written");
    writer.flush(&growing.profile.about).expect("written");
    let mut profile = Profile::new(Detail::Timeline);
    let mut reader = Reader::new(from).expect("a recording");
    assert!(reader.next(&mut profile).expect("read"));
    assert_eq!(profile.timeline().len(), 1);
    assert_eq!(reader.about().started, 1_000_000);
    writer.finish(&growing.profile).expect("written");
    drop(writer);
    reader.read_all(&mut profile).expect("read");
    assert_eq!(reader.ending().complaint(), None);
}

/// A run in this version, of one block with this content, as no writer would make it.
pub(super) fn with_content(version: u8, content: &[u8]) -> Vec<u8> {
    of_content(version, content).expect("there is memory")
}

#[test]
fn content_that_makes_no_sense_is_lost() {
    for content in [
        &[section::THREADS, 1, 0, 7, 0, 0][..], // of a process that is not there
        &[section::EVENTS, 1, 5, 1, 0, 2, 0],   // of a stack that is not there
        &[section::STACKS, 1, 1, 0],            // called from nowhere
        &[section::NEWS, 1, 0, 0, 0],           // of a thread that is not there
        &[section::TEXTS, 0xff, 0xff, 0xff, 0x7f], // more than there can be
        &[section::ABOUT, 1, 1, 1, 1, 1, 7],    // neither yes nor no
        &[section::ABOUT, 1, 1, 1, 1, 1, 1, 4, 0], // frames that tell something unknown
        &[section::PATHS, 1, 0, 1, b'/'],       // of a process that is not there
        &[section::MODULES, 1, 1, b'a'],        // without a build
    ] {
        let (kind, rest) = content.split_first().expect("a section");
        let with_length = [&[*kind, rest.len() as u8], rest].concat();
        for bytes in [with_content(2, content), with_content(3, &with_length)] {
            let (profile, _, ending) = read(&bytes);
            assert_eq!(ending.lost, bytes.len() as u64 - 8, "{content:?}");
            assert!(profile.timeline().is_empty());
        }
    }
}

#[test]
fn a_stack_without_end_is_lost() {
    let mut content = Vec::new();
    bytes::put_number(&mut content, 100_000);
    content.extend_from_slice(&[0, 0]);
    content.extend_from_slice(&[1, 0].repeat(99_999));
    let mut section = vec![section::STACKS];
    bytes::put_bytes(&mut section, &content);
    assert!(read(&with_content(3, &section)).2.lost > 0);
    section.truncate(1);
    section.append(&mut content);
    assert!(read(&with_content(2, &section)).2.lost > 0);
}

#[test]
fn a_block_that_says_it_is_huge_reserves_nothing() {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&u32::try_from(LARGEST_BLOCK).expect("fits").to_le_bytes());
    bytes.extend_from_slice(&[0; 20]);
    let mut parts = block::Parts::new(&bytes[8..]);
    assert_eq!(parts.next().expect("a slice can be read"), block::Part::Broken);
    assert_eq!(parts.lost(), 24);
}

/// A reader that gives one byte at a time, as a slow pipe may.
struct Slow<'a>(&'a [u8]);

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let one = buffer.len().min(1);
        self.0.read(&mut buffer[..one])
    }
}

type Seeing = (u64, u64, Vec<u8>, u8);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(
        increments in prop::collection::vec(
            prop::collection::vec((0..1_u64 << 50, 0..5_u64, prop::collection::vec(0..20_u8, 0..9), 0..5_u8), 0..40),
            0..6,
        )
    ) {
        let increments: Vec<Vec<Seeing>> = increments;
        let mut bytes = Vec::new();
        let mut growing = Growing::new();
        let mut writer = Writer::new(&mut bytes).expect("written");
        let mut whole = Growing::new();
        for increment in &increments {
            for growing in [&mut growing, &mut whole] {
                for (time, thread, functions, what) in increment {
                    let names: Vec<String> = functions.iter().map(|f| format!("f\n{f}")).collect();
                    let names: Vec<&str> = names.iter().map(String::as_str).collect();
                    match what {
                        0..3 => growing.see(*time, *thread, &names, STATES[usize::from(*what)]),
                        3 => growing.profile.record_idle(*time),
                        _ => growing.profile.record_failed(*time),
                    }
                }
            }
            writer.update(&mut growing.profile).expect("written");
            writer.flush(&growing.profile.about).expect("written");
        }
        writer.finish(&growing.profile).expect("written");
        let mut profile = Profile::new(Detail::Timeline);
        let mut reader = Reader::new(Slow(&bytes)).expect("a recording");
        reader.read_all(&mut profile).expect("read");
        prop_assert_eq!(words(&profile), words(&whole.profile));
    }

    #[test]
    fn any_content_is_read_or_lost(
        version in 2..4_u8,
        content in prop::collection::vec(0..15_u8, 0..200)
    ) {
        let _ = read(&with_content(version, &content));
    }

    #[test]
    fn any_bytes_are_read_or_lost(at in 8..200_usize, byte: u8, more: Vec<u8>) {
        let (mut bytes, _) = two_increments();
        let at = at.min(bytes.len() - 1);
        bytes[at] ^= byte;
        bytes.extend_from_slice(&more);
        let _ = read(&bytes);
    }
}

#[test]
fn many_samples_take_little_space() {
    let mut growing = Growing::new();
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes).expect("written");
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut random = 1_u64;
    let samples = 60_000;
    for sample in 0..samples {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let late = (random >> 59) + 55;
        let depth = 1 + (random >> 40) as usize % names.len();
        growing.see(1_000_000 + sample * 1000 + late, 1, &names[..depth], STATES[0]);
        if sample % 1000 == 999 {
            writer.update(&mut growing.profile).expect("written");
            writer.flush(&growing.profile.about).expect("written");
        }
    }
    writer.finish(&growing.profile).expect("written");
    drop(writer);
    // Five random bits of lateness, twice, and two and a half of the stack.
    assert!(bytes.len() < 2 * samples as usize, "{} bytes", bytes.len());
}
