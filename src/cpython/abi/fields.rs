//! The fields that are read, grouped by the struct they belong to.
//!
//! The type parameters of a [`Field`] are the empty types of
//! [`crate::cpython::read::objects`], the same for every version; the `field!` macro
//! ties them to one version's layout.

use crate::cpython::memory::{Field, Remote};
use crate::cpython::read::objects::{
    Bytes, CFrame, Code, Frame, Gil, Interpreter, Object, Text, Thread, Type,
};

/// `PyObject`.
#[derive(Clone, Copy)]
pub struct ObjectLayout {
    /// `ob_type`.
    pub object_type: Field<Object, Remote<Type>>,
}

/// `PyCodeObject`.
#[derive(Clone, Copy)]
pub struct CodeLayout {
    /// Bytes of the struct up to the last field of interest.
    pub size: usize,
    /// `co_name`.
    pub name: Field<Code, Remote<Text>>,
    /// `co_filename`.
    pub file: Field<Code, Remote<Text>>,
    /// `co_firstlineno`.
    pub first_line: Field<Code, i32>,
    /// `co_lnotab`, from 3.10 `co_linetable`.
    pub line_table: Field<Code, Remote<Bytes>>,
    /// How long its bytecode is.
    pub length: CodeLength,
    /// `_co_firsttraceable` (3.11 and later), in instructions: those before it
    /// only set a frame up.
    pub first_traceable: Option<Field<Code, i32>>,
}

/// The copies of a code object's instructions, one for each thread that has executed it:
/// free-threaded builds from 3.14 on (`Include/cpython/code.h`, v3.14.0).
#[derive(Clone, Copy)]
pub struct CopiesLayout {
    /// `tlbc_index` of a frame: in which copy its instruction is; 0: in the code object.
    pub index: Field<Frame, i32>,
    /// `co_tlbc` of a code object: the array of copies, by index.
    pub array: Field<Code, u64>,
    /// Offset of `entries` in the array: their addresses.
    pub entries: usize,
}

/// Where the length of the bytecode stands.
#[derive(Clone, Copy)]
pub enum CodeLength {
    /// In `co_code`, a bytes object: up to 3.10.
    Bytes(Field<Code, Remote<Bytes>>),
    /// In the code object's `ob_size`, in instructions of two bytes: from 3.11.
    Instructions(Field<Code, i64>),
}

/// `PyBytesObject`; 2.7's `PyStringObject`.
#[derive(Clone, Copy)]
pub struct BytesLayout {
    /// `ob_size`, in bytes.
    pub size: Field<Bytes, i64>,
    /// Offset of `ob_sval`, the first byte.
    pub data: usize,
}

/// `PyStringObject` of 2.7.
#[derive(Clone, Copy)]
pub struct StringLayout {
    /// `ob_size`, in bytes.
    pub size: Field<Text, i64>,
    /// Offset of `ob_sval`, the first byte.
    pub data: usize,
}

/// The three shapes of a Unicode object.
#[derive(Clone, Copy)]
pub struct UnicodeLayout {
    /// `length`, in code points.
    pub length: Field<Text, i64>,
    /// Offset of the 32 bits that hold `state`.
    pub state: usize,
    /// Lowest bit of `kind` in the state, three bits wide.
    pub kind_shift: u32,
    /// Lowest bit of `compact` in the state; `ascii` is the next one.
    pub compact_shift: u32,
    /// Where the characters of a compact ASCII string begin.
    pub ascii_data: usize,
    /// Where the characters of another compact string begin.
    pub compact_data: usize,
    /// The pointer to the characters of a string that is not compact.
    pub data: Field<Text, u64>,
}

/// `PyThreadState`.
#[derive(Clone, Copy)]
pub struct ThreadLayout {
    /// `next`.
    pub next: Field<Thread, Remote<Thread>>,
    /// `interp`.
    pub interpreter: Field<Thread, Remote<Interpreter>>,
    /// Where the innermost frame is found.
    pub top: TopFrame,
    /// `thread_id`: what `threading.get_ident()` returns.
    pub id: Field<Thread, u64>,
    /// `native_thread_id` (3.11 and later): the kernel's id, as the process sees it.
    pub native_id: Option<Field<Thread, u64>>,
}

/// What tells which of a thread's states is the innermost, if the thread is in several
/// interpreters and waits.
#[derive(Clone, Copy)]
pub enum Innermost {
    /// The first byte of `_status` (3.12 and later): the bit `bound_gilstate` says that the
    /// state is the last that was current in its thread (`Python/pystate.c`).
    Bound(Field<Thread, u8>),
    /// `cframe` (3.10 and 3.11): where in the C stack the newest call of the evaluation loop
    /// is. The innermost is the lowest.
    CFrame(Field<Thread, Remote<CFrame>>),
    /// Nothing.
    Unknown,
}

/// Where a thread state keeps its innermost frame.
#[derive(Clone, Copy)]
pub enum TopFrame {
    /// In itself: `frame` up to 3.10, `current_frame` from 3.13.
    Direct(Field<Thread, Remote<Frame>>),
    /// In the C frame that it points to: 3.11 and 3.12.
    CFrame(CFrameLayout),
}

