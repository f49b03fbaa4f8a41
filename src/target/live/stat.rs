//! `/proc/PID/stat` and `/proc/PID/task/TID/stat`: one line about a process or
//! a thread (proc_pid_stat(5)).

use crate::target::interface::ThreadState;

/// The fields of a `stat` line that this crate uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    /// The command name: at most 15 bytes, chosen by the process itself.
    pub name: String,
    /// What it is doing.
    pub state: ThreadState,
    /// The process that collects its exit status.
    pub parent: i32,
    /// The kernel's `PF_*` flags.
    pub flags: u32,
    /// When it started, in clock ticks since boot. With the pid it names a
    /// process for good: pids are used again.
    pub start_time: u64,
    /// Where its stack begins; 0 if it has none, or may not be looked at.
    pub stack: u64,
    /// The processor it was last on.
    pub processor: usize,
    /// How it is scheduled: a `SCHED_*` of the kernel's `include/uapi/linux/sched.h`.
    pub policy: u32,
}

/// `PF_KTHREAD` of the kernel's `include/linux/sched.h`.
const KERNEL_THREAD: u32 = 0x0020_0000;

impl Stat {
    /// Reads a line. `None` for anything that is not one.
    ///
    /// The name stands in parentheses and may itself hold spaces and
    /// parentheses, so the last `)` ends it.
    #[must_use]
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        let open = line.iter().position(|byte| *byte == b'(')?;
        let close = line.iter().rposition(|byte| *byte == b')')?;
        let name = String::from_utf8_lossy(line.get(open + 1..close)?).into_owned();
        let rest = std::str::from_utf8(line.get(close + 1..)?).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        // Field numbers of the manual page: 3 is the first after the name.
        let state = ThreadState::from_letter(*fields.next()?.as_bytes().first()?);
        let parent = fields.next()?.parse().ok()?;
        let flags = fields.nth(4)?.parse().ok()?;
        let start_time = fields.nth(12)?.parse().ok()?;
        let stack = fields.nth(5)?.parse().ok()?;
        let processor = fields.nth(10)?.parse().ok()?;
        let policy = fields.nth(1).and_then(|field| field.parse().ok()).unwrap_or(0);
        Some(Self { name, state, parent, flags, start_time, stack, processor, policy })
    }

    /// Whether others get their turn on its processor although it goes on: not with a
    /// real-time policy.
    #[must_use]
    pub(crate) fn shares_its_processor(&self) -> bool {
        const OTHER: u32 = 0;
        const BATCH: u32 = 3;
        const IDLE: u32 = 5;
        matches!(self.policy, OTHER | BATCH | IDLE)
    }

    /// Whether this is a thread of the kernel, which has no memory of its own.
    #[must_use]
    pub(crate) fn is_kernel_thread(&self) -> bool {
        self.flags & KERNEL_THREAD != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: &[u8] = b"S 77 4 5 0 -1 4194304 9 8 7 6 5 4 3 2 20 0 1 0 123456 1000 20 \
    18446744073709551615 1 1 140723456 0 0 0 0 0 0 0 0 0 17 3 0 0 0 0 0\n";

    fn line(name: &[u8]) -> Vec<u8> {
        [b"4242 (", name, b") ", REST].concat()
    }

    #[test]
    fn a_plain_line() {
        let stat = Stat::parse(&line(b"python3")).unwrap();
        assert_eq!(
            stat,
            Stat {
                name: "python3".into(),
                state: ThreadState::Sleeping,
                parent: 77,
                flags: 4_194_304,
                start_time: 123_456,
                stack: 140_723_456,
                processor: 3,
                policy: 0,
            }
        );
        assert!(!stat.is_kernel_thread());
        assert!(stat.shares_its_processor());
    }

    #[test]
    fn a_real_time_thread_shares_its_processor_with_nobody() {
        for (policy, shares) in [(0, true), (1, false), (2, false), (3, true), (6, false)] {
            let text = String::from_utf8(line(b"a")).unwrap();
            let text = text.replace(" 17 3 0 0 ", &format!(" 17 3 9 {policy} "));
            let stat = Stat::parse(text.as_bytes()).unwrap();
            assert_eq!((stat.policy, stat.shares_its_processor()), (policy, shares));
        }
    }

    #[test]
    fn names_may_look_like_fields() {
        let stat = Stat::parse(&line(b"a) R 1 (b")).unwrap();
        assert_eq!(stat.name, "a) R 1 (b");
        assert_eq!((stat.state, stat.parent), (ThreadState::Sleeping, 77));
    }

    #[test]
    fn kernel_threads_are_told_by_their_flag() {
        let line = b"2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 2 0 0 1 0 0 0 0 0 0 0 0 0 0 0 0 0 1";
        assert!(Stat::parse(line).unwrap().is_kernel_thread());
    }

    #[test]
    fn what_is_not_a_line_is_none() {
        for garbage in [
            &b""[..],
            b"1",
            b"1 (",
            b"1 )(",
            b"1 (a)",
            b"1 (a) S",
            b"1 (a) S x y",
            b"\xff(\xff)\xff",
        ] {
            assert_eq!(Stat::parse(garbage), None, "{garbage:?}");
        }
    }
}
