//! Releases of CPython, as text and as the number `PY_VERSION_HEX`.

use std::fmt;

/// How finished a release is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Level {
    /// `aN`: the layout may still change.
    Alpha,
    /// `bN`: the layout may still change.
    Beta,
    /// `rcN`.
    Candidate,
    /// A release.
    Final,
}

/// One release: X.Y.Z and how finished it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Release {
    /// X.
    pub major: u8,
    /// Y.
    pub minor: u8,
    /// Z.
    pub micro: u8,
    /// Alpha, beta, candidate or final.
    pub level: Level,
    /// The number after the level; 0 for a final release.
    pub serial: u8,
}

impl Release {
    /// Reads `PY_VERSION_HEX` (Include/patchlevel.h): one byte each for X, Y and
    /// Z, four bits for the level, four for the serial number.
    #[must_use]
    pub(crate) fn from_hex(hex: u64) -> Option<Self> {
        let [major, minor, micro, last] = u32::try_from(hex).ok()?.to_be_bytes();
        let level = match last >> 4 {
            0xa => Level::Alpha,
            0xb => Level::Beta,
            0xc => Level::Candidate,
            0xf => Level::Final,
            _ => return None,
        };
        let release = Self { major, minor, micro, level, serial: last & 0xf };
        let is_known = level != Level::Final || release.serial == 0;
        (is_known && release.is_plausible()).then_some(release)
    }

    /// Reads a version at the start of `text`, which a blank or NUL must end:
    /// `3.6.15`, `2.7.18+` (built from a checkout), `3.15.0rc1`. This is
    /// `PY_VERSION`, and with more behind the blank the answer of
    /// `Py_GetVersion` (Python/getversion.c).
    #[must_use]
    pub(crate) fn from_text(text: &[u8]) -> Option<Self> {
        let (major, rest) = number(text)?;
        let (minor, rest) = number(rest.strip_prefix(b".")?)?;
        let (micro, rest) = number(rest.strip_prefix(b".")?)?;
        let (level, serial, rest) = pre_release(rest)?;
        let rest = rest.strip_prefix(b"+").unwrap_or(rest);
        let release = Self { major, minor, micro, level, serial };
        (matches!(rest.first(), Some(0 | b' ')) && release.is_plausible()).then_some(release)
    }

    /// Whether there is, or may one day be, such a CPython.
    fn is_plausible(self) -> bool {
        matches!((self.major, self.minor), (2, 0..=7) | (3, 0..=99))
    }

    /// Whether it is a release, and not an alpha, beta or candidate.
    #[must_use]
    pub(crate) fn is_final(self) -> bool {
        self.level == Level::Final
    }

    /// Whether it is X.Y or later.
    #[must_use]
    pub(crate) fn is_at_least(self, major: u8, minor: u8) -> bool {
        (self.major, self.minor) >= (major, minor)
    }
}

/// At most three digits, of a number below 256.
fn number(text: &[u8]) -> Option<(u8, &[u8])> {
    let length = text.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(length)?;
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, rest))
}

fn pre_release(text: &[u8]) -> Option<(Level, u8, &[u8])> {
    let levels = [("a", Level::Alpha), ("b", Level::Beta), ("rc", Level::Candidate)];
    for (letters, level) in levels {
        if let Some(rest) = text.strip_prefix(letters.as_bytes()) {
            let (serial, rest) = number(rest)?;
            return Some((level, serial, rest));
        }
    }
    Some((Level::Final, 0, text))
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.micro)?;
        match self.level {
            Level::Alpha => write!(f, "a{}", self.serial),
            Level::Beta => write!(f, "b{}", self.serial),
            Level::Candidate => write!(f, "rc{}", self.serial),
            Level::Final => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(major: u8, minor: u8, micro: u8) -> Release {
        Release { major, minor, micro, level: Level::Final, serial: 0 }
    }

    #[test]
    fn texts() {
        for text in [&b"3.6.15\0"[..], b"3.6.15 (default, Nov 2022)", b"3.6.15+ (", b"3.6.15+\0"] {
            assert_eq!(Release::from_text(text), Some(release(3, 6, 15)));
        }
        let candidate = Release { level: Level::Candidate, serial: 2, ..release(3, 15, 0) };
        assert_eq!(Release::from_text(b"3.15.0rc2\0"), Some(candidate));
        assert_eq!(candidate.to_string(), "3.15.0rc2");
        assert_eq!(release(2, 7, 18).to_string(), "2.7.18");
    }

    #[test]
    fn what_is_no_version() {
        for text in [
            &b""[..],
            b"3",
            b"3.6",
            b"3.6.15",
            b"3.6.15x\0",
            b"3.6.1555\0",
            b"3.6.300\0",
            b"3..1\0",
            b"3.6.0rc\0",
            b"1.2.11\0",
            b"4.0.0\0",
            b"2.8.1\0",
            b"3.6.1.2\0",
            b" 3.6.1\0",
            b"v3.6.1\0",
        ] {
            assert_eq!(Release::from_text(text), None, "{text:?}");
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(Release::from_hex(0x030d_00f0), Some(release(3, 13, 0)));
        let alpha = Release { level: Level::Alpha, serial: 7, ..release(3, 14, 0) };
        assert_eq!(Release::from_hex(0x030e_00a7), Some(alpha));
        for wrong in [0, 1, 0x030d_0000, 0x04_0d00f0, 0x1_030d_00f0, 0x030d_00ff, u64::MAX] {
            assert_eq!(Release::from_hex(wrong), None, "{wrong:#x}");
        }
    }

    #[test]
    fn order() {
        let candidate = Release { level: Level::Candidate, serial: 3, ..release(3, 13, 0) };
        assert!(candidate < release(3, 13, 0));
        assert!(release(3, 9, 20).is_at_least(3, 9));
        assert!(!release(2, 7, 18).is_at_least(3, 0));
    }
}
