//! What is looked into: a live process, its files, and where in it the interpreter is.

mod disasm;
pub mod elf;
pub mod live;
pub mod locate;
