//! Chrome's trace event format: a track for each thread, on which each function begins and
//! ends. What Perfetto, `chrome://tracing` and speedscope open.
//!
//! A function that is found at the same place of two samples in a row is taken for one call
//! that went on in between. What a thread was doing may change meanwhile; it stands beside
//! the calls, in counters of the thread that are 0 or 1.

use std::io::{self, Write};

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use super::rows::{Row, rows};
use super::tracks::{Track, Tracks, with_gaps};
use super::{Format, Settings, json, labels};
use crate::profile::{Detail, Profile, Seen, State};

/// `trace-event`.
pub(crate) const FORMAT: Format = Format {
    name: "trace-event",
    extensions: &["trace.json"],
    about: "for Perfetto and chrome://tracing: when each function ran, thread by thread",
    detail: Detail::Timeline,
    write,
};

/// The category of functions of Python, for readers that filter. Native functions have others.
const CATEGORY: &str = "python";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    trace_events: Events<'a>,
    display_time_unit: &'static str,
    other_data: json::RunInfo<'a>,
}

/// The events, thread after thread; readers sort them.
struct Events<'a> {
    profile: &'a Profile,
    tracks: Tracks<'a>,
}

#[derive(Serialize)]
#[serde(tag = "ph")]
enum Event<'a> {
    /// A function begins.
    B {
        pid: i32,
        tid: u32,
        ts: u64,
        cat: &'static str,
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        args: Option<Place<'a>>,
    },
    /// The innermost function ends. Some readers want its name once more.
    E { pid: i32, tid: u32, ts: u64, cat: &'static str, name: &'a str },
    /// What a thread was doing from now on.
    C { pid: i32, tid: u32, ts: u64, cat: &'static str, name: &'a str, id: u32, args: Doing },
    /// What a process or a thread is called.
    M { pid: i32, tid: u32, ts: u64, cat: &'static str, name: &'static str, args: Name },
}

#[derive(Serialize)]
struct Place<'a> {
    file: &'a str,
    /// Where it stood at its first sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
}

/// What a thread was doing: 1 if it was so, 0 if not, or if it was not seen.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
struct Doing {
    /// Of a thread of a process with a GIL.
    #[serde(rename = "holds the GIL", skip_serializing_if = "Option::is_none")]
    holds_gil: Option<u8>,
    /// Of one of a free-threaded process.
    #[serde(skip_serializing_if = "Option::is_none")]
    attached: Option<u8>,
    /// Of such a thread too: a stop-the-world pause has it wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    suspended: Option<u8>,
    #[serde(rename = "on a CPU", skip_serializing_if = "Option::is_none")]
    on_cpu: Option<u8>,
}

#[derive(Serialize)]
struct Name {
    name: String,
}

/// Where the events of a track go.
#[derive(Clone, Copy)]
struct TrackId {
    pid: i32,
    tid: u32,
}

/// Writes the timeline of `profile`.
///
/// # Errors
/// Those of `out`.
pub(crate) fn write(profile: &Profile, _: &Settings, out: &mut dyn Write) -> io::Result<()> {
    let events = Events { profile, tracks: Tracks::of(profile) };
    let document = Document {
        trace_events: events,
        display_time_unit: "ms",
        other_data: json::RunInfo::of(profile),
    };
    json::write(&document, out)
}

impl Serialize for Events<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut events = serializer.serialize_seq(None)?;
        for (_, process) in self.profile.processes() {
            let id = TrackId { pid: process.pid, tid: 0 };
            events.serialize_element(&id.named("process_name", process.to_string()))?;
        }
        for track in self.tracks.all() {
            let id = self.id(track);
            let title = labels::thread(self.profile, track);
            if track.thread.is_some() {
                self.states(id, &title, track, &mut events)?;
            }
            events.serialize_element(&id.named("thread_name", title))?;
            self.calls(id, track, &mut events)?;
        }
        events.end()
    }
}

impl<'a> Events<'a> {
    /// What belongs to no thread stands beside the threads of the first process.
    fn id(&self, track: &Track) -> TrackId {
        let process = self.tracks.process(track).or_else(|| self.profile.processes().next());
        let pid = process.map_or(0, |(_, process)| process.pid);
        TrackId { pid, tid: labels::thread_number(self.profile, track) }
    }

