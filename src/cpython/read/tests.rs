//! Walkers, code objects and text over a fake memory: what a well-behaved
//! process never shows, and both ends of every bound.

use std::collections::HashSet;

use super::code::{CodeCache, Named, Place, Verified};
use super::fixtures::{CODE_LENGTH, FakePython, TYPES};
use super::frames::{Broken, Frames, MAX_DEPTH, Position, RawFrame, Walk, is_settled, walk_thread};
use super::objects::{Code, Frame, Text as TextObject, Types};
use super::proof::Standstill;
use super::proof::{Proof, prove};
use super::text::Text;
use super::text_format::MAX_UNITS;
use super::threads::{ProcessRoots, RootSymbols};
use crate::cpython::abi::{
    Abi, Entry, Executing, Python27, Python36, Python310, Python311, Python312, Python314, Roots,
    TopFrame,
};
use crate::cpython::memory::{Fault, Remote};
use crate::stack::FrameTable;

const NULL: Remote<Frame> = Remote::new(0);

fn try_read<A: Abi>(python: &FakePython<A>, text: u64) -> Result<String, Fault> {
    let text: Remote<TextObject> = Remote::new(text);
    A::Text::read(&python.memory, text).map(|reading| reading.text)
}

fn read<A: Abi>(python: &FakePython<A>, text: u64) -> String {
    try_read(python, text).expect("the string is there")
}

fn utf16(units: &[u16]) -> Vec<u8> {
    units.iter().flat_map(|unit| unit.to_ne_bytes()).collect()
}

fn code36(python: &mut FakePython<Python36>, name: &str) -> Remote<Code> {
    let (name, file) = (python.ascii(name), python.ascii("a.py"));
    python.code(name, file, 10, &[4, 1, 4, 1])
}

#[test]
fn byte_strings_are_escaped_where_they_are_not_utf8() {
    let mut python = FakePython::<Python27>::new();
    let text = python.string(b"caf\xc3\xa9 \xe9");
    assert_eq!(read(&python, text), "café \\xe9");
}

#[test]
fn unicode_of_every_kind() {
    let mut python = FakePython::<Python36>::new();
    let cases = [
        (python.ascii("plain"), "plain"),
        (python.ascii(""), ""),
        (python.wide(b"\xe9t\xe9", 1), "été"),
        (python.wide(&utf16(&[0x65e5, 0x672c]), 2), "日本"),
        (python.wide(&0x1f40d_u32.to_ne_bytes(), 4), "🐍"),
        (python.legacy(&utf16(&[0x65e5]), 2), "日"),
        (python.wide(&utf16(&[0xdce9, 0xd800]), 2), "\\xe9\\ud800"),
        (python.wide(&0xffff_ffff_u32.to_ne_bytes(), 4), "\\Uffffffff"),
    ];
    for (text, expected) in cases {
        assert_eq!(read(&python, text), expected);
    }
}

#[test]
fn a_string_of_no_known_kind_is_refused() {
    let mut python = FakePython::<Python36>::new();
    for kind in [0, 3, 5, 6, 7] {
        let text = python.object(TYPES.text);
        let state = kind << Python36::TEXT.kind_shift | 1 << Python36::TEXT.compact_shift;
        python.memory.write(text + Python36::TEXT.state as u64, &u32::to_ne_bytes(state));
        assert!(try_read(&python, text).is_err(), "kind {kind}");
    }
}

#[test]
fn text_is_bounded() {
    let mut python = FakePython::<Python27>::new();
    let exact = python.string(&[b'a'; 64]);
    assert_eq!(read(&python, exact).len(), 64);
    let negative = python.string(b"");
    python.set(Remote::new(negative), Python27::TEXT.size, u64::MAX);
    assert!(try_read(&python, negative).is_err());

    let long = python.string(b"");
    let data = long + Python27::TEXT.data as u64;
    python.memory.write(data, &[b'a'; MAX_UNITS]);
    python.set(Remote::new(long), Python27::TEXT.size, i64::MAX as u64);
    let text = read(&python, long);
    assert_eq!(text.chars().count(), MAX_UNITS + 1);
    assert!(text.ends_with('…'));
}

