//! The end of a stop, which nix cannot make with every signal.

#![allow(unsafe_code, reason = "nix's Signal has no real-time signals; see detach_with")]

use nix::errno::Errno;
use nix::libc;
use nix::unistd::Pid;

/// Lets a stopped tracee go and gives it the signal that it was stopped for
/// (0: none), which may be a real-time signal. glibc itself uses two of those
/// (for `setuid` and `pthread_cancel`), and a program that misses one hangs.
pub(super) fn detach_with(tid: Pid, signal: i32) -> Result<(), Errno> {
    let data = signal as usize as *mut libc::c_void;
    // SAFETY: PTRACE_DETACH takes no pointers: the address is ignored, and the
    // data is a signal number in the place of a pointer, which the kernel never
    // dereferences (ptrace(2)). A wrong number or a wrong tid is an error code.
    let answer = unsafe {
        libc::ptrace(libc::PTRACE_DETACH, tid.as_raw(), std::ptr::null_mut::<libc::c_void>(), data)
    };
    Errno::result(answer).map(drop)
}
