//! The Firefox Profiler's "processed profile" format: a track for each thread, in its
//! process, with a category for what the thread was doing.
//!
//! Tables stand in it column by column, and each thread has tables of its own, so one
//! thread's tables are in memory while it is written. The format changes often; readers
//! bring older versions up to date, and this is version 55.

mod libs;
mod tables;

use std::io::{self, Write};

use serde::{Serialize, Serializer};

use self::libs::{Lib, Libs};
use self::tables::{Category, Tables};
use super::json::{self, Items};
use super::tracks::{Track, Tracks, microseconds, with_gaps};
use super::{Format, Settings, labels};
use crate::profile::{Detail, Profile, Seen, State};

/// `firefox`.
pub(crate) const FORMAT: Format = Format {
    name: "firefox",
    extensions: &["firefox.json"],
    about: "for the Firefox Profiler: threads, call trees and flame graphs over time",
    detail: Detail::Timeline,
    write,
};

/// The version of the format.
const VERSION: u32 = 55;

/// The version of the format that Firefox itself writes, which readers want to see but do
/// not use.
const GECKO_VERSION: u32 = 24;

/// What has other names if all processes are free-threaded.
const HOLDS_GIL: &str = "Holds the GIL";
const WITHOUT_GIL: &str = "Without the GIL";

/// What a sample can be of, and its colour. Readers know the names of the first two. The last is
/// left out where no process is free-threaded: others have no such pauses.
const CATEGORIES: [(&str, &str); 7] = [
    ("Other", "grey"),
    ("Idle", "transparent"),
    ("Failed", "red"),
    (HOLDS_GIL, "green"),
    (WITHOUT_GIL, "blue"),
    ("Off CPU", "orange"),
    ("Suspended", "purple"),
];

/// What the frames of each category are of, in the order of `subcategory` in `tables.rs`. The
/// category tells what the thread was doing, in native code too. Those of native code are left
/// out where there is none.
const SUBCATEGORIES: [&str; 3] = ["Other", "Native", "Interpreter"];

#[derive(Serialize)]
struct Document<'a, Threads: Serialize> {
    meta: Meta,
    libs: &'a [Lib<'a>],
    threads: Threads,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    interval: f64,
    start_time: f64,
    process_type: u32,
    product: String,
    imported_from: &'static str,
    stackwalk: u32,
    version: u32,
    preprocessed_profile_version: u32,
    symbolicated: bool,
    uses_only_one_stack_type: bool,
    #[serde(rename = "sourceCodeIsNotOnSearchfox")]
    source_is_elsewhere: bool,
    marker_schema: [(); 0],
    categories: Vec<CategoryWords>,
    extra: Vec<Section>,
}

#[derive(Serialize)]
struct CategoryWords {
    name: &'static str,
    color: &'static str,
    subcategories: &'static [&'static str],
}

/// A section of what is said of the whole profile.
#[derive(Serialize)]
struct Section {
    label: String,
    entries: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    label: String,
    format: &'static str,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Thread<'a, Samples: Serialize> {
    name: String,
    is_main_thread: bool,
    process_type: &'static str,
    process_name: String,
    process_startup_time: u32,
    process_shutdown_time: (),
    register_time: u32,
    unregister_time: (),
    paused_ranges: [(); 0],
    pid: String,
    tid: u32,
    samples: Samples,
    markers: Markers,
    #[serde(flatten)]
    tables: tables::Written<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Samples<Stack: Serialize, Time: Serialize> {
    length: usize,
    stack: Stack,
    time: Time,
    weight: (),
    weight_type: &'static str,
}

/// None.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Markers {
    length: usize,
    data: [(); 0],
    name: [(); 0],
    start_time: [(); 0],
    end_time: [(); 0],
    phase: [(); 0],
    category: [(); 0],
}

/// Writes the timeline of `profile`.
///
/// # Errors
/// Those of `out`.
pub(crate) fn write(profile: &Profile, _: &Settings, out: &mut dyn Write) -> io::Result<()> {
    let tracks = Tracks::of(profile);
    let libs = Libs::of(profile);
    let document = Document {
        meta: Meta::of(profile, &tracks),
        libs: libs.all(),
        threads: Items(|| {
            tracks.all().iter().map(|track| ThreadOfTrack { tracks: &tracks, track, libs: &libs })
        }),
    };
    json::write(&document, out)
}

impl Meta {
    fn of(profile: &Profile, tracks: &Tracks<'_>) -> Self {
        let is_free_threaded = profile.is_free_threaded();
        let has_pauses = profile.processes().any(|(_, process)| process.is_free_threaded());
        let occurring = CATEGORIES.len() - usize::from(!has_pauses);
        let has_native = profile.frames.all().iter().any(|frame| frame.kind.is_native());
        let subcategories = if has_native { &SUBCATEGORIES } else { &SUBCATEGORIES[..1] };
        let words = |(name, color)| {
            let name = match name {
                HOLDS_GIL if is_free_threaded => "Attached",
                WITHOUT_GIL if is_free_threaded => "Detached",
                name => name,
            };
            CategoryWords { name, color, subcategories }
        };
        Self {
            interval: milliseconds(microseconds(profile.about.period())),
            start_time: milliseconds(tracks.origin()),
            process_type: 0,
            product: labels::title(profile),
            imported_from: labels::PROGRAM,
            stackwalk: 1,
            version: GECKO_VERSION,
            preprocessed_profile_version: VERSION,
            symbolicated: true,
            uses_only_one_stack_type: true,
            source_is_elsewhere: true,
            marker_schema: [],
            categories: CATEGORIES[..occurring].iter().copied().map(words).collect(),
            extra: extra(profile),
        }
    }
}

/// The processes and the account.
fn extra(profile: &Profile) -> Vec<Section> {
    let entry = |label: String, value: String| Entry { label, format: "string", value };
    let processes = profile.processes().map(|(_, process)| {
        let words = format!("Python {}, {}", process.python, process.command);
        entry(process.pid.to_string(), words)
    });
    let account = profile.about.account.lines();
    let account = account.map(|line| entry(line.name.into_owned(), line.value.to_string()));
    vec![
        Section { label: "Processes".to_owned(), entries: processes.collect() },
        Section { label: "What became of every tick".to_owned(), entries: account.collect() },
    ]
}

/// A thread that is about to be written.
struct ThreadOfTrack<'a> {
    tracks: &'a Tracks<'a>,
    track: &'a Track,
    libs: &'a Libs<'a>,
}

