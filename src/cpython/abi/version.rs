//! Python versions as users write them: `3.6`, and `36` for `--abi`.

use std::fmt;

/// X.Y of a CPython.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// X.
    pub major: u8,
    /// Y.
    pub minor: u8,
}

/// Every version that has a `pyflameX.Y`, oldest first.
pub const SUPPORTED: [Version; 13] = [
    Version::new(2, 7),
    Version::new(3, 4),
    Version::new(3, 5),
    Version::new(3, 6),
    Version::new(3, 7),
    Version::new(3, 8),
    Version::new(3, 9),
    Version::new(3, 10),
    Version::new(3, 11),
    Version::new(3, 12),
    Version::new(3, 13),
    Version::new(3, 14),
    Version::new(3, 15),
];

impl Version {
    /// X.Y.
    #[must_use]
    pub const fn new(major: u8, minor: u8) -> Self {
        Self { major, minor }
    }

    /// The version that `--abi` names: `27`, `36`, `310`.
    #[must_use]
    pub fn from_abi(abi: u32) -> Option<Self> {
        SUPPORTED.into_iter().find(|version| version.abi() == abi)
    }

    /// The number for `--abi`: `27`, `36`, `310`.
    #[must_use]
    pub fn abi(self) -> u32 {
        let shift = if self.minor < 10 { 10 } else { 100 };
        u32::from(self.major) * shift + u32::from(self.minor)
    }

    /// Whether there is a `pyflameX.Y` for this version.
    #[must_use]
    pub fn is_supported(self) -> bool {
        SUPPORTED.contains(&self)
    }

    /// The name of the profiler for this version, and of its package.
    #[must_use]
    pub fn program(self) -> String {
        format!("pyflame{self}")
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abi_numbers_are_unambiguous() {
        for version in SUPPORTED {
            assert_eq!(Version::from_abi(version.abi()), Some(version));
        }
        assert_eq!(Version::new(3, 10).abi(), 310);
        assert_eq!(Version::from_abi(26), None);
        assert_eq!(Version::from_abi(0), None);
    }

    #[test]
    fn programs_are_named_after_versions() {
        assert_eq!(Version::new(3, 6).program(), "pyflame3.6");
    }
}
