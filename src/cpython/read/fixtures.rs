//! A made-up Python process in a fake memory, laid out for any ABI.

use std::marker::PhantomData;

use super::heap_frames::HeapFrames;
use super::interpreter_frames::InterpreterFrames;
use super::objects::{CFrame, Code, Frame, Thread, Types};
use super::text::{ByteString, Unicode};
use super::threads::{ProcessRoots, RootSymbols};
use crate::cpython::abi::{Abi, CFrameLayout, CodeLength, Executing, Roots, TopFrame};
use crate::cpython::memory::fake::FakeMemory;
use crate::cpython::memory::{Field, Memory, Remote};

/// Type objects of every made-up process.
pub(crate) const TYPES: Types = Types { code: 0x1000, text: 0x2000, bytes: 0x3000 };

/// Bytes of bytecode in every made-up code object.
pub(crate) const CODE_LENGTH: u64 = 100;

/// Objects are this far apart, zeroed.
const OBJECT_SIZE: u64 = 0x1000;

/// A process under construction.
pub struct FakePython<A> {
    pub memory: FakeMemory,
    next: u64,
    abi: PhantomData<A>,
}

impl<A: Abi> FakePython<A> {
    pub fn new() -> Self {
        Self { memory: FakeMemory::new(), next: 0x10_0000, abi: PhantomData }
    }

    /// A fresh object of type `object_type`.
    pub fn object(&mut self, object_type: u64) -> u64 {
        let address = self.next;
        self.next += 2 * OBJECT_SIZE;
        self.memory.write(address, &[0; OBJECT_SIZE as usize]);
        self.set(Remote::new(address), A::OBJECT.object_type, object_type);
        address
    }

    /// Sets a pointer-sized field.
    pub fn set<S, T>(&mut self, object: Remote<S>, field: Field<S, T>, value: u64) {
        self.memory.write_word(object.address() + field.offset() as u64, value);
    }

    pub fn set_i32<S>(&mut self, object: Remote<S>, field: Field<S, i32>, value: i32) {
        self.memory.write(object.address() + field.offset() as u64, &value.to_ne_bytes());
    }

    pub fn bytes(&mut self, bytes: &[u8]) -> u64 {
        let object = self.object(TYPES.bytes);
        self.set(Remote::new(object), A::BYTES.size, bytes.len() as u64);
        self.memory.write(object + A::BYTES.data as u64, bytes);
        object
    }

    /// A code object whose name and file are the given objects.
    pub fn code(&mut self, name: u64, file: u64, first_line: i32, table: &[u8]) -> Remote<Code> {
        let table = self.bytes(table);
        let code = Remote::new(self.object(TYPES.code));
        self.set(code, A::CODE.name, name);
        self.set(code, A::CODE.file, file);
        self.set(code, A::CODE.line_table, table);
        self.set_i32(code, A::CODE.first_line, first_line);
        self.set_length(code, CODE_LENGTH);
        code
    }

    /// Gives a code object so many bytes of bytecode.
    pub fn set_length(&mut self, code: Remote<Code>, length: u64) {
        match A::CODE.length {
            CodeLength::Instructions(field) => self.set(code, field, length / 2),
            CodeLength::Bytes(field) => {
                let bytecode = self.bytes(&vec![0; length as usize]);
                self.set(code, field, bytecode);
            }
        }
    }

    fn c_frame(
        &mut self,
        layout: &CFrameLayout,
        current: Remote<Frame>,
        previous: Remote<CFrame>,
    ) -> Remote<CFrame> {
        let c_frame = Remote::new(self.object(0));
        self.set(c_frame, layout.current, current.address());
        self.set(c_frame, layout.previous, previous.address());
        c_frame
    }

    /// A process with one interpreter and one thread, whose roots are variables (up to 3.6).
    pub(crate) fn process(&mut self, top: Remote<Frame>) -> (Remote<Thread>, ProcessRoots) {
        let thread = self.thread(top);
        let interpreter = Remote::new(self.object(0));
        self.set(interpreter, A::INTERPRETER.threads, thread.address());
        self.set(thread, A::THREAD.interpreter, interpreter.address());
        self.memory.write_word(0x100, interpreter.address());
        self.memory.write_word(0x108, thread.address());
        let symbols = RootSymbols {
            interpreters_head: Some(0x100),
            current_thread: Some(0x108),
            runtime: None,
        };
        let roots = ProcessRoots::resolve(&Roots::Variables, symbols);
        (thread, roots.expect("both symbols are there"))
    }