    /// What a thread was doing, wherever that changes.
    fn states<S: SerializeSeq>(
        &self,
        id: TrackId,
        title: &str,
        track: &Track,
        events: &mut S,
    ) -> Result<(), S::Error> {
        let process = self.tracks.process(track);
        let is_free_threaded = process.is_some_and(|(_, process)| process.is_free_threaded());
        let mut last: Option<Doing> = None;
        for stretch in with_gaps(self.tracks.moments(track)) {
            let doing = Doing::of(stretch.seen, last, is_free_threaded);
            if last != Some(doing) {
                events.serialize_element(&id.counts(title, stretch.start, doing))?;
                last = Some(doing);
            }
        }
        let end = Doing::of(None, last, is_free_threaded);
        events.serialize_element(&id.counts(title, self.tracks.end(track), end))
    }

    fn calls<S: SerializeSeq>(
        &self,
        id: TrackId,
        track: &Track,
        events: &mut S,
    ) -> Result<(), S::Error> {
        let (mut open, mut found): (Vec<Row>, Vec<Row>) = (Vec::new(), Vec::new());
        for stretch in with_gaps(self.tracks.moments(track)) {
            found.clear();
            if let Some(seen) = stretch.seen {
                rows(self.profile, seen, &mut found);
            }
            let both = open.iter().zip(&found);
            let common = both.take_while(|(a, b)| self.is_same_function(**a, **b)).count();
            for row in open.drain(common..).rev() {
                events.serialize_element(&self.end(id, stretch.start, row))?;
            }
            for row in &found[common..] {
                events.serialize_element(&self.begin(id, stretch.start, *row))?;
                open.push(*row);
            }
        }
        for row in open.into_iter().rev() {
            events.serialize_element(&self.end(id, self.tracks.end(track), row))?;
        }
        Ok(())
    }

    /// Whether two rows are of one function, on whichever line.
    fn is_same_function(&self, one: Row, other: Row) -> bool {
        match (one.frame(self.profile), other.frame(self.profile)) {
            (Some(one), Some(other)) => {
                (&one.file, &one.function, one.kind) == (&other.file, &other.function, other.kind)
            }
            _ => one == other,
        }
    }

    fn begin(&self, id: TrackId, ts: u64, row: Row) -> Event<'_> {
        let args = row
            .frame(self.profile)
            .map(|frame| Place { file: &frame.file, line: labels::line(self.profile, frame) });
        let TrackId { pid, tid } = id;
        Event::B { pid, tid, ts, cat: self.category(row), name: row.name(self.profile), args }
    }

    fn end(&self, TrackId { pid, tid }: TrackId, ts: u64, row: Row) -> Event<'_> {
        Event::E { pid, tid, ts, cat: self.category(row), name: row.name(self.profile) }
    }

    fn category(&self, row: Row) -> &'static str {
        row.frame(self.profile).map_or(CATEGORY, |frame| frame.kind.word())
    }
}

impl Doing {
    /// What was seen, after `last`: a counter that has begun goes on.
    fn of(seen: Option<Seen>, last: Option<Self>, is_free_threaded: bool) -> Self {
        let state = match seen {
            Some(Seen::Sample(sample)) => sample.state,
            _ => State::default(),
        };
        let none = last.and_then(|last| last.on_cpu).map(|_| 0);
        let runs = Some(u8::from(state.holds_gil));
        let (holds_gil, attached) = if is_free_threaded { (None, runs) } else { (runs, None) };
        let suspended = is_free_threaded.then_some(u8::from(state.is_suspended));
        Self { holds_gil, attached, suspended, on_cpu: state.on_cpu.map(u8::from).or(none) }
    }
}

