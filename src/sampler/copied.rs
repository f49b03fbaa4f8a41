//! A chain of frames as it was copied, and the code objects that they run.

use super::Unproven;
use super::callees::Callees;
use super::calls::CallSites;
use super::chain::Link;
use crate::abi::Abi;
use crate::memory::prefetch::Prefetch;
use crate::memory::{Memory, Remote};
use crate::python::code::{CodeCache, CodeId, Place};
use crate::python::frames::{Frames, RawFrame, Step, Walk};
use crate::python::objects::Frame;

/// How many frames are looked for above the one that the top-frame pointer names.
const MOST_ABOVE: usize = 64;

/// Within so many steps of the last walk a frame is looked for.
const NEAR: usize = 8;

/// A chain under construction.
#[derive(Default)]
pub struct Chain {
    /// As it was found.
    pub walk: Walk,
    /// The frames that may have been the stack, innermost first.
    pub links: Vec<Link>,
    /// The code objects of the frames that were walked, `None` for one in the making.
    codes: Vec<Option<CodeId>>,
    /// The walk before, and its code objects.
    earlier: Walk,
    earlier_codes: Vec<Option<CodeId>>,
    /// The fetch that was walked, and the generation of its code objects, if all of them
    /// were known.
    moment: Option<(u32, u32)>,
    /// How many frames were taken from the walk before.
    #[cfg(test)]
    joined: usize,
    /// Frames that the walk did not begin with, innermost last.
    above: Vec<Link>,
}

/// What is known of a program's calls.
pub(super) struct Calls<'a> {
    pub sites: &'a CallSites,
    pub callees: &'a Callees,
}

impl Chain {
    /// Walks from `top` and finds the code object of each frame. Code objects that
    /// were not known are decoded, which makes the attempt incomplete: by then
    /// the frame may be gone.
    pub(super) fn read<A: Abi, M: Memory>(
        &mut self,
        prefetch: &Prefetch<M>,
        code: &mut CodeCache<A>,
        calls: &Calls<'_>,
        top: Remote<Frame>,
    ) -> Result<(), Unproven> {
        std::mem::swap(&mut self.walk, &mut self.earlier);
        std::mem::swap(&mut self.codes, &mut self.earlier_codes);
        let now = (prefetch.number(), code.generation());
        let before = (now.0.wrapping_sub(1), now.1);
        let may_join = self.moment.take() == Some(before) && !self.earlier.truncated;
        let joint = self.walk::<A, M>(prefetch, top, may_join)?;
        if !self.walk.is_whole {
            return Err(Unproven::Torn);
        }
        #[cfg(test)]
        {
            self.joined = joint.map_or(0, |(here, _)| self.walk.frames.len() - here);
        }
        self.codes.clear();
        let mut is_complete = true;
        for raw in &self.walk.frames[..joint.map_or(self.walk.frames.len(), |(here, _)| here)] {
            let id = match code.place(raw.code, raw.position) {
                Some(Place::Inside(id)) => Some(id),
                Some(Place::Incomplete(_)) if raw.may_be_incomplete => None,
                Some(Place::Incomplete(id)) => Some(id),
                Some(Place::Outside) => return Err(Unproven::Torn),
                None => {
                    is_complete = false;
                    Some(code.decode(prefetch.direct(), raw.code)?)
                }
            };
            self.codes.push(id);
        }
        if let Some((_, there)) = joint {
            self.codes.extend_from_slice(self.earlier_codes.get(there..).unwrap_or_default());
        }
        self.link();
        if !is_complete {
            return Err(Unproven::Incomplete);
        }
        self.moment = Some(now);
        self.ascend(prefetch, code, calls);
        Ok(())
    }

