//! The spans of a fetch: where their bytes are, and which are still of use.

use crate::cpython::memory::Span;

/// A span that no walk has read for so many fetches is forgotten.
pub(super) const FORGET_AFTER: u32 = 256;

/// A spare root that was not asked for twice in so many fetches is forgotten.
///
/// One that is fetched in vain costs a tenth of a fetch; one that is not there when it is
/// asked for costs a second fetch, a moment later. What is seen less often than once in
/// so many fetches may be seen a moment later without a bias worth mentioning.
pub(super) const SPARE_AFTER: u32 = 64;

/// A root from which no more walks began in so many fetches is fetched once.
pub(super) const FEW_WALKS: u32 = 4;

/// A frame to which no more walks came in so many fetches is fetched after the roots. To
/// the callers of what takes a while some do, whenever they call it anew.
pub(super) const SOME_WALKS: u32 = 32;

/// A span and where its bytes are.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlannedSpan {
    /// What is fetched.
    pub span: Span,
    /// Where its bytes are.
    pub offset: usize,
    /// The fetch of which it was last read.
    pub used: u32,
    /// The fetch before that one, of which it was read.
    used_before: u32,
    /// Whether it is a root that walks can mostly do without.
    pub is_spare: bool,
    /// Whether frames were read there.
    pub has_frames: bool,
    /// Where the second copy is, if there is one.
    pub second: Option<usize>,
    /// How often walks came to it.
    pub walks: Walks,
}

/// How often a walk came to a place: began at a root, or read a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walks {
    /// So often.
    pub count: u32,
    /// The fetch from which on they are counted.
    since: u32,
    /// Whether there were more than a few.
    pub are_many: bool,
}

impl Walks {
    /// Of a place that is new: some are about to come.
    pub(super) fn begin(now: u32) -> Self {
        Self { count: 0, since: now, are_many: true }
    }

    /// Takes stock, if they were counted for long enough: more than a `few` are many.
    pub(super) fn review(&mut self, now: u32, few: u32) {
        self.are_many |= self.count > few;
        if now.wrapping_sub(self.since) >= FORGET_AFTER / 2 {
            *self = Self { count: 0, since: now, are_many: self.count > few };
        }
    }
}

impl PlannedSpan {
    /// A span that was not fetched when it was needed, in the fetch `now`.
    pub(super) fn missed(span: Span, now: u32) -> Self {
        Self {
            span,
            offset: 0,
            used: now,
            used_before: now,
            is_spare: false,
            has_frames: false,
            second: None,
            walks: Walks::begin(now),
        }
    }

    /// Notes that it is read.
    pub(super) fn note_use(&mut self, now: u32) {
        if self.used != now {
            self.used_before = self.used;
            self.used = now;
        }
    }

    /// Whether it has frames, and walks often come to them.
    pub(super) fn is_hot(&self) -> bool {
        self.has_frames && self.walks.are_many
    }

    /// Whether it has frames, and walks hardly come to them.
    pub(super) fn is_cold(&self) -> bool {
        self.has_frames && !self.walks.are_many
    }

    /// Whether it is worth to be fetched again.
    fn is_in_use(&self, now: u32) -> bool {
        if self.is_spare {
            now.wrapping_sub(self.used_before) < SPARE_AFTER
        } else {
            now.wrapping_sub(self.used) <= FORGET_AFTER
        }
    }

    /// Takes over what is known of another span, which is fetched with this one.
    fn join(&mut self, other: &Self, now: u32) {
        let end = self.span.end().max(other.span.end());
        self.span.length = (end - self.span.address) as usize;
        self.has_frames |= other.has_frames;
        self.is_spare &= other.is_spare;
        self.walks.are_many |= other.walks.are_many;
        let later = |one: u32, two: u32| {
            if now.wrapping_sub(one) < now.wrapping_sub(two) { one } else { two }
        };
        self.used = later(self.used, other.used);
        self.used_before = later(self.used_before, other.used_before);
    }

    /// Where in the fetched bytes a read lies that this span holds whole. The span
    /// is then in use.
    pub(super) fn offset_of(&mut self, address: u64, length: usize, now: u32) -> Option<usize> {
        let inside = usize::try_from(address.checked_sub(self.span.address)?).ok()?;
        let holds = inside.checked_add(length).is_some_and(|end| end <= self.span.length);
        if !holds {
            return None;
        }
        self.note_use(now);
        Some(self.offset + inside)
    }
}

/// The span that begins at or before `address`, nearest to it.
pub(super) fn index_of(spans: &[PlannedSpan], address: u64) -> Option<usize> {
    spans.partition_point(|planned| planned.span.address <= address).checked_sub(1)
}

/// Adds `missed` to `spans`, forgets what is not used, joins what lies near.
pub(super) fn merge(
    spans: &mut Vec<PlannedSpan>,
    missed: &mut Vec<PlannedSpan>,
    now: u32,
    gap: u64,
) {
    spans.retain(|planned| planned.is_in_use(now));
    spans.append(missed);
    spans.sort_unstable_by_key(|planned| planned.span.address);
    spans.dedup_by(|next, kept| {
        let is_near = next.span.address <= kept.span.end().saturating_add(gap);
        if is_near {
            kept.join(next, now);
        }
        is_near
    });
}
