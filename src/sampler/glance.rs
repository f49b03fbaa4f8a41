//! A second, short look at one call of a stack.
//!
//! A fetch of everything takes some microseconds. In that time a short function can
//! return, its caller call another one, and come back to it: a top-frame pointer that is
//! the same before and after does not prove then that a caller and a callee were copied
//! at one moment. In a loop that takes as long as a fetch this happens again and again.
//!
//! So before a call is believed, its two frames alone are read once more, between two
//! reads of the pointer, within a fraction of a microsecond. Frames that lie side by
//! side are copied together, which mostly takes less time than to return and to call, and
//! twice where no frame tells that it is inside a call; otherwise the caller is read before
//! and after the callee, and the pointer must not have moved.

use std::time::{Duration, Instant};

use super::chain::Link;
use crate::abi::Abi;
use crate::memory::{Memory, Remote, Span, Value};
use crate::python::frames::{Decoded, Frames, RawFrame, Word};

/// So many looks at so many places only tell how long one takes.
const WARM_UP: u32 = 8;

/// Looks at more places than this are not told apart by their number.
const MOST_PLACES: usize = 16;

/// How long looks take. One that was held up, by a page table that was locked or for
/// another program, had time to see two moments.
#[derive(Clone, Copy, Debug)]
struct Pace {
    looks: u32,
    fastest: Option<Duration>,
}

impl Pace {
    /// Whether a look that took so long was not held up.
    fn is_usual(&mut self, took: Duration) -> bool {
        self.looks = self.looks.saturating_add(1);
        let fastest = self.fastest.unwrap_or(took);
        let is_usual = took <= fastest + fastest / 4;
        // A machine may become slower: then what is usual follows soon.
        let slower = fastest + fastest / if is_usual { 256 } else { 32 };
        self.fastest = Some(slower.min(took));
        self.looks > WARM_UP && is_usual
    }
}

/// Frames within so many bytes are copied as one.
const NEAR: u64 = 1024;

/// What a look at a call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The caller stood on its call of the callee.
    Same,
    /// Both frames said so (up to 3.10), but the pointer led to the caller.
    Told,
    /// It stood there all the time, and the callee was not to be seen.
    Alone,
    /// It stood there, at least at first or at last, and something else was to be seen.
    Other,
    /// It did not stand there any more.
    Left,
}

/// The frame that a thread is in while it makes a call.
pub struct Top<'a> {
    /// The words that lead to it ([`crate::python::frames::path_to_top`]).
    pub path: &'a [Word],
    /// The frames that it may be.
    pub candidates: &'a [u64],
}

/// Reads a few places in one system call.
#[derive(Debug)]
pub struct Glance {
    /// By the number of places; empty if time does not matter.
    paces: Vec<Pace>,
    spans: Vec<Span>,
    bytes: Vec<u8>,
}

impl Glance {
    /// Nothing has been looked at.
    pub fn new() -> Self {
        let unknown = Pace { looks: 0, fastest: None };
        Self { paces: vec![unknown; MOST_PLACES + 1], spans: Vec::new(), bytes: Vec::new() }
    }

