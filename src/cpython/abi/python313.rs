//! CPython 3.13: the thread state points to its frame; `_Py_DebugOffsets` says where things are.

use super::layout::v3_13 as layout;
use super::prelude::*;

/// CPython 3.13.
pub enum Python313 {}

impl Abi for Python313 {
    const TAG: AbiTag = AbiTag::new(3, 13);

    python_3_13!(layout);
    with_gil_since_3_13!(layout);
}
