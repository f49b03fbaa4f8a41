//! CPython 3.15: as 3.14.

use super::layout::v3_15 as layout;
use super::prelude::*;

/// CPython 3.15.
pub enum Python315 {}

impl Abi for Python315 {
    const TAG: AbiTag = AbiTag::new(3, 15);

    since_3_14!(layout);
    with_gil_since_3_13!(layout);
}
