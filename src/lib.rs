//! A sampling profiler for CPython on Linux: one executable per Python ABI, one core.
//!
//! ARCHITECTURE.md follows one sample through these modules.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod abi;
pub mod account;
mod arch;
pub mod attach;
pub mod cli;
pub mod clock;
pub mod dump;
pub mod elf;
pub mod error;
mod escape;
pub mod filter;
mod follow;
pub mod labels;
pub mod launch;
pub mod launcher;
mod links;
pub mod locate;
pub mod memory;
mod nap;
pub mod output;
pub mod process;
pub mod profile;
pub mod programs;
pub mod progress;
mod promptness;
pub mod python;
pub mod recording;
pub mod report;
pub mod results;
pub mod run;
pub mod sampler;
pub mod session;
pub mod signals;
pub mod snapshot;
pub mod stack;
pub mod top;
pub mod tree;
