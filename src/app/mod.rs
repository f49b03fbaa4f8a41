//! The program: options and command line, attach, one run, trees, the live view, reports.
//! Nothing imports it but the executables.

pub(crate) mod attach;
pub(crate) mod check;
pub mod cli;
mod closing_words;
mod core;
mod diagnosis;
pub(crate) mod dump;
pub(crate) mod error;
mod exit;
mod find;
mod follow;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod interpreters;
pub(crate) mod launch;
pub mod launcher;
pub(crate) mod options;
mod private;
pub mod profiler;
pub(crate) mod programs;
pub(crate) mod progress;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod sandbox;
pub(crate) mod session;
pub(crate) mod signals;
pub(crate) mod sinks;
pub mod sources;
pub(crate) mod thread_metadata;
pub(crate) mod top;
pub(crate) mod tree;
