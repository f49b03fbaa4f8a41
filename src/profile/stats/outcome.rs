//! Whether a run has come to anything.

use std::fmt;

use super::key::Key;
use super::rows::Rows;

/// Whether a run has come to anything, and what became of its ticks if not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Stacks that were counted.
    pub samples: u64,
    /// Ticks at which there was no stack to be sampled: that is an answer too.
    pub idle: u64,
    /// Ticks whose stack could not be proven.
    pub torn: u64,
    /// Samples whose code objects had changed soon after.
    pub dropped: u64,
    /// Ticks at which the process could not be read.
    pub failed: u64,
}

impl Outcome {
    /// What the rows of an account say.
    #[must_use]
    pub fn of_rows(rows: &Rows) -> Self {
        Self {
            samples: rows.count(Key::Samples),
            idle: rows.count(Key::Idle),
            torn: rows.count(Key::Torn),
            dropped: rows.count(Key::Dropped),
            failed: rows.count(Key::Failed),
        }
    }

    /// Both together.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self {
            samples: self.samples + other.samples,
            idle: self.idle + other.idle,
            torn: self.torn + other.torn,
            dropped: self.dropped + other.dropped,
            failed: self.failed + other.failed,
        }
    }

    /// Whether stacks were looked for and nothing was found out.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.samples + self.idle == 0 && self.torn + self.dropped + self.failed > 0
    }
}

/// In words: what there was in the place of samples.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.torn, "torn"),
            (self.dropped, "dropped because their code had changed"),
            (self.failed, "failed because the process could not be read"),
        ];
        let there = parts.iter().filter(|(count, _)| *count > 0);
        let words: Vec<String> = there.map(|(count, what)| format!("{count} {what}")).collect();
        f.write_str(&words.join(", "))
    }
}
