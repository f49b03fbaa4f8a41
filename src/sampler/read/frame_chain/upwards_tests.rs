//! A made-up thread of 3.12 whose top is found without its top-frame pointer.

use std::cell::RefCell;

use super::super::tests::{Changing, code};
use super::super::{Calls, Copied};
use super::*;
use crate::cpython::abi::{Abi, Python312, TopFrame};
use crate::cpython::memory::Field;
use crate::cpython::read::fixtures::{FakePython, TYPES};
use crate::cpython::read::objects::{CFrame, Frame, Thread};
use crate::sampler::read::call_sites::CallSites;
use crate::sampler::read::callees::Callees;

const NOWHERE: u64 = 0xdead_0000;

/// So many fetches, and what is always the same is known.
const LONG: usize = 100;

/// A thread that is in the innermost of three functions.
struct Running<'a> {
    process: &'a Changing,
    thread: Remote<Thread>,
    c_frame: Remote<CFrame>,
    frames: [Remote<Frame>; 3],
    prefetch: Prefetch<&'a Changing>,
    code: CodeCache<Python312>,
    sites: CallSites,
    callees: Callees,
    copied: Copied,
}

/// A process whose second C frame was called by `caller`, which is none if the thread is
/// in its first call of the evaluation loop.
fn process(is_entering: bool) -> (Changing, Remote<Thread>, [Remote<Frame>; 3]) {
    let mut python = FakePython::<Python312>::new();
    let (none, owner) = (Remote::new(0), Python312::FRAME.first_shim_owner);
    let mut caller = python.interpreter_frame(Remote::new(0), none, 0, owner);
    let frames = ["a", "b", "c"].map(|name| {
        let code = code(&mut python, name);
        caller = python.interpreter_frame(code, caller, 6, 0);
        caller
    });
    let thread = python.nested_thread(frames[2], if is_entering { frames[2] } else { none });
    (Changing(RefCell::new(python)), thread, frames)
}

impl<'a> Running<'a> {
    fn new((process, thread, frames): &'a (Changing, Remote<Thread>, [Remote<Frame>; 3])) -> Self {
        let newest = process.0.borrow().memory.field(*thread, c_frames().newest);
        let running = Self {
            process,
            thread: *thread,
            c_frame: newest.expect("it is there"),
            frames: *frames,
            prefetch: Prefetch::new(process),
            code: CodeCache::new(TYPES),
            sites: CallSites::default(),
            callees: Callees::default(),
            copied: Copied::default(),
        };
        running.set_stack_tops([1, 1, -1]);
        running
    }

    fn set_stack_tops(&self, values: [i32; 3]) {
        let field = Python312::FRAME.stack_top.expect("3.12 has the field");
        let mut python = self.process.0.borrow_mut();
        for (frame, value) in self.frames.iter().zip(values) {
            python.set_i32(*frame, field, value);
        }
    }

    fn set<S, T>(&self, object: Remote<S>, field: Field<S, T>, value: u64) {
        self.process.0.borrow_mut().set(object, field, value);
    }

    /// Has the top-frame pointer lead nowhere: who asks for it learns nothing.
    fn lose_pointer(&self) {
        self.set(self.c_frame, c_frames().current, NOWHERE);
    }

    /// The frames that are found in the next fetch, outermost first; none without them.
    fn found(&mut self) -> Vec<Remote<Frame>> {
        self.prefetch.fetch().expect("there is memory");
        let calls = Calls { sites: &self.sites, callees: &self.callees };
        let read = self.copied.read(&self.prefetch, &mut self.code, &calls, self.thread);
        let links = if read.is_ok() { self.copied.chains().before } else { &[] };
        links.iter().map(|link| Remote::new(link.frame)).collect()
    }

    fn run(&mut self) {
        let found: Vec<_> = (0..LONG).map(|_| self.found()).collect();
        assert!(found[LONG / 2..].iter().all(|found| *found == self.frames));
    }
}

fn c_frames() -> crate::cpython::abi::CFrameLayout {
    let TopFrame::CFrame(layout) = Python312::THREAD.top else { panic!("3.12 has C frames") };
    layout
}

#[test]
fn a_call_of_the_loop_that_is_known_needs_no_pointer() {
    let process = process(false);
    let mut running = Running::new(&process);
    running.run();
    running.lose_pointer();
    assert_eq!(running.found(), running.frames);
    assert_eq!(running.prefetch.misses(), 0);
}

#[test]
fn a_callee_that_has_returned_is_not_on_top() {
    let process = process(false);
    let mut running = Running::new(&process);
    running.run();
    running.lose_pointer();
    running.set_stack_tops([1, -1, 1]);
    assert_eq!(running.found(), running.frames[..2]);
    running.set_stack_tops([1, 1, -1]);
    assert_eq!(running.found(), [], "it takes a pointer, or a call that is known");
}

#[test]
fn a_callee_that_is_called_again_is_found_if_the_call_is_known() {
    let process = process(false);
    let mut running = Running::new(&process);
    running.run();
    let links = running.copied.chains().before.to_vec();
    running.sites.learn(&links);
    running.callees.note(&links[1], &links[2]);
    running.lose_pointer();
    for _ in 0..3 {
        running.set_stack_tops([1, -1, 1]);
        assert_eq!(running.found(), running.frames[..2]);
        running.set_stack_tops([1, 1, -1]);
        assert_eq!(running.found(), running.frames);
        assert_eq!(running.found(), running.frames);
    }
}

#[test]
fn where_no_frame_is_executed_the_pointer_is_asked() {
    let process = process(false);
    let mut running = Running::new(&process);
    running.run();
    running.set_stack_tops([1, 1, 1]);
    running.set(running.c_frame, c_frames().current, running.frames[1].address());
    let found: Vec<_> = (0..4).map(|_| running.found()).collect();
    assert_eq!(found[3], running.frames[..2]);
    running.lose_pointer();
    assert_eq!(running.found(), []);
}

#[test]
fn another_c_frame_is_another_call_of_the_loop() {
    let process = process(false);
    let mut running = Running::new(&process);
    running.run();
    running.lose_pointer();
    let other = process.0.0.borrow_mut().object(0);
    running.set(running.thread, c_frames().newest, other);
    running.set(Remote::new(other), c_frames().current, NOWHERE);
    assert_eq!(running.found(), []);
}

#[test]
fn frames_that_were_called_anew_may_be_of_another_call_of_the_loop() {
    let process = process(false);
    let mut running = Running::new(&process);
    running.run();
    running.lose_pointer();
    let shim = process.0.0.borrow().memory.field(running.frames[0], Python312::FRAME.previous);
    let shim = shim.expect("it is there");
    running.set(shim, Python312::FRAME.previous, NOWHERE);
    assert_eq!(running.found(), []);
}

/// The newest C frame still points to what it pointed to before, which is executed: by
/// the C frame before it.
#[test]
fn a_c_frame_that_is_just_being_entered_is_not_taken_to_be_complete() {
    let process = process(true);
    let mut running = Running::new(&process);
    running.run();
    running.lose_pointer();
    assert_eq!(running.found(), []);
}
