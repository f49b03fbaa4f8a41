//! Raw samples, a JSON object in each line, for programs that somebody writes.
//!
//! The first line tells of the run, the last one what became of every tick; in between is
//! everything that was seen, in the order of time, with the root of each stack first.

use std::io::{self, Write};

use serde::Serialize;

use super::json::{self, Items};
use super::{Format, Settings, labels};
use crate::profile::{Detail, Event, Profile, Sample, Seen, Step};

/// `jsonl`.
pub const FORMAT: Format = Format {
    name: "jsonl",
    extensions: &["jsonl"],
    about: "every sample as a line of JSON, for programs of your own",
    detail: Detail::Timeline,
    write,
};

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a, Frames: Serialize> {
    Run {
        #[serde(flatten)]
        run: json::Run<'a>,
    },
    Sample {
        time_us: u64,
        #[serde(flatten)]
        place: Option<Place<'a>>,
        holds_gil: bool,
        /// Whether a stop-the-world pause had suspended it.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        suspended: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        on_cpu: Option<bool>,
        /// Whether outer frames are missing.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        truncated: bool,
        frames: Frames,
    },
    Idle {
        time_us: u64,
    },
    Failed {
        time_us: u64,
    },
    End {
        samples: u64,
        idle: u64,
        failed: u64,
        account: json::Account<'a>,
    },
}

/// A line without frames.
type Bare<'a> = Line<'a, ()>;

/// Whose sample it is.
#[derive(Serialize)]
struct Place<'a> {
    pid: i32,
    thread_id: u64,
    native_id: Option<i32>,
    thread_name: Option<&'a str>,
}

#[derive(Serialize)]
struct Frame<'a> {
    file: &'a str,
    function: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    /// Of native code, what it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
}

/// Writes the timeline of `profile`.
///
/// # Errors
/// Those of `out`.
pub fn write(profile: &Profile, _: &Settings, out: &mut dyn Write) -> io::Result<()> {
    let mut steps = Vec::new();
    json::write(&Bare::Run { run: json::Run::of(profile) }, out)?;
    for Event { microseconds: time_us, seen } in profile.timeline().iter().copied() {
        match seen {
            Seen::Idle => json::write(&Bare::Idle { time_us }, out)?,
            Seen::Failed => json::write(&Bare::Failed { time_us }, out)?,
            Seen::Sample(sample) => {
                profile.steps(sample.stack, &mut steps);
                json::write(&line(profile, time_us, sample, &steps), out)?;
            }
        }
    }
    let end = Bare::End {
        samples: profile.stacks().map(|(_, samples)| samples).sum(),
        idle: profile.idle(),
        failed: profile.failed(),
        account: json::Account(profile),
    };
    json::write(&end, out)
}

fn line<'a>(
    profile: &'a Profile,
    time_us: u64,
    sample: Sample,
    steps: &'a [Step],
) -> Line<'a, impl Serialize + 'a> {
    let place = sample.thread.map(|thread| profile.thread(thread)).map(|thread| Place {
        pid: profile.process(thread.process).pid,
        thread_id: thread.id,
        native_id: thread.native_id,
        thread_name: thread.name.as_deref(),
    });
    let frame = move |step: &Step| match step {
        Step::Frame(id) => {
            let frame = profile.frames.frame(*id);
            let line = labels::line(profile, frame);
            let kind = json::native_kind(frame);
            Some(Frame { file: &frame.file, function: &frame.function, line, kind })
        }
        Step::Truncated => None,
    };
    Line::Sample {
        time_us,
        place,
        holds_gil: sample.state.holds_gil,
        suspended: sample.state.is_suspended,
        on_cpu: sample.state.on_cpu,
        truncated: steps.contains(&Step::Truncated),
        frames: Items(move || steps.iter().filter_map(frame)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::render::fixture;

    #[test]
    fn golden() {
        fixture::expect_golden("hostile.jsonl", &fixture::written(FORMAT));
    }

    #[test]
    fn every_line_is_an_object_and_every_name_comes_back() {
        let profile = fixture::profile();
        let text = String::from_utf8(fixture::written(FORMAT)).expect("UTF-8");
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines.len(), profile.timeline().len() + 2);
        let mut steps = Vec::new();
        for (event, line) in profile.timeline().iter().zip(&lines[1..]) {
            let Seen::Sample(sample) = event.seen else { continue };
            profile.steps(sample.stack, &mut steps);
            let names: Vec<&str> = steps
                .iter()
                .filter_map(|step| match step {
                    Step::Frame(id) => Some(&*profile.frames.frame(*id).function),
                    Step::Truncated => None,
                })
                .collect();
            let frames = line["frames"].as_array().expect("frames");
            let seen: Vec<&str> =
                frames.iter().filter_map(|frame| frame["function"].as_str()).collect();
            assert_eq!(seen, names);
        }
        assert_eq!(lines[0]["type"], "run");
        let end = lines.last().expect("a last line");
        assert_eq!(end["account"]["elapsed s"], json!(0.25));
        assert_eq!((&end["idle"], &end["failed"]), (&json!(2), &json!(1)));
    }
}