impl TrackId {
    /// Threads may have the same name; their numbers tell them apart.
    fn counts(self, title: &str, ts: u64, args: Doing) -> Event<'_> {
        let Self { pid, tid } = self;
        Event::C { pid, tid, ts, cat: CATEGORY, name: title, id: tid, args }
    }

    fn named(self, what: &'static str, name: String) -> Event<'static> {
        let Self { pid, tid } = self;
        Event::M { pid, tid, ts: 0, cat: "__metadata", name: what, args: Name { name } }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::Value;

    use super::*;
    use crate::render::fixture;

    #[test]
    fn golden() {
        fixture::expect_golden("hostile.trace.json", &fixture::written(FORMAT));
    }

    #[test]
    fn what_begins_ends_and_time_does_not_go_back() {
        let document: Value =
            serde_json::from_slice(&fixture::written(FORMAT)).expect("it is JSON");
        let mut tracks: HashMap<String, (i32, u64)> = HashMap::new();
        for event in document["traceEvents"].as_array().expect("events") {
            let id = format!("{} {}", event["pid"], event["tid"]);
            let (open, clock) = tracks.entry(id).or_default();
            let time = event["ts"].as_u64().expect("a time");
            match event["ph"].as_str() {
                Some("B") => *open += 1,
                Some("E") => *open -= 1,
                _ => continue,
            }
            assert!(*open >= 0 && time >= *clock, "{event}");
            *clock = time;
        }
        assert!(tracks.values().all(|(open, _)| *open == 0));
        assert_eq!(tracks.values().filter(|(_, end)| *end > 0).count(), 4);
    }

    #[test]
    fn what_a_thread_was_doing_is_counted_until_it_changes() {
        let document: Value =
            serde_json::from_slice(&fixture::written(FORMAT)).expect("it is JSON");
        let events = document["traceEvents"].as_array().expect("events");
        let counters = |tid: u64| -> Vec<(u64, &Value)> {
            let of_thread = events.iter().filter(|event| event["ph"] == "C" && event["id"] == tid);
            of_thread.map(|e| (e["ts"].as_u64().expect("a time"), &e["args"])).collect()
        };
        let main = counters(4242);
        // It is not seen, holds the GIL on a CPU, then without a word of the CPU; is not
        // looked at for a while, and holds the GIL again until the end.
        let gil: Vec<u64> =
            main.iter().filter_map(|(_, args)| args["holds the GIL"].as_u64()).collect();
        assert_eq!(gil, [0, 1, 1, 0, 1, 0]);
        let cpu: Vec<Option<u64>> =
            main.iter().map(|(_, args)| args["on a CPU"].as_u64()).collect();
        assert_eq!(cpu, [None, Some(1), Some(0), Some(0), Some(0), Some(0)]);
        assert_eq!(
            main.iter().map(|(time, _)| *time).collect::<Vec<_>>(),
            [0, 10_000, 90_000, 110_000, 190_000, 200_000]
        );
    }

    #[test]
    fn pauses_are_counted_beside_what_is_attached() {
        let document: Value =
            serde_json::from_slice(&fixture::written_of(&fixture::pauses(), FORMAT))
                .expect("it is JSON");
        let events = document["traceEvents"].as_array().expect("events");
        let counters = events.iter().filter(|event| event["ph"] == "C");
        let counters: Vec<(u64, &Value)> =
            counters.map(|e| (e["ts"].as_u64().expect("a time"), &e["args"])).collect();
        let args = |attached, suspended| serde_json::json!({ "attached": attached, "suspended": suspended });
        assert_eq!(
            counters,
            [
                (0, &args(0, 0)),
                (10_000, &args(1, 0)),
                (20_000, &args(0, 1)),
                (30_000, &args(0, 0)),
                (40_000, &args(0, 0)),
            ]
        );
    }

    #[test]
    fn a_function_that_moves_on_to_another_line_is_one_call() {
        let mut profile = Profile::new(Detail::Timeline);
        profile.about = fixture::profile().about;
        for line in 1..4 {
            let frame = crate::stack::Frame::python("a.py", "f", line);
            let frame = crate::profile::Step::Frame(profile.frames.intern(frame));
            let stack = profile.child(None, frame);
            let state = crate::profile::State::default();
            let sample = crate::profile::Sample { stack, thread: None, state };
            profile.record(profile.about.started + line as u64 * 10_000, sample);
        }
        let mut out = Vec::new();
        let settings = Settings::default();
        write(&profile, &settings, &mut out).expect("a Vec takes everything");
        let document: Value = serde_json::from_slice(&out).expect("it is JSON");
        let events = document["traceEvents"].as_array().expect("events");
        let times: Vec<u64> = events[1..].iter().filter_map(|event| event["ts"].as_u64()).collect();
        assert_eq!(times, [10_000, 40_000]);
        assert_eq!(events[1]["args"]["line"], 1);
    }
}
