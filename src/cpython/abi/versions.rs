//! What neighbouring versions have in common: items of their `impl Abi`.
//!
//! A version file takes the macro of its range and states the rest. An item that is missing or
//! stated twice does not compile. The fields are named as CPython names them, and checked
//! against the layouts of the version that takes them.

#![allow(unused_macros, reason = "which of them are used depends on the enabled versions")]

/// Frames are objects that the thread state points to.
macro_rules! up_to_3_10 {
    ($layout:ident) => {
        type Frames = HeapFrames;

        const OBJECT: ObjectLayout = object_layout!($layout);
        const THREAD: ThreadLayout =
            thread_layout!($layout, TopFrame::Direct(field!($layout::PyThreadState, frame)));
        const INTERPRETER: InterpreterLayout = interpreter_layout!($layout, tstate_head);

        fn system() -> SystemPlace {
            system_layout!($layout, modules)
        }
    };
}

/// Two root variables.
macro_rules! up_to_3_6 {
    () => {
        fn roots(_micro: u8) -> Roots {
            Roots::Variables
        }
    };
}

/// 2.7 and 2.7d: byte strings, unsigned line deltas.
macro_rules! python_2_7 {
    ($layout:ident) => {
        up_to_3_10!($layout);
        up_to_3_6!();

        type Lines = UnsignedLnotab;
        type Text = ByteString;

        const CODE: CodeLayout = code_with_bytes!($layout, co_lnotab);
        const FRAME: HeapFrameLayout =
    heap_frame_layout!($layout, references: ob_refcnt, Executing::Untold);
        const TEXT: StringLayout = StringLayout {
            size: field!($layout::PyStringObject, ob_size),
            data: offset_of!($layout::PyStringObject, ob_sval),
        };
        const BYTES: BytesLayout = bytes_layout!($layout, PyStringObject, ob_size);
        const OBJECTS: ObjectsLayout = ObjectsLayout {
            small_integer: Some(field!($layout::PyIntObject, ob_ival)),
            wide_text: Some(WideTextLayout {
                length: field!($layout::PyUnicodeObject, length),
                data: field!($layout::PyUnicodeObject, str_),
            }),
            ..objects_layout!(
                $layout,
                size: ob_size,
                dict: DictLayout::Open {
                    used: field!($layout::PyDictObject, ma_used),
                    mask: field!($layout::PyDictObject, ma_mask),
                    table: field!($layout::PyDictObject, ma_table),
                    entry: entry_layout!($layout, PyDictEntry, me_key, me_value),
                },
                attributes: AttributesLayout::Dict,
                integer: signed_integer!($layout, ob_size)
            )
        };
const VARIABLES: VariablesLayout = variables_in_three_tuples!($layout, by_name: None);

        const NAMES_ARE_BYTES: bool = true;
        const THREAD_NAME: &'static str = "_Thread__name";
        const REMOVED_FROM_SET: RemovedElement = RemovedElement::Text;
    };
}

/// Compact Unicode objects.
macro_rules! from_3_4_to_3_10 {
    ($layout:ident) => {
        up_to_3_10!($layout);

        type Text = Unicode;

const TEXT: UnicodeLayout = unicode_layout!($layout, kind at bit 2);
        const BYTES: BytesLayout = bytes_layout!($layout, PyBytesObject, ob_base.ob_size);
        const VARIABLES: VariablesLayout = variables_in_three_tuples!(
            $layout,
            by_name: Some(field!($layout::PyCodeObject, co_kwonlyargcount))
        );
    };
}

/// Line deltas in `co_lnotab`, and a flag that says which frames are executed.
macro_rules! from_3_4_to_3_9 {
    ($layout:ident) => {
        from_3_4_to_3_10!($layout);

        const CODE: CodeLayout = code_with_bytes!($layout, co_lnotab);
        const FRAME: HeapFrameLayout = heap_frame_layout!(
            $layout,
            references: ob_base.ob_base.ob_refcnt,
            Executing::while_set(field!($layout::PyFrameObject, f_executing))
        );
    };
}

/// The roots are in `_PyRuntime`, which names the thread that has the GIL.
macro_rules! from_3_7_to_3_11 {
    ($layout:ident) => {
        fn roots(_micro: u8) -> Roots {
            runtime_with_current!($layout, _PyRuntimeState)
        }
    };
}

/// Interpreter frames, location tables.
macro_rules! since_3_11 {
    ($layout:ident) => {
        type Frames = InterpreterFrames;
        type Lines = LocationTable;
        type Text = Unicode;

        const OBJECT: ObjectLayout = object_layout!($layout);
        const CODE: CodeLayout = CodeLayout {
            first_traceable: Some(field!($layout::PyCodeObject, _co_firsttraceable)),
            ..code_layout!(
                $layout,
                co_linetable,
                CodeLength::Instructions(field!($layout::PyCodeObject, ob_base.ob_size))
            )
        };
        const BYTES: BytesLayout = bytes_layout!($layout, PyBytesObject, ob_base.ob_size);
        const INTERPRETER: InterpreterLayout = interpreter_layout!($layout, threads.head);
    };
}

