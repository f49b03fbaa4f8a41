//! x86-64 instructions that load from constant addresses
//! (Intel SDM volume 2; the psABI for the relaxed forms of GOT loads).

use super::Location;

/// The body, in any of these forms, each with or without a leading `endbr64`
/// and a stack frame (`push rbp; mov rbp,rsp … pop rbp`), and then `ret`:
///
/// * `mov rax,[rip+d]`: the variable itself;
/// * `mov rax,[rip+d]`, `mov rax,[rax]`, `[rax+d8]` or `[rax+d32]`: through a
///   slot of the global offset table;
/// * `lea rax,[rip+d]` or `mov rax,imm32`, then one of the same loads: the
///   struct's address is known (the linker has relaxed the load of the slot).
pub(super) fn loaded_word(code: &[u8], pc: u64) -> Option<Location> {
    let mut code = Code { bytes: code, pc };
    code.skip(ENDBR64);
    let framed = code.skip(&[0x55, 0x48, 0x89, 0xe5]); // push rbp; mov rbp,rsp
    let first = code.first_instruction()?;
    let second = code.load_from_rax();
    if framed {
        code.take(&[0x5d])?; // pop rbp
    }
    if !code.skip(&[0xc3]) {
        code.take(&[0xf3, 0xc3])?; // rep ret, once written for old AMD processors
    }
    match (first, second) {
        (First::Load(variable), None) => Some(Location::Variable(variable)),
        (First::Load(slot), Some(offset)) => Some(Location::ThroughSlot { slot, offset }),
        (First::Address(base), Some(offset)) => Some(Location::Variable(base.wrapping_add(offset))),
        (First::Address(_), None) => None,
    }
}

const ENDBR64: &[u8] = &[0xf3, 0x0f, 0x1e, 0xfa];

/// What the first instruction puts into `rax`.
enum First {
    /// The word at an address.
    Load(u64),
    /// An address.
    Address(u64),
}

/// Code that is read from its beginning; `pc` is the address of the first byte left.
struct Code<'a> {
    bytes: &'a [u8],
    pc: u64,
}

impl Code<'_> {
    fn take(&mut self, prefix: &[u8]) -> Option<()> {
        self.bytes = self.bytes.strip_prefix(prefix)?;
        self.pc = self.pc.wrapping_add(prefix.len() as u64);
        Some(())
    }

    fn skip(&mut self, prefix: &[u8]) -> bool {
        self.take(prefix).is_some()
    }

    /// A sign-extended 32-bit number.
    fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        self.pc = self.pc.wrapping_add(4);
        Some(i64::from(i32::from_le_bytes(*number)) as u64)
    }

    fn first_instruction(&mut self) -> Option<First> {
        if self.skip(&[0x48, 0x8b, 0x05]) {
            let distance = self.number()?; // mov rax,[rip+d]
            return Some(First::Load(self.pc.wrapping_add(distance)));
        }
        if self.skip(&[0x48, 0x8d, 0x05]) {
            let distance = self.number()?; // lea rax,[rip+d]
            return Some(First::Address(self.pc.wrapping_add(distance)));
        }
        if self.skip(&[0x48, 0x8b, 0x04, 0x25]) {
            return self.number().map(First::Load); // mov rax,[abs32]
        }
        self.take(&[0x48, 0xc7, 0xc0])?; // mov rax,imm32
        self.number().map(First::Address)
    }

    /// `mov rax,[rax+d]`: the offset.
    fn load_from_rax(&mut self) -> Option<u64> {
        if self.skip(&[0x48, 0x8b, 0x00]) {
            return Some(0);
        }
        if self.skip(&[0x48, 0x8b, 0x80]) {
            return self.number();
        }
        self.take(&[0x48, 0x8b, 0x40])?;
        let (offset, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        self.pc = self.pc.wrapping_add(1);
        Some(i64::from(*offset as i8) as u64)
    }
}

/// Every `lea r64,[rip+d]`, `mov r32,imm32` and `mov r64,imm32` that the bytes
/// may hold at any position: finding where instructions begin would take a
/// disassembler, and a wrong address does no harm.
pub(super) fn referenced_addresses(code: &[u8], pc: u64) -> Vec<u64> {
    (0..code.len())
        .filter_map(|at| address_at(code.get(at..)?, pc.wrapping_add(at as u64)))
        .collect()
}

