//! CPython 3.10: PEP 626 line ranges; `f_lasti` counts units of two bytes.

use super::layout::v3_10 as layout;
use super::prelude::*;

/// CPython 3.10.
pub enum Python310 {}

impl Abi for Python310 {
    const TAG: AbiTag = AbiTag::new(3, 10);

    from_3_4_to_3_10!(layout);
    from_3_7_to_3_11!(layout);
    type Lines = Ranges;
    const OBJECTS: ObjectsLayout = objects_with_keys!(layout, compact_keys!(layout));
    const CODE: CodeLayout = code_with_bytes!(layout, co_linetable);
    const INNERMOST: Innermost = Innermost::CFrame(field!(layout::PyThreadState, cframe));
    const FRAME: HeapFrameLayout = HeapFrameLayout {
        instruction_unit: 2,
        line_is_set: LineIsSet::UnlessZero,
        ..heap_frame_layout!(
            layout,
            references: ob_base.ob_base.ob_refcnt,
            Executing::When {
                field: field!(layout::PyFrameObject, f_state),
                executed: layout::FRAME_EXECUTING as u8,
                unwinding: layout::FRAME_UNWINDING as u8,
            }
        )
    };
}