/// The thread state leads to its frame through a C frame.
macro_rules! python_3_11_and_3_12 {
    ($layout:ident) => {
        since_3_11!($layout);

const TEXT: UnicodeLayout = unicode_layout!($layout, kind at bit 2);
        const THREAD: ThreadLayout = ThreadLayout {
            native_id: Some(field!($layout::PyThreadState, native_thread_id)),
            ..thread_layout!(
                $layout,
                TopFrame::CFrame(CFrameLayout {
                    newest: field!($layout::PyThreadState, cframe),
                    current: field!($layout::_PyCFrame, current_frame),
                    previous: field!($layout::_PyCFrame, previous),
                    frames_top: field!($layout::PyThreadState, datastack_top),
                    frames_limit: field!($layout::PyThreadState, datastack_limit),
                })
            )
        };
const VARIABLES: VariablesLayout = variables_in_one_tuple!($layout, tag: 0);
    };
}

/// A state tells whether it is bound to its thread.
macro_rules! since_3_12 {
    ($layout:ident) => {
        // The bits of `_status`, of which `field!` knows no type.
        const INNERMOST: Innermost =
            Innermost::Bound(Field::at(offset_of!($layout::PyThreadState, _status)));
    };
}

/// The thread state points to its frame, and `_Py_DebugOffsets` says where things are.
macro_rules! since_3_13 {
    ($layout:ident) => {
        since_3_11!($layout);
        since_3_12!($layout);

        const THREAD: ThreadLayout = ThreadLayout {
            native_id: Some(field!($layout::PyThreadState, native_thread_id)),
            ..thread_layout!(
                $layout,
                TopFrame::Direct(field!($layout::PyThreadState, current_frame))
            )
        };

        fn system() -> SystemPlace {
            system_that_is_told!($layout)
        }
    };
}

/// 3.13 and 3.13t: references are not tagged yet.
macro_rules! python_3_13 {
    ($layout:ident) => {
        since_3_13!($layout);

        const FRAME: InterpreterFrameLayout = InterpreterFrameLayout {
            stack_top: Some(field!($layout::_PyInterpreterFrame, stacktop)),
            ..interpreter_frame_layout!(
                $layout,
                code: f_executable,
                instruction: instr_ptr,
                shim: $layout::FRAME_OWNED_BY_CSTACK
            )
        };
const VARIABLES: VariablesLayout = variables_in_one_tuple!($layout, tag: 0);
    };
}

/// Executables and variables of frames are tagged references.
macro_rules! since_3_14 {
    ($layout:ident) => {
        since_3_13!($layout);

        const FRAME: InterpreterFrameLayout = InterpreterFrameLayout {
            code_tag: $layout::Py_TAG_BITS as u64,
            ..interpreter_frame_layout!(
                $layout,
                code: f_executable.bits,
                instruction: instr_ptr,
                shim: $layout::FRAME_OWNED_BY_INTERPRETER
            )
        };
        const VARIABLES: VariablesLayout =
    variables_in_one_tuple!($layout, tag: $layout::Py_TAG_BITS);
    };
}

/// Builds with a GIL.
macro_rules! with_gil_since_3_13 {
    ($layout:ident) => {
const TEXT: UnicodeLayout = unicode_layout!($layout, kind at bit 2);
const OBJECTS: ObjectsLayout = objects_with_inline_values!($layout, dict: 3);

        fn roots(_micro: u8) -> Roots {
            runtime_with_gils!($layout)
        }

        fn debug_offsets() -> Vec<DebugOffset> {
            debug_offsets!($layout)
        }
    };
}

/// Free-threaded builds; `$suspended` are the states of a thread that a pause has suspended.
macro_rules! free_threaded {
    ($layout:ident, suspended: $($suspended:ident),+) => {
        const OBJECTS: ObjectsLayout = objects_with_inline_values!($layout, dict: 1);

        fn roots(_micro: u8) -> Roots {
            Roots::Runtime {
                interpreters: field!($layout::_PyRuntimeState, interpreters.head),
                gil: GilHolder::Attached(AttachedLayout {
                    state: field!($layout::PyThreadState, state),
                    attached: $layout::_Py_THREAD_ATTACHED as i32,
                    suspended: &[$($layout::$suspended as i32),+],
                }),
            }
        }
    };
}

/// Free-threaded builds: threads have copies of the bytecode.
macro_rules! free_threaded_since_3_14 {
    ($layout:ident) => {
const TEXT: UnicodeLayout = unicode_layout!($layout, kind at bit 8);
        const COPIES: Option<CopiesLayout> = Some(CopiesLayout {
            index: field!($layout::_PyInterpreterFrame, tlbc_index),
            array: field!($layout::PyCodeObject, co_tlbc),
            entries: offset_of!($layout::_PyCodeArray, entries),
        });

        fn debug_offsets() -> Vec<DebugOffset> {
            let mut offsets = debug_offsets!($layout);
            offsets.extend(debug_offsets! { $layout:
                interpreter_frame.tlbc_index => _PyInterpreterFrame.tlbc_index;
                code_object.co_tlbc => PyCodeObject.co_tlbc;
            });
            offsets
        }
    };
}
