//! What is looked into: a live process or a core file, and where in it the interpreter is.

pub(crate) mod core;
mod disasm;
pub(crate) mod elf;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod image;
mod interface;
pub(crate) mod live;
pub(crate) mod locate;
pub(crate) mod mapped;
pub(crate) mod registers;
#[cfg(test)]
pub(crate) mod simulated;
mod still;
pub(crate) mod unwind;

pub(crate) use interface::{Hold, Stop, Target, ThreadState};
#[cfg(test)]
pub(crate) use interface::{NativeThread, ThreadId};
