//! Why a tick came to no stack.

use super::stats::Key;

/// What kept a stack from being told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TornReason {
    /// Something that the walk needed had not been fetched.
    NotFetched,
    /// What was copied is of more than one moment.
    Moved,
    /// A call, or what the stack begins with, was never seen while the thread stood still.
    UnknownCall,
    /// A frame was being linked or unlinked.
    Linking,
    /// A code object changed before it had been compared.
    Code,
    /// The thread ran before it had been read.
    Disturbed,
    /// What was called at that moment was over, and was not met again.
    Over,
}

impl TornReason {
    /// All of them, in the order in which [`Self::index`] counts.
    pub const ALL: [Self; 7] = [
        Self::NotFetched,
        Self::Moved,
        Self::UnknownCall,
        Self::Linking,
        Self::Code,
        Self::Disturbed,
        Self::Over,
    ];

    /// Its place among all.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The row of the account that counts it.
    #[must_use]
    pub fn key(self) -> Key {
        match self {
            Self::NotFetched => Key::TornNotFetched,
            Self::Moved => Key::TornMoved,
            Self::UnknownCall => Key::TornUnknownCall,
            Self::Linking => Key::TornLinking,
            Self::Code => Key::TornCode,
            Self::Disturbed => Key::TornDisturbed,
            Self::Over => Key::TornOver,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_place_and_its_row() {
        let mut keys = Vec::new();
        for (index, reason) in TornReason::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), index);
            assert!(!keys.contains(&reason.key()));
            keys.push(reason.key());
        }
    }
}
