//! CPython 3.10: PEP 626 line ranges; `f_lasti` counts units of two bytes.

use super::layout::v3_10 as layout;
use super::prelude::*;

/// CPython 3.10.
pub enum Python310 {}

impl Abi for Python310 {
    const TAG: AbiTag = AbiTag::new(3, 10);

    type Frames = HeapFrames;
    type Lines = Ranges;
    type Text = Unicode;

    const OBJECT: ObjectLayout = object_layout!(layout);
    const CODE: CodeLayout = code_layout!(
        layout,
        co_linetable,
        CodeLength::Bytes(field!(layout::PyCodeObject, co_code))
    );
    const BYTES: BytesLayout = bytes_layout!(layout, PyBytesObject, ob_base.ob_size);
    const THREAD: ThreadLayout =
        thread_layout!(layout, TopFrame::Direct(field!(layout::PyThreadState, frame)), None);
    const INNERMOST: Innermost = Innermost::CFrame(field!(layout::PyThreadState, cframe));
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

impl HeapFrameAbi for Python310 {
    const FRAME: HeapFrameLayout = heap_frame_layout!(
        layout,
        references: ob_base.ob_base.ob_refcnt,
        unit: 2,
        line: UnlessZero,
        executing: Executing::When {
            field: field!(layout::PyFrameObject, f_state),
            executed: layout::FRAME_EXECUTING as u8,
            unwinding: layout::FRAME_UNWINDING as u8,
        }
    );
}

impl UnicodeAbi for Python310 {
    const UNICODE: UnicodeLayout = unicode_layout!(layout, kind at bit 2);
}
