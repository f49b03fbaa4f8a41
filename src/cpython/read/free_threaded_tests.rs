//! What only a free-threaded process has: copies of bytecode, and threads that are attached
//! side by side.

use super::code::{CodeCache, Named, Place};
use super::fixtures::{CODE_LENGTH, FakePython, TYPES};
use super::frames::{Position, RawFrame, Walk, walk_thread};
use super::objects::{Code, Frame};
use super::threads::{ProcessRoots, RootSymbols};
use crate::cpython::abi::{Abi, GilHolder, Python314t, Roots, Standing};
use crate::cpython::memory::{Memory, Remote};
use crate::stack::FrameTable;

const NULL: Remote<Frame> = Remote::new(0);

/// A code object, an array of copies of its bytecode, and where the copy with index 3 begins.
fn code(python: &mut FakePython<Python314t>) -> (Remote<Code>, u64) {
    let (name, file) = (python.ascii("work"), python.ascii("a.py"));
    // Two entries of 4 instructions: on the first line, and on the next.
    let code = python.code(name, file, 10, &[0x80 | 10 << 3 | 3, 0, 0, 0x80 | 11 << 3 | 7, 0, 0]);
    let layout = Python314t::COPIES.expect("there are copies");
    let (array, copy) = (python.object(0), python.object(0));
    python.set(code, layout.array, array);
    python.memory.write_word(array + layout.entries as u64 + 3 * 8, copy);
    (code, copy)
}

/// A thread whose frame is `bytes` into the copy.
fn frame_in(python: &mut FakePython<Python314t>, code: Remote<Code>, pointer: u64) -> RawFrame {
    let frame = python.interpreter_frame(code, NULL, 0, 0);
    let layout = Python314t::COPIES.expect("there are copies");
    python.set(frame, Python314t::FRAME.instruction, pointer);
    python.set_i32(frame, layout.index, 3);
    let thread = python.thread(frame);
    let mut walk = Walk::default();
    walk_thread::<Python314t, _>(&python.memory, thread, &mut walk).expect("one frame");
    walk.frames[0]
}

#[test]
fn a_frame_stands_in_the_copy_that_its_code_object_knows() {
    let mut python = FakePython::<Python314t>::new();
    let (code, copy) = code(&mut python);
    let raw = frame_in(&mut python, code, copy + 2 * 5);
    assert_eq!(raw.position, Position::Copied { index: 3, pointer: copy + 10 });
    let mut cache = CodeCache::<Python314t>::new(TYPES);
    let id = cache.decode(&python.memory, raw.code).expect("a code object");
    assert_eq!(cache.place(&raw), None, "it is not known yet where the copy begins");
    assert_eq!(cache.decode_of(&python.memory, &raw), Ok(id));
    assert_eq!(cache.place(&raw), Some(Place::Inside(id)));
    let (mut table, named) = (FrameTable::default(), Named { address: code.address(), id });
    let frame = cache.frame(named, raw.position, &mut table).expect("it is known");
    let same = cache.frame(named, Position::Instruction(10), &mut table);
    assert_eq!(same, Some(frame), "whichever copy is executed");
}

#[test]
fn a_copy_that_has_gone_is_found_anew() {
    let mut python = FakePython::<Python314t>::new();
    let (code, copy) = code(&mut python);
    let mut cache = CodeCache::<Python314t>::new(TYPES);
    let before = frame_in(&mut python, code, copy + 10);
    let id = cache.decode_of(&python.memory, &before).expect("a code object");
    let layout = Python314t::COPIES.expect("there are copies");
    let array = python.memory.field(code, layout.array).expect("it is set");
    let other = 0x77_0000;
    python.memory.write_word(array + layout.entries as u64 + 3 * 8, other);
    let after = frame_in(&mut python, code, other + 10);
    assert_eq!(cache.place(&after), Some(Place::Outside), "of the copy that was");
    assert_eq!(cache.place(&after), None, "that is not believed any more");
    assert_eq!(cache.decode_of(&python.memory, &after), Ok(id));
    assert_eq!(cache.place(&after), Some(Place::Inside(id)));
    assert_eq!(cache.place(&before), Some(Place::Outside));
}

#[test]
fn a_frame_outside_of_its_copy_stands_nowhere() {
    let mut python = FakePython::<Python314t>::new();
    let (code, copy) = code(&mut python);
    for pointer in [copy - 4, copy + CODE_LENGTH, 0, u64::MAX] {
        let mut cache = CodeCache::<Python314t>::new(TYPES);
        let raw = frame_in(&mut python, code, pointer);
        let id = cache.decode_of(&python.memory, &raw).expect("a code object");
        assert_eq!(cache.place(&raw), Some(Place::Outside), "{pointer:#x}");
        let named = Named { address: code.address(), id };
        assert_eq!(cache.frame(named, raw.position, &mut FrameTable::default()), None);
    }
    let raw = RawFrame {
        position: Position::Copied { index: u32::MAX, pointer: copy },
        ..frame_in(&mut python, code, copy)
    };
    let mut cache = CodeCache::<Python314t>::new(TYPES);
    assert!(cache.decode_of(&python.memory, &raw).is_err(), "there is no such copy");
}

#[test]
fn each_thread_says_whether_it_is_attached() {
    let mut python = FakePython::<Python314t>::new();
    let GilHolder::Attached(layout) = holder() else { panic!("threads are attached") };
    let threads = [1, 0, 2, 1, 3].map(|value| {
        let thread = python.thread(NULL);
        python.set_i32(thread, layout.state, value);
        thread
    });
    let interpreter = Remote::new(python.object(0));
    python.set(interpreter, Python314t::INTERPRETER.threads, threads[0].address());
    python.set(interpreter, Python314t::INTERPRETER.next, 0);
    for pair in threads.windows(2) {
        python.set(pair[0], Python314t::THREAD.next, pair[1].address());
    }
    let runtime = python.object(0);
    let Roots::Runtime { interpreters, .. } = Python314t::roots(0) else { panic!("a runtime") };
    python.memory.write_word(runtime + interpreters.offset() as u64, interpreter.address());
    let symbols = RootSymbols { runtime: Some(runtime), ..RootSymbols::default() };
    let roots = ProcessRoots::resolve(&Python314t::roots(0), symbols).expect("a symbol");
    let attached = roots.gil_holders::<Python314t, _>(&python.memory);
    assert_eq!(attached, Ok(vec![threads[0], threads[3]]));
    let standing = threads.map(|thread| roots.standing(&python.memory, thread));
    let [attached, suspended, detached] =
        [Standing::Attached, Standing::Suspended, Standing::Detached].map(|one| Ok(Some(one)));
    assert_eq!(standing, [attached, detached, suspended, attached, detached]);
}

fn holder() -> GilHolder {
    let Roots::Runtime { gil, .. } = Python314t::roots(0) else { panic!("a runtime") };
    gil
}
