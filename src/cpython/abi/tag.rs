//! Which ABI it is, as users write it: `3.6`, `3.14t`, and `36`, `314t` for `--abi`.

use std::fmt;

/// An ABI of CPython: X.Y, and what a build has whose objects are laid out differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AbiTag {
    /// X.
    pub major: u8,
    /// Y.
    pub minor: u8,
    /// What is special about the build.
    pub flags: AbiFlags,
}

/// What changes the layout of a version's objects, with the letters of CPython's own
/// `sys.abiflags`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AbiFlags {
    /// `t`: free-threaded (`Py_GIL_DISABLED`), from 3.13 on.
    pub free_threaded: bool,
    /// `d`, where that changes the layout: each object is in a list (`Py_TRACE_REFS`). Debug
    /// builds do that up to 3.7, later ones only if they are configured so.
    pub trace_refs: bool,
}

impl AbiFlags {
    /// The letters, in CPython's order.
    #[must_use]
    pub fn letters(self) -> &'static str {
        match (self.free_threaded, self.trace_refs) {
            (false, false) => "",
            (true, false) => "t",
            (false, true) => "d",
            (true, true) => "td",
        }
    }
}

impl AbiTag {
    /// X.Y as it is mostly built.
    #[must_use]
    pub const fn new(major: u8, minor: u8) -> Self {
        Self { major, minor, flags: AbiFlags { free_threaded: false, trace_refs: false } }
    }

    /// The same version, built with these flags.
    #[must_use]
    pub const fn with(self, flags: AbiFlags) -> Self {
        Self { flags, ..self }
    }

    /// A free-threaded build of the same version.
    #[must_use]
    pub const fn free_threaded(self) -> Self {
        Self { flags: AbiFlags { free_threaded: true, ..self.flags }, ..self }
    }

    /// A build of the same version that traces references.
    #[must_use]
    pub const fn trace_refs(self) -> Self {
        Self { flags: AbiFlags { trace_refs: true, ..self.flags }, ..self }
    }

    /// What `--abi` calls it: `27`, `36`, `310`, `314t`.
    #[must_use]
    pub fn abi(self) -> String {
        format!("{}{}{}", self.major, self.minor, self.flags.letters())
    }

    /// The name of the profiler for it, and of its package.
    #[must_use]
    pub fn program(self) -> String {
        format!("pyflame{self}")
    }
}

impl fmt::Display for AbiTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}{}", self.major, self.minor, self.flags.letters())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_named_after_tags() {
        assert_eq!(AbiTag::new(3, 6).program(), "pyflame3.6");
        let free_threaded = AbiFlags { free_threaded: true, ..AbiFlags::default() };
        assert_eq!(AbiTag::new(3, 14).with(free_threaded).program(), "pyflame3.14t");
        assert_eq!(AbiTag::new(3, 14).with(free_threaded).abi(), "314t");
        let trace_refs = AbiFlags { trace_refs: true, ..AbiFlags::default() };
        assert_eq!(AbiTag::new(2, 7).with(trace_refs).to_string(), "2.7d");
    }

    #[test]
    fn a_build_of_other_flags_is_another_abi() {
        let flags = AbiFlags { free_threaded: true, trace_refs: true };
        assert_ne!(AbiTag::new(3, 14).with(flags), AbiTag::new(3, 14));
        assert_eq!(AbiTag::new(3, 14).with(flags).abi(), "314td");
        assert!(AbiTag::new(3, 9) < AbiTag::new(3, 10));
        assert!(AbiTag::new(3, 14) < AbiTag::new(3, 14).with(flags));
        assert!(AbiTag::new(3, 14).with(flags) < AbiTag::new(3, 15));
    }
}
