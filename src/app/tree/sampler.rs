//! A `pyflameX.Y` that samples one process for the tree.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{self, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use log::LevelFilter;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::merged::Shared;
use crate::app::diagnosis;
use crate::app::error::Error;
use crate::app::launch::handover::VARIABLE;
use crate::profile::RunInfo;
use crate::profile::recording::Reader;
use crate::target::live::nap;

/// The most that is kept of what a sampler says on stderr, in bytes.
const LONGEST_WORDS: u64 = 16 * 1024;

/// How long a sampler may take to end when it is told to.
const PATIENCE: Duration = Duration::from_secs(5);

/// A profiler of one process, and the thread that reads what it records.
pub(super) struct Sampler {
    child: process::Child,
    reader: Option<JoinHandle<Heard>>,
}

/// What a sampler left.
pub(super) struct Ended {
    /// Its exit status; `None` if a signal ended it.
    pub status: Option<i32>,
    /// Whether it took a sample.
    pub sampled: bool,
    /// What it said on stderr.
    pub words: String,
}

#[derive(Default)]
struct Heard {
    sampled: bool,
    words: String,
}

/// The command that lets `program` take part in the profiling of a tree: with the same
/// arguments as this program, but for process `pid`.
pub(super) fn command(program: &Path, pid: i32, arguments: &[OsString]) -> Command {
    let mut command = Command::new(program);
    command.arg("--member").arg(pid.to_string()).args(arguments.iter().skip(1));
    command.env_remove(VARIABLE).stdin(Stdio::null());
    // A Ctrl-C is for the supervisor, which ends its samplers in good order.
    command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Sampler {
    /// Starts one. What it records is read into `merged`.
    ///
    /// # Errors
    /// [`Error::Execute`] if it cannot be executed.
    pub(super) fn start(
        program: &Path,
        pid: i32,
        arguments: &[OsString],
        merged: &Shared,
    ) -> Result<Self, Error> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let spawned = command(program, pid, arguments).spawn();
        let mut child =
            spawned.map_err(|source| Error::Execute { program: program.to_path_buf(), source })?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let merged = merged.clone();
        let reader = thread::spawn(move || {
            let about = stdout.map(|stdout| listen(number, stdout, &merged));
            Heard {
                sampled: about.is_some_and(|about| about.ticks > 0),
                words: stderr.map(words).unwrap_or_default(),
            }
        });
        Ok(Self { child, reader: Some(reader) })
    }

    /// Its process.
    pub(super) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap_or_default()
    }

    /// What it left, if it has ended.
    pub(super) fn ended(&mut self) -> Option<Ended> {
        if self.reader.as_ref().is_some_and(|reader| !reader.is_finished()) {
            return None;
        }
        // One that cannot be waited for is not there any more.
        let status = match self.child.try_wait() {
            Ok(None) => return None,
            Ok(Some(status)) => status.code(),
            Err(_) => None,
        };
        let heard = self.reader.take().and_then(|reader| reader.join().ok()).unwrap_or_default();
        Some(Ended { status, sampled: heard.sampled, words: heard.words })
    }

    /// Tells it to end: it writes what it has.
    pub(super) fn tell_to_end(&self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // It is a child that has not been waited for, so it is nobody else.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
    }

    /// Waits for the end of one that has been told to; kills it if it takes too long.
    pub(super) fn wait(&mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(ended) = self.ended() {
                return ended;
            } else if Instant::now() > deadline {
                let _ = self.child.kill();
            }
            nap(Duration::from_millis(1));
        }
    }
}

/// Reads a recording until its end. Returns what it says of itself.
fn listen(number: u64, stdout: ChildStdout, merged: &Shared) -> RunInfo {
    let Ok(mut reader) = Reader::new(BufReader::new(stdout)) else { return RunInfo::default() };
    while matches!(reader.fetch(), Ok(true)) {
        let mut merged = merged.lock();
        match reader.apply(&mut merged.profile) {
            Ok(true) => merged.note(number, reader.about()),
            _ => break,
        }
    }
    let about = reader.about();
    merged.lock().end(number, &about);
    about
}

/// What a sampler says, but for its log, which is passed on at once.
fn words(stderr: impl Read) -> String {
    let mut lines = BufReader::new(stderr);
    let mut words = Vec::new();
    let mut line = Vec::new();
    // What was said before an error is worth something too.
    while lines.by_ref().take(LONGEST_WORDS).read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
        if log::max_level() > LevelFilter::Off && line.starts_with(diagnosis::PREFIX.as_bytes()) {
            // Nobody is left to be told when stderr is gone.
            let _ = io::stderr().write_all(&line);
        } else if words.len() as u64 + line.len() as u64 <= LONGEST_WORDS {
            words.extend_from_slice(&line);
        }
        line.clear();
    }
    String::from_utf8_lossy(&words).trim_end().to_owned()
}
