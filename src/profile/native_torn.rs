//! Why a stack stands without native frames.

use super::stats::Key;

/// What kept the native frames of a stack from being told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NativeTorn {
    /// Registers or stack could not be had.
    Absent,
    /// The stack is deeper than was copied of it, or than is read of Python frames.
    Cut,
    /// Unwinding came to code of which nothing tells how to unwind it.
    Unknown,
    /// The frames of machine code and those of Python do not fit together.
    Mismatch,
}

impl NativeTorn {
    /// All of them, in the order in which [`Self::index`] counts.
    pub const ALL: [Self; 4] = [Self::Absent, Self::Cut, Self::Unknown, Self::Mismatch];

    /// Its place among all.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The row of the account that counts it.
    #[must_use]
    pub fn key(self) -> Key {
        match self {
            Self::Absent => Key::NativeAbsent,
            Self::Cut => Key::NativeCut,
            Self::Unknown => Key::NativeUnknown,
            Self::Mismatch => Key::NativeMismatch,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_place_and_its_row() {
        for (index, reason) in NativeTorn::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), index);
            let same = NativeTorn::ALL.iter().filter(|other| other.key() == reason.key());
            assert_eq!(same.count(), 1);
        }
    }
}
