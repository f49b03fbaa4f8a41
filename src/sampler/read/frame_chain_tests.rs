//! Chains of a made-up process, as it changes between two fetches.

use std::cell::RefCell;

use super::*;
use crate::cpython::abi::{Abi, Python312};
use crate::cpython::memory::Fault;
use crate::cpython::read::fixtures::{FakePython, TYPES};
use crate::cpython::read::objects::Code;

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
    fn stack(&self, top: Remote<Frame>) -> Vec<FrameRecord> {
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

pub(super) fn code(python: &mut FakePython<Python312>, name: &str) -> Remote<Code> {
    let (name, file) = (python.ascii(name), python.ascii("a.py"));
    python.code(name, file, 1, &[])
}

/// A process with a function, and the shim that a stack begins with.
fn one_function() -> (FakePython<Python312>, Remote<Code>, Remote<Frame>) {
    let mut python = FakePython::<Python312>::new();
    let code = code(&mut python, "f");
    let owner = Python312::FRAME.first_shim_owner;
    let shim = python.interpreter_frame(Remote::new(0), Remote::new(0), 0, owner);
    (python, code, shim)
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
pub struct Changing(pub RefCell<FakePython<Python312>>);

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

/// Reads chains of a process of whose calls nothing is known.
struct Reader<'a> {
    prefetch: Prefetch<&'a Changing>,
    code: CodeCache<Python312>,
    sites: CallSites,
    callees: Callees,
}

impl<'a> Reader<'a> {
    fn new(process: &'a Changing) -> Self {
        let (sites, callees) = (CallSites::default(), Callees::default());
        Self { prefetch: Prefetch::new(process), code: CodeCache::new(TYPES), sites, callees }
    }

    fn fetch(&self) {
        self.prefetch.fetch().expect("there is memory");
    }

    fn read(&mut self, chain: &mut Chain, top: Remote<Frame>) -> Result<(), Unproven> {
        let calls = Calls { sites: &self.sites, callees: &self.callees };
        chain.read(&self.prefetch, &mut self.code, &calls, top)
    }

    fn read_beside(
        &mut self,
        chain: &mut Chain,
        other: &Chain,
        top: Remote<Frame>,
    ) -> Result<(), Unproven> {
        let calls = Calls { sites: &self.sites, callees: &self.callees };
        chain.read_beside(other, &self.prefetch, &mut self.code, &calls, top)
    }
}

/// Whatever changes: a chain that is kept in part is the same as one that is walked
/// anew, and so is one that is read beside it.
#[test]
fn a_chain_that_is_kept_in_part_is_what_a_walk_would_find() {
    let (mut python, code, shim) = one_function();
    let owner = Python312::FRAME.first_shim_owner;
    let mut frames = vec![shim];
    for depth in 1..20 {
        let frame = match depth {
            10 => python.interpreter_frame(Remote::new(0), frames[depth - 1], 0, owner),
            _ => python.interpreter_frame(code, frames[depth - 1], 6, 0),
        };
        frames.push(frame);
    }
    let changing = Changing(RefCell::new(python));
    let mut reader = Reader::new(&changing);
    let mut chain = Chain::default();
    // Everything is met once, and then in the plan.
    for _ in 0..3 {
        reader.fetch();
        let _ = reader.read(&mut chain, frames[19]);
    }
    let mut kept = 0;
    for (round, depth) in [19, 19, 18, 3, 19, 12, 12, 9, 11, 5, 19, 1, 19].into_iter().enumerate() {
        changing.set_instruction(frames[depth], code, 8 + 2 * round as u64);
        let top = frames[if round % 3 == 2 { 17 } else { 19 }];
        reader.fetch();
        assert_eq!(reader.prefetch.misses(), 0);
        reader.read(&mut chain, top).expect("it is whole");
        let mut anew = Chain::default();
        reader.read(&mut anew, top).expect("it is whole");
        assert_eq!(facts(&chain), facts(&anew), "round {round}");
        kept += usize::from(chain.kept > 1);
        for top in [14, 19, 17] {
            let mut beside = Chain::default();
            let top = frames[top];
            reader.read_beside(&mut beside, &chain, top).expect("it is whole");
            reader.read(&mut anew, top).expect("it is whole");
            assert_eq!(facts(&beside), facts(&anew), "round {round}");
        }
    }
    assert_eq!(kept, 12, "a shim and more, but when the frame above it changed");
}

fn facts(chain: &Chain) -> (&[FrameRecord], bool, Option<Remote<Frame>>) {
    (&chain.links, chain.walk.is_whole, chain.walk.loop_caller)
}

#[test]
fn code_in_the_memory_of_shorter_code_is_told() {
    let (mut python, code, shim) = one_function();
    let frame = python.interpreter_frame(code, shim, 6, 0);
    python.set_length(code, 8);
    let changing = Changing(RefCell::new(python));
    let mut reader = Reader::new(&changing);
    let mut chain = Chain::default();
    let mut read = || {
        reader.fetch();
        reader.read(&mut chain, frame).map(|()| chain.links[0].code)
    };
    let _ = (read(), read());
    let short = read().expect("it is known by now");
    changing.0.borrow_mut().set_length(code, 40);
    changing.0.borrow_mut().set_i32(code, Python312::CODE.first_line, 7);
    changing.set_instruction(frame, code, 30);
    assert!(matches!(read(), Err(Unproven::Torn(_))));
    assert!(matches!(read(), Err(Unproven::Torn(TornReason::NotFetched))), "it is decoded");
    assert_ne!(read().expect("it is known by now"), short);
}

/// A new frame has its code before it has its place in it.
#[test]
fn an_innermost_frame_without_a_place_is_in_the_making() {
    let (mut python, code, shim) = one_function();
    let outer = python.interpreter_frame(code, shim, 6, 0);
    let middle = python.interpreter_frame(code, outer, 6, 0);
    let inner = python.interpreter_frame(code, middle, 6, 0);
    let changing = Changing(RefCell::new(python));
    let mut reader = Reader::new(&changing);
    let mut read = || {
        reader.fetch();
        let mut chain = Chain::default();
        reader.read(&mut chain, inner).map(|()| chain.links.len())
    };
    let _ = (read(), read());
    assert_eq!(read().expect("it is whole"), 3);
    changing.set_instruction(inner, code, 5000);
    assert_eq!(read().expect("it is whole"), 2);
    changing.set_instruction(middle, code, 5000);
    assert!(matches!(read(), Err(Unproven::Torn(_))), "it has called another");
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
