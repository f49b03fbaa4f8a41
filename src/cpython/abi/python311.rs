//! CPython 3.11: interpreter frames, reached through a C frame; location tables.

use super::layout::v3_11 as layout;
use super::prelude::*;

/// CPython 3.11.
pub enum Python311 {}

impl Abi for Python311 {
    const TAG: AbiTag = AbiTag::new(3, 11);

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
    const INNERMOST: Innermost = Innermost::CFrame(field!(layout::PyThreadState, cframe));
    const INTERPRETER: InterpreterLayout = interpreter_layout!(layout, threads.head);
    const OBJECTS: ObjectsLayout = objects_with_kinds_of_keys!(
        layout,
        attributes: AttributesLayout::TwoWords(managed_layout!(layout)),
        integer: signed_integer!(layout, ob_base.ob_size)
    );
    const VARIABLES: VariablesLayout = variables_in_one_tuple!(layout, tag: 0);

    fn roots(_micro: u8) -> Roots {
        runtime_with_current!(layout, _PyRuntimeState)
    }

    fn system() -> SystemPlace {
        system_layout!(layout, PyInterpreterState, modules)
    }
}

impl InterpreterFrameAbi for Python311 {
    const FRAME: InterpreterFrameLayout = interpreter_frame_layout!(
        layout,
        code: field!(layout::_PyInterpreterFrame, f_code),
        tag: 0,
        instruction: prev_instr,
        shim: layout::FRAME_OWNED_BY_FRAME_OBJECT + 1,
        entry: Entry::Says(field!(layout::_PyInterpreterFrame, is_entry)),
        stack_top: Some(field!(layout::_PyInterpreterFrame, stacktop))
    );
}

impl UnicodeAbi for Python311 {
    const UNICODE: UnicodeLayout = unicode_layout!(layout, kind at bit 2);
}
