//! What unwinding knows of x86-64 (System V ABI, x86-64 supplement, 3.6.2).

use gimli::{Register, Vendor, X86_64};

/// Whose entries have meanings of their own.
pub(in crate::target::unwind) const VENDOR: Vendor = Vendor::Default;
/// The stack pointer.
pub(in crate::target::unwind) const SP: Register = X86_64::RSP;
/// The frame pointer.
pub(in crate::target::unwind) const FP: Register = X86_64::RBP;
/// The column of the return address. A frame's own value is its instruction pointer.
pub(in crate::target::unwind) const IP: Register = X86_64::RA;
/// Whether the innermost function may have its return address in a register alone.
pub(in crate::target::unwind) const HAS_LINK_REGISTER: bool = false;

/// The plain address in a return address.
pub(in crate::target::unwind) fn plain(address: u64) -> u64 {
    address
}

/// The most bytes before a return address that [`ends_in_call`] looks at.
pub(in crate::target::unwind) const LONGEST_CALL: usize = 7;

/// Whether code ends in a call instruction: `e8` with an offset, or `ff /2` with whatever operand
/// (Intel SDM, volume 2, CALL).
pub(in crate::target::unwind) fn ends_in_call(code: &[u8]) -> bool {
    let from_end = |length: usize| code.get(code.len().checked_sub(length)?..);
    let is_near = from_end(5).is_some_and(|bytes| bytes.first() == Some(&0xe8));
    is_near || (2..=LONGEST_CALL).any(|length| from_end(length).is_some_and(is_indirect_call))
}

/// Whether bytes are one indirect call, from the first to the last.
fn is_indirect_call(bytes: &[u8]) -> bool {
    let [0xff, operand, rest @ ..] = bytes else { return false };
    if (operand >> 3) & 7 != 2 {
        return false;
    }
    let (mode, base) = (operand >> 6, operand & 7);
    let has_index = mode != 3 && base == 4;
    let index_base = rest.first().map(|index| index & 7);
    let displacement = match (mode, base) {
        (0, 5) | (2, _) => 4,
        (0, 4) if index_base == Some(5) => 4,
        (1, _) => 1,
        _ => 0,
    };
    rest.len() == displacement + usize::from(has_index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_from_other_code() {
        let calls: [&[u8]; 8] = [
            &[0x90, 0xe8, 1, 2, 3, 4],             // call rel32
            &[0xff, 0xd0],                         // call rax
            &[0x41, 0xff, 0xd4],                   // call r12
            &[0xff, 0x10],                         // call [rax]
            &[0xff, 0x50, 0x30],                   // call [rax+0x30]
            &[0xff, 0x15, 1, 2, 3, 4],             // call [rip+…]
            &[0xff, 0x94, 0x24, 0x80, 0, 0, 0],    // call [rsp+0x80]
            &[0xff, 0x14, 0xc5, 0x10, 0x20, 0, 0], // call [rax*8+…]
        ];
        for call in calls {
            assert!(ends_in_call(call), "{call:x?}");
        }
        let others: [&[u8]; 7] = [
            &[],
            &[0xe8],
            &[0xe9, 1, 2, 3, 4],       // jmp
            &[0xff, 0xe0],             // jmp rax
            &[0xff, 0x50],             // cut off
            &[0xff, 0xd0, 0x90],       // a call before a nop
            &[0x48, 0x89, 0xe5, 0x5d], // mov rbp, rsp; pop rbp
        ];
        for other in others {
            assert!(!ends_in_call(other), "{other:x?}");
        }
    }
}