#[test]
fn heap_frames_are_walked_to_the_root() {
    let mut python = FakePython::<Python36>::new();
    let code = code36(&mut python, "f");
    let root = python.heap_frame(code, NULL, 2);
    let leaf = python.heap_frame(code, root, -1);
    let thread = python.thread(leaf);
    let mut walk = Walk::default();
    walk_thread::<Python36, _>(&python.memory, thread, &mut walk).expect("the chain is whole");
    let positions: Vec<Position> = walk.frames.iter().map(|frame| frame.position).collect();
    assert_eq!(positions, [Position::Instruction(-1), Position::Instruction(2)]);
    assert!(!walk.truncated);
}

#[test]
fn a_traced_heap_frame_states_its_line() {
    let mut python = FakePython::<Python36>::new();
    let code = code36(&mut python, "f");
    let frame = python.heap_frame(code, NULL, 2);
    python.set_i32(frame, Python36::FRAME.line, 99);
    let mut walk = Walk::default();
    let thread = python.thread(frame);
    walk_thread::<Python36, _>(&python.memory, thread, &mut walk).expect("one frame");
    assert_eq!(walk.frames[0].position, Position::Instruction(2));
    python.set(frame, Python36::FRAME.trace, 0x5000);
    walk_thread::<Python36, _>(&python.memory, thread, &mut walk).expect("one frame");
    assert_eq!(walk.frames[0].position, Position::Line(99));
}

#[test]
fn instructions_of_310_are_two_bytes() {
    let mut python = FakePython::<Python310>::new();
    let (name, file) = (python.ascii("f"), python.ascii("a.py"));
    let code = python.code(name, file, 1, &[]);
    let frame = python.heap_frame(code, NULL, 21);
    let thread = python.thread(frame);
    let mut walk = Walk::default();
    walk_thread::<Python310, _>(&python.memory, thread, &mut walk).expect("one frame");
    assert_eq!(walk.frames[0].position, Position::Instruction(42));
    assert_eq!(Python310::FRAME.instruction_unit, 2);
}

#[test]
fn a_loop_of_frames_is_no_stack() {
    for (before, length) in [(0, 1), (0, 2), (1, 1), (5, 3), (300, 20)] {
        let mut python = FakePython::<Python36>::new();
        let code = code36(&mut python, "f");
        let mut frames = vec![python.heap_frame(code, NULL, 0)];
        for depth in 1..before + length {
            frames.push(python.heap_frame(code, frames[depth - 1], 0));
        }
        python.set(frames[0], Python36::FRAME.back, frames[length - 1].address());
        let thread = python.thread(frames[before + length - 1]);
        let mut walk = Walk::default();
        let found = walk_thread::<Python36, _>(&python.memory, thread, &mut walk);
        assert!(matches!(found, Err(Broken::Loop(_))), "{found:?} for {before} and {length}");
        assert!(walk.path.len() < 4 * (before + length));
    }
}

#[test]
fn a_stack_that_is_too_deep_is_cut_off() {
    let mut python = FakePython::<Python36>::new();
    let code = code36(&mut python, "f");
    let root = python.heap_frame(code, NULL, 0);
    let top = (0..MAX_DEPTH).fold(root, |caller, _| python.heap_frame(code, caller, 0));
    let thread = python.thread(top);
    let mut walk = Walk::default();
    walk_thread::<Python36, _>(&python.memory, thread, &mut walk).expect("every read succeeds");
    assert_eq!(walk.frames.len(), MAX_DEPTH);
    assert!(walk.truncated);
}