    /// Whether `caller` stands on its call of `callee`, and is the outermost frame if it
    /// `is_root`. The innermost frame of a stack (`is_leaf`) may have moved on. Between the
    /// two there may be a shim, or a frame of the interpreter's own that `is_no_frame`.
    /// `None` if that cannot be told, as when the thread was in a frame that may have been
    /// called by either, or the callee stands elsewhere than it did.
    pub fn sees_call<A: Abi, M: Memory>(
        &mut self,
        memory: &M,
        top: &Top<'_>,
        caller: &Link,
        callee: &Link,
        (is_leaf, is_root): (bool, bool),
        is_no_frame: impl Fn(&RawFrame) -> bool,
    ) -> Option<Look> {
        let shim = (callee.caller != caller.frame).then_some(callee.caller);
        let is_near = are_near(caller, callee);
        self.begin(top);
        if caller.frame.abs_diff(callee.frame) <= NEAR {
            let (low, high) = (caller.frame.min(callee.frame), caller.frame.max(callee.frame));
            self.add_frames::<A>(low, high);
            // Where one processor's memory comes late to another, the callee can be copied a call
            // or two after the caller. Where no frame tells of it, that must be so twice.
            if !A::Frames::TELLS_CALLS {
                self.add_frames::<A>(low, high);
            }
            shim.into_iter().for_each(|shim| self.add_frames::<A>(shim, shim));
        } else {
            for frame in [Some(caller.frame), Some(callee.frame), shim, Some(caller.frame)] {
                frame.into_iter().for_each(|frame| self.add_frames::<A>(frame, frame));
            }
        }
        self.read(memory, top)?;
        let is_linked = |decoded: &Decoded| decoded.caller.address() == callee.caller;
        let leads_on = |decoded: &Decoded| {
            decoded.raw.as_ref().is_none_or(&is_no_frame)
                && decoded.caller.address() == caller.frame
        };
        let is_calling = |decoded: &Decoded| {
            let none = decoded.raw.is_some_and(|raw| raw.calls_none) && callee.is_told_by_caller;
            !(none && shim.is_none()) && (!is_root || is_outermost::<A>(decoded, caller))
        };
        let is_on_call = |decoded: &Decoded| is_still(decoded, caller, false);
        if !self.all::<A>(caller.frame, |decoded| is_calling(decoded) && is_on_call(decoded)) {
            let has_left = !self.any::<A>(caller.frame, is_on_call);
            // Copied as one with its callee, it says nothing of the call that it has left.
            return (!is_near).then_some(if has_left { Look::Left } else { Look::Other });
        }
        let is_called = |decoded: &Decoded| is_linked(decoded) && is_still(decoded, callee, true);
        let may_move = is_leaf || is_near;
        if !self.all::<A>(callee.frame, is_called)
            || !shim.is_none_or(|shim| self.all::<A>(shim, leads_on))
        {
            return Some(Look::Alone);
        }
        if !may_move && !self.all::<A>(callee.frame, |decoded| is_still(decoded, callee, false)) {
            return None;
        }
        if is_near {
            return self.has_met(top).then_some(Look::Same);
        }
        let otherwise = if A::Frames::ON_HEAP { Look::Told } else { Look::Other };
        self.is_within(top, Some(caller)).map(|is| if is { Look::Same } else { otherwise })
    }

    /// Whether `root` is the outermost and the only frame. `None` if that cannot be told.
    pub fn sees_alone<A: Abi, M: Memory>(
        &mut self,
        memory: &M,
        top: &Top<'_>,
        root: &Link,
    ) -> Option<bool> {
        self.begin(top);
        self.add_frames::<A>(root.frame, root.frame);
        self.read(memory, top)?;
        let is_there =
            |decoded: &Decoded| is_outermost::<A>(decoded, root) && is_still(decoded, root, true);
        if self.all::<A>(root.frame, is_there) { self.is_within(top, None) } else { Some(false) }
    }

    /// Begins with the path to the top.
    fn begin(&mut self, top: &Top<'_>) {
        self.spans.clear();
        self.spans.extend(top.path.iter().map(|word| Span { address: word.address, length: 8 }));
    }

    /// Adds the frames from the one at `low` to the one at `high`.
    fn add_frames<A: Abi>(&mut self, low: u64, high: u64) {
        let length = (high - low) as usize + A::Frames::SIZE;
        self.spans.push(Span { address: low, length });
    }

    /// Ends with the path to the top, and reads it all.
    fn read<M: Memory>(&mut self, memory: &M, top: &Top<'_>) -> Option<()> {
        self.spans.extend(top.path.iter().map(|word| Span { address: word.address, length: 8 }));
        let length = self.spans.iter().map(|span| span.length).sum();
        self.bytes.resize(length, 0);
        let start = Instant::now();
        let read = memory.read_spans(&self.spans, &mut self.bytes).ok()?;
        let took = start.elapsed();
        let pace = self.paces.get_mut(self.spans.len().min(MOST_PLACES));
        (pace.is_none_or(|pace| pace.is_usual(took)) && read == length).then_some(())
    }