/// `_PyCFrame`, one for each active call of the evaluation loop, and what tells
/// whether the newest is complete: 3.11 and 3.12.
#[derive(Clone, Copy)]
pub struct CFrameLayout {
    /// `cframe` of the thread state: the newest.
    pub newest: Field<Thread, Remote<CFrame>>,
    /// `current_frame`.
    pub current: Field<CFrame, Remote<Frame>>,
    /// `previous`.
    pub previous: Field<CFrame, Remote<CFrame>>,
    /// `datastack_top`: from here on, the newest block of frames holds dead ones.
    pub frames_top: Field<Thread, u64>,
    /// `datastack_limit`: where that block ends.
    pub frames_limit: Field<Thread, u64>,
}

/// `PyInterpreterState`.
#[derive(Clone, Copy)]
pub struct InterpreterLayout {
    /// `next`.
    pub next: Field<Interpreter, Remote<Interpreter>>,
    /// `tstate_head`, from 3.11 `threads.head`.
    pub threads: Field<Interpreter, Remote<Thread>>,
}

/// `struct _gil_runtime_state` of 3.12 and later.
#[derive(Clone, Copy)]
pub struct GilLayout {
    /// The interpreter's `ceval.gil`; interpreters may share one.
    pub gil: Field<Interpreter, Remote<Gil>>,
    /// `last_holder`.
    pub last_holder: Field<Gil, Remote<Thread>>,
    /// `locked`: 1 while somebody holds it.
    pub locked: Field<Gil, i32>,
}

/// `PyFrameObject` of 2.7 to 3.10.
#[derive(Clone, Copy)]
pub struct HeapFrameLayout {
    /// Bytes of the struct up to the last field of interest.
    pub size: usize,
    /// `ob_refcnt`: 0 in a frame that has been given back, 1 at most in one that no
    /// other frame was called by: a frame keeps the one that called it.
    pub references: Field<Frame, i64>,
    /// `f_back`.
    pub back: Field<Frame, Remote<Frame>>,
    /// `f_code`.
    pub code: Field<Frame, Remote<Code>>,
    /// `f_trace`.
    pub trace: Field<Frame, Remote<Object>>,
    /// `f_lasti`.
    pub last_instruction: Field<Frame, i32>,
    /// Bytes in a unit of `f_lasti`: 1, and 2 in 3.10.
    pub instruction_unit: i32,
    /// `f_lineno`.
    pub line: Field<Frame, i32>,
    /// When `f_lineno` holds the current line: while there is an `f_trace`
    /// (up to 3.9), or whenever it is not 0 (3.10).
    pub line_is_set: LineIsSet,
    /// How a frame tells that the evaluation loop executes it.
    pub executing: Executing,
}

/// How a heap frame tells that it was entered and not left.
#[derive(Clone, Copy)]
pub enum Executing {
    /// It does not: 2.7.
    Untold,
    /// This field has the value `executed`, or `unwinding` while an exception is on its way
    /// to a handler: `f_executing` from 3.4, `f_state` in 3.10.
    When {
        /// The field.
        field: Field<Frame, u8>,
        /// Its value in a frame that is executed.
        executed: u8,
        /// Its value in one that looks for a handler.
        unwinding: u8,
    },
}

impl Executing {
    /// A flag, which is set until the frame is left.
    #[must_use]
    pub const fn while_set(field: Field<Frame, u8>) -> Self {
        Self::When { field, executed: 1, unwinding: 1 }
    }
}

/// When `f_lineno` of a heap frame holds the current line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineIsSet {
    /// While the frame has a trace function.
    WhileTraced,
    /// Whenever it is not 0.
    UnlessZero,
}

/// How the first frame of a call of the evaluation loop is told.
#[derive(Clone, Copy)]
pub enum Entry {
    /// It says so: `is_entry` in 3.11.
    Says(Field<Frame, u8>),
    /// It was called by a shim: from 3.12.
    AboveShim,
}

/// `_PyInterpreterFrame` of 3.11 and later.
#[derive(Clone, Copy)]
pub struct InterpreterFrameLayout {
    /// Bytes of the struct up to the last field of interest.
    pub size: usize,
    /// `previous`.
    pub previous: Field<Frame, Remote<Frame>>,
    /// `f_code`, from 3.13 `f_executable`.
    pub code: Field<Frame, u64>,
    /// Low bits of the above that are no part of the address.
    pub code_tag: u64,
    /// `prev_instr`, from 3.13 `instr_ptr`: an address inside the code object.
    pub instruction: Field<Frame, u64>,
    /// `owner`.
    pub owner: Field<Frame, u8>,
    /// The value of `owner` for a frame that belongs to a generator.
    pub generator_owner: u8,
    /// Frames with this owner or a higher one run no Python code: the C stack's
    /// and the interpreter's own.
    pub first_shim_owner: u8,
    /// `frame_obj`: the frame object that was made of it, if any.
    pub object: Field<Frame, u64>,
    /// How many bytes at least lie between the start of a generator's frame object and the
    /// generator's frame, which are two allocations: the frame object, with room for a frame
    /// without variables, and the two words that the collector keeps before the generator,
    /// and the generator's own head. In fact it is some more.
    pub object_distance: u64,
    /// How the first frame of a call of the evaluation loop is told.
    pub entry: Entry,
    /// `stacktop` (3.11 to 3.13): -1 in a frame whose own instructions are executed,
    /// not in one that has called a Python function in the same loop.
    pub stack_top: Option<Field<Frame, i32>>,
    /// Offset of `co_code_adaptive`, the first instruction, in the code object.
    pub first_instruction: usize,
}
