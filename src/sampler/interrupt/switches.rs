//! When one thread was given a processor and lost it, as the kernel notes that: read without
//! a system call, and without disturbing the processor on which the thread runs.

#![allow(unsafe_code, reason = "the kernel writes into this memory: each word is read at once")]

use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use memmap2::{MmapOptions, MmapRaw};
use nix::unistd::{SysconfVar, sysconf};

use crate::target::registers::{RegisterSet, places};

/// Where `struct perf_event_mmap_page` says how many bytes have been written in all
/// (`data_head`, include/uapi/linux/perf_event.h); the records follow the page.
const WRITTEN: usize = 1024;

/// A record (`PERF_RECORD_SWITCH`): a type of 32 bits, flags of 16, and a size of 16.
const RECORD: u64 = 8;
const SWITCH: u64 = 14;

/// `PERF_RECORD_MISC_SWITCH_OUT`: it lost its processor.
const OUT: u64 = 1 << 13;

/// A sample that the kernel took of it when it lost its processor (`PERF_RECORD_SAMPLE`): the
/// same head, then 2 if there are registers of 64 bits (`PERF_SAMPLE_REGS_ABI_64`), and these.
const SAMPLE: u64 = 9;
const OF_64_BITS: u64 = 2;

/// The registers that are in such samples, in this order, as bits (`enum perf_event_x86_regs` of
/// `arch/x86/include/uapi/asm/perf_regs.h`, `enum perf_event_arm_regs` of
/// `arch/arm64/include/uapi/asm/perf_regs.h`), and the place of each among the words of
/// [`RegisterSet::All`]: those that functions keep for their callers, and where it is.
#[cfg(not(target_arch = "aarch64"))]
const REGISTERS: [(u64, usize); 8] =
    [(1, 5), (6, 4), (7, 19), (8, 16), (20, 3), (21, 2), (22, 1), (23, 0)];
#[cfg(target_arch = "aarch64")]
const REGISTERS: [(u64, usize); 14] = [
    (19, 19),
    (20, 20),
    (21, 21),
    (22, 22),
    (23, 23),
    (24, 24),
    (25, 25),
    (26, 26),
    (27, 27),
    (28, 28),
    (29, 29),
    (30, 30),
    (31, 31),
    (32, 32),
];

/// What `perf_event_attr` asks for them by (`sample_regs_user`).
pub(super) fn registers_mask() -> u64 {
    REGISTERS.iter().map(|(bit, _)| 1 << bit).sum()
}

/// The last switches of one thread.
#[derive(Debug)]
pub(super) struct Switches {
    /// Memory of two pages.
    memory: MmapRaw,
    page: usize,
}

impl Switches {
    /// Those that an event notes from now on. `None` if the kernel does not show them.
    pub(super) fn of(event: &File) -> Option<Self> {
        let page = sysconf(SysconfVar::PAGE_SIZE).ok()??;
        let page = usize::try_from(page).ok().filter(|page| *page > WRITTEN)?;
        // Who cannot write gets the latest records, however many were not read.
        let memory = MmapOptions::new().len(2 * page).map_raw_read_only(event).ok()?;
        Some(Self { memory, page })
    }

    /// How many bytes of them there have been, and whether the last was that the thread was
    /// given a processor; `None` if there was none yet.
    ///
    /// If the number is the same later, the thread has not been switched: the kernel notes
    /// that it is given one before it executes anything, and that it lost it after that.
    pub(super) fn last(&self) -> (u64, Option<bool>) {
        // What was read of the thread before has been read before this.
        fence(Ordering::Acquire);
        let written = self.word(WRITTEN);
        let size = self.page as u64;
        let Some(at) = written.checked_sub(RECORD) else { return (0, None) };
        let record = self.word(self.page + (at % size / RECORD * RECORD) as usize);
        let (kind, flags) = (record & u64::from(u32::MAX), record >> 32 & 0xffff);
        // Nothing else is asked for; if it were there, the thread would count as running.
        (written, Some(kind != SWITCH || flags & OUT == 0))
    }

    /// The registers with which the thread lost its processor, if it has none now and they were
    /// sampled.
    pub(super) fn registers(&self) -> Option<RegisterSet> {
        let (written, runs) = self.last();
        let length = 2 + REGISTERS.len() as u64;
        let start = written.checked_sub(RECORD * (1 + length)).filter(|_| runs == Some(false))?;
        let size = self.page as u64;
        let word = |number: u64| {
            let at = start + number * RECORD;
            self.word(self.page + (at % size / RECORD * RECORD) as usize)
        };
        let (kind, bytes) = (word(0) & u64::from(u32::MAX), word(0) >> 48);
        if (kind, bytes, word(1)) != (SAMPLE, length * RECORD, OF_64_BITS) {
            return None;
        }
        let mut words = vec![0; places::COUNT];
        for (number, (_, place)) in (2..).zip(REGISTERS) {
            words[place] = word(number);
        }
        fence(Ordering::Acquire);
        (self.last().0 == written).then_some(RegisterSet::All(words))
    }

    /// The word at this place, a multiple of 8 below the size.
    fn word(&self, place: usize) -> u64 {
        assert!(place % 8 == 0 && place + 8 <= self.memory.len(), "{place}");
        // SAFETY: the word is within the mapping, which is there as long as `self`, and begins
        // at a page, so it is aligned; the kernel writes it at once, and this only loads it.
        unsafe {
            AtomicU64::from_ptr(self.memory.as_mut_ptr().add(place).cast()).load(Ordering::Acquire)
        }
    }
}
