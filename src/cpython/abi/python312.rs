//! CPython 3.12: every interpreter may have a GIL of its own; shim frames for the C stack.

use super::layout::v3_12 as layout;
use super::prelude::*;

/// CPython 3.12.
pub enum Python312 {}

impl Abi for Python312 {
    const TAG: AbiTag = AbiTag::new(3, 12);

    python_3_11_and_3_12!(layout);
    since_3_12!(layout);
    const FRAME: InterpreterFrameLayout = InterpreterFrameLayout {
        stack_top: Some(field!(layout::_PyInterpreterFrame, stacktop)),
        ..interpreter_frame_layout!(
            layout,
            code: f_code,
            instruction: prev_instr,
            shim: layout::FRAME_OWNED_BY_CSTACK
        )
    };
    const OBJECTS: ObjectsLayout = objects_with_kinds_of_keys!(
        layout,
        attributes: AttributesLayout::TaggedWord(managed_layout!(layout)),
        integer: tagged_integer!(layout)
    );

    fn roots(_micro: u8) -> Roots {
        runtime_with_gils!(layout)
    }

    fn system() -> SystemPlace {
        system_layout!(layout, imports.modules)
    }
}
