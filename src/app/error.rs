//! What can end a run, said to the person who started it.
//!
//! The first words are the original's, because scripts look for them; the
//! lines after them say what to do.

use std::io;
use std::path::PathBuf;

use crate::app::cli::UsageError;
use crate::app::report::error::ReportError;
use crate::app::top::error::TopError;
use crate::app::tree::error::TreeError;
use crate::cpython::abi::AbiTag;
use crate::profile::SaveError;
use crate::profile::stats::Outcome;
use crate::sampler::interrupt::KernelError;
use crate::sampler::stop::pause::Pause;
use crate::target::core::CoreError;
use crate::target::live::OpenError;
use crate::target::locate::LocateError;

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The command line cannot be followed.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// The process cannot be looked at.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The process is not Python, as far as can be told.
    #[error(transparent)]
    Locate(#[from] LocateError),
    /// The process is not Python, but has started one that is.
    #[error(
        "{error}\nProcess {child}, which it has started, runs CPython {found}: name that one \
         with -p, or add --subprocesses."
    )]
    NotPythonItself {
        /// What is to be said of the process.
        error: LocateError,
        /// The other process.
        child: i32,
        /// Its full version.
        found: String,
    },
    /// The process has several interpreters, and none is for this binary.
    #[error("{error}\n{all}")]
    NoneOfAll {
        /// What is to be said of the first.
        error: Box<Error>,
        /// The list of them.
        all: String,
    },
    /// A core file cannot be read.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The process of a core file cannot be dumped.
    #[error("core file \"{}\": {error}{}{}", path.display(), cut_off(*missing), about_files(files))]
    InCore {
        /// The core file.
        path: PathBuf,
        /// What is to be said of the process.
        error: Box<Error>,
        /// How many bytes of memory are missing.
        missing: u64,
        /// What is to be said of files that it had mapped, a line each.
        files: Vec<String>,
    },
    /// No interpreter that has started is in a core file.
    #[error(
        "Failed to locate libpython: process {pid} ({}) had not started its interpreter, or not \
         all of that can be read",
        executable.display()
    )]
    NotKept {
        /// The process.
        pid: i32,
        /// What it executed.
        executable: PathBuf,
    },
    /// The process runs a CPython that another binary is for.
    #[error(
        "process {pid} runs CPython {found}; this is {}. Run {right} (package {right}).",
        own.program(),
        right = version.program()
    )]
    OtherVersion {
        /// The process.
        pid: i32,
        /// Its full version.
        found: String,
        /// X.Y of it.
        version: AbiTag,
        /// X.Y of this binary.
        own: AbiTag,
    },
    /// The process runs a CPython that this release has no binary for.
    #[error(
        "process {pid} runs CPython {found}, which this release does not know.\n\
         It profiles {}.",
        supported()
    )]
    UnknownVersion {
        /// The process.
        pid: i32,
        /// Its full version.
        found: String,
    },
    /// A kind of Python that cannot be profiled.
    #[error(
        "process {pid} runs {kind} CPython {found}, which this release cannot profile.\n\
         Its objects are laid out differently, and pyflame does not guess."
    )]
    Unsupported {
        /// The process.
        pid: i32,
        /// What is special about it.
        kind: &'static str,
        /// Its full version.
        found: String,
    },
    /// What was read does not fit the layout.
    #[error(
        "process {pid} does not look as its version says: {reason}.\n\
         Nothing was sampled. If this Python is an unmodified release, please report it."
    )]
    Unproven {
        /// The process.
        pid: i32,
        /// What did not fit.
        reason: String,
    },
    /// Python has not started in time.
    #[error(
        "process {pid} has not started its Python interpreter.\n\
         Try again when it runs, or start it through pyflame with -t."
    )]
    NotStarted {
        /// The process.
        pid: i32,
    },
    /// The process ended before it could be sampled.
    #[error("process {pid} ended before it could be sampled.")]
    Ended {
        /// The process.
        pid: i32,
    },
    /// `--abi` names another version than this binary's.
    #[error("This is {}, for ABI {}; for --abi {} run {}.", own.program(), own.abi(), asked.abi(), asked.program())]
    OtherAbi {
        /// X.Y of this binary.
        own: AbiTag,
        /// What was asked for.
        asked: AbiTag,
    },
    /// The command of `-t` could not be started.
    #[error("Child process exited with status: {status}\nCannot run {program}: {source}")]
    Start {
        /// The status a shell would give.
        status: i32,
        /// The first word of the command.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// The command of `-t` ended, or was left, and there was no Python to sample.
    #[error("Failed to locate libpython: {program} {what}\n-t profiles Python programs only.")]
    NeverPython {
        /// The first word of the command.
        program: String,
        /// What it did instead.
        what: &'static str,
    },
    /// The profile did not come over from one profiler to the next.
    #[error("what has been sampled so far cannot be handed over: {0}")]
    Handover(#[source] io::Error),
    /// The result cannot be written.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// `--rotate` without a place for files.
    #[error(
        "--rotate writes a file for each window, and {} is no file.\n\
         Name one with -o, such as -o out.folded; the time goes into its name.",
        path.as_ref().map_or("stdout".into(), |path| path.display().to_string())
    )]
    Windows {
        /// What was named instead; `None` for stdout.
        path: Option<PathBuf>,
    },
    /// No stack could be read consistently.
    #[error("process {pid} could not be read: {reason}.")]
    Unreadable {
        /// The process.
        pid: i32,
        /// What happened at the last attempt.
        reason: String,
    },
    /// A run of which no tick came to a sample, or found that there was none.
    #[error(
        "no stack of {what} could be proven; of the moments at which that was tried, {outcome}.{}{}",
        reason.as_ref().map_or(String::new(), |reason| format!("\nThe last failure: {reason}.")),
        what_to_try(outcome, *pause)
    )]
    NothingProven {
        /// The process, or several.
        what: String,
        /// What became of the ticks.
        outcome: Outcome,
        /// Why reading failed, the last time that it did.
        reason: Option<String>,
        /// Whether there were stops.
        pause: Pause,
    },
    /// Too few files may be open at a time.
    #[error(
        "this program may have {limit} open files at most, and needs {least}.\n\
         Raise the limit (ulimit -n)."
    )]
    FewFiles {
        /// How many there may be.
        limit: u64,
        /// How many it needs.
        least: u64,
    },
    /// A dump of a thread that is not there.
    #[error("process {pid} has no thread that is called so or has this id, but {threads}.")]
    NoThread {
        /// The process.
        pid: i32,
        /// Those that there are, in words.
        threads: String,
    },
    /// The binary for a version is not there.
    #[error(
        "{what} needs {program}, which is not installed beside pyflame or in PATH.\n\
         Install the package {program}.",
        program = version.program()
    )]
    NotInstalled {
        /// Who needs it.
        what: String,
        /// X.Y.
        version: AbiTag,
    },
    /// The launcher is not there.
    #[error(
        "{command} is done by pyflame, which is not installed beside this program or in PATH.\n\
         Install the package pyflame."
    )]
    NoLauncher {
        /// The command that was to be run.
        command: String,
    },
    /// The binary for a version is there, but cannot be executed.
    #[error("cannot execute {}: {source}", program.display())]
    Execute {
        /// The binary.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The kernel does not take samples.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// Recordings cannot be rendered or compared.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The live view is over.
    #[error(transparent)]
    Top(#[from] TopError),
    /// Several processes cannot be profiled.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// Signals cannot be caught.
    #[error("cannot catch signals: {0}")]
    Signals(#[source] io::Error),
    /// The rights of this program's file cannot be given up.
    #[error(
        "cannot give up the rights of this program's file: {0}\n\
         With --as-capable they are used."
    )]
    Rights(String),
}

