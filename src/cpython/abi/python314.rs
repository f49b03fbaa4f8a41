//! CPython 3.14: the executable of a frame is a tagged reference.

use super::layout::v3_14 as layout;
use super::prelude::*;

/// CPython 3.14.
pub enum Python314 {}

impl Abi for Python314 {
    const TAG: AbiTag = AbiTag::new(3, 14);

    since_3_14!(layout);
    with_gil_since_3_13!(layout);
}
