//! Frames of machine code, as Nuitka makes them, over a fake memory.

use super::super::fixtures::FakePython;
use super::super::frames::{Frames, Position, Walk, is_settled};
use super::super::objects::Frame;
use super::InterpreterFrames;
use crate::cpython::abi::{Abi, Python312, TopFrame};
use crate::cpython::memory::{Memory, Remote};

const NULL: Remote<Frame> = Remote::new(0);

/// What a walk from `top` finds.
fn walk_from(python: &FakePython<Python312>, top: Remote<Frame>) -> Walk {
    let mut walk = Walk::default();
    walk.begin(top);
    let walked = <InterpreterFrames as Frames<Python312>>::walk(&python.memory, &mut walk);
    walked.expect("the chain can be read");
    walk
}

#[test]
fn a_frame_that_lies_inside_its_frame_object_is_of_machine_code() {
    let mut python = FakePython::<Python312>::new();
    let layout = Python312::FRAME;
    let shim = python.interpreter_frame(Remote::new(0), NULL, 0, layout.first_shim_owner);
    let caller = python.interpreter_frame(Remote::new(0x10), shim, 6, 0);
    let mut frame = |previous, owner, distance: Option<u64>| {
        let frame = python.interpreter_frame(Remote::new(0x10), previous, 7000, owner);
        let object = distance.map_or(0, |distance| frame.address().wrapping_sub(distance));
        python.set(frame, layout.object, object);
        python.set_i32(frame, layout.stack_top.expect("3.12 has the field"), -1);
        let walk = walk_from(&python, frame);
        (walk.frames[0], walk.is_whole, walk.loop_caller)
    };
    let nuitka = Some(0x68);
    let (raw, is_whole, loop_caller) = frame(NULL, layout.generator_owner, nuitka);
    assert!(raw.is_foreign && is_whole, "it needs no caller");
    assert_eq!((raw.position, loop_caller), (Position::Instruction(-1), Some(NULL)));
    assert!(!raw.calls_none && !raw.is_executed, "what the loop writes, it does not tell");
    let (raw, _, loop_caller) = frame(caller, layout.generator_owner, nuitka);
    assert!(raw.is_foreign && raw.caller == caller);
    assert_eq!(loop_caller, Some(NULL), "the loop is that of its caller");
    let mut is_foreign = |owner, distance| frame(caller, owner, distance).0.is_foreign;
    let (generator, least) = (layout.generator_owner, layout.object_distance);
    assert!(!is_foreign(generator, None) && !is_foreign(generator, Some(least)));
    assert!(is_foreign(generator, Some(least - 8)) && !is_foreign(0, nuitka));
    assert!(!is_foreign(generator, Some(0x68_u64.wrapping_neg())), "it lies behind");
}

#[test]
fn the_newest_c_frame_may_be_the_first() {
    let mut python = FakePython::<Python312>::new();
    let TopFrame::CFrame(layout) = Python312::THREAD.top else { panic!("3.12 has C frames") };
    let frame =
        python.interpreter_frame(Remote::new(0x10), NULL, 0, Python312::FRAME.generator_owner);
    python.set(frame, Python312::FRAME.object, frame.address() - 0x68);
    let thread = python.nested_thread(frame, NULL);
    let newest = python.memory.field(thread, layout.newest).expect("it is there");
    python.set(newest, layout.previous, 0);
    let walk = walk_from(&python, frame);
    let is_settled = is_settled::<Python312, _>(&python.memory, thread, &walk);
    assert_eq!(is_settled, Ok(true));
}
