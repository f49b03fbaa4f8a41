//! CPython 3.9: as 3.7.

use super::layout::v3_9 as layout;
use super::prelude::*;

/// CPython 3.9.
pub enum Python39 {}

impl Abi for Python39 {
    const TAG: AbiTag = AbiTag::new(3, 9);

    type Frames = HeapFrames;
    type Lines = SignedLnotab;
    type Text = Unicode;

    const OBJECT: ObjectLayout = object_layout!(layout);
    const CODE: CodeLayout =
        code_layout!(layout, co_lnotab, CodeLength::Bytes(field!(layout::PyCodeObject, co_code)));
    const BYTES: BytesLayout = bytes_layout!(layout, PyBytesObject, ob_base.ob_size);
    const THREAD: ThreadLayout =
        thread_layout!(layout, TopFrame::Direct(field!(layout::PyThreadState, frame)), None);
    const INTERPRETER: InterpreterLayout = interpreter_layout!(layout, tstate_head);
    const OBJECTS: ObjectsLayout = objects_with_compact_keys!(layout);
    const VARIABLES: VariablesLayout = variables_in_three_tuples!(
        layout,
        by_name: Some(field!(layout::PyCodeObject, co_kwonlyargcount))
    );

    fn roots(_micro: u8) -> Roots {
        runtime_with_current!(layout, _PyRuntimeState)
    }

    fn system() -> SystemPlace {
        system_layout!(layout, PyInterpreterState, modules)
    }
}

impl HeapFrameAbi for Python39 {
    const FRAME: HeapFrameLayout = heap_frame_layout!(
        layout,
        references: ob_base.ob_base.ob_refcnt,
        unit: 1,
        line: WhileTraced,
        executing: Executing::while_set(field!(layout::PyFrameObject, f_executing))
    );
}

impl UnicodeAbi for Python39 {
    const UNICODE: UnicodeLayout = unicode_layout!(layout, kind at bit 2);
}
