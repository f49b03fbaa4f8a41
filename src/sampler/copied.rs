//! Chains of frames as they were copied, and the code objects that they run.

use super::Unproven;
use super::callees::Callees;
use super::calls::CallSites;
use super::chain::{Chains, Link};
use crate::abi::Abi;
use crate::memory::prefetch::Prefetch;
use crate::memory::{Memory, Remote};
use crate::python::code::{CodeCache, Place};
use crate::python::frames::{Frames, MAX_DEPTH, RawFrame, Step, Walk};
use crate::python::objects::Frame;

/// How many frames are looked for above the one that the top-frame pointer names.
const MOST_ABOVE: usize = 64;

/// Among so many of the innermost known steps a frame is looked for.
const NEAR: usize = 8;

/// The chains of one thread in one fetch.
#[derive(Default)]
pub struct Copied {
    /// The one that ends with the top-frame pointer as it was before the frames were copied.
    pub before: Chain,
    /// The one that ends with the pointer as it was after that, if it was another.
    after: Chain,
    is_same: bool,
}

impl Copied {
    /// Reads the chains that end with `before` and `after`.
    pub(super) fn read<A: Abi, M: Memory>(
        &mut self,
        prefetch: &Prefetch<M>,
        code: &mut CodeCache<A>,
        calls: &Calls<'_>,
        (before, after): (Remote<Frame>, Remote<Frame>),
    ) -> Result<(), Unproven> {
        self.before.read(prefetch, code, calls, before)?;
        self.is_same = before == after;
        if self.is_same {
            return Ok(());
        }
        self.after.read_beside(&self.before, prefetch, code, calls, after)
    }

    /// Both chains.
    #[must_use]
    pub fn chains(&self) -> Chains<'_> {
        let before = &self.before.links;
        Chains { before, after: if self.is_same { before } else { &self.after.links } }
    }
}

/// A chain under construction.
#[derive(Default)]
pub struct Chain {
    /// The walk from the top-frame pointer to the first frame that was known, or to the
    /// end of the chain.
    pub walk: Walk,
    /// The frames that may have been the stack, outermost first.
    pub links: Vec<Link>,
    /// What was found, outermost first. As much of it as has not changed is kept.
    known: Vec<Known>,
    /// The fetch that was walked, and the generation of its code objects, if all of them
    /// were known.
    moment: Option<(u32, u32)>,
    /// How many steps were kept.
    #[cfg(test)]
    kept: usize,
    /// Frames that the walk did not begin with, outermost first.
    above: Vec<Link>,
}

/// A step of a walk, and what follows from it.
#[derive(Clone, Copy, Debug)]
struct Known {
    step: Step,
    /// Whether the frame says that it is not inside a call ([`RawFrame::calls_none`]).
    calls_none: bool,
    /// How many links there are up to here.
    links: usize,
}

/// What is known of a program's calls.
pub(super) struct Calls<'a> {
    pub sites: &'a CallSites,
    pub callees: &'a Callees,
}

impl Chain {
    /// Walks from `top` and finds the code object of each frame. Code objects that
    /// were not known are decoded, which makes the attempt incomplete: by then
    /// the frame may be gone. What the last fetch had too, from the outermost frame on,
    /// byte for byte, is not walked again.
    fn read<A: Abi, M: Memory>(
        &mut self,
        prefetch: &Prefetch<M>,
        code: &mut CodeCache<A>,
        calls: &Calls<'_>,
        top: Remote<Frame>,
    ) -> Result<(), Unproven> {
        let now = (prefetch.number(), code.generation());
        let before = (now.0.wrapping_sub(1), now.1);
        let is_last = self.moment.take() == Some(before) && !self.walk.truncated;
        let places = self.known.iter().map(|known| known.step.frame.address());
        let same = if is_last { prefetch.same_at(places, A::Frames::SIZE) } else { 0 };
        self.known.truncate(same);
        self.go_on(prefetch, code, calls, top)?;
        self.moment = Some(now);
        Ok(())
    }

    /// The same, where `other` has been read from the same fetch.
    fn read_beside<A: Abi, M: Memory>(
        &mut self,
        other: &Self,
        prefetch: &Prefetch<M>,
        code: &mut CodeCache<A>,
        calls: &Calls<'_>,
        top: Remote<Frame>,
    ) -> Result<(), Unproven> {
        self.moment = None;
        self.known.clear();
        if !other.walk.truncated {
            self.known.extend_from_slice(&other.known);
            self.links.clone_from(&other.links);
        }
        self.go_on(prefetch, code, calls, top)
    }

