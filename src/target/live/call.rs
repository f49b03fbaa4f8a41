//! Where a thread is that waits in a system call: the only registers that are told without a stop;
//! and whether a stop would be felt.

use std::fs;

use nix::libc;

/// Instruction pointer and stack pointer of a thread that does not run. `None` if it runs, or the
/// kernel does not say.
pub(crate) fn pointers_in_call(pid: i32, tid: i32) -> Option<(u64, u64)> {
    parse(&call_of(pid, tid)?)
}

fn call_of(pid: i32, tid: i32) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/task/{tid}/syscall")).ok()
}

/// What `/proc/PID/task/TID/syscall` says (proc_pid_syscall(5)): the number of the call and its
/// arguments, or -1; then stack pointer and instruction pointer.
fn parse(text: &str) -> Option<(u64, u64)> {
    let mut words = text.split_ascii_whitespace().rev();
    let mut pointer = || u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
    let (ip, sp) = (pointer()?, pointer()?);
    Some((ip, sp))
}

/// System calls that go on as if nothing had been when their thread is stopped and let go
/// (signal(7), "Interruption of system calls and library functions by stop signals", and the
/// kernel's `ERESTART` codes). Others end, and say `EINTR`.
const GO_ON: [i64; 8] = [
    libc::SYS_clock_nanosleep,
    libc::SYS_flock,
    libc::SYS_futex,
    libc::SYS_nanosleep,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_wait4,
    libc::SYS_waitid,
];
#[cfg(target_arch = "x86_64")]
const GO_ON_TOO: [i64; 2] = [libc::SYS_poll, libc::SYS_select];
#[cfg(not(target_arch = "x86_64"))]
const GO_ON_TOO: [i64; 0] = [];

/// Those that do if their first argument is no socket: one that has a time limit ends.
const GO_ON_UNLESS_SOCKET: [i64; 4] =
    [libc::SYS_read, libc::SYS_readv, libc::SYS_write, libc::SYS_writev];

/// Whether a thread waits in a system call that does not notice if the thread is stopped for a
/// moment.
pub(super) fn may_be_stopped(pid: i32, tid: i32) -> bool {
    let text = call_of(pid, tid).unwrap_or_default();
    let mut words = text.split_ascii_whitespace();
    let number = words.next().and_then(|number| number.parse::<i64>().ok());
    let is = |calls: &[i64]| number.is_some_and(|number| calls.contains(&number));
    if is(&GO_ON_UNLESS_SOCKET) {
        let file = words.next().and_then(|file| file.strip_prefix("0x"));
        let file = file.and_then(|file| u64::from_str_radix(file, 16).ok());
        let link = file.map(|file| fs::read_link(format!("/proc/{pid}/fd/{file}")));
        return link.is_some_and(|link| {
            link.is_ok_and(|link| !link.to_string_lossy().starts_with("socket:"))
        });
    }
    is(&GO_ON) || is(&GO_ON_TOO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_stand_at_the_end() {
        let read = "0 0x3 0x7ffd 0x1000 0x0 0x0 0x0 0x7ffd10 0x7f1122\n";
        assert_eq!(parse(read), Some((0x7f_1122, 0x7ffd10)));
        assert_eq!(parse("-1 0x7ffd10 0x7f1122\n"), Some((0x7f_1122, 0x7ffd10)));
        for text in ["running\n", "", "-1 12 13", "0x1", "-1 0xfffffffffffffffff 0x1"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
