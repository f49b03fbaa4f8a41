//! The file format of speedscope: one profile for each thread, all in one list of frames.

use std::io::{self, Write};

use serde::Serialize;

use super::json::{self, Items};
use super::rows::{Row, rows};
use super::tracks::{Track, Tracks, with_gaps};
use super::{Format, Settings, labels};
use crate::profile::{Detail, Profile};
use crate::stack;

/// `speedscope`.
pub(crate) const FORMAT: Format = Format {
    name: "speedscope",
    extensions: &["speedscope.json"],
    about: "for speedscope: each thread's time line, flame graph and table, in a browser",
    detail: Detail::Timeline,
    write,
};

/// What a file says it is, by which readers know it.
const SCHEMA: &str = "https://www.speedscope.app/file-format-schema.json";

#[derive(Serialize)]
struct Document<'a, Frames: Serialize, Profiles: Serialize> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    exporter: &'static str,
    name: String,
    #[serde(rename = "activeProfileIndex")]
    active: usize,
    shared: Shared<Frames>,
    profiles: Profiles,
    /// Not part of the format, and passed over by readers.
    pyflame: json::RunInfo<'a>,
}

#[derive(Serialize)]
struct Shared<Frames: Serialize> {
    frames: Frames,
}

#[derive(Serialize)]
struct Frame<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Thread<Samples: Serialize, Weights: Serialize> {
    r#type: &'static str,
    name: String,
    unit: &'static str,
    start_value: u64,
    end_value: u64,
    samples: Samples,
    weights: Weights,
}

/// Writes the timeline of `profile`.
///
/// # Errors
/// Those of `out`.
pub(crate) fn write(profile: &Profile, _: &Settings, out: &mut dyn Write) -> io::Result<()> {
    let tracks = Tracks::of(profile);
    let document = Document {
        schema: SCHEMA,
        exporter: labels::PROGRAM,
        name: labels::title(profile),
        active: busiest(&tracks),
        shared: Shared { frames: Items(|| frames(profile)) },
        profiles: Items(|| tracks.all().iter().map(|track| thread(profile, &tracks, track))),
        pyflame: json::RunInfo::of(profile),
    };
    json::write(&document, out)
}

/// The thread that was sampled most often is shown first.
fn busiest(tracks: &Tracks<'_>) -> usize {
    let samples = |track: &Track| track.thread.map(|_| tracks.moments(track).count());
    let busiest = tracks.all().iter().enumerate().rev().max_by_key(|(_, track)| samples(track));
    busiest.map_or(0, |(position, _)| position)
}

/// All frames, and after them the words that stand where there is none.
fn frames(profile: &Profile) -> impl Iterator<Item = Frame<'_>> {
    let words = Row::WORDS.into_iter();
    let words = words.map(|word| Frame { name: word.name(profile), file: None, line: None });
    let frames = profile.frames.all().iter().map(move |frame| Frame {
        name: &frame.function,
        file: Some(file(frame)),
        line: labels::line(profile, frame),
    });
    frames.chain(words)
}

/// The file of a frame, by which readers tell frames apart.
fn file(frame: &stack::Frame) -> &str {
    if frame.file.is_empty() { frame.library().unwrap_or_default() } else { &frame.file }
}

/// Samples of one thread, one after the other; an empty stack is a gap.
fn thread<'a>(
    profile: &'a Profile,
    tracks: &'a Tracks<'a>,
    track: &'a Track,
) -> impl Serialize + 'a {
    let places = |row: &Row| row.index(profile);
    let samples = move || {
        let mut found = Vec::new();
        with_gaps(tracks.moments(track)).map(move |stretch| {
            found.clear();
            if let Some(seen) = stretch.seen {
                rows(profile, seen, &mut found);
            }
            found.iter().map(places).collect::<Vec<usize>>()
        })
    };
    Thread {
        r#type: "sampled",
        name: labels::track(profile, tracks, track),
        unit: "microseconds",
        start_value: 0,
        end_value: tracks.end(track),
        samples: Items(samples),
        weights: Items(|| with_gaps(tracks.moments(track)).map(|stretch| stretch.length)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn golden() {
        fixture::expect_golden("hostile.speedscope.json", &fixture::written(FORMAT));
    }

    #[test]
    fn the_lengths_of_a_thread_add_up_to_its_end() {
        let text = fixture::written(FORMAT);
        let document: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
        let profiles = document["profiles"].as_array().expect("profiles");
        assert_eq!(profiles.len(), 4);
        for profile in profiles {
            let weights = profile["weights"].as_array().expect("weights");
            assert_eq!(weights.len(), profile["samples"].as_array().map_or(0, Vec::len));
            let total: u64 = weights.iter().filter_map(serde_json::Value::as_u64).sum();
            assert_eq!(Some(total), profile["endValue"].as_u64());
        }
    }

    #[test]
    fn an_empty_profile_can_be_written() {
        let mut out = Vec::new();
        let settings = Settings::default();
        write(&Profile::default(), &settings, &mut out).expect("a Vec takes everything");
        let document: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        assert_eq!(document["profiles"], serde_json::json!([]));
    }
}
