//! Builds of one version whose objects differ: free-threaded and trace-refs.

use super::release::Release;
use crate::cpython::memory::{Fault, Memory};

/// See the fields of the same names of [`super::Interpreter`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Variant {
    pub(super) free_threaded: bool,
    pub(super) trace_refs: bool,
}

/// Where in an object its type is, by the head of a type object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ObjectHead {
    /// `ob_type` is the second word.
    Plain,
    /// Two words more.
    Extended,
    /// `PyType_Type` is not its own type yet: not relocated.
    Unfinished,
}

/// Looks at `PyType_Type`, whose type is itself (Objects/typeobject.c of every
/// version), so that its head tells where `ob_type` is.
pub(super) fn object_head<M: Memory>(memory: &M, type_type: u64) -> Result<ObjectHead, Fault> {
    let type_at = |offset: u64| memory.read::<u64>(type_type.wrapping_add(offset));
    if type_at(8)? == type_type {
        return Ok(ObjectHead::Plain);
    }
    Ok(if type_at(24)? == type_type { ObjectHead::Extended } else { ObjectHead::Unfinished })
}

/// The first three words of `_PyRuntime` from 3.13 on: a cookie, the version
/// as `PY_VERSION_HEX`, and whether the build is free-threaded
/// (Include/internal/pycore_runtime.h, v3.13.0; pycore_debug_offsets.h, v3.14.0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DebugOffsets {
    pub(super) release: Release,
    pub(super) free_threaded: bool,
}

impl DebugOffsets {
    pub(super) fn read<M: Memory>(memory: &M, runtime: u64) -> Option<Self> {
        let mut head = [0; 24];
        memory.read_into(runtime, &mut head).ok()?;
        let rest = head.strip_prefix(b"xdebugpy")?;
        let (version, free_threaded) = rest.split_at_checked(8)?;
        Some(Self {
            release: Release::from_hex(u64::from_le_bytes(version.try_into().ok()?))?,
            free_threaded: free_threaded != [0; 8],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::release::Level;
    use super::*;
    use crate::cpython::memory::fake::FakeMemory;

    const TYPE: u64 = 0x5000;

    fn memory(words: [u64; 4]) -> FakeMemory {
        let mut memory = FakeMemory::new();
        for (address, word) in (TYPE..).step_by(8).zip(words) {
            memory.write_word(address, word);
        }
        memory
    }

    #[test]
    fn a_type_is_its_own_type() {
        let head = |words| object_head(&memory(words), TYPE);
        assert_eq!(head([1, TYPE, 0, 0]), Ok(ObjectHead::Plain));
        assert_eq!(head([0, 0, 1, TYPE]), Ok(ObjectHead::Extended));
        assert_eq!(head([1, 0, 0, 0]), Ok(ObjectHead::Unfinished));
        assert!(object_head(&FakeMemory::new(), TYPE).is_err());
    }

    #[test]
    fn debug_offsets_begin_with_a_cookie() {
        let mut memory = memory([0, 0x030e_01f0, 1, 0]);
        assert_eq!(DebugOffsets::read(&memory, TYPE), None);
        memory.write(TYPE, b"xdebugpy");
        let release = Release { major: 3, minor: 14, micro: 1, level: Level::Final, serial: 0 };
        assert_eq!(
            DebugOffsets::read(&memory, TYPE),
            Some(DebugOffsets { release, free_threaded: true })
        );
    }
}