    /// Whether every copy of a frame is as it should be.
    fn all<A: Abi>(&self, frame: u64, is_good: impl Fn(&Decoded) -> bool) -> bool {
        self.copies::<A>(frame).all(|decoded| decoded.is_some_and(|decoded| is_good(&decoded)))
    }

    /// Whether one copy of a frame is.
    fn any<A: Abi>(&self, frame: u64, is_good: impl Fn(&Decoded) -> bool) -> bool {
        self.copies::<A>(frame).flatten().any(|decoded| is_good(&decoded))
    }

    /// The copies of a frame, or `None` for what is no frame.
    fn copies<A: Abi>(&self, frame: u64) -> impl Iterator<Item = Option<Decoded>> {
        let mut rest = &self.bytes[..];
        self.spans.iter().filter_map(move |span| {
            let (bytes, after) = rest.split_at(span.length.min(rest.len()));
            rest = after;
            let inside = usize::try_from(frame.checked_sub(span.address)?).ok()?;
            let copy = bytes.get(inside..)?.get(..A::Frames::SIZE)?;
            Some(A::Frames::decode(Remote::new(frame), copy))
        })
    }

    /// Whether the thread was in candidates, before and after, and not in their `caller`. In
    /// another frame it may have been called by them, or not.
    fn is_within(&self, top: &Top<'_>, caller: Option<&Link>) -> Option<bool> {
        let tops = self.tops(top);
        if caller.is_some_and(|caller| tops.contains(&Some(caller.frame))) {
            return Some(false);
        }
        let is_candidate = |frame: u64| top.candidates.contains(&frame);
        tops.iter().all(|top| top.is_some_and(is_candidate)).then_some(true)
    }

    /// Whether the thread was in candidates before or after.
    fn has_met(&self, top: &Top<'_>) -> bool {
        self.tops(top).iter().flatten().any(|frame| top.candidates.contains(frame))
    }

    /// The frames that the thread was in, before and after, if the words that lead there
    /// are still the same.
    fn tops(&self, top: &Top<'_>) -> [Option<u64>; 2] {
        let length = top.path.len() * 8;
        let after = self.bytes.len().saturating_sub(length);
        [0, after].map(|at| {
            let copied = self.bytes.get(at..at + length)?;
            let mut words = copied.chunks_exact(8).map(u64::from_bytes);
            let (_, leading) = top.path.split_last()?;
            let leads_on = leading.iter().all(|word| words.next() == Some(word.value));
            words.next().filter(|_| leads_on)
        })
    }
}

/// Whether a look copies a caller and its callee as one: within so short a time that they
/// are hardly ever of two moments, and the top-frame pointer has little to add.
pub fn are_near(caller: &Link, callee: &Link) -> bool {
    callee.caller == caller.frame && caller.frame.abs_diff(callee.frame) <= NEAR
}

/// Whether nothing called a frame, or a shim that was the last of its chain.
fn is_outermost<A: Abi>(decoded: &Decoded, root: &Link) -> bool {
    let is_foreign = decoded.raw.is_some_and(|raw| raw.is_foreign);
    decoded.caller.address() == root.caller
        && (is_foreign || decoded.caller.is_null() != A::Frames::SHIMS)
}

/// Whether a frame is what it was, and where, unless it may have moved on.
fn is_still(decoded: &Decoded, link: &Link, may_move: bool) -> bool {
    decoded.raw.is_some_and(|raw| {
        raw.is_alive
            && raw.code.address() == link.address
            && (may_move || raw.position == link.position)
    })
}

#[cfg(all(test, feature = "py27", feature = "py36", feature = "py310"))]
#[cfg(all(feature = "py311", feature = "py312", feature = "py314"))]
#[path = "glance_tests.rs"]
mod tests;
