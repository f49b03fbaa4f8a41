//! What CPython's memory means: its layouts, and what is read by them. Knows no Linux and no
//! profiling; where the bytes come from is a parameter.

pub mod abi;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
pub(crate) mod memory;
pub mod read;
