//! What is looked into: a live process, its files, and where in it the interpreter is.

mod disasm;
pub(crate) mod elf;
mod interface;
pub(crate) mod live;
pub(crate) mod locate;
pub(crate) mod mapped;
#[cfg(test)]
pub(crate) mod simulated;
#[cfg(test)]
mod still;

pub(crate) use interface::{Hold, Stop, Target, ThreadState};
#[cfg(test)]
pub(crate) use interface::{NativeThread, ThreadId};
