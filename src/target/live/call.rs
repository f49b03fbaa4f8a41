//! Where a thread is that waits in a system call: the only registers that are told without a stop.

use std::fs;

/// Instruction pointer and stack pointer of a thread that does not run. `None` if it runs, or the
/// kernel does not say.
pub(crate) fn pointers_in_call(pid: i32, tid: i32) -> Option<(u64, u64)> {
    parse(&fs::read_to_string(format!("/proc/{pid}/task/{tid}/syscall")).ok()?)
}

/// What `/proc/PID/task/TID/syscall` says (proc_pid_syscall(5)): the number of the call and its
/// arguments, or -1; then stack pointer and instruction pointer.
fn parse(text: &str) -> Option<(u64, u64)> {
    let mut words = text.split_ascii_whitespace().rev();
    let mut pointer = || u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
    let (ip, sp) = (pointer()?, pointer()?);
    Some((ip, sp))
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
