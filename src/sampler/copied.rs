//! A chain of frames as it was copied, and the code objects that they run.

use super::Unproven;
use super::callees::Callees;
use super::calls::CallSites;
use super::chain::Link;
use crate::abi::Abi;
use crate::memory::prefetch::Prefetch;
use crate::memory::{Memory, Remote};
use crate::python::code::{CodeCache, Place};
use crate::python::frames::{Frames, RawFrame, Walk};
use crate::python::objects::Frame;

/// How many frames are looked for above the one that the top-frame pointer names.
const MOST_ABOVE: usize = 64;

/// A chain under construction.
#[derive(Default)]
pub struct Chain {
    /// As it was found.
    pub walk: Walk,
    /// The frames that may have been the stack, innermost first.
    pub links: Vec<Link>,
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
        self.walk.begin(top);
        A::Frames::walk(&prefetch.frames(), &mut self.walk)?;
        if !self.walk.is_whole {
            return Err(Unproven::Torn);
        }
        self.links.clear();
        let mut outcome = Ok(());
        let mut above: Option<&RawFrame> = None;
        for raw in &self.walk.frames {
            if above.is_some_and(|above| above.has_left(raw)) {
                self.links.clear(); // When this one was copied, it was the top.
            }
            above = Some(raw);
            let id = match code.place(raw.code, raw.position) {
                Some(Place::Inside(id)) => id,
                Some(Place::Incomplete(_)) if raw.may_be_incomplete => continue,
                Some(Place::Incomplete(id)) => id,
                Some(Place::Outside) => return Err(Unproven::Torn),
                None => {
                    outcome = Err(Unproven::Incomplete);
                    code.decode(prefetch.direct(), raw.code)?
                }
            };
            self.links.push(Link::new(raw, id));
        }
        if outcome.is_ok() {
            self.ascend(prefetch, code, calls);
        }
        outcome
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
    use super::*;
    use crate::abi::{InterpreterFrameAbi, Python312};
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
}
