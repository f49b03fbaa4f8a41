//! Whole pages, read when the first byte of one is asked for.
//!
//! Frames lie side by side. A walk that finds nothing fetched would make a system call for
//! each of thousands of them; a page costs little more than the bytes that are needed of it.

use std::cell::RefCell;
use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use crate::cpython::memory::{Fault, Memory, Span};

/// Bytes of a page. No read goes beyond one, so that none fails for the memory behind it.
const PAGE: u64 = 4096;

/// The most pages that are kept.
const MAX_PAGES: usize = 16 * 1024;

/// The most pages that are read before they are asked for.
const MOST_AHEAD: usize = 16;

/// Pages of one process, as they were when they were read.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    /// By its address, where in `bytes` each is, and whether it has been asked for.
    offsets: HashMap<u64, (usize, bool), FxBuildHasher>,
    bytes: Vec<u8>,
}

impl Pages {
    /// Forgets all pages.
    pub(super) fn clear(&mut self) {
        self.offsets.clear();
        self.bytes.clear();
    }

    /// Reads the pages that have been asked for once more, in one call, and forgets the others.
    fn read_again<M: Memory>(&mut self, memory: &M) {
        let asked = self.offsets.iter().filter(|(_, (_, is_asked))| *is_asked);
        let mut asked: Vec<u64> = asked.map(|(page, _)| *page).take(MOST_AHEAD + 1).collect();
        self.clear();
        if asked.is_empty() || asked.len() > MOST_AHEAD {
            return;
        }
        asked.sort_unstable();
        let length = PAGE as usize;
        let span = |page: &u64| Span { address: *page, length };
        let spans: Vec<Span> = asked.iter().map(span).collect();
        self.bytes.resize(asked.len() * length, 0);
        // Up to one that is not there any more.
        let read = memory.read_spans(&spans, &mut self.bytes).unwrap_or(0) / length;
        self.bytes.truncate(read * length);
        let places = asked.into_iter().take(read).enumerate();
        self.offsets.extend(places.map(|(place, page)| (page, (place * length, false))));
    }

    /// Fills `buffer` with the bytes at `address`, from a page that was read before if there
    /// is one.
    ///
    /// # Errors
    /// If they cannot be read.
    pub(super) fn read_into<M: Memory>(
        &mut self,
        memory: &M,
        address: u64,
        buffer: &mut [u8],
    ) -> Result<(), Fault> {
        let inside = (address % PAGE) as usize;
        if inside + buffer.len() > PAGE as usize {
            return memory.read_into(address, buffer);
        }
        let Some(offset) = self.offset_of(memory, address - address % PAGE) else {
            return memory.read_into(address, buffer);
        };
        let start = offset + inside;
        buffer.copy_from_slice(&self.bytes[start..start + buffer.len()]);
        Ok(())
    }

    /// Where the bytes of a page are, which is read if it was not. `None` if it cannot be
    /// read, or there are too many.
    fn offset_of<M: Memory>(&mut self, memory: &M, page: u64) -> Option<usize> {
        if let Some((offset, is_asked)) = self.offsets.get_mut(&page) {
            *is_asked = true;
            return Some(*offset);
        }
        if self.offsets.len() >= MAX_PAGES {
            return None;
        }
        let offset = self.bytes.len();
        self.bytes.resize(offset + PAGE as usize, 0);
        if memory.read_into(page, &mut self.bytes[offset..]).is_err() {
            self.bytes.truncate(offset);
            return None;
        }
        self.offsets.insert(page, (offset, true));
        Some(offset)
    }
}

/// A memory that stands still: each page of it is read once.
pub(crate) struct Paged<'a, M> {
    memory: &'a M,
    pages: RefCell<&'a mut Pages>,
}

impl<'a, M> Paged<'a, M> {
    /// `memory` as it is from now on. The room for pages is lent.
    pub(crate) fn new(memory: &'a M, pages: &'a mut Pages) -> Self {
        pages.clear();
        Self { memory, pages: RefCell::new(pages) }
    }
}

impl<'a, M: Memory> Paged<'a, M> {
    /// The same, with the pages read ahead that the last one was asked for which had this room:
    /// it was of the same thread.
    pub(crate) fn ahead(memory: &'a M, pages: &'a mut Pages) -> Self {
        pages.read_again(memory);
        Self { memory, pages: RefCell::new(pages) }
    }
}

impl<M: Memory> Memory for Paged<'_, M> {
    fn read_into(&self, address: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        self.pages.borrow_mut().read_into(self.memory, address, buffer)
    }

    fn read_spans(&self, spans: &[Span], buffer: &mut [u8]) -> Result<usize, Fault> {
        self.memory.read_spans(spans, buffer)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::cpython::memory::fake::FakeMemory;

    /// A memory that counts how often it is read.
    struct Counted(FakeMemory, Cell<u32>);

    impl Memory for Counted {
        fn read_into(&self, address: u64, buffer: &mut [u8]) -> Result<(), Fault> {
            self.1.set(self.1.get() + 1);
            self.0.read_into(address, buffer)
        }
    }

    fn memory(address: u64, bytes: &[u8]) -> Counted {
        let mut fake = FakeMemory::new();
        fake.write(address, bytes);
        Counted(fake, Cell::new(0))
    }

    #[test]
    fn a_page_is_read_once() {
        let memory = memory(0x1000, &[7; 0x1000]);
        let mut pages = Pages::default();
        for address in [0x1000, 0x1800, 0x1ff0] {
            let mut buffer = [0; 16];
            pages.read_into(&memory, address, &mut buffer).expect("it is mapped");
            assert_eq!(buffer, [7; 16]);
        }
        assert_eq!(memory.1.get(), 1);
        pages.clear();
        pages.read_into(&memory, 0x1000, &mut [0; 16]).expect("it is mapped");
        assert_eq!(memory.1.get(), 2, "what was forgotten is read anew");
    }

    #[test]
    fn what_was_asked_for_is_read_ahead_and_nothing_else() {
        let mut memory = memory(0x1000, &[7; 0x3000]);
        let mut pages = Pages::default();
        let read = |paged: &Paged<'_, _>, address| paged.read::<u8>(address);
        let first = Paged::new(&memory, &mut pages);
        assert_eq!((read(&first, 0x1000), read(&first, 0x2000)), (Ok(7), Ok(7)));
        memory.0.write(0x1000, &[8]);
        let second = Paged::ahead(&memory, &mut pages);
        let before = memory.1.get();
        assert_eq!(read(&second, 0x1000), Ok(8), "it is read anew");
        assert_eq!(memory.1.get(), before, "but not now");
        let _ = Paged::ahead(&memory, &mut pages);
        let addresses: Vec<u64> = pages.offsets.keys().copied().collect();
        assert_eq!(addresses, [0x1000]);
    }

    #[test]
    fn what_lies_in_two_pages_or_in_half_a_page_is_read_by_itself() {
        let memory = memory(0x1800, &[7; 0x1000]);
        let mut pages = Pages::default();
        let mut buffer = [0; 16];
        assert_eq!(pages.read_into(&memory, 0x1ff8, &mut buffer), Ok(()));
        assert_eq!(pages.read_into(&memory, 0x1800, &mut buffer), Ok(()));
        assert_eq!(buffer, [7; 16]);
        assert_eq!(pages.read_into(&memory, 0x1000, &mut buffer), Err(Fault::unmapped(0x1000, 16)));
    }
}
