//! CPython 3.12: every interpreter may have a GIL of its own; shim frames for the C stack.

use super::layout::v3_12 as layout;
use super::prelude::*;

/// CPython 3.12.
pub enum Python312 {}

impl Abi for Python312 {
    const TAG: AbiTag = AbiTag::new(3, 12);

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
        top_through_c_frame!(layout),
        Some(field!(layout::PyThreadState, native_thread_id))
    );
    const INNERMOST: Innermost = bound_to_thread!(layout);
    const INTERPRETER: InterpreterLayout = interpreter_layout!(layout, threads.head);
    const OBJECTS: ObjectsLayout = objects_with_kinds_of_keys!(
        layout,
        attributes: AttributesLayout::TaggedWord(managed_layout!(layout)),
        integer: tagged_integer!(layout)
    );
    const VARIABLES: VariablesLayout = variables_in_one_tuple!(layout, tag: 0);

    fn roots(_micro: u8) -> Roots {
        runtime_with_gils!(layout)
    }

    fn system() -> SystemPlace {
        system_layout!(layout, PyInterpreterState, imports.modules)
    }
}

impl InterpreterFrameAbi for Python312 {
    const FRAME: InterpreterFrameLayout = interpreter_frame_layout!(
        layout,
        code: field!(layout::_PyInterpreterFrame, f_code),
        tag: 0,
        instruction: prev_instr,
        shim: layout::FRAME_OWNED_BY_CSTACK,
        entry: Entry::AboveShim,
        stack_top: Some(field!(layout::_PyInterpreterFrame, stacktop))
    );
}

impl UnicodeAbi for Python312 {
    const UNICODE: UnicodeLayout = unicode_layout!(layout, kind at bit 2);
}
