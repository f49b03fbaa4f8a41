//! CPython 3.15: as 3.14.

use super::layout::v3_15 as layout;
use super::prelude::*;

/// CPython 3.15.
pub enum Python315 {}

impl Abi for Python315 {
    const TAG: AbiTag = AbiTag::new(3, 15);

    type Frames = InterpreterFrames;
    type Lines = LocationTable;
    type Text = Unicode;

    const OBJECT: ObjectLayout = object_layout!(layout);
    const CODE: CodeLayout = code_layout!(
        layout,
        co_linetable,
        CodeLength::Instructions(field!(layout::PyCodeObject, ob_base.ob_size)),
        first_traceable: _co_firsttraceable
    );
    const BYTES: BytesLayout = bytes_layout!(layout, PyBytesObject, ob_base.ob_size);
    const THREAD: ThreadLayout = thread_layout!(
        layout,
        TopFrame::Direct(field!(layout::PyThreadState, current_frame)),
        Some(field!(layout::PyThreadState, native_thread_id))
    );
    const INNERMOST: Innermost = bound_to_thread!(layout);
    const INTERPRETER: InterpreterLayout = interpreter_layout!(layout, threads.head);
    const OBJECTS: ObjectsLayout = objects_with_kinds_of_keys!(
        layout,
        attributes: inline_attributes!(layout),
        integer: tagged_integer!(layout)
    );
    const VARIABLES: VariablesLayout = variables_in_one_tuple!(layout, tag: layout::Py_TAG_BITS);

    fn roots(_micro: u8) -> Roots {
        runtime_with_gils!(layout)
    }

    fn system(_micro: u8) -> SystemLayout {
        system_layout!(layout, PyInterpreterState, imports.modules)
    }

    fn debug_offsets() -> Vec<DebugOffset> {
        debug_offsets!(layout)
    }
}

impl InterpreterFrameAbi for Python315 {
    const FRAME: InterpreterFrameLayout = interpreter_frame_layout!(
        layout,
        code: field!(layout::_PyInterpreterFrame, f_executable.bits),
        tag: layout::Py_TAG_BITS,
        instruction: instr_ptr,
        shim: layout::FRAME_OWNED_BY_INTERPRETER,
        entry: Entry::AboveShim,
        stack_top: None
    );
}

impl UnicodeAbi for Python315 {
    const UNICODE: UnicodeLayout = unicode_layout!(layout, kind at bit 2);
}
