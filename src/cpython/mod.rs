//! What CPython's memory means: its layouts, and what is read by them. Knows no Linux and no
//! profiling; where the bytes come from is a parameter.

pub mod abi;
pub(crate) mod memory;
pub mod read;
