//! One system call for everything that the last walk touched.
//!
//! The walkers above chase pointers as if every read were free. This layer makes
//! it so: it remembers the spans that were read, merges those that lie near each
//! other, and fetches them all at once at the next tick. A walk that stays inside
//! what was fetched costs nothing more. It knows nothing of Python.
//!
//! *Roots*, the words that say where a walk begins, are fetched twice: right before the
//! frames that it leads to first, and right after them. A walk reads them [`Side::Before`] or
//! [`Side::After`], and thereby learns what changed while the frames were copied. The frames
//! are fetched a second time after that: what is the same in both copies was so when the
//! roots were copied between them ([`Prefetch::are_steady`]). What holds
//! no frames is fetched before that, and frames to which hardly a walk came lately, because
//! they had not changed, after it: so the time between the two is short, and what changes
//! often is copied at nearly one moment.
//!
//! No frame is fetched before the roots. A thread that writes to a cache line which was just
//! read waits for it, and all that it writes next is seen later. It writes to the frame of a
//! caller when it makes a call and when it comes back: with that frame fetched right before,
//! its pointer would be seen to stay there for some tenths of a microsecond more.
//!
//! A root from which hardly a walk began lately, that of a thread that waits, is fetched once,
//! and read a second time when a walk asks for it. A *spare* root, which walks can mostly do
//! without, is fetched only while it is asked for often.

use std::cell::RefCell;

use super::pages::Pages;
use super::span_plan::{
    FEW_WALKS, FORGET_AFTER, PlannedSpan, SOME_WALKS, SPARE_AFTER, index_of, merge,
};
use crate::cpython::memory::{Fault, Memory, Span};

/// Spans that are less than this apart, in bytes, are fetched as one.
///
/// `process_vm_readv` takes 0.3–0.4 µs for a further span, and about as long for
/// 4 KiB of bytes; half of that leaves room for the page that a gap may add.
const MERGE_GAP: u64 = 2048;

/// Spans begin and end at multiples of this, so that the next frame of a stack
/// that grows is already there. It divides a page: rounding never leaves one.
const ROUNDING: u64 = 256;

/// How often a fetch is tried again without a span that cannot be read any more.
const MAX_ATTEMPTS: usize = 4;

/// The most bytes that are fetched at once, but for second copies. The deepest stack that is
/// read needs less: its frames take 512 bytes each, and as much as [`MERGE_GAP`] may lie
/// between two of them.
const MAX_BYTES: usize = if cfg!(test) { 256 * 1024 } else { 64 * 1024 * 1024 };

/// A memory that fetches ahead.
#[derive(Debug)]
pub(crate) struct Prefetch<M> {
    inner: M,
    state: RefCell<State>,
}

/// Which of the two copies of the roots a view reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Fetched before the frames.
    Before,
    /// Fetched after the frames.
    After,
}

#[derive(Debug, Default)]
struct State {
    roots: Vec<PlannedSpan>,
    body: Vec<PlannedSpan>,
    /// What is asked of the process: what holds no frames, roots, frames, roots again, frames
    /// again, and frames that hardly change.
    spans: Vec<Span>,
    bytes: Vec<u8>,
    /// How many of the bytes were there.
    valid: usize,
    /// What the fetch before this one brought, in the same places.
    previous: Vec<u8>,
    /// Whether `previous` is the fetch before, laid out alike.
    comparable: bool,
    /// Changes whenever spans get other places.
    layout: u32,
    /// The places that were read since [`Prefetch::watch`].
    watched: Vec<Place>,
    fetches: u32,
    missed_roots: Vec<PlannedSpan>,
    missed_body: Vec<PlannedSpan>,
    /// What misses have brought since the last fetch.
    missed: Pages,
    misses: u32,
    last_hit: usize,
    /// How many spans lie between the two copies of the roots.
    hot: usize,
}

/// A place in the layout of a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Root(u32),
    Body(u32),
}

/// What a walk has read, to be asked later whether it has changed.
#[derive(Debug, Default)]
pub(crate) struct Footprint {
    layout: u32,
    /// The last fetch that is known to have brought the same.
    fetch: u32,
    places: Vec<Place>,
}

impl<M: Memory> Prefetch<M> {
    /// A layer over `inner` that has nothing fetched yet.
    pub(crate) fn new(inner: M) -> Self {
        Self { inner, state: RefCell::default() }
    }

