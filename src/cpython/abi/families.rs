//! Layouts that many versions spell alike.
//!
//! Each macro names the fields as CPython does; it takes the module of a
//! version's layouts, so that the fields are checked against that version. What a few versions
//! have otherwise, they say with `..`.

#![allow(unused_macros, reason = "which of them are used depends on the enabled versions")]

/// `PyObject`.
macro_rules! object_layout {
    ($layout:ident) => {
        ObjectLayout { object_type: field!($layout::PyObject, ob_type) }
    };
}

/// `PyCodeObject`, whose line table is called `$table`.
macro_rules! code_layout {
    ($layout:ident, $table:ident, $length:expr) => {
        CodeLayout {
            size: size_of::<$layout::PyCodeObject>(),
            name: field!($layout::PyCodeObject, co_name),
            file: field!($layout::PyCodeObject, co_filename),
            first_line: field!($layout::PyCodeObject, co_firstlineno),
            line_table: field!($layout::PyCodeObject, $table),
            length: $length,
            first_traceable: None,
        }
    };
}

/// `PyCodeObject` up to 3.10, whose bytecode is a bytes object.
macro_rules! code_with_bytes {
    ($layout:ident, $table:ident) => {
        code_layout!($layout, $table, CodeLength::Bytes(field!($layout::PyCodeObject, co_code)))
    };
}

/// A bytes object of type `$bytes`, whose length is `$size`.
macro_rules! bytes_layout {
    ($layout:ident, $bytes:ident, $($size:ident).+) => {
        BytesLayout {
            size: field!($layout::$bytes, $($size).+),
            data: offset_of!($layout::$bytes, ob_sval),
        }
    };
}

/// Unicode objects; `kind` starts at bit `$kind` of the state.
macro_rules! unicode_layout {
    ($layout:ident, kind at bit $kind:literal) => {
        UnicodeLayout {
            length: field!($layout::PyASCIIObject, length),
            state: offset_of!($layout::PyASCIIObject, state),
            kind_shift: $kind,
            compact_shift: $kind + 3,
            ascii_data: size_of::<$layout::PyASCIIObject>(),
            compact_data: size_of::<$layout::PyCompactUnicodeObject>(),
            data: field!($layout::PyUnicodeObject, data),
        }
    };
}

/// `PyThreadState`, whose top frame is `$top`.
macro_rules! thread_layout {
    ($layout:ident, $top:expr) => {
        ThreadLayout {
            next: field!($layout::PyThreadState, next),
            interpreter: field!($layout::PyThreadState, interp),
            top: $top,
            id: field!($layout::PyThreadState, thread_id),
            native_id: None,
        }
    };
}

/// `PyInterpreterState`, whose threads begin at `$threads`.
macro_rules! interpreter_layout {
    ($layout:ident, $($threads:tt)+) => {
        InterpreterLayout {
            next: field!($layout::PyInterpreterState, next),
            threads: field!($layout::PyInterpreterState, $($threads)+),
        }
    };
}

/// `PyFrameObject` of 2.7 to 3.10.
macro_rules! heap_frame_layout {
    ($layout:ident, references: $($references:ident).+, $executing:expr) => {
        HeapFrameLayout {
            size: offset_of!($layout::PyFrameObject, f_blockstack),
            references: field!($layout::PyFrameObject, $($references).+),
            back: field!($layout::PyFrameObject, f_back),
            code: field!($layout::PyFrameObject, f_code),
            trace: field!($layout::PyFrameObject, f_trace),
            last_instruction: field!($layout::PyFrameObject, f_lasti),
            instruction_unit: 1,
            line: field!($layout::PyFrameObject, f_lineno),
            line_is_set: LineIsSet::WhileTraced,
            executing: $executing,
        }
    };
}

