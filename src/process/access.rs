//! Whether the kernel lets us read a process, and if not, why.

use std::fs::{self, File};
use std::io;

use super::error::Denial;

/// What decides about access, of us and of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Situation {
    our_user: Option<u32>,
    its_user: Option<u32>,
    may_trace_all: bool,
    yama_scope: u8,
}

/// Asks the kernel, without touching the process.
///
/// Opening `/proc/PID/mem` for reading makes the same check as
/// `process_vm_readv` and `PTRACE_SEIZE` (`PTRACE_MODE_ATTACH`; the other files
/// below `/proc/PID` only ask for `PTRACE_MODE_READ`, which Yama does not see).
pub(super) fn check(pid: i32) -> io::Result<()> {
    File::open(format!("/proc/{pid}/mem")).map(drop)
}

/// Whether an error is about permission.
pub(super) fn is_denial(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

/// Finds the most likely reason of a refusal.
pub(super) fn reason(pid: i32) -> Denial {
    let status =
        |whose: &str| fs::read_to_string(format!("/proc/{whose}/status")).unwrap_or_default();
    let (ours, its) = (status("self"), status(&pid.to_string()));
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    judge(Situation {
        our_user: effective_user(&ours),
        its_user: effective_user(&its),
        may_trace_all: has_trace_capability(&ours),
        yama_scope: scope.trim().parse().unwrap_or(0),
    })
}

fn judge(situation: Situation) -> Denial {
    if situation.yama_scope == 3 {
        return Denial::Yama { scope: 3 };
    }
    if situation.may_trace_all {
        return Denial::Other;
    }
    if situation.our_user == Some(0) {
        return Denial::NoCapability;
    }
    if situation.its_user != situation.our_user {
        return Denial::OtherUser { owner: situation.its_user };
    }
    match situation.yama_scope {
        0 => Denial::Protected,
        scope => Denial::Yama { scope },
    }
}

fn line<'a>(status: &'a str, label: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(label))
}

/// The second of the four numbers: real, effective, saved, file system.
fn effective_user(status: &str) -> Option<u32> {
    line(status, "Uid:")?.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn has_trace_capability(status: &str) -> bool {
    /// `CAP_SYS_PTRACE` of `include/uapi/linux/capability.h`.
    const TRACE: u32 = 19;
    let set = line(status, "CapEff:").and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    set.is_some_and(|set| set >> TRACE & 1 == 1)
}

/// The process that traces `pid`, by its line in `/proc/PID/status`.
pub(super) fn tracer(pid: i32) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    line(&status, "TracerPid:")?.trim().parse().ok().filter(|tracer| *tracer != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: Situation = Situation {
        our_user: Some(1000),
        its_user: Some(1000),
        may_trace_all: false,
        yama_scope: 0,
    };

    #[test]
    fn the_reason_that_can_be_acted_on_is_named() {
        let cases = [
            (Situation { yama_scope: 1, ..USER }, Denial::Yama { scope: 1 }),
            (Situation { yama_scope: 3, may_trace_all: true, ..USER }, Denial::Yama { scope: 3 }),
            (
                Situation { its_user: Some(0), yama_scope: 1, ..USER },
                Denial::OtherUser { owner: Some(0) },
            ),
            (Situation { its_user: None, ..USER }, Denial::OtherUser { owner: None }),
            (USER, Denial::Protected),
            (Situation { our_user: Some(0), ..USER }, Denial::NoCapability),
            (Situation { may_trace_all: true, ..USER }, Denial::Other),
        ];
        for (situation, reason) in cases {
            assert_eq!(judge(situation), reason, "{situation:?}");
        }
    }

    #[test]
    fn status_lines_are_found() {
        let status = "Name:\tUid:\nUid:\t1\t2\t3\t4\nCapEff:\t0000000000080000\n";
        assert_eq!(effective_user(status), Some(2));
        assert!(has_trace_capability(status));
        assert!(!has_trace_capability("CapEff:\t000001fffff7ffff\n"));
        assert_eq!(effective_user(""), None);
    }

    #[test]
    fn this_process_may_read_itself() {
        check(std::process::id() as i32).unwrap();
    }
}
