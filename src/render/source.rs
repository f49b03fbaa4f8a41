//! The source of a program, as far as a report may show it.

use std::time::SystemTime;

/// The text of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceText {
    /// What is in it; bytes that are not UTF-8 are shown as such.
    pub text: String,
    /// When it was last written.
    pub modified: SystemTime,
}

/// Where the sources of a process are.
pub trait Sources {
    /// When the process was started, if it is still there.
    fn started(&self) -> Option<SystemTime>;

    /// The text of the file that the process calls `name`. `None` if there is none, it is
    /// not Python source, or the process could not read it.
    fn read(&self, name: &str) -> Option<SourceText>;
}

/// The sources of a process, by its id and command line.
pub type SourcesOf = fn(pid: i32, command: &str) -> Box<dyn Sources>;
