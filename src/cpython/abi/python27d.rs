//! CPython 2.7 that traces references, as debug builds do.

use super::layout::v2_7d as layout;
use super::prelude::*;

/// CPython 2.7 that traces references.
pub enum Python27d {}

impl Abi for Python27d {
    const TAG: AbiTag = AbiTag::new(2, 7).trace_refs();

    python_2_7!(layout);
}
