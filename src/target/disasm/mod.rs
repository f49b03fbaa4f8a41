//! What depends on the processor: how code refers to data.
//!
//! Stripped builds do not name the variable that holds the first interpreter
//! state, and versions before 3.11 do not export their version as data. But the
//! functions that return them are exported, and a few known instructions say
//! where the data is. One short file for each processor, of pure functions over
//! bytes and the address they run at.

mod aarch64;
mod x86_64;

use goblin::elf::header::{ELFCLASS64, ELFDATA2LSB, EM_AARCH64, EM_X86_64};

/// Where a function finds the word that it returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Location {
    /// In the variable at this address.
    Variable(u64),
    /// In a struct: the word at `slot` holds the address of the struct (a slot
    /// of the global offset table), and the word that is returned lies `offset`
    /// bytes into it.
    ThroughSlot {
        /// Address of the word that holds the struct's address.
        slot: u64,
        /// Bytes from the start of the struct.
        offset: u64,
    },
}

/// A processor whose code can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arch {
    /// x86-64.
    X86_64,
    /// 64-bit Arm, little-endian.
    Aarch64,
}

impl Arch {
    /// The processor of an ELF file.
    #[must_use]
    pub(super) fn of_machine(machine: u16) -> Option<Self> {
        match machine {
            EM_X86_64 => Some(Self::X86_64),
            EM_AARCH64 => Some(Self::Aarch64),
            _ => None,
        }
    }

    /// Where a function that does nothing but load a word and return it finds
    /// that word: the body of `PyInterpreterState_Head`
    /// (Python/pystate.c of every version).
    ///
    /// `code` is the body, at address `pc`. `None` for any instruction that is
    /// not known: a wrong answer is worse than none.
    #[must_use]
    pub(super) fn loaded_word(self, code: &[u8], pc: u64) -> Option<Location> {
        match self {
            Self::X86_64 => x86_64::loaded_word(code, pc),
            Self::Aarch64 => aarch64::loaded_word(code, pc),
        }
    }

    /// The addresses that code makes out of constants, in order, without
    /// repetition: among them that of every string it mentions. Some may be
    /// wrong, because the code is not followed, so what they lead to must be
    /// recognised by itself.
    #[must_use]
    pub(super) fn referenced_addresses(self, code: &[u8], pc: u64) -> Vec<u64> {
        let mut addresses = match self {
            Self::X86_64 => x86_64::referenced_addresses(code, pc),
            Self::Aarch64 => aarch64::referenced_addresses(code, pc),
        };
        let mut seen = std::collections::HashSet::new();
        addresses.retain(|address| seen.insert(*address));
        addresses.truncate(MAX_ADDRESSES);
        addresses
    }
}

/// No more addresses than this are worth a look.
const MAX_ADDRESSES: usize = 32;

/// Whether a process that runs a file can be read by this build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compatibility {
    /// 64-bit, of the same processor family as this build.
    Native,
    /// A 32-bit file, x32 included.
    ThirtyTwoBit,
    /// 64-bit, but of another processor or byte order.
    Foreign,
}

/// Judges the class, byte order and machine of an ELF header.
#[must_use]
pub(super) fn compatibility(class: u8, data: u8, machine: u16) -> Compatibility {
    const NATIVE: u16 = if cfg!(target_arch = "aarch64") { EM_AARCH64 } else { EM_X86_64 };
    if class != ELFCLASS64 {
        Compatibility::ThirtyTwoBit
    } else if data == ELFDATA2LSB && machine == NATIVE {
        Compatibility::Native
    } else {
        Compatibility::Foreign
    }
}
