//! What unwinding is given, and what it finds.

use std::ops::Range;
use std::sync::Arc;

/// What a thread's registers were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Registers {
    /// The instruction pointer.
    pub ip: u64,
    /// The stack pointer.
    pub sp: u64,
    /// The frame pointer: `rbp` of x86-64, `x29` of aarch64.
    pub bp: u64,
    /// The link register, `x30` of aarch64; not looked at elsewhere.
    pub lr: u64,
}

/// Part of a stack: from the stack pointer on, as much as was copied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StackCopy<'a> {
    /// The address of its first byte.
    pub start: u64,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// One call of native code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NativeFrame {
    /// Where it is: the instruction pointer; of a caller one byte less than the return address,
    /// so that it lies in the call.
    pub address: u64,
    /// The stack pointer in this frame: from here on, up to `end`, lies what it keeps on the
    /// stack.
    pub start: u64,
    /// The stack pointer of its caller after it has returned (the canonical frame address);
    /// `u64::MAX` if unwinding ended here.
    pub end: u64,
}

/// Why there are no more frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnwindEnd {
    /// This was the outermost frame.
    Root,
    /// More of the stack is needed than was copied: so many bytes from its start at least.
    Cut(u64),
    /// Nothing says how the caller is found: code without unwind information, tables that are
    /// damaged, or an address where no code is known to be.
    Unknown,
    /// There are more frames than are looked at.
    TooDeep,
    /// The caller's stack would not lie behind that of the frame it called.
    NoProgress,
}

/// A file with code, or other code that the kernel has mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ModuleId(pub(super) u32);

/// What is known of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Module {
    /// Its path as the process names it, or `[vdso]`.
    pub path: Arc<str>,
    /// The build id that the linker gave it, in hexadecimal digits.
    pub build_id: Option<String>,
    /// Where its code is mapped now; empty if it is not any more.
    pub ranges: Vec<Range<u64>>,
}

/// What the code at an address is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NativeName {
    /// The function: its symbol, demangled; else `0x1a2b`, the address as linked where it begins,
    /// or if that is not known, the address itself.
    pub function: Arc<str>,
    /// The path of the module; empty for code that is in none.
    pub module: Arc<str>,
    /// Where the function begins, or the part of it that was asked for; the address itself if
    /// that is not known.
    pub start: u64,
}
