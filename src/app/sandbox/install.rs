//! Two system calls that nix does not have.

#![allow(unsafe_code, reason = "nix has neither seccomp(2) nor getauxval(3)")]

use std::fs;

use nix::errno::Errno;
use nix::libc;
use seccompiler::BpfProgram;

/// Lets a filter decide about the system calls of all threads from now on. With `is_logged`,
/// what it refuses is told in the kernel's log. `no_new_privs` must have been set. The filter does
/// not slow this program down: nobody else's code runs in it, so it needs no guard against its own
/// speculation, which Linux up to 5.15 adds by default.
///
/// # Errors
/// That of the kernel.
pub(super) fn install(program: &BpfProgram, is_logged: bool) -> Result<(), Errno> {
    let log = if is_logged { libc::SECCOMP_FILTER_FLAG_LOG } else { 0 };
    let fast = libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    match install_with(program, libc::SECCOMP_FILTER_FLAG_TSYNC | fast | log) {
        // Before Linux 4.14 there was no such log, and before 4.17 no such guard.
        Err(Errno::EINVAL) => install_with(program, libc::SECCOMP_FILTER_FLAG_TSYNC),
        result => result,
    }
}

fn install_with(program: &BpfProgram, flags: libc::c_ulong) -> Result<(), Errno> {
    let length = libc::c_ushort::try_from(program.len()).map_err(|_| Errno::E2BIG)?;
    let filter = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut().cast() };
    let mode = libc::SECCOMP_SET_MODE_FILTER;
    // SAFETY: the kernel copies as many instructions as the length says, and there are so many;
    // it changes none of them (seccomp(2)). `sock_filter` is the same C struct in both crates.
    let answer = unsafe { libc::syscall(libc::SYS_seccomp, mode, flags, &raw const filter) };
    match Errno::result(answer)? {
        0 => Ok(()),
        // The thread that could not be made to follow: it has a filter of its own.
        _ => Err(Errno::ESRCH),
    }
}

/// Whether this kernel has filters that answer with an error.
///
/// # Errors
/// `ENOSYS` if it has not.
pub(super) fn is_known() -> Result<(), Errno> {
    let known = fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail").unwrap_or_default();
    if known.split_ascii_whitespace().any(|word| word == "errno") {
        return Ok(());
    }
    Err(Errno::ENOSYS)
}

/// Whether this program got rights from its file: `setcap`, or a set-uid bit (`AT_SECURE`,
/// getauxval(3)).
pub(super) fn has_rights_of_file() -> bool {
    // SAFETY: it reads what the kernel has told this program at its start.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}