impl Serialize for ThreadOfTrack<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { tracks, track, libs } = self;
        let profile = tracks.profile();
        let mut tables = Tables::new(profile);
        let mut length = 0;
        for stretch in with_gaps(tracks.moments(track)) {
            length += 1;
            if let Some(seen) = stretch.seen {
                tables.add(category(seen), seen);
            }
        }
        let stack = |seen| tables.stack(category(seen), seen);
        let samples = Samples {
            length,
            stack: Items(|| with_gaps(tracks.moments(track)).map(|each| each.seen.and_then(stack))),
            time: Items(|| with_gaps(tracks.moments(track)).map(|each| milliseconds(each.start))),
            weight: (),
            weight_type: "samples",
        };
        let process = tracks.process(track).or_else(|| profile.processes().next());
        let process = process.map(|(_, process)| process);
        Thread {
            name: labels::thread(profile, track),
            is_main_thread: self.is_main(),
            process_type: "default",
            process_name: process.map(ToString::to_string).unwrap_or_default(),
            process_startup_time: 0,
            process_shutdown_time: (),
            register_time: 0,
            unregister_time: (),
            paused_ranges: [],
            pid: process.map_or(0, |process| process.pid).to_string(),
            tid: labels::thread_number(profile, track),
            samples,
            markers: Markers::default(),
            tables: tables.written(libs),
        }
        .serialize(serializer)
    }
}

impl ThreadOfTrack<'_> {
    /// Readers draw a process at its main thread: the one that the kernel calls like the
    /// process or, where that was not seen, the first of them.
    fn is_main(&self) -> bool {
        let profile = self.tracks.profile();
        let Some(own) = self.track.thread else { return false };
        let process = profile.thread(own).process;
        let pid = profile.process(process).pid;
        let siblings = self.tracks.all().iter().filter_map(|track| track.thread);
        let mut siblings = siblings.filter(|id| profile.thread(*id).process == process);
        let first = siblings.clone().next();
        let called_so = siblings.find(|id| profile.thread(*id).native_id == Some(pid));
        called_so.or(first) == Some(own)
    }
}

/// What a sample is of.
fn category(seen: Seen) -> Category {
    match seen {
        Seen::Idle => 1,
        Seen::Failed => 2,
        Seen::Sample(sample) => match sample.state {
            State { is_suspended: true, .. } => 6,
            State { holds_gil: true, .. } => 3,
            State { on_cpu: Some(false), .. } => 5,
            State { .. } => 4,
        },
    }
}

fn milliseconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::render::fixture;

    #[test]
    fn golden() {
        fixture::expect_golden("hostile.firefox.json", &fixture::written(FORMAT));
    }

    /// Every column of a table is as long as the table says.
    #[test]
    fn columns_are_of_one_length() {
        let document: Value =
            serde_json::from_slice(&fixture::written(FORMAT)).expect("it is JSON");
        for thread in document["threads"].as_array().expect("threads") {
            let tables = thread.as_object().expect("an object").iter();
            let tables = tables.filter(|(_, table)| table["length"].is_u64());
            assert_eq!(tables.clone().count(), 7);
            for (name, table) in tables {
                let columns = table.as_object().expect("an object").values();
                let lengths = columns.filter_map(|column| column.as_array().map(Vec::len));
                for length in lengths {
                    assert_eq!(Some(length as u64), table["length"].as_u64(), "{name}");
                }
            }
        }
    }

    #[test]
    fn a_suspended_thread_has_a_category_where_there_are_pauses() {
        let document: Value =
            serde_json::from_slice(&fixture::written_of(&fixture::pauses(), FORMAT))
                .expect("it is JSON");
        let categories = document["meta"]["categories"].as_array().expect("categories");
        let names: Vec<&str> = categories.iter().filter_map(|c| c["name"].as_str()).collect();
        assert_eq!(names[3..], ["Attached", "Detached", "Off CPU", "Suspended"]);
        let table = &document["threads"][0]["frameTable"]["category"];
        assert_eq!(*table, serde_json::json!([3, 6, 4]));
        let with_gil: Value =
            serde_json::from_slice(&fixture::written(FORMAT)).expect("it is JSON");
        let categories = with_gil["meta"]["categories"].as_array().expect("categories");
        assert!(categories.iter().all(|category| category["name"] != "Suspended"));
    }

    #[test]
    fn each_process_has_one_main_thread() {
        let document: Value =
            serde_json::from_slice(&fixture::written(FORMAT)).expect("it is JSON");
        let threads = document["threads"].as_array().expect("threads").iter();
        let mains = threads.filter(|thread| thread["isMainThread"] == true);
        let pids: Vec<&str> = mains.filter_map(|thread| thread["pid"].as_str()).collect();
        assert_eq!(pids, ["4242", "4250"]);
    }
}
