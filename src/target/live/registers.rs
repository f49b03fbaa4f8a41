//! The registers of a thread that is stopped, as words.

use nix::libc::user_regs_struct;

/// All of them in the order of the struct.
#[cfg(target_arch = "x86_64")]
pub(super) fn words(of: &user_regs_struct) -> Vec<u64> {
    vec![
        of.r15,
        of.r14,
        of.r13,
        of.r12,
        of.rbp,
        of.rbx,
        of.r11,
        of.r10,
        of.r9,
        of.r8,
        of.rax,
        of.rcx,
        of.rdx,
        of.rsi,
        of.rdi,
        of.orig_rax,
        of.rip,
        of.cs,
        of.eflags,
        of.rsp,
        of.ss,
    ]
}

/// All of them in the order of the struct.
#[cfg(target_arch = "aarch64")]
pub(super) fn words(of: &user_regs_struct) -> Vec<u64> {
    of.regs.iter().copied().chain([of.sp, of.pc, of.pstate]).collect()
}