#[test]
fn a_wild_pointer_is_a_fault() {
    let mut python = FakePython::<Python36>::new();
    let code = code36(&mut python, "f");
    let frame = python.heap_frame(code, Remote::new(0xdead_0000), 0);
    let thread = python.thread(frame);
    let broken = walk_thread::<Python36, _>(&python.memory, thread, &mut Walk::default());
    assert!(matches!(broken, Err(Broken::Fault(fault)) if fault.address == 0xdead_0000));
}

/// The functions that a stack of 3.14 shows.
fn shown(python: &FakePython<Python314>, top: Remote<Frame>) -> Vec<String> {
    let walk = walk(python, top);
    let mut cache = CodeCache::<Python314>::new(TYPES);
    let mut table = FrameTable::default();
    let mut names = Vec::new();
    for raw in &walk.frames {
        let id = cache.decode(&python.memory, raw.code).expect("code objects are whole");
        if cache.place(raw) == Some(Place::Incomplete) {
            continue;
        }
        let named = Named { address: raw.code.address(), id };
        let frame = cache.frame(named, raw.position, &mut table).expect("it was decoded");
        names.push(table.frame(frame).function.to_string());
    }
    names
}

#[test]
fn shims_and_unfinished_frames_are_left_out() {
    let mut python = FakePython::<Python314>::new();
    let file = python.ascii("a.py");
    let mut code = |name: &str| {
        let name = python.ascii(name);
        let code = python.code(name, file, 1, &[]);
        let traceable = <Python314 as Abi>::CODE.first_traceable.expect("3.14 has the field");
        python.set_i32(code, traceable, 3);
        code
    };
    let (root, generator, unfinished) = (code("root"), code("generator"), code("unfinished"));
    let generator_owner = Python314::FRAME.generator_owner;
    let shim_owner = Python314::FRAME.first_shim_owner;
    let shim = python.interpreter_frame(Remote::new(0), NULL, 0, shim_owner);
    let frame = python.interpreter_frame(root, shim, 6, 0);
    let frame = python.interpreter_frame(Remote::new(0), frame, 0, shim_owner + 1);
    let frame = python.interpreter_frame(generator, frame, 0, generator_owner);
    let top = python.interpreter_frame(unfinished, frame, 5, 0);
    assert_eq!(shown(&python, top), ["generator", "root"]);
}

/// What a walk from `top` finds.
fn walk<A: Abi>(python: &FakePython<A>, top: Remote<Frame>) -> Walk {
    let mut walk = Walk::default();
    walk.begin(top);
    A::Frames::walk(&python.memory, &mut walk).expect("the chain can be read");
    walk
}

#[test]
fn a_generator_that_is_being_unlinked_is_not_a_whole_stack() {
    let mut python = FakePython::<Python314>::new();
    let (owner, shim_owner) = (Python314::FRAME.generator_owner, Python314::FRAME.first_shim_owner);
    let shim = python.interpreter_frame(Remote::new(0), NULL, 0, shim_owner);
    let linked = python.interpreter_frame(Remote::new(0x10), shim, 0, owner);
    let unlinked = python.interpreter_frame(Remote::new(0x10), NULL, 0, owner);
    assert!(walk(&python, linked).is_whole);
    assert!(!walk(&python, unlinked).is_whole);
    assert!(walk(&python, NULL).is_whole);
}

#[test]
fn a_c_frame_that_is_not_filled_yet_is_told() {
    let mut python = FakePython::<Python312>::new();
    let shim_owner = Python312::FRAME.first_shim_owner;
    let code = Remote::new(0x10);
    let first_shim = python.interpreter_frame(Remote::new(0), NULL, 0, shim_owner);
    let caller = python.interpreter_frame(code, first_shim, 0, 0);
    let shim = python.interpreter_frame(Remote::new(0), caller, 0, shim_owner);
    let top = python.interpreter_frame(code, shim, 0, 0);
    let mut is_settled = |top, data_stack: [u64; 2]| {
        let thread = python.nested_thread(top, caller);
        let TopFrame::CFrame(layout) = Python312::THREAD.top else { panic!("3.12 has C frames") };
        python.set(thread, layout.frames_top, data_stack[0]);
        python.set(thread, layout.frames_limit, data_stack[1]);
        let walk = walk(&python, top);
        is_settled::<Python312, _>(&python.memory, thread, &walk).expect("all can be read")
    };
    let nowhere = [1, 2];
    assert!(is_settled(top, nowhere));
    // What the pointer held before: the frame of an earlier call from elsewhere ...
    assert!(!is_settled(caller, nowhere));
    // ... or one that has been given back since.
    assert!(!is_settled(top, [top.address(), top.address() + 0x100]));
    assert!(is_settled(top, [top.address() + 8, top.address() + 0x100]));
}

