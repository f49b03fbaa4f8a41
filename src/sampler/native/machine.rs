//! Registers and stack of a thread, as they were copied at one moment.

use crate::target::registers::{RegisterSet, places};
use crate::target::unwind::{Registers, StackCopy};

/// Bytes of a stack that are copied at once.
pub(super) const PAGE: u64 = 4096;

const WORD: usize = 8;

/// Registers and stack of a thread.
#[derive(Clone, Debug, Default)]
pub(crate) struct Machine {
    /// In the kernel's order; empty if they are not known.
    registers: Vec<u64>,
    /// Where `stack` begins.
    start: u64,
    stack: Vec<u8>,
}

impl Machine {
    /// Forgets all but the room for it.
    pub(crate) fn clear(&mut self) {
        self.registers.clear();
        self.stack.clear();
        self.start = 0;
    }

    /// Takes what is known of the registers.
    pub(crate) fn set(&mut self, registers: &RegisterSet) {
        match registers {
            RegisterSet::All(words) if words.len() >= places::COUNT => {
                self.registers.clear();
                self.registers.extend(words.iter().take(places::COUNT));
            }
            RegisterSet::All(_) => self.registers.clear(),
            RegisterSet::Pointers { ip, sp } => self.set_pointers(*ip, *sp),
        }
    }

    /// Takes the registers as the kernel has them.
    pub(crate) fn set_registers(&mut self, bytes: &[u8]) {
        self.registers.clear();
        if bytes.len() >= places::COUNT * WORD {
            let words = bytes.chunks_exact(WORD).take(places::COUNT);
            self.registers.extend(words.map(word_of));
        }
    }

    /// Takes the only registers that the kernel tells of a thread that it has not stopped. Where
    /// unwinding needs another one, it ends.
    pub(super) fn set_pointers(&mut self, ip: u64, sp: u64) {
        self.registers.clear();
        self.registers.resize(places::COUNT, 0);
        self.registers[places::IP] = ip;
        self.registers[places::SP] = sp;
    }

    /// Adds what lies at `address`, if that is where the stack went on.
    pub(crate) fn add_stack(&mut self, address: u64, bytes: &[u8]) {
        if self.stack.is_empty() {
            self.start = address;
        }
        if address.wrapping_sub(self.start) == self.stack.len() as u64 {
            self.stack.extend_from_slice(bytes);
        }
    }

    /// The stack pointer, if it is known.
    pub(crate) fn stack_pointer(&self) -> Option<u64> {
        self.registers.get(places::SP).copied()
    }

    /// The registers by which a thread is unwound, if they are known.
    pub(super) fn registers(&self) -> Option<Registers> {
        let at = |place: usize| self.registers.get(place).copied();
        let lr = if cfg!(target_arch = "aarch64") { at(places::LR)? } else { 0 };
        let [ip, sp, bp] = [at(places::IP)?, at(places::SP)?, at(places::BP)?];
        Some(Registers { ip, sp, bp, lr })
    }

    /// The stack from the stack pointer on; `None` if nothing of it was copied.
    pub(super) fn stack(&self) -> Option<StackCopy<'_>> {
        let start = self.stack_pointer()?;
        let from = usize::try_from(start.checked_sub(self.start)?).ok()?;
        let bytes = self.stack.get(from..).filter(|bytes| !bytes.is_empty())?;
        Some(StackCopy { start, bytes })
    }

    /// The word at `address` of the stack.
    pub(super) fn word(&self, address: u64) -> Option<u64> {
        let from = usize::try_from(address.checked_sub(self.start)?).ok()?;
        self.stack.get(from..from.checked_add(WORD)?).map(word_of)
    }

    /// Whether one of the registers has this value.
    pub(super) fn has_in_register(&self, value: u64) -> bool {
        self.registers.contains(&value)
    }

    /// Whether one of the words of the stack from `start` to `end` has this value.
    pub(super) fn has_between(&self, start: u64, end: u64, value: u64) -> bool {
        let at = |address: u64| {
            usize::try_from(address.saturating_sub(self.start)).unwrap_or(usize::MAX)
        };
        let end = at(end).min(self.stack.len());
        let first = start.checked_next_multiple_of(WORD as u64).unwrap_or(u64::MAX);
        let part = self.stack.get(at(first)..end);
        part.is_some_and(|part| part.chunks_exact(WORD).any(|bytes| word_of(bytes) == value))
    }
}

fn word_of(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        let mut machine = Machine::default();
        let registers: Vec<u8> = (0..places::COUNT as u64).flat_map(u64::to_ne_bytes).collect();
        machine.set_registers(&registers);
        machine.registers[places::SP] = 0x1010;
        let words: Vec<u8> = (100..110_u64).flat_map(u64::to_ne_bytes).collect();
        machine.add_stack(0x1000, &words);
        machine
    }

    #[test]
    fn a_stack_begins_at_its_pointer() {
        let mut machine = machine();
        let stack = machine.stack().expect("a stack");
        assert_eq!((stack.start, stack.bytes.len()), (0x1010, 64));
        machine.add_stack(0x1050, &111_u64.to_ne_bytes());
        machine.add_stack(0x2000, &112_u64.to_ne_bytes());
        assert_eq!((machine.word(0x1050), machine.word(0x1058)), (Some(111), None));
        assert_eq!(machine.word(0xfff), None);
        assert_eq!(machine.word(u64::MAX), None);
        machine.registers[places::SP] = 0x1058;
        assert!(machine.stack().is_none());
        machine.registers[places::SP] = 0xff8;
        assert!(machine.stack().is_none());
    }

    #[test]
    fn a_value_is_looked_for_in_part_of_the_stack() {
        let machine = machine();
        assert!(machine.has_between(0x1000, 0x1008, 100));
        assert!(!machine.has_between(0x1008, 0x1050, 100));
        assert!(machine.has_between(0x1001, u64::MAX, 101));
        assert!(!machine.has_between(0x2000, 0x3000, 100));
        assert!(!machine.has_between(u64::MAX, 0, 100));
        assert!(machine.has_in_register(2) && !machine.has_in_register(1000));
    }

    #[test]
    fn registers_are_all_or_none() {
        let mut machine = machine();
        machine.set_registers(&[0; 40]);
        assert!(machine.registers().is_none() && machine.stack().is_none());
        machine.set_pointers(5, 0x1000);
        let found = machine.registers().expect("registers");
        assert_eq!((found.ip, found.sp, found.bp), (5, 0x1000, 0));
    }
}
