//! What is asked for, as plain data.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::app::launch::handover::Handover;
use crate::cpython::abi::AbiTag;
use crate::profile::filter::{FrameFilter, SampleFilter, ThreadFilter};
use crate::render::{Format, recording};
use crate::sampler::selection::TimeMode;
use crate::sampler::stop::pause::Pause;
use crate::stack::{FrameStyle, NativeFrames};

/// What is to be profiled, how, and where the result goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The process, or several.
    pub target: Target,
    /// Also all processes that it starts.
    pub subprocesses: bool,
    /// It is one process of many, for a supervisor that looks anew at one that executes
    /// another program.
    pub is_member: bool,
    /// Print every thread's stack once instead of sampling.
    pub dump: bool,
    /// How the dump is written.
    pub dump_style: DumpStyle,
    /// Show the variables of every frame of a dump.
    pub locals: bool,
    /// What a thread has to do to be sampled.
    pub mode: TimeMode,
    /// Which threads are sampled.
    pub threads: ThreadFilter,
    /// Which frames are kept, and how they are named.
    pub frames: FrameFilter,
    /// Which native frames are asked for: whether they are captured. Which of them the result
    /// keeps is in `frames`.
    pub native: NativeFrames,
    /// All threads of all interpreters, instead of those that hold a GIL.
    pub every_thread: bool,
    /// Leave idle samples out.
    pub exclude_idle: bool,
    /// How the profile is written.
    pub format: Format,
    /// Who takes the samples.
    pub engine: EngineChoice,
    /// Whether and how the process may be stopped.
    pub pause: Pause,
    /// Move each tick by a random part of the interval.
    pub jitter: bool,
    /// Print the account of the run on stderr.
    pub stats: bool,
    /// Time between two samples; zero for as fast as possible.
    pub interval: Duration,
    /// How long to sample; `None` until the process ends.
    pub duration: Option<Duration>,
    /// One file for each window of this length.
    pub rotation: Option<Duration>,
    /// Where the result goes; `None` for stdout.
    pub output: Option<PathBuf>,
    /// Add to the recording that is there.
    pub append: bool,
    /// The title of a picture or a report.
    pub title: Option<String>,
    /// Use the rights that this program has from its file, which its caller need not have.
    pub as_capable: bool,
    /// Give up what the run does not need before the first sample.
    pub sandbox: bool,
    /// The ABI that was asked for.
    pub abi: Option<AbiTag>,
    /// Things to say on stderr before the run.
    pub warnings: Vec<String>,
}

/// Who takes the samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineChoice {
    /// The kernel where it may; else this program, in stops, or without them if there shall
    /// be none.
    #[default]
    Auto,
    /// The kernel, in interrupts of the process.
    Kernel,
    /// This program, while the thread that runs is stopped.
    Stop,
    /// This program, while the process runs.
    Read,
}

/// What `pyflame check` is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckOptions {
    /// The processes, if they are named by their ids.
    pub pids: Vec<i32>,
    /// A regular expression for their command lines.
    pub name: Option<String>,
    /// Also all processes below them.
    pub subprocesses: bool,
    /// One line of JSON for each process.
    pub json: bool,
    /// Where to write what the report of a bug needs.
    pub report: Option<PathBuf>,
    /// Use the rights that this program has from its file.
    pub as_capable: bool,
    /// This profiler answers, whatever the process runs.
    pub own: bool,
}

impl CheckOptions {
    /// The words that ask the same of one process.
    pub(super) fn words(&self, pid: i32) -> Vec<OsString> {
        let mut words = Vec::new();
        if self.json {
            words.push("--json".into());
        }
        if self.as_capable {
            words.push("--as-capable".into());
        }
        if let Some(path) = &self.report {
            words.extend(["--report".into(), path.clone().into()]);
        }
        words.push(pid.to_string().into());
        words
    }
}

/// The process that is profiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One that runs already.
    Process(i32),
    /// Several that run already.
    Processes(Vec<i32>),
    /// All of Python that match a regular expression.
    Named(String),
    /// One that a core file keeps.
    Core {
        /// The core file.
        file: PathBuf,
        /// Where its program is, if not where it was.
        program: Option<PathBuf>,
    },
    /// One that is started: a program and its arguments.
    Command {
        /// The words after `-t`.
        words: Vec<OsString>,
        /// What the program before this one in this process has started and done of that.
        handover: Option<Handover>,
    },
}

/// How a dump is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DumpStyle {
    /// As the original Pyflame did.
    #[default]
    Original,
    /// With names, states and variables, to be read by people.
    Verbose,
    /// With all of that, to be read by programs.
    Json,
}

/// Which recordings to render, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportOptions {
    /// The recordings; `-` is stdin.
    pub files: Vec<PathBuf>,
    /// Where the result goes; `None` for stdout.
    pub output: Option<PathBuf>,
    /// How it is written.
    pub format: Format,
    /// Which samples are kept.
    pub samples: SampleFilter,
    /// Which frames are kept, and how they are named.
    pub frames: FrameFilter,
    /// The title of a picture or a report.
    pub title: Option<String>,
}

/// What to compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffOptions {
    /// The earlier one.
    pub before: PathBuf,
    /// The later one.
    pub after: PathBuf,
    /// Where the stacks with both counts go, if anywhere.
    pub output: Option<PathBuf>,
    /// Compare lines instead of functions.
    pub lines: bool,
    /// Show also what chance explains.
    pub all: bool,
}

/// What to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopOptions {
    /// The process.
    pub pid: i32,
    /// Use the rights that this program has from its file.
    pub as_capable: bool,
    /// Which native frames are shown.
    pub native: NativeFrames,
    /// What its profiler is asked for besides, as it stands on the command line.
    pub passed_on: Vec<String>,
}

impl Options {
    /// Whether there may be several processes, of several ABIs: `pyflame` supervises that.
    #[must_use]
    pub fn is_tree(&self) -> bool {
        self.subprocesses || matches!(self.target, Target::Processes(_) | Target::Named(_))
    }

    /// Whether it matters on which lines of functions the samples are.
    #[must_use]
    pub fn reads_lines(&self) -> bool {
        self.frames.style == FrameStyle::WithLines
    }

    /// Whether it matters where a process looks for its modules; who reads a recording may
    /// want to know.
    #[must_use]
    pub fn needs_search_path(&self) -> bool {
        self.frames.needs_search_path() || self.format == recording::FORMAT
    }

    /// The options for one process of many, whose recording a supervisor reads from a pipe
    /// until it has enough.
    pub(crate) fn of_member(self, pid: i32) -> Self {
        let is_moment = self.duration.is_some_and(|duration| duration.is_zero());
        Self {
            target: Target::Process(pid),
            subprocesses: false,
            is_member: true,
            format: recording::FORMAT,
            stats: false,
            duration: if is_moment { self.duration } else { None },
            rotation: None,
            output: None,
            append: false,
            warnings: Vec::new(),
            ..self
        }
    }
}