#[test]
fn in_312_a_frame_that_runs_has_no_callee_in_its_loop() {
    let mut python = FakePython::<Python312>::new();
    let field = Python312::FRAME.stack_top.expect("3.12 has the field");
    let generator = Python312::FRAME.generator_owner;
    let outer = python.interpreter_frame(Remote::new(0x10), NULL, 0, 0);
    let inner = python.interpreter_frame(Remote::new(0x10), outer, 0, 0);
    let generator = python.interpreter_frame(Remote::new(0x10), outer, 0, generator);
    let mut has_left = |inner, stack_top| {
        python.set_i32(outer, field, stack_top);
        let frames = walk(&python, inner).frames;
        frames[0].has_left(frames[1].frame, frames[1].calls_none)
    };
    assert!(has_left(inner, -1));
    assert!(!has_left(inner, 2));
    assert!(!has_left(generator, -1), "throw links it to a caller that runs");
}

#[test]
fn a_heap_frame_that_nothing_else_holds_calls_none() {
    let mut python = FakePython::<Python36>::new();
    let code = code36(&mut python, "f");
    let outer = python.heap_frame(code, NULL, 2);
    let inner = python.heap_frame(code, outer, 4);
    let references = Python36::FRAME.references;
    let mut has_left = |count| {
        python.set(outer, references, count);
        let frames = walk(&python, inner).frames;
        frames[0].has_left(frames[1].frame, frames[1].calls_none)
    };
    assert!(!has_left(2));
    assert!(has_left(1));
    assert!(!has_left(3), "something else may hold it, too");
}

#[test]
fn a_heap_frame_tells_that_it_is_executed() {
    let mut python = FakePython::<Python310>::new();
    let frame = python.heap_frame(Remote::new(0x10), NULL, 2);
    let Executing::When { field, executed: value, .. } = Python310::FRAME.executing else {
        panic!("3.10 tells")
    };
    let mut is_executed = |references: u64, state: u8| {
        python.set(frame, Python310::FRAME.references, references);
        python.memory.write(frame.address() + field.offset() as u64, &[state]);
        walk(&python, frame).frames[0].is_executed
    };
    assert!(is_executed(1, value));
    assert!(!is_executed(1, value + 1), "kept by a traceback");
    assert!(!is_executed(0, value), "given back");
}

#[test]
fn in_311_a_chain_ends_with_an_entry_frame() {
    let mut python = FakePython::<Python311>::new();
    let Entry::Says(is_entry) = Python311::FRAME.entry else { panic!("frames of 3.11 say so") };
    let outer = python.interpreter_frame(Remote::new(0x10), NULL, 0, 0);
    let inner = python.interpreter_frame(Remote::new(0x10), outer, 0, 0);
    assert!(!walk(&python, inner).is_whole);
    python.memory.write(outer.address() + is_entry.offset() as u64, &[1]);
    let found = walk(&python, inner);
    assert!(found.is_whole);
    assert_eq!(found.loop_caller, Some(NULL));
}