    /// Fetches everything that recent walks have read, anew.
    ///
    /// # Errors
    /// Only if the process cannot be read at all.
    pub(crate) fn fetch(&self) -> Result<(), Fault> {
        let state = &mut *self.state.borrow_mut();
        state.fetches = state.fetches.wrapping_add(1);
        if state.has_missed() || state.is_review_due() {
            state.plan();
        }
        state.misses = 0;
        state.missed.clear();
        state.comparable = state.valid == state.bytes.len() && state.valid > 0;
        std::mem::swap(&mut state.bytes, &mut state.previous);
        state.bytes.resize(state.previous.len(), 0);
        for _ in 0..MAX_ATTEMPTS {
            state.valid = 0;
            if state.spans.is_empty() {
                break;
            }
            state.valid = match self.inner.read_spans(&state.spans, &mut state.bytes) {
                Ok(read) => read,
                Err(fault) if fault.is_process_gone() => return Err(fault),
                Err(_) => 0,
            };
            if state.valid == state.bytes.len() {
                break;
            }
            state.drop_unreadable();
        }
        Ok(())
    }

    /// Lets `other` have the room for what misses bring: only one of the two is in use.
    pub(crate) fn lend_room(&mut self, other: &mut Self) {
        std::mem::swap(&mut self.state.get_mut().missed, &mut other.state.get_mut().missed);
    }

    /// How many reads were not served from what was fetched, since the last fetch.
    pub(crate) fn misses(&self) -> u32 {
        self.state.borrow().misses
    }

    /// How many spans are fetched between the two copies of the roots.
    pub(crate) fn hot(&self) -> usize {
        self.state.borrow().hot
    }

    /// Which fetch the last one was: one more than the one before.
    pub(crate) fn number(&self) -> u32 {
        self.state.borrow().fetches
    }

    /// How many of the places at `addresses`, one after the other, have the same bytes in
    /// the last fetch as in the one before, up to the first that has not, or of which that
    /// cannot be told. They count as read.
    pub(crate) fn same_at(&self, addresses: impl Iterator<Item = u64>, length: usize) -> usize {
        let state = &mut *self.state.borrow_mut();
        if !state.comparable || state.valid != state.bytes.len() {
            return 0;
        }
        // Frames often lie side by side: the span of the last one is looked at first.
        let mut near: Option<PlannedSpan> = None;
        let is_same = |address: &u64| {
            let within = near.and_then(|mut span| span.offset_of(*address, length, span.used));
            let Some(offset) = within.or_else(|| {
                let offset = state.find_body(*address, length)?;
                near = state.body.get(state.last_hit).copied();
                Some(offset)
            }) else {
                return false;
            };
            let bytes = state.bytes.get(offset..offset + length);
            bytes.is_some() && bytes == state.previous.get(offset..offset + length)
        };
        addresses.take_while(is_same).count()
    }

    /// Whether each of the places at `addresses` was fetched twice with the same bytes: before
    /// and after the second copy of the roots, or, where hardly a walk comes, in the last fetch
    /// and in the one before.
    pub(crate) fn are_steady(
        &self,
        mut addresses: impl Iterator<Item = u64>,
        length: usize,
    ) -> bool {
        let state = &mut *self.state.borrow_mut();
        state.valid == state.bytes.len()
            && addresses.all(|address| state.is_steady(address, length))
    }

    /// Begins to note what is read.
    pub(crate) fn watch(&self) {
        self.state.borrow_mut().watched.clear();
    }

    /// What was read since [`Prefetch::watch`], into `footprint`.
    pub(crate) fn footprint(&self, footprint: &mut Footprint) {
        let state = &mut *self.state.borrow_mut();
        footprint.layout = state.layout;
        footprint.fetch = state.fetches;
        footprint.places.clear();
        footprint.places.append(&mut state.watched);
    }

    /// Whether the last fetch brought the same bytes for everything in `footprint`
    /// as the walk has read, with roots that did not change meanwhile. To be asked
    /// after every fetch: a footprint that missed one is not known any more.
    pub(crate) fn is_unchanged(&self, footprint: &mut Footprint) -> bool {
        let state = &mut *self.state.borrow_mut();
        let known = state.comparable
            && state.valid == state.bytes.len()
            && footprint.layout == state.layout
            && footprint.fetch.wrapping_add(1) == state.fetches
            && !footprint.places.is_empty();
        let same = known && footprint.places.iter().all(|place| state.is_same(*place));
        if same {
            footprint.fetch = state.fetches;
        }
        same
    }

    /// A view in which roots are remembered as roots.
    pub(crate) fn roots(&self, side: Side) -> View<'_, M> {
        View { prefetch: self, kind: Kind::Root { side, is_spare: false } }
    }

    /// A view in which roots are remembered as roots that walks can mostly do without.
    pub(crate) fn spare_roots(&self, side: Side) -> View<'_, M> {
        View { prefetch: self, kind: Kind::Root { side, is_spare: true } }
    }

    /// A view in which frames are remembered as frames.
    pub(crate) fn frames(&self) -> View<'_, M> {
        View { prefetch: self, kind: Kind::Frame }
    }

    /// A view of everything else. It sees frames too.
    pub(crate) fn body(&self) -> View<'_, M> {
        View { prefetch: self, kind: Kind::Other }
    }

    /// The memory below, without any fetching ahead.
    pub(crate) fn direct(&self) -> &M {
        &self.inner
    }
}

