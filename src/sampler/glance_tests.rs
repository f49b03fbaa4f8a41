//! Looks at calls of a made-up process.

use super::*;
use crate::abi::{Executing, HeapFrameAbi, InterpreterFrameAbi, Python36, Python314};
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
    assert_eq!(call.look(false), Some(Look::Alone), "it is dead");
    call.python.set_i32(caller, Python36::FRAME.last_instruction, 8);
    assert_eq!(call.look(false), None, "of another call this tells nothing");
}

#[test]
fn a_callee_that_is_dead_or_called_by_another_is_told() {
    let mut call = Call::new();
    let callee = Remote::new(call.callee.frame);
    call.python.set(callee, Python36::FRAME.references, 0);
    assert_eq!(call.look(true), Some(Look::Alone));
    call.python.set(callee, Python36::FRAME.references, 1);
    assert_eq!(call.look(true), Some(Look::Same));
    call.python.set(callee, Python36::FRAME.back, call.pointer);
    assert_eq!(call.look(true), Some(Look::Alone));
}

#[test]
fn a_callee_that_a_traceback_keeps_is_not_called() {
    let mut call = Call::near();
    assert_eq!(call.look(false), Some(Look::Same));
    let Executing::When { field, .. } = Python36::FRAME.executing else { panic!("3.6 tells") };
    call.python.memory.write(call.callee.frame + field.offset() as u64, &[0]);
    assert_eq!(call.look(false), Some(Look::Alone), "linked as before, and held");
}

#[test]
fn a_pointer_that_leads_to_the_caller_is_told_though_the_frames_say_otherwise() {
    let mut call = Call::new();
    call.python.memory.write_word(call.pointer, call.caller.frame);
    assert_eq!(call.look(true), Some(Look::Told));
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
    assert_eq!(is_seen(other), Some(Look::Alone));
    assert_eq!(is_seen(elsewhere), Some(Look::Alone));
}
