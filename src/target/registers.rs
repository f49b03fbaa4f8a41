//! What is known of a thread's registers.

/// How many words there are of them, and where some are.
#[cfg(target_arch = "aarch64")]
pub(crate) mod places {
    pub(crate) const COUNT: usize = 34;
    pub(crate) const IP: usize = 32;
    pub(crate) const SP: usize = 31;
    pub(crate) const BP: usize = 29;
    pub(crate) const LR: usize = 30;
}
/// How many words there are of them, and where some are.
#[cfg(not(target_arch = "aarch64"))]
pub(crate) mod places {
    pub(crate) const COUNT: usize = 21;
    pub(crate) const IP: usize = 16;
    pub(crate) const SP: usize = 19;
    pub(crate) const BP: usize = 4;
    /// There is none: any word.
    pub(crate) const LR: usize = 0;
}

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