impl State {
    fn has_missed(&self) -> bool {
        !self.missed_roots.is_empty() || !self.missed_body.is_empty()
    }

    /// Whether it is time to forget what is not used.
    fn is_review_due(&self) -> bool {
        let has_spare = || self.roots.iter().any(|root| root.is_spare);
        self.fetches % FORGET_AFTER == 0 || self.fetches % SPARE_AFTER == 0 && has_spare()
    }

    /// Lays out the next fetch: what is in use, and what was missing. What the last one
    /// brought can be compared with it if it is laid out alike, and the body if that is.
    fn plan(&mut self) {
        let now = self.fetches;
        let old_spans = std::mem::take(&mut self.spans);
        let old_body: Vec<_> = self.body.iter().map(|old| (old.span, old.offset)).collect();
        merge(&mut self.roots, &mut self.missed_roots, now, 0);
        merge(&mut self.body, &mut self.missed_body, now, MERGE_GAP);
        if length_of(&self.body) > MAX_BYTES {
            // What the last walk did not need makes room for what it did.
            self.body.retain(|planned| now.wrapping_sub(planned.used) <= 1);
        }
        self.roots.iter_mut().for_each(|root| root.walks.review(now, FEW_WALKS));
        self.body.iter_mut().for_each(|planned| planned.walks.review(now, SOME_WALKS));
        self.hot = self.body.iter().filter(|planned| planned.is_hot()).count();
        let mut offset = 0;
        let mut add = |span: Span| {
            self.spans.push(span);
            offset += span.length;
            offset - span.length
        };
        let mut place = |planned: &mut PlannedSpan| planned.offset = add(planned.span);
        self.body.iter_mut().filter(|planned| !planned.has_frames).for_each(&mut place);
        self.roots.iter_mut().for_each(&mut place);
        self.body.iter_mut().filter(|planned| planned.is_hot()).for_each(&mut place);
        for root in &mut self.roots {
            root.second = root.walks.are_many.then(|| add(root.span));
        }
        for frames in self.body.iter_mut() {
            frames.second = frames.is_hot().then(|| add(frames.span));
        }
        let mut place = |planned: &mut PlannedSpan| planned.offset = add(planned.span);
        self.body.iter_mut().filter(|planned| planned.is_cold()).for_each(&mut place);
        self.last_hit = 0;
        if self.spans == old_spans {
            return;
        }
        self.layout = self.layout.wrapping_add(1);
        if offset > 2 * MAX_BYTES {
            *self = Self { fetches: now, layout: self.layout, ..Self::default() };
        } else {
            self.move_bytes(offset, &old_body);
        }
    }

    /// Makes room for another layout, and takes along the bytes of the body if that has
    /// not changed.
    fn move_bytes(&mut self, length: usize, old_body: &[(Span, usize)]) {
        let was_whole = self.valid == self.bytes.len();
        let old = std::mem::replace(&mut self.bytes, vec![0; length]);
        self.previous.clear();
        self.valid = 0;
        let is_same_body = self.body.len() == old_body.len()
            && self.body.iter().zip(old_body).all(|(new, (span, _))| new.span == *span);
        if !was_whole || !is_same_body {
            return;
        }
        for (new, (span, at)) in self.body.iter().zip(old_body) {
            let to = self.bytes.get_mut(new.offset..new.offset + span.length);
            if let (Some(to), Some(from)) = (to, old.get(*at..*at + span.length)) {
                to.copy_from_slice(from);
            }
        }
        self.valid = length;
    }

    /// After a fetch that ended early: forgets the span that stopped it, so that
    /// it does not cost the others again. A walk that needs it reads it alone.
    fn drop_unreadable(&mut self) {
        let valid = self.valid;
        let cut = |planned: &PlannedSpan| {
            let copies = [Some(planned.offset), planned.second].into_iter().flatten();
            let first = copies.filter(|at| at + planned.span.length > valid).min()?;
            Some((first, planned.offset))
        };
        let all = self.roots.iter().chain(&self.body);
        if let Some((_, bad)) = all.filter_map(cut).min() {
            self.roots.retain(|planned| planned.offset != bad);
            self.body.retain(|planned| planned.offset != bad);
        }
        self.plan();
        self.comparable = false;
    }

    /// Whether a place was fetched twice with the same bytes. It counts as read.
    fn is_steady(&mut self, address: u64, length: usize) -> bool {
        let Some(offset) = self.find_body(address, length) else { return false };
        let planned = self.body[self.last_hit];
        let bytes = self.bytes.get(offset..offset + length);
        let other = match planned.second {
            Some(second) => {
                let at = offset - planned.offset + second;
                self.bytes.get(at..at + length)
            }
            None if self.comparable => self.previous.get(offset..offset + length),
            None => None,
        };
        bytes.is_some() && bytes == other
    }

