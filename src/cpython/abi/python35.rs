//! CPython 3.5: as 3.4; the code object is the last with `co_firstlineno` after `co_name`.

use super::layout::v3_5 as layout;
use super::prelude::*;

/// CPython 3.5.
pub enum Python35 {}

impl Abi for Python35 {
    const TAG: AbiTag = AbiTag::new(3, 5);

    up_to_3_6!();
    from_3_4_to_3_9!(layout);
    type Lines = UnsignedLnotab;
    const OBJECTS: ObjectsLayout = objects_with_keys!(layout, open_keys!(layout));
}
