//! CPython 2.7: two root variables, byte strings, unsigned line deltas.

use super::layout::v2_7 as layout;
use super::prelude::*;

/// CPython 2.7.
pub enum Python27 {}

impl Abi for Python27 {
    const TAG: AbiTag = AbiTag::new(2, 7);

    type Frames = HeapFrames;
    type Lines = UnsignedLnotab;
    type Text = ByteString;

    const OBJECT: ObjectLayout = object_layout!(layout);
    const CODE: CodeLayout =
        code_layout!(layout, co_lnotab, CodeLength::Bytes(field!(layout::PyCodeObject, co_code)));
    const BYTES: BytesLayout = bytes_layout!(layout, PyStringObject, ob_size);
    const THREAD: ThreadLayout =
        thread_layout!(layout, TopFrame::Direct(field!(layout::PyThreadState, frame)), None);
    const INTERPRETER: InterpreterLayout = interpreter_layout!(layout, tstate_head);
    const OBJECTS: ObjectsLayout = objects_layout!(
        layout,
        size: ob_size,
        dict: DictLayout::Open {
            used: field!(layout::PyDictObject, ma_used),
            mask: field!(layout::PyDictObject, ma_mask),
            table: field!(layout::PyDictObject, ma_table),
            entry: entry_layout!(layout, PyDictEntry, me_key, me_value),
        },
        attributes: AttributesLayout::Dict,
        integer: signed_integer!(layout, ob_size),
        small_integer: Some(field!(layout::PyIntObject, ob_ival)),
        wide_text: Some(WideTextLayout {
            length: field!(layout::PyUnicodeObject, length),
            data: field!(layout::PyUnicodeObject, str_),
        })
    );
    const VARIABLES: VariablesLayout = variables_in_three_tuples!(layout, by_name: None);

    const NAMES_ARE_BYTES: bool = true;
    const THREAD_NAME: &'static str = "_Thread__name";
    const REMOVED_FROM_SET: RemovedElement = RemovedElement::Text;

    fn roots(_micro: u8) -> Roots {
        Roots::Variables
    }

    fn system(_micro: u8) -> SystemLayout {
        system_layout!(layout, PyInterpreterState, modules)
    }
}

impl HeapFrameAbi for Python27 {
    const FRAME: HeapFrameLayout = heap_frame_layout!(
        layout,
        references: ob_refcnt,
        unit: 1,
        line: WhileTraced,
        executing: Executing::Untold
    );
}

impl ByteStringAbi for Python27 {
    const STRING: StringLayout = StringLayout {
        size: field!(layout::PyStringObject, ob_size),
        data: offset_of!(layout::PyStringObject, ob_sval),
    };
}