    /// Walks from `top`. Where the walk comes to a frame that the last one came to, and
    /// that and all outwards of it has the same bytes in both fetches, it goes on as the
    /// last one did. Returns how many frames came before that, now and then.
    fn walk<A: Abi, M: Memory>(
        &mut self,
        prefetch: &Prefetch<M>,
        top: Remote<Frame>,
        may_join: bool,
    ) -> Result<Option<(usize, usize)>, Unproven> {
        let Self { walk, earlier, .. } = self;
        walk.begin(top);
        let path = if may_join { &earlier.path[..] } else { &[] };
        let is_same = |step: &&Step| prefetch.is_same(step.frame.address(), A::Frames::SIZE);
        let (mut at, mut same_from, mut joint) = (0, None, None);
        A::Frames::walk_until(&prefetch.frames(), walk, |frame| {
            let near = path[at..].iter().take(NEAR);
            let Some(found) = near.clone().position(|step| step.frame == frame) else {
                return false;
            };
            at += found;
            let from = *same_from
                .get_or_insert_with(|| path.len() - path.iter().rev().take_while(is_same).count());
            joint = (at >= from).then_some(at);
            joint.is_some()
        })?;
        match joint {
            Some(step) => walk.join(earlier, step).map(Some).ok_or(Unproven::Torn),
            None => Ok(None),
        }
    }

    /// Links the frames that were walked, but those that had left.
    fn link(&mut self) {
        self.links.clear();
        let mut above: Option<&RawFrame> = None;
        for (raw, code) in self.walk.frames.iter().zip(&self.codes) {
            if above.is_some_and(|above| above.has_left(raw)) {
                self.links.clear(); // When this one was copied, it was the top.
            }
            above = Some(raw);
            self.links.extend(code.map(|code| Link::new(raw, code)));
        }
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
        let Some(mut caller) = self.links.first().copied() else { return };
        self.above.clear();
        let mut executed = 0;
        while caller.may_call && self.above.len() < MOST_ABOVE {
            let found = calls.callees.of(caller.frame).find_map(|place| {
                let raw = frame_at::<A, M>(prefetch, Remote::new(place))?;
                let Some(Place::Inside(id)) = code.place(raw.code, raw.position) else {
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
        if executed > 0 {
            self.links.splice(0..0, self.above[..executed].iter().rev().copied());
        }
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
            called.callees.note(&stack[1], &stack[0]);
            called
        }

        fn set_stack_top(&mut self, frame: Remote<Frame>, value: i32) {
            let field = Python312::FRAME.stack_top.expect("3.12 has the field");
            self.python.set_i32(frame, field, value);
        }

        /// The frames that are found from `top`, innermost first.
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
        assert_eq!(called.found(), [called.callee.address(), called.caller.address()]);
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
        pair[0].frame = 0xdead_0000;
        called.callees.note(&pair[1], &pair[0]);
        assert_eq!(called.found(), [called.callee.address(), called.caller.address()]);
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

    /// Whatever changes: a chain that goes on like the one before is the same as one that
    /// is walked anew, and most of it is not walked.
    #[test]
    fn a_chain_that_joins_the_last_one_is_what_a_walk_would_find() {
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
        let mut joined = 0;
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
            assert_eq!((&chain.walk, &chain.links), (&anew.walk, &anew.links), "round {round}");
            joined += usize::from(chain.joined > 0);
        }
        assert_eq!(joined, 12, "but for the round in which the outermost frame changed");
    }

    #[test]
    fn a_chain_does_not_join_one_of_an_earlier_fetch() {
        let called = Called::new();
        let prefetch = Prefetch::new(&called.python.memory);
        let mut code = CodeCache::<Python312>::new(TYPES);
        let calls = Calls { sites: &called.sites, callees: &called.callees };
        let mut chain = Chain::default();
        let mut read = |fetches: usize| {
            (0..fetches).for_each(|_| prefetch.fetch().expect("there is memory"));
            let _ = chain.read(&prefetch, &mut code, &calls, called.callee);
            chain.joined
        };
        assert_eq!([read(1), read(1), read(1), read(1)][3], 2);
        assert_eq!(read(2), 0);
        assert_eq!(read(0), 0);
    }
}