#[test]
fn a_reused_code_object_is_never_given_the_old_name() {
    let mut python = FakePython::<Python36>::new();
    let name = python.ascii("old");
    let file = python.ascii("a.py");
    let code = python.code(name, file, 10, &[]);
    let frame = python.heap_frame(code, NULL, 0);
    let thread = python.thread(frame);
    let mut walk = Walk::default();
    walk_thread::<Python36, _>(&python.memory, thread, &mut walk).expect("one frame");
    let mut cache = CodeCache::<Python36>::new(TYPES);
    let first = cache.decode(&python.memory, code).expect("a code object");
    let first = Named { address: code.address(), id: first };
    assert_eq!(cache.verify(&python.memory, &[first]), Verified::Same);
    // The same addresses throughout: only the characters differ.
    python.memory.write(name + Python36::TEXT.ascii_data as u64, b"new");
    assert_eq!(cache.verify(&python.memory, &[first]), Verified::Changed(HashSet::new()));
    let second = cache.decode(&python.memory, code).expect("a code object");
    let second = Named { id: second, ..first };
    assert_ne!(first, second);
    let mut table = FrameTable::default();
    let frame = cache.frame(second, walk.frames[0].position, &mut table).expect("it was decoded");
    assert_eq!(&*table.frame(frame).function, "new");
}

#[test]
fn samples_that_wait_hear_of_a_code_object_that_others_found_gone() {
    let mut python = FakePython::<Python36>::new();
    let code = code36(&mut python, "f");
    let mut cache = CodeCache::<Python36>::new(TYPES);
    let id = cache.decode(&python.memory, code).expect("a code object");
    let first = Named { address: code.address(), id };
    let mut table = FrameTable::default();
    let frame = cache.frame(first, Position::Instruction(0), &mut table).expect("it is known");
    python.set_i32(code, Python36::CODE.first_line, 77);
    assert!(!cache.is_same(&python.memory, code));
    // Its successor is what it should be, which says nothing of the first.
    let second = cache.decode(&python.memory, code).expect("a code object");
    assert!(cache.is_same(&python.memory, code));
    let both = [first, Named { id: second, ..first }];
    let changed = Verified::Changed(HashSet::from([frame]));
    assert_eq!(cache.verify(&python.memory, &both), changed);
    assert_eq!(cache.frame(first, Position::Instruction(0), &mut table), None);
    cache.forget_gone();
    assert_eq!(cache.verify(&python.memory, &both), Verified::Unknown);
    assert_eq!(cache.verify(&python.memory, &both[1..]), Verified::Same);
}

#[test]
fn one_line_programs_are_told_by_their_bytecode() {
    fn is_told<A: Abi>(mut python: FakePython<A>, types: Types, text: u64) -> bool {
        let code = python.code(text, text, 1, &[]);
        let mut cache = CodeCache::<A>::new(types);
        cache.decode(&python.memory, code).expect("a code object");
        assert!(cache.is_same(&python.memory, code));
        python.set_length(code, 2 * CODE_LENGTH);
        !cache.is_same(&python.memory, code)
    }
    let mut old = FakePython::<Python27>::new();
    let text = old.bytes(b"<string>");
    assert!(is_told(old, Types { text: TYPES.bytes, ..TYPES }, text));
    let mut new = FakePython::<Python36>::new();
    let text = new.ascii("<string>");
    assert!(is_told(new, TYPES, text));
}

#[test]
fn a_position_outside_the_code_is_no_place() {
    let mut python = FakePython::<Python36>::new();
    let code = code36(&mut python, "f");
    let mut cache = CodeCache::<Python36>::new(TYPES);
    cache.decode(&python.memory, code).expect("a code object");
    let frame = python.heap_frame(code, Remote::new(0), 0);
    let raw = walk(&python, frame).frames[0];
    let mut place =
        |offset| cache.place(&RawFrame { position: Position::Instruction(offset), ..raw });
    let length = i32::try_from(CODE_LENGTH).expect("a small number");
    assert!(matches!(place(-1), Some(Place::Inside(_))), "not begun, but a frame");
    assert!(matches!(place(0), Some(Place::Inside(_))));
    assert!(matches!(place(length - 1), Some(Place::Inside(_))));
    assert_eq!(place(length), Some(Place::Outside));
    assert_eq!(place(-3), Some(Place::Outside));
    let unfinished = RawFrame { position: Position::Instruction(-1), ..raw };
    let unfinished = RawFrame { may_be_incomplete: true, ..unfinished };
    assert_eq!(cache.place(&unfinished), Some(Place::Incomplete));
    let left = RawFrame { code: Remote::new(0), ..raw };
    assert_eq!(cache.place(&left), None);
    let left = RawFrame { may_be_incomplete: true, ..left };
    assert_eq!(cache.place(&left), Some(Place::Incomplete), "it has given its code back");
}

