//! What became of each process: nothing is silent.

use std::fmt;

/// Processes, counted by what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
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
}

impl Tally {
    /// Names and values, in the order to print them.
    pub fn rows(&self) -> Vec<(String, String)> {
        let rows = [
            ("processes sampled", self.sampled),
            ("processes not Python", self.not_python),
            ("processes too short to be sampled", self.too_short),
            ("processes left out, too many at once", self.left_out),
            ("processes that cannot be profiled", self.refused),
        ];
        rows.map(|(name, count)| (name.to_owned(), count.to_string())).to_vec()
    }
}

/// In a sentence: those that there are, except the sampled.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.not_python, "not Python"),
            (self.too_short, "ended before the first sample"),
            (self.left_out, "left out, because there were too many at once"),
            (self.refused, "not to be profiled"),
        ];
        let there = parts.iter().filter(|(count, _)| *count > 0);
        let words: Vec<String> = there.map(|(count, what)| format!("{count} {what}")).collect();
        f.write_str(if words.is_empty() { "there was none" } else { "" })?;
        f.write_str(&words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_names_what_there_was() {
        assert_eq!(Tally::default().to_string(), "there was none");
        let tally = Tally { not_python: 2, too_short: 1, ..Tally::default() };
        assert_eq!(tally.to_string(), "2 not Python, 1 ended before the first sample");
    }
}
