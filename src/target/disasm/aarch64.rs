//! AArch64 instructions that load from constant addresses
//! (Arm Architecture Reference Manual, part C4 for the encodings).

use super::Location;

/// What a register holds, as far as constants tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Unknown,
    /// This number.
    Address(u64),
    /// The word at this address.
    WordAt(u64),
    /// The word at an offset from the address that the word at `slot` holds.
    Through {
        slot: u64,
        offset: u64,
    },
}

/// The state of the few instructions that are followed.
struct Registers([Value; 32]);

/// One instruction, as far as it matters here.
enum Step {
    /// It changes nothing that matters.
    Nothing,
    /// The function returns.
    Return,
    /// Not one that is understood.
    Stop,
}

/// A body is not longer than this: marker, frame, two or three instructions, return.
const LONGEST_BODY: usize = 12;

/// Follows the body to its return and tells what is in `x0` then. In practice
/// `adrp`, then `ldr` (the variable), or `adrp`, `add` or `ldr` (the global
/// offset table), and a second `ldr`, with `bti`, `paciasp` and a stack frame
/// around them or not, and `adr` or a literal `ldr` where the linker relaxed.
pub(super) fn loaded_word(code: &[u8], pc: u64) -> Option<Location> {
    let mut registers = Registers([Value::Unknown; 32]);
    for (instruction, pc) in instructions(code, pc).take(LONGEST_BODY) {
        match registers.step(instruction, pc) {
            Step::Nothing => {}
            Step::Return => return registers.returned(),
            Step::Stop => return None,
        }
    }
    None
}

/// No function is read further than this.
const LONGEST_FUNCTION: usize = 128;

/// Every address made by `adr`, or by `adrp` and `add`.
pub(super) fn referenced_addresses(code: &[u8], pc: u64) -> Vec<u64> {
    let mut registers = Registers([Value::Unknown; 32]);
    let mut addresses = Vec::new();
    for (instruction, pc) in instructions(code, pc).take(LONGEST_FUNCTION) {
        let made = is_adr(instruction) || is_add_immediate(instruction);
        registers.step(instruction, pc);
        if let (true, Value::Address(address)) = (made, registers.get(instruction)) {
            addresses.push(address);
        }
    }
    addresses
}

fn instructions(code: &[u8], pc: u64) -> impl Iterator<Item = (u32, u64)> {
    let words = code.chunks_exact(4).filter_map(|word| word.try_into().ok());
    words.map(u32::from_le_bytes).zip((0..).map(move |index: u64| pc.wrapping_add(index * 4)))
}

fn is_adr(instruction: u32) -> bool {
    instruction & 0x9f00_0000 == 0x1000_0000
}

/// `add xd,xn,#imm{,lsl #12}`.
fn is_add_immediate(instruction: u32) -> bool {
    instruction & 0xff80_0000 == 0x9100_0000
}

/// The `width` bits of `instruction` from bit `low` on.
fn bits(instruction: u32, low: u32, width: u32) -> u64 {
    u64::from(instruction >> low & ((1 << width) - 1))
}

/// The same, with the highest as sign.
fn signed_bits(instruction: u32, low: u32, width: u32) -> u64 {
    let unused = 64 - width;
    ((bits(instruction, low, width) << unused) as i64 >> unused) as u64
}

/// The 21-bit distance of `adr` and `adrp`.
fn adr_distance(instruction: u32) -> u64 {
    signed_bits(instruction, 5, 19) << 2 | bits(instruction, 29, 2)
}

impl Registers {
    /// The value of the destination register (the lowest five bits).
    fn get(&self, instruction: u32) -> Value {
        self.number(bits(instruction, 0, 5))
    }

    /// The value of the register that the instruction reads (bits 5 to 9).
    fn source(&self, instruction: u32) -> Value {
        self.number(bits(instruction, 5, 5))
    }

    fn number(&self, register: u64) -> Value {
        self.0.get(register as usize).copied().unwrap_or(Value::Unknown)
    }

    fn set(&mut self, instruction: u32, value: Value) -> Step {
        let register = bits(instruction, 0, 5) as usize;
        // 31 is the stack pointer or nothing, which no address comes from.
        if let Some(slot) = self.0.get_mut(register).filter(|_| register != 31) {
            *slot = value;
        }
        Step::Nothing
    }

    fn step(&mut self, instruction: u32, pc: u64) -> Step {
        match instruction {
            // ret, retaa, retab
            0xd65f_03c0 | 0xd65f_0bff | 0xd65f_0fff => Step::Return,
            // Hints: nop, bti, paciasp, autiasp, …
            _ if instruction & 0xffff_f01f == 0xd503_201f => Step::Nothing,
            // stp and ldp of x29,x30, with write-back
            _ if instruction & 0xfe00_7fff == 0xa800_7bfd => Step::Nothing,
            _ if is_adr(instruction) => {
                let address = pc.wrapping_add(adr_distance(instruction));
                self.set(instruction, Value::Address(address))
            }
            // adrp
            _ if instruction & 0x9f00_0000 == 0x9000_0000 => {
                let page = (pc & !0xfff).wrapping_add(adr_distance(instruction) << 12);
                self.set(instruction, Value::Address(page))
            }
            _ if is_add_immediate(instruction) => {
                let shift = if instruction & 1 << 22 == 0 { 0 } else { 12 };
                let value = self.source(instruction).plus(bits(instruction, 10, 12) << shift);
                self.set(instruction, value)
            }
            // ldr xt,[xn,#imm]
            _ if instruction & 0xffc0_0000 == 0xf940_0000 => {
                let value = self.source(instruction).word(bits(instruction, 10, 12) * 8);
                self.set(instruction, value)
            }
            // ldr xt,label
            _ if instruction & 0xff00_0000 == 0x5800_0000 => {
                let address = pc.wrapping_add(signed_bits(instruction, 5, 19) << 2);
                self.set(instruction, Value::WordAt(address))
            }
            _ => Step::Stop,
        }
    }

    fn returned(&self) -> Option<Location> {
        match self.number(0) {
            Value::WordAt(variable) => Some(Location::Variable(variable)),
            Value::Through { slot, offset } => Some(Location::ThroughSlot { slot, offset }),
            Value::Unknown | Value::Address(_) => None,
        }
    }
}

impl Value {
    fn plus(self, number: u64) -> Self {
        match self {
            Self::Address(address) => Self::Address(address.wrapping_add(number)),
            _ => Self::Unknown,
        }
    }

    /// The word that lies `offset` bytes from here.
    fn word(self, offset: u64) -> Self {
        match self {
            Self::Address(address) => Self::WordAt(address.wrapping_add(offset)),
            Self::WordAt(slot) => Self::Through { slot, offset },
            Self::Through { .. } | Self::Unknown => Self::Unknown,
        }
    }
}

#[cfg(test)]
#[path = "aarch64_tests.rs"]
mod tests;
