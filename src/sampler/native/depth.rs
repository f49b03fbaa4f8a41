//! How much of a stack is copied: as much as stacks turned out to need.

use super::machine::PAGE;

/// What is copied at first.
const FIRST: u64 = 64 << 10;

/// The most that is copied, as in `program.c`.
const MOST: u64 = 256 * PAGE;

/// What is copied beyond what was needed: a page at either end is copied in part.
const SPARE: u64 = 2 * PAGE;

/// After so many stacks it is looked whether less is needed.
const STACKS: u32 = 512;

/// How much of a stack is copied.
#[derive(Clone, Copy, Debug)]
pub(super) struct Depth {
    copied: u64,
    /// What is copied at least.
    least: u64,
    /// The most that the last stacks needed, and how many these were.
    needed: u64,
    stacks: u32,
}

impl Default for Depth {
    fn default() -> Self {
        Self { copied: FIRST, least: 0, needed: 0, stacks: 0 }
    }
}

impl Depth {
    /// As much as ever.
    pub(super) fn whole() -> Self {
        Self { copied: MOST, least: MOST, ..Self::default() }
    }

    /// Pages.
    pub(super) fn pages(&self) -> u64 {
        self.copied.div_ceil(PAGE)
    }

    /// Notes a stack that was copied whole, by the bytes that it had.
    pub(super) fn note(&mut self, needed: u64) {
        self.needed = self.needed.max(needed);
        self.stacks += 1;
        if self.stacks >= STACKS {
            let enough = self.needed.saturating_add(SPARE).max(self.least);
            self.copied = self.copied.min(enough);
            (self.needed, self.stacks) = (0, 0);
        }
    }

    /// Notes a stack of which more was needed: at least so many bytes. Of one that needs more than
    /// is ever copied, as where a signal has its own stack, no more is copied in vain.
    pub(super) fn note_cut(&mut self, needed: u64) {
        if needed > MOST {
            return;
        }
        self.copied = self.copied.saturating_mul(2).max(needed.saturating_add(SPARE)).min(MOST);
        (self.needed, self.stacks) = (self.copied, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_of_many_threads_copies_as_much_of_the_last() {
        let mut depth = Depth::whole();
        (0..3 * STACKS).for_each(|_| depth.note(100));
        assert_eq!(depth.pages(), 256);
    }

    #[test]
    fn as_much_is_copied_as_stacks_need() {
        let mut depth = Depth::default();
        assert_eq!(depth.pages(), 16);
        (0..STACKS).for_each(|_| depth.note(5000));
        assert_eq!(depth.pages(), 4);
        depth.note_cut(1);
        assert_eq!(depth.pages(), 7);
        depth.note_cut(100_000);
        assert_eq!(depth.pages(), 27);
        depth.note_cut(u64::MAX);
        assert_eq!(depth.pages(), 27, "so much is never copied");
        depth.note_cut(MOST);
        assert_eq!(depth.pages(), 256);
        (0..2 * STACKS).for_each(|_| depth.note(0));
        assert_eq!(depth.pages(), 2, "when none has needed more for long");
    }
}