#[test]
fn what_is_not_a_code_object_is_refused() {
    let mut python = FakePython::<Python36>::new();
    let code = code36(&mut python, "f");
    python.set(code.cast(), Python36::OBJECT.object_type, 0x9999);
    let seen = CodeCache::<Python36>::new(TYPES).decode(&python.memory, code);
    assert_eq!(seen, Err(Broken::NotCode(code.address())));
}

#[test]
fn a_layout_is_proven_on_live_objects() {
    let mut python = FakePython::<Python36>::new();
    let proof = |python: &FakePython<_>, roots: &_| {
        prove::<Python36, _>(&python.memory, roots, TYPES, Standstill::None)
    };
    let roots = python.process(NULL).1;
    assert_eq!(proof(&python, &roots), Ok(Proof::NoFrames));

    let code = code36(&mut python, "f");
    let frame = python.heap_frame(code, NULL, 0);
    let roots = python.process(frame).1;
    assert_eq!(proof(&python, &roots), Ok(Proof::Proven));

    python.memory.write_word(0x100, 0);
    assert_eq!(proof(&python, &roots), Ok(Proof::NotStarted));
}

/// What cannot be read again may lack a thread, as long as another one proves the layout.
#[test]
fn of_what_is_kept_one_thread_is_proof_enough() {
    let mut python = FakePython::<Python36>::new();
    let code = code36(&mut python, "f");
    let frame = python.heap_frame(code, NULL, 0);
    let (thread, roots) = python.process(frame);
    let broken = python.thread(Remote::new(0xdead_0000));
    let [interpreter] = roots.interpreters::<Python36, _>(&python.memory).expect("a list")[..]
    else {
        panic!("one interpreter")
    };
    python.set(broken, Python36::THREAD.interpreter, interpreter.address());
    python.set(thread, Python36::THREAD.next, broken.address());
    let proof = |python: &FakePython<_>, standstill| {
        prove::<Python36, _>(&python.memory, &roots, TYPES, standstill)
    };
    assert!(proof(&python, Standstill::Held).is_err());
    assert_eq!(proof(&python, Standstill::Kept), Ok(Proof::Proven));
    python.set(code.cast(), Python36::OBJECT.object_type, 0x9999);
    assert!(proof(&python, Standstill::Kept).is_err(), "then none is left");
}

#[test]
fn a_thread_of_no_interpreter_disproves_the_layout() {
    let mut python = FakePython::<Python36>::new();
    let roots = python.process(NULL).1;
    let thread = roots.threads::<Python36, _>(&python.memory).expect("one thread")[0].state;
    python.set(thread, Python36::THREAD.interpreter, 0x1234);
    let mismatch = prove::<Python36, _>(&python.memory, &roots, TYPES, Standstill::None);
    assert!(mismatch.is_err_and(|mismatch| mismatch.to_string().contains("interpreter")));
}

#[test]
fn without_the_list_the_gil_holder_leads_to_its_interpreter() {
    let mut python = FakePython::<Python36>::new();
    python.process(NULL);
    let symbols = RootSymbols { current_thread: Some(0x108), ..RootSymbols::default() };
    let roots = ProcessRoots::resolve(&Roots::Variables, symbols).expect("enough to start");
    let threads = roots.threads::<Python36, _>(&python.memory).expect("the list is whole");
    assert_eq!(threads.len(), 1);
}
