//! CPython 3.11: interpreter frames, reached through a C frame; location tables.

use super::layout::v3_11 as layout;
use super::prelude::*;

/// CPython 3.11.
pub enum Python311 {}

impl Abi for Python311 {
    const TAG: AbiTag = AbiTag::new(3, 11);

    python_3_11_and_3_12!(layout);
    from_3_7_to_3_11!(layout);
    const INNERMOST: Innermost = Innermost::CFrame(field!(layout::PyThreadState, cframe));
    const FRAME: InterpreterFrameLayout = InterpreterFrameLayout {
        entry: Entry::Says(field!(layout::_PyInterpreterFrame, is_entry)),
        stack_top: Some(field!(layout::_PyInterpreterFrame, stacktop)),
        ..interpreter_frame_layout!(
            layout,
            code: f_code,
            instruction: prev_instr,
            shim: layout::FRAME_OWNED_BY_FRAME_OBJECT + 1
        )
    };
    const OBJECTS: ObjectsLayout = objects_with_kinds_of_keys!(
        layout,
        attributes: AttributesLayout::TwoWords(managed_layout!(layout)),
        integer: signed_integer!(layout, ob_base.ob_size)
    );

    fn system() -> SystemPlace {
        system_layout!(layout, modules)
    }
}
