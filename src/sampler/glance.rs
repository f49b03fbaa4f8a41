//! A second, short look at one call of a stack.
//!
//! A fetch of everything takes some microseconds. In that time a short function can
//! return, its caller call another one, and come back to it: a top-frame pointer that is
//! the same before and after does not prove then that a caller and a callee were copied
//! at one moment. In a loop that takes as long as a fetch this happens again and again.
//!
//! So before a call is believed, its two frames alone are read once more, between two
//! reads of the pointer, within a fraction of a microsecond. Frames that lie side by
//! side are copied together, which takes less time than to return and to call; otherwise
//! the caller is read before and after the callee, and the pointer must not have moved.

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
            self.add_frames::<A>(caller.frame.min(callee.frame), caller.frame.max(callee.frame));
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
            return Some(Look::Other);
        }
        if !self.all::<A>(callee.frame, |decoded| is_still(decoded, callee, may_move)) {
            return None;
        }
        let is_same = if is_near {
            self.has_met(top).then_some(true)
        } else {
            self.is_within(top, Some(caller))
        };
        is_same.map(|same| if same { Look::Same } else { Look::Other })
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
    decoded.caller.address() == root.caller && decoded.caller.is_null() != A::Frames::SHIMS
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
mod tests {
    use super::*;
    use crate::abi::{HeapFrameAbi, InterpreterFrameAbi, Python36, Python314};
    use crate::python::code::CodeId;
    use crate::python::fixtures::FakePython;
    use crate::python::frames::{COPY, Position};
    use crate::python::objects::{Code, Frame};

    const CALLER: Remote<Code> = Remote::new(0x10);
    const CALLEE: Remote<Code> = Remote::new(0x20);
    /// Of the interpreter's own.
    const OWN: Remote<Code> = Remote::new(0x30);
    const NULL: Remote<Frame> = Remote::new(0);

    impl Glance {
        /// For which a look may take any time.
        fn timeless() -> Self {
            Self { paces: Vec::new(), ..Self::new() }
        }
    }

    fn link(code: Remote<Code>, frame: Remote<Frame>, caller: Remote<Frame>, at: i32) -> Link {
        Link {
            frame: frame.address(),
            caller: caller.address(),
            is_told_by_caller: false,
            is_alive: true,
            may_call: false,
            references: 0,
            address: code.address(),
            code: CodeId::for_tests(0),
            position: Position::Instruction(at),
        }
    }

    /// A path of one word.
    fn at(address: u64) -> Word {
        Word { address, value: 0 }
    }

    /// A process of 3.6 in which a function calls another, and what is known of it.
    struct Call {
        python: FakePython<Python36>,
        caller: Link,
        callee: Link,
        pointer: u64,
    }

    impl Call {
        /// Two frames that are read one after the other.
        fn new() -> Self {
            let mut python = FakePython::<Python36>::new();
            let outer = python.heap_frame(CALLER, NULL, 6);
            let inner = python.heap_frame(CALLEE, outer, 2);
            let pointer = python.object(0);
            python.memory.write_word(pointer, inner.address());
            let (caller, callee) = (link(CALLER, outer, NULL, 6), link(CALLEE, inner, outer, 2));
            Self { python, caller, callee, pointer }
        }

        /// Two frames that are copied as one.
        fn near() -> Self {
            let mut call = Self::new();
            let mut copy = [0; COPY];
            call.python.memory.read_into(call.callee.frame, &mut copy).expect("it is there");
            call.callee.frame = call.caller.frame + NEAR;
            call.python.memory.write(call.callee.frame, &copy);
            call.python.memory.write_word(call.pointer, call.callee.frame);
            call
        }

        fn look(&self, is_leaf: bool) -> Option<Look> {
            let top = Top { path: &[at(self.pointer)], candidates: &[self.callee.frame] };
            Glance::timeless().sees_call::<Python36, _>(
                &self.python.memory,
                &top,
                &self.caller,
                &self.callee,
                (is_leaf, false),
                |_| false,
            )
        }
    }

    #[test]
    fn a_look_that_was_held_up_does_not_count() {
        let mut pace = Pace { looks: 0, fastest: None };
        let us = Duration::from_micros;
        assert!((0..WARM_UP).all(|_| !pace.is_usual(us(40))));
        assert!(pace.is_usual(us(45)));
        assert!(!pace.is_usual(us(60)));
        assert!(pace.is_usual(us(20)));
        assert!(!pace.is_usual(us(40)));
        assert!((0..100).any(|_| pace.is_usual(us(40))), "it has become slower for good");
    }

    #[test]
    fn a_call_that_stands_is_seen() {
        let mut call = Call::new();
        assert_eq!(call.look(false), Some(Look::Same));
        call.python.set_i32(Remote::new(call.callee.frame), Python36::FRAME.last_instruction, 4);
        assert_eq!(call.look(true), Some(Look::Same), "the innermost frame may move on");
        assert_eq!(call.look(false), None, "another may have called another");
    }

    #[test]
    fn a_caller_that_has_moved_on_is_told() {
        let mut call = Call::new();
        call.python.set_i32(Remote::new(call.caller.frame), Python36::FRAME.last_instruction, 8);
        assert_eq!(call.look(true), Some(Look::Left));
    }

