//! What became of each process: nothing is silent.

use std::collections::BTreeMap;
use std::fmt;

use crate::profile::stats::Key;
use crate::target::live::Denial;

/// Processes, counted by what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TreeStats {
    /// Sampled at least once.
    pub sampled: u64,
    /// Did not run Python.
    pub not_python: u64,
    /// Ended before the first sample.
    pub too_short: u64,
    /// Ended, or the run did, while too many others were sampled or began.
    pub left_out: u64,
    /// Could not be profiled; the messages said why.
    pub refused: u64,
    /// Could not be read, and why.
    pub denied: Denials,
}

/// Processes that the kernel does not let us read, counted by the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Denials(BTreeMap<&'static str, (Denial, u64)>);

impl Denials {
    /// Counts one more. Returns whether it is the first that is denied for this reason.
    pub(super) fn note(&mut self, denial: Denial) -> bool {
        let (_, count) = self.0.entry(denial.in_short()).or_insert((denial, 0));
        *count += 1;
        *count == 1
    }

    /// How many there are.
    pub(super) fn total(&self) -> u64 {
        self.0.values().map(|(_, count)| count).sum()
    }

    /// Of each reason that was met more than once: how often, and what to do.
    pub(super) fn summary(&self) -> Vec<String> {
        let often = self.0.iter().filter(|(_, (_, count))| *count > 1);
        let words = often.map(|(reason, (denial, count))| {
            format!("{count} processes could not be read: {reason}. {}", denial.remedy())
        });
        words.collect()
    }
}

impl TreeStats {
    /// Counts for the account.
    pub(super) fn rows(&self) -> impl Iterator<Item = (Key, u64)> {
        let rows = [
            (Key::ProcessesSampled, self.sampled),
            (Key::ProcessesNotPython, self.not_python),
            (Key::ProcessesTooShort, self.too_short),
            (Key::ProcessesLeftOut, self.left_out),
            (Key::ProcessesRefused, self.refused),
        ];
        let denied = self.denied.0.values().map(|(denial, count)| (key(*denial), *count));
        rows.into_iter().chain(denied)
    }
}

/// The row of the account that counts processes which are denied so.
fn key(denial: Denial) -> Key {
    match denial {
        Denial::OtherUser { .. } => Key::DeniedUser,
        Denial::OtherGroup { .. } => Key::DeniedGroup,
        Denial::NotDumpable => Key::DeniedDump,
        Denial::MoreCapabilities => Key::DeniedCapabilities,
        Denial::Hidden { .. } => Key::DeniedHidden,
        Denial::Yama { .. } => Key::DeniedYama,
        Denial::NoCapability => Key::DeniedCapability,
        Denial::Other => Key::DeniedUnknown,
    }
}

/// In a sentence: those that there are, except the sampled.
impl fmt::Display for TreeStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.not_python, "not Python"),
            (self.too_short, "ended before the first sample"),
            (self.left_out, "left out, because there were too many at once"),
            (self.refused, "not to be profiled"),
        ];
        let there = parts.iter().filter(|(count, _)| *count > 0);
        let mut words: Vec<String> = there.map(|(count, what)| format!("{count} {what}")).collect();
        let denied = self.denied.0.iter();
        words.extend(denied.map(|(reason, (_, count))| format!("{count} not readable ({reason})")));
        f.write_str(if words.is_empty() { "there was none" } else { "" })?;
        f.write_str(&words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_names_what_there_was() {
        assert_eq!(TreeStats::default().to_string(), "there was none");
        let stats = TreeStats { not_python: 2, too_short: 1, ..TreeStats::default() };
        assert_eq!(stats.to_string(), "2 not Python, 1 ended before the first sample");
    }

    #[test]
    fn each_reason_not_to_read_is_counted_by_itself() {
        let mut stats = TreeStats { sampled: 1, ..TreeStats::default() };
        let mut note = |denial| stats.denied.note(denial);
        assert!(note(Denial::OtherUser { owner: Some(5) }));
        assert!(!note(Denial::OtherUser { owner: Some(6) }));
        assert!(note(Denial::NotDumpable));
        assert_eq!(stats.denied.total(), 3);
        let text = "1 not readable (not dumpable), 2 not readable (of another user)";
        assert_eq!(stats.to_string(), text);
        let row = |key| stats.rows().find(|row| row.0 == key).map(|row| row.1);
        assert_eq!(row(Key::ProcessesSampled), Some(1));
        assert_eq!(row(Key::DeniedUser), Some(2));
        assert_eq!(row(Key::DeniedDump), Some(1));
        let summary = stats.denied.summary();
        let words = "2 processes could not be read: of another user. Run as that user, or as root";
        assert!(summary.len() == 1 && summary[0].starts_with(words), "{summary:?}");
    }
}
