//! What unwinding knows of aarch64 (AAPCS64, 6.4.6; DWARF for the Arm 64-bit Architecture).

use gimli::{AArch64, Register, Vendor};

/// Whose entries have meanings of their own.
pub(in crate::target::unwind) const VENDOR: Vendor = Vendor::AArch64;
/// The stack pointer.
pub(in crate::target::unwind) const SP: Register = AArch64::SP;
/// The frame pointer.
pub(in crate::target::unwind) const FP: Register = AArch64::X29;
/// The column of the return address: the link register.
pub(in crate::target::unwind) const IP: Register = AArch64::X30;
/// Whether the innermost function may have its return address in a register alone.
pub(in crate::target::unwind) const HAS_LINK_REGISTER: bool = true;

/// The plain address in a return address, without what pointer authentication put into the bits
/// that addresses of 48 bits do not use.
pub(in crate::target::unwind) fn plain(address: u64) -> u64 {
    address & ((1 << 48) - 1)
}

/// The most bytes before a return address that [`ends_in_call`] looks at.
pub(in crate::target::unwind) const LONGEST_CALL: usize = 4;

/// Whether code ends in a call instruction: `bl`, or `blr` with or without authentication.
pub(in crate::target::unwind) fn ends_in_call(code: &[u8]) -> bool {
    let last = code.last_chunk().map(|bytes| u32::from_le_bytes(*bytes));
    last.is_some_and(|word| {
        let is_direct = word & 0xfc00_0000 == 0x9400_0000;
        is_direct || word & 0xfeff_f000 == 0xd63f_0000
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_from_other_code() {
        let code = |word: u32| word.to_le_bytes();
        for call in [0x9400_0001, 0x97ff_ffff, 0xd63f_0100, 0xd63f_081f, 0xd73f_0a21] {
            assert!(ends_in_call(&code(call)), "{call:x}");
        }
        // ret, b, br, nop
        for other in [0xd65f_03c0, 0x1400_0001, 0xd61f_0100, 0xd503_201f] {
            assert!(!ends_in_call(&code(other)), "{other:x}");
        }
        assert!(!ends_in_call(&[0, 0x94]));
    }

    #[test]
    fn authentication_codes_are_left_off() {
        assert_eq!(plain(0x002a_ffff_8123_4560), 0xffff_8123_4560);
    }
}
