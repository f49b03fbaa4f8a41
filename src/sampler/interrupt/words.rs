//! Words that this program shares with the one in the kernel: an array map that is mapped into
//! memory, so that none is read or written by a system call.

#![allow(unsafe_code, reason = "the kernel reads and writes this memory: each word at once")]

use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicU64, Ordering};

use aya::maps::Map;
use memmap2::{MmapOptions, MmapRaw};

use super::KernelError;

/// The words of one map, from number 0 on.
pub(super) struct Words {
    memory: MmapRaw,
    /// The map, as long as its memory is there.
    _map: Map,
}

impl Words {
    /// Maps an array of `number` words that was made with `BPF_F_MMAPABLE`.
    ///
    /// # Errors
    /// If it is another map, or cannot be mapped.
    pub(super) fn of(map: Map, number: usize) -> Result<Self, KernelError> {
        let Map::Array(data) = &map else {
            return Err(KernelError::Program("a map is no array".into()));
        };
        let length = number * size_of::<u64>();
        let memory = MmapOptions::new().len(length).map_raw(data.fd().as_fd().as_raw_fd())?;
        Ok(Self { memory, _map: map })
    }

    /// The word of this number; 0 if there is none.
    pub(super) fn get(&self, number: usize) -> u64 {
        self.word(number).map_or(0, |word| word.load(Ordering::Acquire))
    }

    /// Changes the word of this number, if there is one.
    pub(super) fn set(&self, number: usize, value: u64) {
        if let Some(word) = self.word(number) {
            word.store(value, Ordering::Release);
        }
    }

    fn word(&self, number: usize) -> Option<&AtomicU64> {
        if number >= self.memory.len() / size_of::<u64>() {
            return None;
        }
        // SAFETY: the word is within the mapping, which is there as long as `self`, and begins
        // at a page, so it is aligned; this program and the kernel read and write it at once.
        Some(unsafe { AtomicU64::from_ptr(self.memory.as_mut_ptr().cast::<u64>().add(number)) })
    }
}