    /// Whether a place holds what it held before. It counts as used.
    fn is_same(&mut self, place: Place) -> bool {
        let now = self.fetches;
        let planned = match place {
            Place::Root(index) => self.roots.get_mut(index as usize),
            Place::Body(index) => self.body.get_mut(index as usize),
        };
        let Some(planned) = planned else { return false };
        planned.note_use(now);
        let length = planned.span.length;
        let bytes = self.bytes.get(planned.offset..planned.offset + length);
        bytes.is_some()
            && bytes == self.previous.get(planned.offset..planned.offset + length)
            && planned.second.is_none_or(|at| bytes == self.bytes.get(at..at + length))
    }

    fn note(&mut self, place: Place) {
        if self.watched.last() != Some(&place) {
            self.watched.push(place);
        }
    }

    /// Where the bytes of a root are, if they were fetched.
    fn find_root(&mut self, side: Side, address: u64, length: usize) -> Option<Found> {
        let index = index_of(&self.roots, address)?;
        let root = &mut self.roots[index];
        let first = root.offset_of(address, length, self.fetches)?;
        let offset = match side {
            Side::Before => first,
            Side::After => {
                root.walks.count += 1;
                match root.second {
                    Some(second) => first - root.offset + second,
                    None if root.walks.count <= FEW_WALKS => return Some(Found::Alone),
                    None => return None,
                }
            }
        };
        self.note(Place::Root(index as u32));
        self.checked(offset, length).map(Found::At)
    }

    /// Where other bytes are, if they were fetched.
    fn find_body(&mut self, address: u64, length: usize) -> Option<usize> {
        let now = self.fetches;
        let near = self.last_hit;
        let hit =
            self.body.get_mut(near).and_then(|planned| planned.offset_of(address, length, now));
        let (index, offset) = match hit {
            Some(offset) => (near, offset),
            None => {
                let index = index_of(&self.body, address)?;
                (index, self.body[index].offset_of(address, length, now)?)
            }
        };
        self.last_hit = index;
        self.note(Place::Body(index as u32));
        self.checked(offset, length)
    }

    /// Where the bytes of a frame are that a walk has come to, if they were fetched.
    fn find_frame(&mut self, address: u64, length: usize) -> Option<usize> {
        let found = self.find_body(address, length)?;
        self.body[self.last_hit].walks.count += 1;
        Some(found)
    }

    fn checked(&self, offset: usize, length: usize) -> Option<usize> {
        (offset + length <= self.valid).then_some(offset)
    }
}

/// How many bytes it takes to fetch all of these.
fn length_of(spans: &[PlannedSpan]) -> usize {
    spans.iter().map(|planned| planned.span.length).sum()
}

/// Where to find what was asked for.
enum Found {
    /// Among the bytes that were fetched.
    At(usize),
    /// Nowhere: it is left to be read by itself.
    Alone,
}

/// A [`Prefetch`] as a memory.
#[derive(Debug)]
pub(crate) struct View<'a, M> {
    prefetch: &'a Prefetch<M>,
    kind: Kind,
}

/// What is read through a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Root { side: Side, is_spare: bool },
    Frame,
    Other,
}

impl<M: Memory> Memory for View<'_, M> {
    fn read_into(&self, address: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        let length = buffer.len();
        let state = &mut *self.prefetch.state.borrow_mut();
        let found = match self.kind {
            Kind::Root { side, .. } => state.find_root(side, address, length),
            Kind::Frame => state.find_frame(address, length).map(Found::At),
            Kind::Other => state.find_body(address, length).map(Found::At),
        };
        match found {
            Some(Found::At(offset)) => {
                buffer.copy_from_slice(&state.bytes[offset..offset + length]);
                return Ok(());
            }
            Some(Found::Alone) => return self.prefetch.inner.read_into(address, buffer),
            None if matches!(self.kind, Kind::Root { .. }) => {
                self.prefetch.inner.read_into(address, buffer)?;
            }
            None => state.missed.read_into(&self.prefetch.inner, address, buffer)?,
        }
        state.misses += 1;
        let mut missed = PlannedSpan::missed(Span { address, length }, state.fetches);
        if let Kind::Root { is_spare, .. } = self.kind {
            missed.is_spare = is_spare;
            missed.walks.are_many = !is_spare;
            state.missed_roots.push(missed);
        } else {
            missed.has_frames = self.kind == Kind::Frame;
            missed.span = missed.span.rounded(ROUNDING);
            state.missed_body.push(missed);
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "prefetch_tests.rs"]
mod tests;
