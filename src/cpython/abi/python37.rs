//! CPython 3.7: the roots have moved into `_PyRuntime`, and moved again inside it in 3.7.4.

use super::layout::v3_7 as layout;
use super::prelude::*;

/// CPython 3.7.
pub enum Python37 {}

impl Abi for Python37 {
    const TAG: AbiTag = AbiTag::new(3, 7);

    from_3_4_to_3_9!(layout);
    type Lines = SignedLnotab;
    const OBJECTS: ObjectsLayout = objects_with_keys!(layout, compact_keys!(layout));

    fn roots(micro: u8) -> Roots {
        if micro < 4 {
            runtime_with_current!(layout, _PyRuntimeState_3_7_0)
        } else {
            runtime_with_current!(layout, _PyRuntimeState)
        }
    }
}
