//! Versions of which there is more than one build, or that differ in little.
//!
//! Each macro is the whole [`super::Abi`] of such a version, but for what its file says.

#![allow(unused_macros, reason = "which of them are used depends on the enabled versions")]

/// CPython 2.7: two root variables, byte strings, unsigned line deltas.
macro_rules! python_2_7 {
    ($name:ident, $layout:ident, $tag:expr) => {
        impl Abi for $name {
            const TAG: AbiTag = $tag;

            type Frames = HeapFrames;
            type Lines = UnsignedLnotab;
            type Text = ByteString;

            const OBJECT: ObjectLayout = object_layout!($layout);
            const CODE: CodeLayout = code_layout!(
                $layout,
                co_lnotab,
                CodeLength::Bytes(field!($layout::PyCodeObject, co_code))
            );
            const BYTES: BytesLayout = bytes_layout!($layout, PyStringObject, ob_size);
            const THREAD: ThreadLayout = thread_layout!(
                $layout,
                TopFrame::Direct(field!($layout::PyThreadState, frame)),
                None
            );
            const INTERPRETER: InterpreterLayout = interpreter_layout!($layout, tstate_head);
            const OBJECTS: ObjectsLayout = objects_layout!(
                $layout,
                size: ob_size,
                dict: DictLayout::Open {
                    used: field!($layout::PyDictObject, ma_used),
                    mask: field!($layout::PyDictObject, ma_mask),
                    table: field!($layout::PyDictObject, ma_table),
                    entry: entry_layout!($layout, PyDictEntry, me_key, me_value),
                },
                attributes: AttributesLayout::Dict,
                integer: signed_integer!($layout, ob_size),
                small_integer: Some(field!($layout::PyIntObject, ob_ival)),
                wide_text: Some(WideTextLayout {
                    length: field!($layout::PyUnicodeObject, length),
                    data: field!($layout::PyUnicodeObject, str_),
                })
            );
            const VARIABLES: VariablesLayout = variables_in_three_tuples!($layout, by_name: None);

            const NAMES_ARE_BYTES: bool = true;
            const THREAD_NAME: &'static str = "_Thread__name";
            const REMOVED_FROM_SET: RemovedElement = RemovedElement::Text;

            fn roots(_micro: u8) -> Roots {
                Roots::Variables
            }

            fn system() -> SystemPlace {
                system_layout!($layout, PyInterpreterState, modules)
            }
        }

        impl HeapFrameAbi for $name {
            const FRAME: HeapFrameLayout = heap_frame_layout!(
                $layout,
                references: ob_refcnt,
                unit: 1,
                line: WhileTraced,
                executing: Executing::Untold
            );
        }

        impl ByteStringAbi for $name {
            const STRING: StringLayout = StringLayout {
                size: field!($layout::PyStringObject, ob_size),
                data: offset_of!($layout::PyStringObject, ob_sval),
            };
        }
    };
}

/// CPython 3.13 and later: the thread state points to its frame, and `_Py_DebugOffsets` bears
/// witness.
macro_rules! python_since_3_13 {
    ($name:ident, $layout:ident, $tag:expr, roots: $roots:ident, code: $($code:ident).+,
     tag: $bits:expr, shim: $shim:ident, stack_top: $stack_top:expr, copies: $copies:ident,
     kind: $kind:literal, dict: $words:literal) => {
        impl Abi for $name {
            const TAG: AbiTag = $tag;

            type Frames = InterpreterFrames;
            type Lines = LocationTable;
            type Text = Unicode;

            const OBJECT: ObjectLayout = object_layout!($layout);
            const CODE: CodeLayout = code_layout!(
                $layout,
                co_linetable,
                CodeLength::Instructions(field!($layout::PyCodeObject, ob_base.ob_size)),
                first_traceable: _co_firsttraceable
            );
            const COPIES: Option<CopiesLayout> = $copies!(layout of $layout);
            const BYTES: BytesLayout = bytes_layout!($layout, PyBytesObject, ob_base.ob_size);
            const THREAD: ThreadLayout = thread_layout!(
                $layout,
                TopFrame::Direct(field!($layout::PyThreadState, current_frame)),
                Some(field!($layout::PyThreadState, native_thread_id))
            );
            const INNERMOST: Innermost = bound_to_thread!($layout);
            const INTERPRETER: InterpreterLayout = interpreter_layout!($layout, threads.head);
            const OBJECTS: ObjectsLayout = objects_with_kinds_of_keys!(
                $layout,
                attributes: inline_attributes!($layout, dict: $words),
                integer: tagged_integer!($layout)
            );
            const VARIABLES: VariablesLayout = variables_in_one_tuple!($layout, tag: $bits);

            fn roots(_micro: u8) -> Roots {
                $roots!($layout)
            }

            fn system() -> SystemPlace {
                system_that_is_told!($layout)
            }

            fn debug_offsets() -> Vec<DebugOffset> {
                let copies: Vec<DebugOffset> = $copies!(debug offsets of $layout);
                debug_offsets!($layout).into_iter().chain(copies).collect()
            }
        }

        impl InterpreterFrameAbi for $name {
            const FRAME: InterpreterFrameLayout = interpreter_frame_layout!(
                $layout,
                code: field!($layout::_PyInterpreterFrame, $($code).+),
                tag: $bits,
                instruction: instr_ptr,
                shim: $layout::$shim,
                entry: Entry::AboveShim,
                stack_top: $stack_top
            );
        }

        impl UnicodeAbi for $name {
            const UNICODE: UnicodeLayout = unicode_layout!($layout, kind at bit $kind);
        }
    };
}
