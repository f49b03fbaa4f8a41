//! What a report knows, as JSON.
//!
//! Tables are columns of numbers: names by their position in a list of names, stacks by
//! the position of their caller. So a report grows with what is different in a profile,
//! not with its samples.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Serialize;

use super::excerpts::{Excerpt, excerpts};
use super::timeline::Timeline;
use crate::profile::stats::{Key, Line};
use crate::profile::{Profile, Step};
use crate::render::palette::Origin;
use crate::render::{SourcesOf, title};
use crate::stack::{FrameKind, FrameStyle};

/// Everything in a report.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'a> {
    title: &'a str,
    version: &'static str,
    /// Microseconds since the epoch.
    started: u64,
    /// In microseconds.
    elapsed: u64,
    /// What one sample stands for, in microseconds.
    period: f64,
    rate: String,
    duration: String,
    samples: u64,
    every_thread: bool,
    tells_processes: bool,
    /// Moments at which a sample was due.
    due: u64,
    /// Those of them that gave none.
    missing: u64,
    /// Whether shares of time are estimates.
    estimates: bool,
    /// What became of every tick.
    account: Vec<Row>,
    processes: Vec<Process<'a>>,
    threads: Vec<Thread<'a>>,
    files: Vec<&'a str>,
    /// Of each file: `o` own, `i` installed, `s` standard library.
    origins: String,
    functions: Vec<&'a str>,
    frames: Frames,
    stacks: Stacks,
    timeline: Timeline,
    excerpts: Vec<Excerpt>,
    /// Whether frames tell no files.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    without_files: bool,
}

/// Rows of the account that count moments which gave no sample.
const MISSING: [Key; 4] = [Key::Torn, Key::Dropped, Key::Failed, Key::Late];

/// A row of the account.
#[derive(Debug, Serialize)]
struct Row {
    name: Cow<'static, str>,
    value: String,
    meaning: &'static str,
}

impl Row {
    fn of(line: Line<'_>) -> Self {
        Self { value: line.value.to_string(), name: line.name, meaning: line.key.meaning() }
    }
}

#[derive(Debug, Serialize)]
struct Process<'a> {
    pid: i32,
    command: &'a str,
    python: &'a str,
}

#[derive(Debug, Serialize)]
struct Thread<'a> {
    process: usize,
    /// A text: JavaScript's numbers are too short for it.
    id: String,
    native: Option<i32>,
    name: Option<&'a str>,
}

/// A column each, as long as there are frames.
#[derive(Debug, Default, Serialize)]
struct Frames {
    file: Vec<usize>,
    function: Vec<usize>,
    line: Vec<i32>,
    /// Of each frame: `p` Python, `n` native code, `c` the interpreter's own. Empty if all
    /// are of Python.
    #[serde(skip_serializing_if = "String::is_empty")]
    kind: String,
}

/// A column each, as long as there are stacks; callers come first.
#[derive(Debug, Default, Serialize)]
struct Stacks {
    /// The distance to the caller, 0 for none.
    caller: Vec<usize>,
    /// The innermost frame plus one, 0 where frames were not read.
    frame: Vec<usize>,
}

impl<'a> Document<'a> {
    /// The report on `profile`, with the source of its hottest lines as far as `sources` have it.
    #[must_use]
    pub(super) fn of(profile: &'a Profile, title: &'a str, sources: Option<SourcesOf>) -> Self {
        let about = &profile.about;
        let count = |key| about.account.count(key);
        let (mut files, mut functions) = (Names::default(), Names::default());
        let mut frames = Frames::default();
        for frame in profile.frames.all() {
            frames.file.push(files.index(&frame.file));
            frames.function.push(functions.index(&frame.function));
            frames.line.push(frame.line);
        }
        if profile.frames.all().iter().any(|frame| frame.kind.is_native()) {
            frames.kind =
                profile.frames.all().iter().map(|frame| kind_letter(frame.kind)).collect();
        }
        let processes = profile.processes().map(|(_, process)| process);
        let threads = profile.threads().map(|(_, thread)| thread);
        Self {
            title,
            version: env!("CARGO_PKG_VERSION"),
            started: about.started,
            elapsed: u64::try_from(about.elapsed.as_micros()).unwrap_or(u64::MAX),
            period: about.period().as_secs_f64() * 1e6,
            rate: title::rate(about),
            duration: title::duration(about.elapsed),
            samples: title::samples(profile),
            every_thread: about.every_thread,
            tells_processes: profile.tells_processes(),
            due: count(Key::Ticks).saturating_add(count(Key::Late)),
            missing: MISSING.into_iter().map(count).fold(0, u64::saturating_add),
            estimates: about.account.are_estimates(),
            account: about.account.lines().map(Row::of).collect(),
            processes: processes
                .map(|process| Process {
                    pid: process.pid,
                    command: &process.command,
                    python: &process.python,
                })
                .collect(),
            threads: threads
                .map(|thread| Thread {
                    process: thread.process.index(),
                    id: format!("{:#x}", thread.id),
                    native: thread.native_id,
                    name: thread.name.as_deref(),
                })
                .collect(),
            origins: files.list.iter().map(|file| letter(Origin::of_file(file))).collect(),
            files: files.list,
            functions: functions.list,
            frames,
            stacks: stacks(profile),
            timeline: Timeline::of(profile),
            without_files: about.style == FrameStyle::FunctionOnly,
            excerpts: sources.map_or(Vec::new(), |sources| excerpts(profile, sources)),
        }
    }
}

fn stacks(profile: &Profile) -> Stacks {
    let mut stacks = Stacks::default();
    for (index, (caller, step)) in profile.stacks_since(0).enumerate() {
        stacks.caller.push(caller.map_or(0, |caller| index - caller.index()));
        stacks.frame.push(match step {
            Step::Frame(frame) => frame.index() + 1,
            Step::Truncated => 0,
        });
    }
    stacks
}

fn kind_letter(kind: FrameKind) -> char {
    match kind {
        FrameKind::Python => 'p',
        FrameKind::Native => 'n',
        FrameKind::Interpreter => 'c',
    }
}

/// The letter of a file's origin; native code has letters of its own.
fn letter(origin: Origin) -> char {
    match origin {
        Origin::Own => 'o',
        Origin::Installed => 'i',
        Origin::Standard | Origin::Native | Origin::Interpreter => 's',
    }
}

/// Every distinct name once.
#[derive(Default)]
struct Names<'a> {
    list: Vec<&'a str>,
    known: HashMap<&'a str, usize>,
}

impl<'a> Names<'a> {
    fn index(&mut self, name: &'a str) -> usize {
        *self.known.entry(name).or_insert_with(|| {
            self.list.push(name);
            self.list.len() - 1
        })
    }
}
