//! The spans of a fetch: where their bytes are, and which are still of use.

use super::Span;

/// A span that no walk has read for so many fetches is forgotten.
pub const FORGET_AFTER: u32 = 256;

/// A root from which no more walks began in so many fetches is fetched once.
pub const FEW_WALKS: u32 = 4;

/// A span and where its bytes are.
#[derive(Clone, Copy, Debug)]
pub struct Placed {
    /// What is fetched.
    pub span: Span,
    /// Where its bytes are.
    pub offset: usize,
    /// The fetch of which it was last read.
    pub used: u32,
    /// Whether frames were read there.
    pub has_frames: bool,
    /// Where the second copy of a root is, if there is one.
    pub second: Option<usize>,
    /// How often that is read.
    pub walks: Walks,
}

/// How often a root was read after the frames.
#[derive(Clone, Copy, Debug)]
pub struct Walks {
    /// So often.
    pub count: u32,
    /// The fetch from which on they are counted.
    since: u32,
    /// Whether there were more than a few.
    pub are_many: bool,
}

impl Walks {
    /// Of a root that is new: some are about to begin there.
    pub fn begin(now: u32) -> Self {
        Self { count: 0, since: now, are_many: true }
    }

    /// Takes stock, if they were counted for long enough.
    pub fn review(&mut self, now: u32) {
        self.are_many |= self.count > FEW_WALKS;
        if now.wrapping_sub(self.since) >= FORGET_AFTER / 2 {
            *self = Self { count: 0, since: now, are_many: self.count > FEW_WALKS };
        }
    }
}

impl Placed {
    /// Where in the fetched bytes a read lies that this span holds whole. The span
    /// is then in use.
    pub fn offset_of(&mut self, address: u64, length: usize, now: u32) -> Option<usize> {
        let inside = usize::try_from(address.checked_sub(self.span.address)?).ok()?;
        let holds = inside.checked_add(length).is_some_and(|end| end <= self.span.length);
        if !holds {
            return None;
        }
        self.used = now;
        Some(self.offset + inside)
    }
}

/// The span that begins at or before `address`, nearest to it.
pub fn index_of(spans: &[Placed], address: u64) -> Option<usize> {
    spans.partition_point(|placed| placed.span.address <= address).checked_sub(1)
}

/// Adds `missed` to `spans`, forgets what is not used, joins what lies near.
pub fn merge(spans: &mut Vec<Placed>, missed: &mut Vec<Placed>, now: u32, gap: u64) {
    spans.retain(|placed| now.wrapping_sub(placed.used) <= FORGET_AFTER);
    spans.append(missed);
    spans.sort_unstable_by_key(|placed| placed.span.address);
    spans.dedup_by(|next, kept| {
        if next.span.address > kept.span.end().saturating_add(gap) {
            return false;
        }
        let end = kept.span.end().max(next.span.end());
        kept.span.length = (end - kept.span.address) as usize;
        kept.has_frames |= next.has_frames;
        kept.walks.are_many |= next.walks.are_many;
        kept.used = if now.wrapping_sub(kept.used) < now.wrapping_sub(next.used) {
            kept.used
        } else {
            next.used
        };
        true
    });
}