    /// A thread state whose top frame is `top`.
    pub fn thread(&mut self, top: Remote<Frame>) -> Remote<Thread> {
        let thread = Remote::new(self.object(0));
        match A::THREAD.top {
            TopFrame::Direct(field) => self.set(thread, field, top.address()),
            TopFrame::CFrame(layout) => {
                let newest = self.c_frame(&layout, top, Remote::new(0));
                self.set(thread, layout.newest, newest.address());
            }
        }
        thread
    }
}

impl<A: Abi<Frames = InterpreterFrames>> FakePython<A> {
    /// A thread state of 3.11 or 3.12 that has called the evaluation loop twice: from
    /// `caller`, and the first time from nowhere.
    pub fn nested_thread(&mut self, top: Remote<Frame>, caller: Remote<Frame>) -> Remote<Thread> {
        let TopFrame::CFrame(layout) = A::THREAD.top else { panic!("this ABI has C frames") };
        let thread = self.thread(top);
        let outer = self.c_frame(&layout, caller, Remote::new(0));
        let newest = self.c_frame(&layout, top, outer);
        self.set(thread, layout.newest, newest.address());
        thread
    }
}

impl<A: Abi<Text = Unicode>> FakePython<A> {
    /// A compact ASCII string.
    pub fn ascii(&mut self, text: &str) -> u64 {
        self.unicode(text.as_bytes(), text.len(), 1, A::TEXT.ascii_data, 0b11)
    }

    /// A compact string of the given width that is not ASCII.
    pub fn wide(&mut self, units: &[u8], width: u32) -> u64 {
        self.unicode(units, units.len() / width as usize, width, A::TEXT.compact_data, 0b01)
    }

    /// A string whose characters are elsewhere.
    pub fn legacy(&mut self, units: &[u8], width: u32) -> u64 {
        let data = self.object(0);
        self.memory.write(data, units);
        let text = self.unicode(&[], units.len() / width as usize, width, 0, 0);
        self.set(Remote::new(text), A::TEXT.data, data);
        text
    }

    fn unicode(&mut self, units: &[u8], length: usize, kind: u32, data: usize, form: u32) -> u64 {
        let object = self.object(TYPES.text);
        let layout = A::TEXT;
        self.set(Remote::new(object), layout.length, length as u64);
        let state = kind << layout.kind_shift | form << layout.compact_shift;
        self.memory.write(object + layout.state as u64, &state.to_ne_bytes());
        if !units.is_empty() {
            self.memory.write(object + data as u64, units);
        }
        object
    }
}

impl<A: Abi<Text = ByteString>> FakePython<A> {
    /// A `str` of 2.7.
    pub fn string(&mut self, bytes: &[u8]) -> u64 {
        let object = self.object(TYPES.text);
        self.set(Remote::new(object), A::TEXT.size, bytes.len() as u64);
        self.memory.write(object + A::TEXT.data as u64, bytes);
        object
    }
}

impl<A: Abi<Frames = HeapFrames>> FakePython<A> {
    /// A frame that is executed, and holds the one that called it.
    pub fn heap_frame(
        &mut self,
        code: Remote<Code>,
        back: Remote<Frame>,
        last: i32,
    ) -> Remote<Frame> {
        let frame = Remote::new(self.object(0));
        self.set(frame, A::FRAME.references, 1);
        if let Ok(count) = self.memory.field(back, A::FRAME.references) {
            self.set(back, A::FRAME.references, count as u64 + 1);
        }
        if let Executing::When { field, executed: value, .. } = A::FRAME.executing {
            self.memory.write(frame.address() + field.offset() as u64, &[value]);
        }
        self.set(frame, A::FRAME.code, code.address());
        self.set(frame, A::FRAME.back, back.address());
        self.set_i32(frame, A::FRAME.last_instruction, last);
        frame
    }
}

impl<A: Abi<Frames = InterpreterFrames>> FakePython<A> {
    pub fn interpreter_frame(
        &mut self,
        code: Remote<Code>,
        previous: Remote<Frame>,
        offset: i64,
        owner: u8,
    ) -> Remote<Frame> {
        let frame = Remote::new(self.object(0));
        let first = code.address() + A::FRAME.first_instruction as u64;
        self.set(frame, A::FRAME.previous, previous.address());
        self.set(frame, A::FRAME.code, code.address() | (A::FRAME.code_tag & 1));
        self.set(frame, A::FRAME.instruction, first.wrapping_add_signed(offset));
        self.memory.write(frame.address() + A::FRAME.owner.offset() as u64, &[owner]);
        frame
    }
}
