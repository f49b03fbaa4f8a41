//! What is known of a thread's registers.

/// Registers of a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RegisterSet {
    /// Those for which `struct user_regs_struct` of this processor has a place, as words in its
    /// order (`arch/x86/include/asm/user_64.h`; `struct user_pt_regs` of
    /// `arch/arm64/include/uapi/asm/ptrace.h`). More may follow.
    All(Vec<u64>),
    /// Only where it is, and where its stack is.
    Pointers {
        /// The instruction pointer.
        ip: u64,
        /// The stack pointer.
        sp: u64,
    },
}