fn address_at(code: &[u8], pc: u64) -> Option<u64> {
    let number = |at: usize| Some(i32::from_le_bytes(*code.get(at..)?.first_chunk()?));
    match *code {
        // REX.W, with any of the registers; mod 0, r/m 5 is relative to rip.
        [0x48 | 0x4c, 0x8d, registers, ..] if registers & 0xc7 == 0x05 => {
            Some(pc.wrapping_add(7).wrapping_add(i64::from(number(3)?) as u64))
        }
        [0x48 | 0x49, 0xc7, 0xc0..=0xc7, ..] => Some(i64::from(number(3)?) as u64),
        [0xb8..=0xbf, ..] => Some(u64::from(number(1)? as u32)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(code: &[u8]) -> Option<Location> {
        loaded_word(code, 0x1000)
    }

    #[test]
    fn the_variable_itself() {
        // 3.6.15: mov rax,[rip+0x1be179]; ret
        let code = [0x48, 0x8b, 0x05, 0x79, 0xe1, 0x1b, 0x00, 0xc3, 0x0f, 0x1f];
        assert_eq!(head(&code), Some(Location::Variable(0x1007 + 0x1b_e179)));
        let absolute = [0x48, 0x8b, 0x04, 0x25, 0x00, 0x10, 0x60, 0x00, 0xc3];
        assert_eq!(head(&absolute), Some(Location::Variable(0x60_1000)));
    }

    #[test]
    fn with_a_branch_target_marker() {
        // Debian's 3.13: endbr64; mov rax,[rip+d]; ret
        let code = [0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0x8b, 0x05, 0x6d, 0xe9, 0x32, 0x00, 0xc3];
        assert_eq!(head(&code), Some(Location::Variable(0x100b + 0x32_e96d)));
    }

    #[test]
    fn with_a_stack_frame() {
        // Debian's python2.7-dbg: push rbp; mov rbp,rsp; mov rax,[rip+d]; pop rbp; ret
        let code =
            [0x55, 0x48, 0x89, 0xe5, 0x48, 0x8b, 0x05, 0xd2, 0xb5, 0x27, 0x00, 0x5d, 0xc3, 0x55];
        assert_eq!(head(&code), Some(Location::Variable(0x100b + 0x27_b5d2)));
    }

    #[test]
    fn through_the_global_offset_table() {
        // 3.8 shared, 3.13 shared, and a struct whose first word is returned.
        let short = [0x48, 0x8b, 0x05, 0x91, 0x8a, 0x16, 0x00, 0x48, 0x8b, 0x40, 0x20, 0xc3];
        let slot = 0x1007 + 0x16_8a91;
        assert_eq!(head(&short), Some(Location::ThroughSlot { slot, offset: 0x20 }));
        let long = [
            0x48, 0x8b, 0x05, 0xb9, 0x71, 0x25, 0x00, 0x48, 0x8b, 0x80, 0x78, 0x02, 0x00, 0x00,
            0xc3,
        ];
        let slot = 0x1007 + 0x25_71b9;
        assert_eq!(head(&long), Some(Location::ThroughSlot { slot, offset: 0x278 }));
        let first = [0x48, 0x8b, 0x05, 0xf9, 0xff, 0xff, 0xff, 0x48, 0x8b, 0x00, 0xc3];
        assert_eq!(head(&first), Some(Location::ThroughSlot { slot: 0x1000, offset: 0 }));
    }

    #[test]
    fn with_the_slot_relaxed_away() {
        // Debian's libpython3.11-pic.a in a position-independent executable.
        let lea = [0x48, 0x8d, 0x05, 0xb9, 0xb3, 0x47, 0x00, 0x48, 0x8b, 0x40, 0x28, 0xc3];
        assert_eq!(head(&lea), Some(Location::Variable(0x1007 + 0x47_b3b9 + 0x28)));
        let immediate = [0x48, 0xc7, 0xc0, 0x00, 0x20, 0x70, 0x00, 0x48, 0x8b, 0x40, 0x18, 0xc3];
        assert_eq!(head(&immediate), Some(Location::Variable(0x70_2018)));
    }

    #[test]
    fn anything_else_is_unknown() {
        let plain = [0x48, 0x8b, 0x05, 0x79, 0xe1, 0x1b, 0x00, 0xc3];
        for length in 0..plain.len() {
            assert_eq!(head(&plain[..length]), None);
        }
        for code in [
            &[0x48, 0x8b, 0x05, 0, 0, 0, 0, 0x48, 0xff, 0xc0, 0xc3][..], // inc rax
            &[0x48, 0x8d, 0x05, 0, 0, 0, 0, 0xc3],                       // only an address
            &[0x55, 0x48, 0x89, 0xe5, 0x48, 0x8b, 0x05, 0, 0, 0, 0, 0xc3], // no pop
            &[0x48, 0x8b, 0x0d, 0, 0, 0, 0, 0xc3],                       // into rcx
            &[0xe9, 0, 0, 0, 0],
        ] {
            assert_eq!(head(code), None, "{code:x?}");
        }
    }

    #[test]
    fn addresses_are_found_at_any_position() {
        let code = [
            0x90, 0x48, 0x8d, 0x15, 0x10, 0, 0, 0, // nop; lea rdx,[rip+0x10]
            0x4c, 0x8d, 0x05, 0xf0, 0xff, 0xff, 0xff, // lea r8,[rip-0x10]
            0xbf, 0x78, 0x56, 0x34, 0x12, // mov edi,0x12345678
            0x49, 0xc7, 0xc0, 0x01, 0, 0, 0, // mov r8,1
            0x48, 0x8d, // cut off
        ];
        assert_eq!(referenced_addresses(&code, 0x1000), [0x1018, 0xfff, 0x1234_5678, 1]);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_upset_it(code in proptest::collection::vec(proptest::num::u8::ANY, 0..40), pc: u64) {
            let _ = loaded_word(&code, pc);
            let _ = referenced_addresses(&code, pc);
        }
    }
}
