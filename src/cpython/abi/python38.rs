//! CPython 3.8: as 3.7.

use super::layout::v3_8 as layout;
use super::prelude::*;

/// CPython 3.8.
pub enum Python38 {}

impl Abi for Python38 {
    const TAG: AbiTag = AbiTag::new(3, 8);

    from_3_4_to_3_9!(layout);
    from_3_7_to_3_11!(layout);
    type Lines = SignedLnotab;
    const OBJECTS: ObjectsLayout = objects_with_keys!(layout, compact_keys!(layout));
}
