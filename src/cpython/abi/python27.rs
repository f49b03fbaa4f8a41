//! CPython 2.7.

use super::layout::v2_7 as layout;
use super::prelude::*;

/// CPython 2.7.
pub enum Python27 {}

impl Abi for Python27 {
    const TAG: AbiTag = AbiTag::new(2, 7);

    python_2_7!(layout);
}