/// `_PyInterpreterFrame`: its code object, its place, and the first owner that is a shim.
macro_rules! interpreter_frame_layout {
    ($layout:ident, code: $($code:ident).+, instruction: $instruction:ident, shim: $shim:expr) => {
        InterpreterFrameLayout {
            size: offset_of!($layout::_PyInterpreterFrame, localsplus),
            previous: field!($layout::_PyInterpreterFrame, previous),
            code: field!($layout::_PyInterpreterFrame, $($code).+),
            code_tag: 0,
            instruction: field!($layout::_PyInterpreterFrame, $instruction),
            owner: field!($layout::_PyInterpreterFrame, owner),
            generator_owner: $layout::FRAME_OWNED_BY_GENERATOR as u8,
            first_shim_owner: $shim as u8,
            object: field!($layout::_PyInterpreterFrame, frame_obj),
            object_distance: (offset_of!($layout::PyFrameObject, _f_frame_data)
                + offset_of!($layout::_PyInterpreterFrame, localsplus)
                + 2 * size_of::<$layout::PyObject>()) as u64,
            entry: Entry::AboveShim,
            stack_top: None,
            first_instruction: offset_of!($layout::PyCodeObject, co_code_adaptive),
        }
    };
}

/// `_PyRuntime` of 3.7 to 3.11, where it names the thread that has the GIL.
macro_rules! runtime_with_current {
    ($layout:ident, $runtime:ident) => {
        Roots::Runtime {
            interpreters: field!($layout::$runtime, interpreters.head),
            gil: GilHolder::Current(field!($layout::$runtime, gilstate.tstate_current)),
        }
    };
}

/// `_PyRuntime` of 3.12 and later, where every interpreter has or shares a GIL.
macro_rules! runtime_with_gils {
    ($layout:ident) => {
        Roots::Runtime {
            interpreters: field!($layout::_PyRuntimeState, interpreters.head),
            gil: GilHolder::PerInterpreter(GilLayout {
                gil: field!($layout::PyInterpreterState, ceval.gil),
                last_holder: field!($layout::_gil_runtime_state, last_holder),
                locked: field!($layout::_gil_runtime_state, locked),
            }),
        }
    };
}

/// What `_Py_DebugOffsets` must say: its entry, and the field that it is about.
macro_rules! debug_offsets {
    ($layout:ident) => {
        debug_offsets! { $layout:
                runtime_state.interpreters_head => _PyRuntimeState.interpreters.head;
                interpreter_state.next => PyInterpreterState.next;
                interpreter_state.threads_head => PyInterpreterState.threads.head;
                interpreter_state.ceval_gil => PyInterpreterState.ceval.gil;
                thread_state.next => PyThreadState.next;
                thread_state.interp => PyThreadState.interp;
                thread_state.current_frame => PyThreadState.current_frame;
                thread_state.thread_id => PyThreadState.thread_id;
                interpreter_frame.previous => _PyInterpreterFrame.previous;
                interpreter_frame.executable => _PyInterpreterFrame.f_executable;
                interpreter_frame.instr_ptr => _PyInterpreterFrame.instr_ptr;
                interpreter_frame.owner => _PyInterpreterFrame.owner;
                code_object.filename => PyCodeObject.co_filename;
                code_object.name => PyCodeObject.co_name;
                code_object.linetable => PyCodeObject.co_linetable;
                code_object.firstlineno => PyCodeObject.co_firstlineno;
                code_object.co_code_adaptive => PyCodeObject.co_code_adaptive;
                pyobject.ob_type => PyObject.ob_type;
                bytes_object.ob_size => PyBytesObject.ob_base.ob_size;
                bytes_object.ob_sval => PyBytesObject.ob_sval;
                unicode_object.state => PyASCIIObject.state;
                unicode_object.length => PyASCIIObject.length;
        }
    };
    ($layout:ident: $($($entry:ident).+ => $object:ident . $($field:ident).+;)*) => {
        vec![$(DebugOffset {
            name: stringify!($($entry).+),
            position: offset_of!($layout::_PyRuntimeState, debug_offsets.$($entry).+),
            offset: offset_of!($layout::$object, $($field).+),
        }),*]
    };
}