    /// Walks from `top` until the walk comes to a frame that is known.
    fn go_on<A: Abi, M: Memory>(
        &mut self,
        prefetch: &Prefetch<M>,
        code: &mut CodeCache<A>,
        calls: &Calls<'_>,
        top: Remote<Frame>,
    ) -> Result<(), Unproven> {
        let kept = self.walk::<A, M>(prefetch, top)?;
        self.known.truncate(kept);
        self.links.truncate(self.known.last().map_or(0, |known| known.links));
        #[cfg(test)]
        {
            self.kept = kept;
        }
        if kept > 0 {
            self.walk.is_whole = kept + self.walk.path.len() <= MAX_DEPTH;
            let begins = self.known.iter().rev().find(|known| known.step.begins);
            let caller = begins.map(|known| known.step.caller);
            self.walk.loop_caller = self.walk.loop_caller.or(caller);
        }
        if !self.walk.is_whole {
            return Err(Unproven::Torn);
        }
        self.link(prefetch, code)?;
        self.ascend(prefetch, code, calls);
        Ok(())
    }

    /// Walks from `top`, and returns how many of the known steps, from the outermost on,
    /// the walk has come to.
    fn walk<A: Abi, M: Memory>(
        &mut self,
        prefetch: &Prefetch<M>,
        top: Remote<Frame>,
    ) -> Result<usize, Unproven> {
        let Self { walk, known, .. } = self;
        walk.begin(top);
        let mut kept = 0;
        A::Frames::walk_until(&prefetch.frames(), walk, |frame| {
            let near = known.iter().rev().take(NEAR).position(|known| known.step.frame == frame);
            kept = near.map_or(0, |inwards| known.len() - inwards);
            kept > 0
        })?;
        Ok(kept)
    }

    /// Adds what was walked, up to a frame that was on top when it was copied.
    fn link<A: Abi, M: Memory>(
        &mut self,
        prefetch: &Prefetch<M>,
        code: &mut CodeCache<A>,
    ) -> Result<(), Unproven> {
        let mut is_complete = true;
        let mut frames = self.walk.frames.iter().rev();
        for step in self.walk.path.iter().rev() {
            let raw = if step.is_shim { None } else { frames.next() };
            if let Some(raw) = raw {
                let caller = self.known.last();
                if caller.is_some_and(|c| raw.has_left(c.step.frame, c.calls_none)) {
                    break;
                }
                let id = match code.place(raw) {
                    Some(Place::Inside(id)) => Some(id),
                    Some(Place::Incomplete) => None,
                    Some(Place::Outside) => {
                        // Or in another code object, in the memory of one that is gone.
                        let _ = code.verify(prefetch.direct(), &[raw.code]);
                        return Err(Unproven::Torn);
                    }
                    None => {
                        is_complete = false;
                        Some(code.decode(prefetch.direct(), raw.code)?)
                    }
                };
                self.links.extend(id.map(|id| Link::new(raw, id)));
            }
            let calls_none = raw.is_some_and(|raw| raw.calls_none);
            self.known.push(Known { step: *step, calls_none, links: self.links.len() });
        }
        if is_complete { Ok(()) } else { Err(Unproven::Incomplete) }
    }

    /// Goes on from an innermost frame that says that it is inside a call. Its callee
    /// was copied with it, and says itself that it is linked to it and executed; only a
    /// call that is known is believed, for the two were not copied at one instant. If
    /// there is none, the pointer is right, or as good as any guess.
    fn ascend<A: Abi, M: Memory>(
        &mut self,
        prefetch: &Prefetch<M>,
        code: &CodeCache<A>,
        calls: &Calls<'_>,
    ) {
        let Some(mut caller) = self.links.last().copied() else { return };
        self.above.clear();
        let mut executed = 0;
        while caller.may_call && self.above.len() < MOST_ABOVE {
            let found = calls.callees.of(caller.frame).find_map(|place| {
                let raw = frame_at::<A, M>(prefetch, Remote::new(place))?;
                let Some(Place::Inside(id)) = code.place(&raw) else {
                    return None;
                };
                let callee = Link::new(&raw, id);
                let is_callee = raw.caller.address() == caller.frame
                    && raw.is_told_by_caller
                    && (raw.is_executed || callee.may_call)
                    && calls.sites.contains(&caller, &callee);
                is_callee.then_some((callee, raw.is_executed))
            });
            let Some((callee, is_executed)) = found else { break };
            self.above.push(callee);
            if is_executed {
                executed = self.above.len();
            }
            caller = callee;
        }
        self.links.extend_from_slice(&self.above[..executed]);
    }
}

/// What was copied of the frame at a place, if one can be there.
fn frame_at<A: Abi, M: Memory>(prefetch: &Prefetch<M>, place: Remote<Frame>) -> Option<RawFrame> {
    let mut copy = [0; crate::python::frames::COPY];
    let copy = &mut copy[..A::Frames::SIZE];
    prefetch.frames().read_into(place.address(), copy).ok()?;
    A::Frames::decode(place, copy)?.raw
}