    #[test]
    fn of_frames_that_are_copied_as_one_the_caller_must_stand_on_its_call() {
        let mut call = Call::near();
        assert_eq!(call.look(false), Some(Look::Same));
        let (caller, callee) = (Remote::new(call.caller.frame), Remote::new(call.callee.frame));
        call.python.set_i32(callee, Python36::FRAME.last_instruction, 4);
        assert_eq!(call.look(false), Some(Look::Same), "wherever its callee is");
        call.python.memory.write_word(call.pointer, call.caller.frame);
        assert_eq!(call.look(false), None, "nobody has seen the callee on top");
        call.python.memory.write_word(call.pointer, call.callee.frame);
        call.python.set(callee, Python36::FRAME.references, 0);
        assert_eq!(call.look(false), Some(Look::Other), "it is dead");
        call.python.set_i32(caller, Python36::FRAME.last_instruction, 8);
        assert_eq!(call.look(false), None, "of another call this tells nothing");
    }

    #[test]
    fn a_callee_that_is_dead_or_called_by_another_is_told() {
        let mut call = Call::new();
        let callee = Remote::new(call.callee.frame);
        call.python.set(callee, Python36::FRAME.references, 0);
        assert_eq!(call.look(true), Some(Look::Other));
        call.python.set(callee, Python36::FRAME.references, 1);
        assert_eq!(call.look(true), Some(Look::Same));
        call.python.set(callee, Python36::FRAME.back, call.pointer);
        assert_eq!(call.look(true), Some(Look::Other));
    }

    #[test]
    fn a_thread_that_has_left_the_callee_is_told() {
        let mut call = Call::new();
        call.python.memory.write_word(call.pointer, call.caller.frame);
        assert_eq!(call.look(true), Some(Look::Other));
    }

    #[test]
    fn a_thread_that_is_in_another_frame_tells_nothing() {
        let mut call = Call::new();
        let other = call.python.heap_frame(CALLEE, Remote::new(call.callee.frame), 2);
        call.python.memory.write_word(call.pointer, other.address());
        assert_eq!(call.look(true), None);
        assert_eq!(call.look(false), None);
        call.python.set_i32(Remote::new(call.caller.frame), Python36::FRAME.last_instruction, 8);
        assert_eq!(call.look(true), Some(Look::Left), "the caller has moved on");
    }

    #[test]
    fn a_path_that_leads_elsewhere_tells_nothing() {
        let mut call = Call::new();
        let first = call.python.object(0);
        let is_seen = |call: &Call| {
            let path = [Word { address: first, value: 7 }, at(call.pointer)];
            let top = Top { path: &path, candidates: &[call.callee.frame] };
            let memory = &call.python.memory;
            let mut glance = Glance::timeless();
            let (caller, callee, ends) = (&call.caller, &call.callee, (true, false));
            glance.sees_call::<Python36, _>(memory, &top, caller, callee, ends, |_| false)
        };
        assert_eq!(is_seen(&call), None);
        call.python.memory.write_word(first, 7);
        assert_eq!(is_seen(&call), Some(Look::Same));
    }

    #[test]
    fn what_cannot_be_read_is_no_answer() {
        let mut call = Call::new();
        call.caller.frame = 0xdead_0000;
        assert_eq!(call.look(true), None);
    }

    #[test]
    fn the_root_has_no_caller() {
        let mut call = Call::new();
        let top = Top { path: &[at(call.pointer)], candidates: &[call.callee.frame] };
        let is_root = |call: &Call| {
            Glance::timeless().sees_call::<Python36, _>(
                &call.python.memory,
                &top,
                &call.caller,
                &call.callee,
                (true, true),
                |_| false,
            )
        };
        assert_eq!(is_root(&call), Some(Look::Same));
        call.caller.caller = call.pointer;
        call.python.set(Remote::new(call.caller.frame), Python36::FRAME.back, call.pointer);
        assert_eq!(is_root(&call), Some(Look::Other));
    }

    #[test]
    fn a_single_frame_is_the_top_and_has_no_caller() {
        let mut call = Call::new();
        let sees_alone = |call: &Call, root: &Link| {
            let top = Top { path: &[at(call.pointer)], candidates: &[root.frame] };
            let memory = &call.python.memory;
            Glance::timeless().sees_alone::<Python36, _>(memory, &top, root)
        };
        assert_eq!(sees_alone(&call, &call.callee), Some(false), "it has a caller");
        assert_eq!(sees_alone(&call, &call.caller), None, "it is not the top");
        call.python.memory.write_word(call.pointer, call.caller.frame);
        assert_eq!(sees_alone(&call, &call.caller), Some(true));
    }

    #[test]
    fn a_shim_between_two_frames_must_lead_from_one_to_the_other() {
        let mut python = FakePython::<Python314>::new();
        let (shim_owner, nothing) = (Python314::FRAME.first_shim_owner, Remote::new(0));
        let outer = python.interpreter_frame(CALLER, NULL, 6, 0);
        let own = python.interpreter_frame(OWN, outer, 2, 0);
        let other = python.interpreter_frame(CALLEE, outer, 2, 0);
        let shim = python.interpreter_frame(nothing, outer, 0, shim_owner);
        let elsewhere = python.interpreter_frame(nothing, NULL, 0, shim_owner);
        let pointer = python.object(0);
        let caller = link(CALLER, outer, NULL, 6);
        let mut is_seen = |shim| {
            let inner = python.interpreter_frame(CALLEE, shim, 2, 0);
            python.memory.write_word(pointer, inner.address());
            let top = Top { path: &[at(pointer)], candidates: &[inner.address()] };
            let callee = link(CALLEE, inner, shim, 2);
            Glance::timeless().sees_call::<Python314, _>(
                &python.memory,
                &top,
                &caller,
                &callee,
                (true, false),
                |raw| raw.code == OWN,
            )
        };
        assert_eq!(is_seen(shim), Some(Look::Same));
        assert_eq!(is_seen(own), Some(Look::Same));
        assert_eq!(is_seen(other), Some(Look::Other));
        assert_eq!(is_seen(elsewhere), Some(Look::Other));
    }
}
