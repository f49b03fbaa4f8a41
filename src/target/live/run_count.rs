//! How often a thread was put on a processor: a cheap witness that it did not
//! run between two moments.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// What `/proc/PID/task/TID/schedstat` counted of one thread
/// (the kernel's Documentation/scheduler/sched-stats.rst).
///
/// If the thread was asleep when the first of two equal counts was taken, then
/// it did not run in between. A thread that was running all the while also has
/// equal counts, so the state must be known too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RunCount {
    /// Time on a processor in nanoseconds, up to the last time the scheduler
    /// looked.
    pub time: u64,
    /// How often it was given a processor.
    pub times: u64,
}

impl RunCount {
    /// The counts now. `None` if the thread is gone, or if the kernel does not
    /// count (`CONFIG_SCHED_INFO` off: the file is missing or says zero).
    #[cfg(test)]
    pub(crate) fn read(pid: i32, tid: i32) -> Option<Self> {
        Self::of(&File::open(format!("/proc/{pid}/task/{tid}/schedstat")).ok()?)
    }

    /// The counts now, of the thread whose `schedstat` this is.
    #[must_use]
    pub(super) fn of(file: &File) -> Option<Self> {
        let mut text = [0; 80];
        let length = file.read_at(&mut text, 0).ok()?;
        Self::parse(text.get(..length)?)
    }

    /// The counts in the text of that file.
    #[must_use]
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let mut fields = std::str::from_utf8(text).ok()?.split_ascii_whitespace();
        let time = fields.next()?.parse().ok()?;
        let times = fields.nth(1)?.parse().ok()?;
        // A thread that exists has run; zero means that nobody counts.
        (times > 0).then_some(Self { time, times })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_third_number_count() {
        assert_eq!(RunCount::parse(b"123 45 6\n"), Some(RunCount { time: 123, times: 6 }));
    }

    #[test]
    fn what_does_not_count_is_unknown() {
        for text in [&b""[..], b"0 0 0\n", b"1 2\n", b"x y z\n", b"\xff"] {
            assert_eq!(RunCount::parse(text), None, "{text:?}");
        }
    }
}
