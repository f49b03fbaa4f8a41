//! The program: options and command line, attach, one run, trees, the live view, reports.
//! Nothing imports it but the executables.

pub mod attach;
pub mod cli;
mod closing_words;
pub mod dump;
pub mod error;
mod exit;
mod find;
mod follow;
pub mod launch;
pub mod launcher;
pub mod options;
pub mod profiler;
pub mod programs;
pub mod progress;
pub mod report;
pub mod run;
pub mod session;
pub mod signals;
pub mod sinks;
pub mod sources;
pub mod thread_metadata;
pub mod top;
pub mod tree;
