//! CPython 3.4: two root variables, compact Unicode, unsigned line deltas.

use super::layout::v3_4 as layout;
use super::prelude::*;

/// CPython 3.4.
pub enum Python34 {}

impl Abi for Python34 {
    const TAG: AbiTag = AbiTag::new(3, 4);

    up_to_3_6!();
    from_3_4_to_3_9!(layout);
    type Lines = UnsignedLnotab;
    const OBJECTS: ObjectsLayout = objects_with_keys!(layout, open_keys!(layout));
    const REMOVED_FROM_SET: RemovedElement = RemovedElement::Type;
}
