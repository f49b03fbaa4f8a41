//! When one thread was given a processor and lost it, as the kernel notes that: read without
//! a system call, and without disturbing the processor on which the thread runs.

#![allow(unsafe_code, reason = "the kernel writes into this memory: each word is read at once")]

use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use memmap2::{MmapOptions, MmapRaw};
use nix::unistd::{SysconfVar, sysconf};

/// Where `struct perf_event_mmap_page` says how many bytes have been written in all
/// (`data_head`, include/uapi/linux/perf_event.h); the records follow the page.
const WRITTEN: usize = 1024;

/// A record (`PERF_RECORD_SWITCH`): a type of 32 bits, flags of 16, and a size of 16.
const RECORD: u64 = 8;
const SWITCH: u64 = 14;

/// `PERF_RECORD_MISC_SWITCH_OUT`: it lost its processor.
const OUT: u64 = 1 << 13;

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