fn what_to_try(outcome: &Outcome, pause: Pause) -> &'static str {
    match pause {
        _ if outcome.torn == 0 => "",
        Pause::Always => "\nTry pyflame --dump: it says what is in the way.",
        _ => {
            "\nTry --pause always, which stops the process for each sample, or pyflame --dump, \
             which says what is in the way."
        }
    }
}

fn cut_off(missing: u64) -> String {
    match missing {
        0 => String::new(),
        missing => format!("\nIt was cut off: {missing} bytes of memory are missing."),
    }
}

fn about_files(files: &[String]) -> String {
    if files.is_empty() {
        return String::new();
    }
    format!(
        "\nCode and symbols are in no core file. They are read from the files that the process \
         had mapped,\nas they were, at the same paths; the program may be named after the core \
         file. Of these,\n{}",
        files.join("\n")
    )
}

fn supported() -> String {
    let versions: Vec<String> =
        crate::cpython::abi::SUPPORTED.iter().map(AbiTag::to_string).collect();
    versions.join(", ")
}

impl Error {
    /// The exit status where another binary is the right one.
    pub(crate) const STATUS_OTHER_BINARY: u8 = 3;

    /// The exit status for a Python that no binary of this release is for.
    pub(crate) const STATUS_UNSUPPORTED: u8 = 4;

    /// The exit status: 3 where another binary is the right one, 4 for a Python
    /// that no binary of this release is for, otherwise 1, as the original had it.
    #[must_use]
    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            Self::Top(TopError::Profiler { status, .. }) => *status,
            Self::NoneOfAll { error, .. } | Self::InCore { error, .. } => error.exit_status(),
            Self::OtherVersion { .. } => Self::STATUS_OTHER_BINARY,
            Self::Unsupported { .. } | Self::UnknownVersion { .. } => Self::STATUS_UNSUPPORTED,
            Self::Locate(error) if error.is_other_python() => Self::STATUS_UNSUPPORTED,
            _ => 1,
        }
    }
}
