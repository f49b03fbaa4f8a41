//! What is said where a command line cannot be followed, and of which commands and ABIs.

use crate::cpython::abi::AbiTag;

/// A command line that cannot be followed. The text is complete.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub(super) String);

/// What the commands are called, and do. A profiler knows no more of them, and stays small.
pub(super) const COMMANDS: [(&str, &str); 4] = [
    ("report", "Renders recordings in any other format"),
    ("diff", "Compares two profiles: what has become slower, and what faster"),
    ("top", "Shows live what a process does"),
    ("check", "Tells whether and how a process can be profiled; samples nothing"),
];

/// The ABIs as `-v` lists them.
pub(super) fn abi_list(abis: &[AbiTag]) -> String {
    let abis: Vec<String> = abis.iter().map(|version| version.abi()).collect();
    abis.join(" ")
}
