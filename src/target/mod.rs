//! What is looked into: a live process, its files, and where in it the interpreter is.

mod disasm;
pub(crate) mod elf;
pub(crate) mod live;
pub(crate) mod locate;
