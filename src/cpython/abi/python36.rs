//! CPython 3.6: signed line deltas; `co_firstlineno` stands before `co_code` now.

use super::layout::v3_6 as layout;
use super::prelude::*;

/// CPython 3.6.
pub enum Python36 {}

impl Abi for Python36 {
    const TAG: AbiTag = AbiTag::new(3, 6);

    up_to_3_6!();
    from_3_4_to_3_9!(layout);
    type Lines = SignedLnotab;
    const OBJECTS: ObjectsLayout = objects_with_keys!(layout, compact_keys!(layout));
}
