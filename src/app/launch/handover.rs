//! What a program that looks after a command hands over to the profiler that it becomes: the
//! launcher to the first, and a profiler to the next, when the command goes on with another
//! Python. The process stays the same, and so stays the parent of the command: that gives it
//! the right to read it (`kernel.yama.ptrace_scope` 1).

use std::env;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc::O_NONBLOCK;
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::profile::Profile;
use crate::profile::recording::{Reader, Writer};

/// The environment variable that says so.
pub(crate) const VARIABLE: &str = "PYFLAME_STARTED_PID";

/// What is handed over, beside the profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handover {
    /// The process of the command.
    pub pid: i32,
    /// What has been sampled of it; `None`: nothing so far.
    pub begun: Option<Begun>,
}

/// A run that has begun.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Begun {
    /// How long ago.
    pub elapsed: Duration,
    /// Pythons of the command that were not sampled.
    pub others: u64,
    /// Whether a window could not be written.
    pub is_incomplete: bool,
    /// Whether the process has given up what a run does not need.
    pub is_confined: bool,
    /// The open file with the profile; `None` if it has been written already.
    pub profile: Option<i32>,
}

impl Handover {
    /// What has been handed over to this program. `None` if it has been started as any other.
    #[must_use]
    pub fn take() -> Option<Self> {
        let handover = Self::parse(&env::var(VARIABLE).ok()?)?;
        // The variable may be left from somewhere else.
        let is_ours =
            |stat: crate::target::live::Stat| u32::try_from(stat.parent) == Ok(std::process::id());
        crate::target::live::stat(handover.pid).is_some_and(is_ours).then_some(handover)
    }

    fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(',').collect();
        let pid = words.first()?.parse().ok().filter(|pid| *pid > 0)?;
        let begun = match words.get(1..)? {
            [] => None,
            [elapsed, others, incomplete, confined, profile] => Some(Begun {
                elapsed: Duration::from_millis(elapsed.parse().ok()?),
                others: others.parse().ok()?,
                is_incomplete: *incomplete == "1",
                is_confined: *confined == "1",
                profile: match *profile {
                    "-" => None,
                    number => Some(number.parse().ok().filter(|number| *number > 2)?),
                },
            }),
            _ => return None,
        };
        Some(Self { pid, begun })
    }

    /// Executes `program` with these arguments, which start with this program's name, in
    /// place of this one. Comes back only with an error.
    pub(crate) fn execute(&self, program: &Path, arguments: &[OsString]) -> io::Error {
        let mut command = Command::new(program);
        command.args(arguments.iter().skip(1)).env(VARIABLE, self.to_string());
        command.exec()
    }
}

impl std::fmt::Display for Handover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.pid)?;
        let Some(begun) = &self.begun else { return Ok(()) };
        let Begun { elapsed, others, is_incomplete, is_confined, profile } = begun;
        let flags = [is_incomplete, is_confined].map(|flag| u8::from(*flag));
        write!(f, ",{},{others},{},{}", elapsed.as_millis(), flags[0], flags[1])?;
        match profile {
            Some(number) => write!(f, ",{number}"),
            None => f.write_str(",-"),
        }
    }
}

/// A profile in memory that stays when another program is executed.
pub(crate) struct Carried(File);

impl Carried {
    /// Writes `profile` there.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn write(profile: &Profile) -> io::Result<Self> {
        let file = File::from(memfd_create("pyflame-profile", MFdFlags::empty())?);
        let mut writer = Writer::new(io::BufWriter::new(&file))?;
        writer.finish(profile)?;
        drop(writer);
        (&file).flush()?;
        Ok(Self(file))
    }

    /// Its number, for [`Begun::profile`].
    pub(crate) fn number(&self) -> i32 {
        self.0.as_raw_fd()
    }
}

/// Reads the profile of this number, which is closed, into another.
///
/// # Errors
/// If there is none.
pub(crate) fn read_profile(number: i32, into: &mut Profile) -> io::Result<()> {
    let file = File::open(format!("/proc/self/fd/{number}"))?;
    nix::unistd::close(number)?;
    let reader = Reader::new(BufReader::new(file)).map_err(io::Error::other)?;
    let mut reader = reader.with_counts();
    reader.read_all(into)?;
    into.about = reader.about();
    Ok(())
}

/// Keeps a pipe open that has a name and a reader, while this program becomes another: for
/// the reader it would have ended.
pub(crate) fn keep_open(path: Option<&Path>) {
    let Some(path) = path else { return };
    if !path.metadata().is_ok_and(|found| found.file_type().is_fifo()) {
        return;
    }
    // Without a reader there is nobody to keep it open for.
    let Ok(pipe) = OpenOptions::new().write(true).custom_flags(O_NONBLOCK).open(path) else {
        return;
    };
    if fcntl(pipe.as_fd(), FcntlArg::F_SETFD(FdFlag::empty())).is_ok() {
        // The program that comes holds it until its end.
        std::mem::forget(pipe);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_over_comes_back() {
        let elapsed = Duration::from_millis(1234);
        let begun =
            Begun { elapsed, others: 7, is_incomplete: true, is_confined: true, profile: Some(9) };
        for begun in [None, Some(begun.clone()), Some(Begun { profile: None, ..begun })] {
            let handover = Handover { pid: 42, begun };
            assert_eq!(Handover::parse(&handover.to_string()), Some(handover));
        }
    }

    #[test]
    fn what_makes_no_sense_is_not_taken() {
        for text in [
            "",
            "x",
            "0",
            "-1",
            "42,",
            "42,1",
            "42,1,2,0,1",
            "42,1,2,0,0,1",
            "42,1,2,0,0,x",
            "42,1,2,0,0,-,",
        ] {
            assert_eq!(Handover::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_profile_is_carried_over() {
        use crate::profile::{Detail, Process, Sample, State, Step};
        use crate::stack::Frame;
        for detail in [Detail::Stacks, Detail::Threads, Detail::Timeline] {
            let mut profile = Profile::new(detail);
            let process = profile.add_process(Process::new(7, "python3 a.py", "3.11.7"));
            let thread = profile.intern_thread(process, 70);
            let frame = Frame::python("a.py", "f", 3);
            let frame = profile.frames.intern(frame);
            let stack = profile.child(None, Step::Frame(frame));
            let state = State { holds_gil: true, ..State::default() };
            for (time, thread) in [(10, Some(thread)), (20, Some(thread)), (30, None)] {
                profile.record(time, Sample { stack, thread, state });
            }
            profile.record_idle(40);
            profile.record_failed(50);
            profile.about.started = 5;
            profile.about.ticks = 5;
            let carried = Carried::write(&profile).expect("memory");
            let number = nix::unistd::dup(carried.0.as_fd()).expect("a number");
            let mut read = Profile::new(detail);
            read_profile(std::os::fd::IntoRawFd::into_raw_fd(number), &mut read).expect("read");
            assert_eq!(read.stacks().map(|(_, count)| count).collect::<Vec<_>>(), [3]);
            assert_eq!((read.idle(), read.failed()), (1, 1));
            assert_eq!(read.stacks_by_thread(), profile.stacks_by_thread());
            assert_eq!(read.timeline(), profile.timeline());
            assert_eq!(read.about, profile.about);
        }
    }
}