#[cfg(all(test, feature = "py27", feature = "py36", feature = "py310"))]
#[cfg(all(feature = "py311", feature = "py312", feature = "py314"))]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::abi::{InterpreterFrameAbi, Python312};
    use crate::memory::Fault;
    use crate::python::fixtures::{FakePython, TYPES};
    use crate::python::objects::Code;

    /// A process of 3.12 in which a function has called another, while the top-frame
    /// pointer still, or again, says that it is on top.
    struct Called {
        python: FakePython<Python312>,
        caller: Remote<Frame>,
        callee: Remote<Frame>,
        sites: CallSites,
        callees: Callees,
    }

    impl Called {
        fn new() -> Self {
            let mut python = FakePython::<Python312>::new();
            let (outer, inner) = (code(&mut python, "outer"), code(&mut python, "inner"));
            let owner = Python312::FRAME.first_shim_owner;
            let shim = python.interpreter_frame(Remote::new(0), Remote::new(0), 0, owner);
            let caller = python.interpreter_frame(outer, shim, 6, 0);
            let callee = python.interpreter_frame(inner, caller, 4, 0);
            let (sites, callees) = (CallSites::default(), Callees::default());
            let mut called = Self { python, caller, callee, sites, callees };
            called.set_stack_top(caller, 3);
            called.set_stack_top(callee, -1);
            let stack = called.stack(callee);
            called.sites.learn(&stack);
            called.callees.note(&stack[0], &stack[1]);
            called
        }

        fn set_stack_top(&mut self, frame: Remote<Frame>, value: i32) {
            let field = Python312::FRAME.stack_top.expect("3.12 has the field");
            self.python.set_i32(frame, field, value);
        }

        /// The frames that are found from `top`, outermost first.
        fn stack(&self, top: Remote<Frame>) -> Vec<Link> {
            let prefetch = Prefetch::new(&self.python.memory);
            let mut code = CodeCache::<Python312>::new(TYPES);
            let mut chain = Chain::default();
            let calls = Calls { sites: &self.sites, callees: &self.callees };
            // The first time, the code objects are decoded: each in its turn.
            for frame in [self.caller, self.callee, top] {
                let _ = chain.read(&prefetch, &mut code, &calls, frame);
            }
            chain.links
        }

        fn found(&self) -> Vec<u64> {
            self.stack(self.caller).iter().map(|link| link.frame).collect()
        }
    }

    fn code(python: &mut FakePython<Python312>, name: &str) -> Remote<Code> {
        let (name, file) = (python.ascii(name), python.ascii("a.py"));
        python.code(name, file, 1, &[])
    }

    #[test]
    fn a_callee_is_found_though_the_pointer_does_not_name_it() {
        let called = Called::new();
        assert_eq!(called.found(), [called.caller.address(), called.callee.address()]);
    }

    #[test]
    fn a_caller_that_calls_none_was_on_top() {
        let mut called = Called::new();
        called.set_stack_top(called.caller, -1);
        assert_eq!(called.found(), [called.caller.address()]);
    }

    #[test]
    fn a_callee_that_has_returned_is_dead() {
        let mut called = Called::new();
        called.set_stack_top(called.callee, 0);
        assert_eq!(called.found(), [called.caller.address()]);
    }

    #[test]
    fn a_callee_of_another_is_not_taken() {
        let mut called = Called::new();
        let other = called.python.interpreter_frame(Remote::new(0), Remote::new(0), 0, 3);
        let field = Python312::FRAME.previous;
        called.python.set(called.callee, field, other.address());
        assert_eq!(called.found(), [called.caller.address()]);
    }

    #[test]
    fn a_call_that_is_not_known_is_not_believed() {
        let mut called = Called::new();
        called.sites = CallSites::default();
        assert_eq!(called.found(), [called.caller.address()]);
    }

    #[test]
    fn a_place_that_cannot_be_read_costs_nothing() {
        let mut called = Called::new();
        let mut pair = called.stack(called.callee);
        pair[1].frame = 0xdead_0000;
        called.callees.note(&pair[0], &pair[1]);
        assert_eq!(called.found(), [called.caller.address(), called.callee.address()]);
    }

    /// A process that changes between two fetches.
    struct Changing(RefCell<FakePython<Python312>>);

    impl Memory for &Changing {
        fn read_into(&self, address: u64, buffer: &mut [u8]) -> Result<(), Fault> {
            self.0.borrow().memory.read_into(address, buffer)
        }
    }

    impl Changing {
        fn set_instruction(&self, frame: Remote<Frame>, code: Remote<Code>, offset: u64) {
            let address = code.address() + Python312::FRAME.first_instruction as u64 + offset;
            self.0.borrow_mut().set(frame, Python312::FRAME.instruction, address);
        }
    }

    /// Whatever changes: a chain that is kept in part is the same as one that is walked
    /// anew, and so is one that is read beside it.
    #[test]
    fn a_chain_that_is_kept_in_part_is_what_a_walk_would_find() {
        let mut python = FakePython::<Python312>::new();
        let code = code(&mut python, "f");
        let owner = Python312::FRAME.first_shim_owner;
        let mut frames = vec![python.interpreter_frame(Remote::new(0), Remote::new(0), 0, owner)];
        for depth in 1..20 {
            let frame = match depth {
                10 => python.interpreter_frame(Remote::new(0), frames[depth - 1], 0, owner),
                _ => python.interpreter_frame(code, frames[depth - 1], 6, 0),
            };
            frames.push(frame);
        }
        let changing = Changing(RefCell::new(python));
        let prefetch = Prefetch::new(&changing);
        let mut cache = CodeCache::<Python312>::new(TYPES);
        let (sites, callees) = (CallSites::default(), Callees::default());
        let calls = Calls { sites: &sites, callees: &callees };
        let mut chain = Chain::default();
        // Everything is met once, and then in the plan.
        for _ in 0..3 {
            prefetch.fetch().expect("there is memory");
            let _ = chain.read(&prefetch, &mut cache, &calls, frames[19]);
        }
        let mut kept = 0;
        for (round, depth) in
            [19, 19, 18, 3, 19, 12, 12, 9, 11, 5, 19, 1, 19].into_iter().enumerate()
        {
            changing.set_instruction(frames[depth], code, 8 + 2 * round as u64);
            let top = frames[if round % 3 == 2 { 17 } else { 19 }];
            prefetch.fetch().expect("there is memory");
            assert_eq!(prefetch.misses(), 0);
            chain.read(&prefetch, &mut cache, &calls, top).expect("it is whole");
            let mut anew = Chain::default();
            anew.read(&prefetch, &mut cache, &calls, top).expect("it is whole");
            assert_eq!(facts(&chain), facts(&anew), "round {round}");
            kept += usize::from(chain.kept > 1);
            for top in [14, 19, 17] {
                let mut beside = Chain::default();
                let top = frames[top];
                beside.read_beside(&chain, &prefetch, &mut cache, &calls, top).expect("whole");
                anew.read(&prefetch, &mut cache, &calls, top).expect("it is whole");
                assert_eq!(facts(&beside), facts(&anew), "round {round}");
            }
        }
        assert_eq!(kept, 12, "a shim and more, but when the frame above it changed");
    }

    fn facts(chain: &Chain) -> (&[Link], bool, Option<Remote<Frame>>) {
        (&chain.links, chain.walk.is_whole, chain.walk.loop_caller)
    }

    #[test]
    fn code_in_the_memory_of_shorter_code_is_told() {
        let mut python = FakePython::<Python312>::new();
        let code = code(&mut python, "f");
        let owner = Python312::FRAME.first_shim_owner;
        let shim = python.interpreter_frame(Remote::new(0), Remote::new(0), 0, owner);
        let frame = python.interpreter_frame(code, shim, 6, 0);
        python.set_length(code, 8);
        let changing = Changing(RefCell::new(python));
        let prefetch = Prefetch::new(&changing);
        let mut cache = CodeCache::<Python312>::new(TYPES);
        let (sites, callees) = (CallSites::default(), Callees::default());
        let calls = Calls { sites: &sites, callees: &callees };
        let mut chain = Chain::default();
        let mut read = || {
            prefetch.fetch().expect("there is memory");
            chain.read(&prefetch, &mut cache, &calls, frame).map(|()| chain.links[0].code)
        };
        let _ = (read(), read());
        let short = read().expect("it is known by now");
        changing.0.borrow_mut().set_length(code, 40);
        changing.0.borrow_mut().set_i32(code, Python312::CODE.first_line, 7);
        changing.set_instruction(frame, code, 30);
        assert!(matches!(read(), Err(Unproven::Torn)));
        assert!(matches!(read(), Err(Unproven::Incomplete)), "it is decoded");
        assert_ne!(read().expect("it is known by now"), short);
    }

    #[test]
    fn nothing_is_kept_of_an_earlier_fetch() {
        let called = Called::new();
        let prefetch = Prefetch::new(&called.python.memory);
        let mut code = CodeCache::<Python312>::new(TYPES);
        let calls = Calls { sites: &called.sites, callees: &called.callees };
        let mut chain = Chain::default();
        let mut read = |fetches: usize| {
            (0..fetches).for_each(|_| prefetch.fetch().expect("there is memory"));
            let _ = chain.read(&prefetch, &mut code, &calls, called.callee);
            chain.kept
        };
        assert_eq!([read(1), read(1), read(1), read(1)][3], 3);
        assert_eq!(read(2), 0);
        assert_eq!(read(0), 0);
    }
}
