//! CPython 3.13, free-threaded.

use super::layout::v3_13t as layout;
use super::prelude::*;

/// A free-threaded CPython 3.13.
pub enum Python313t {}

impl Abi for Python313t {
    const TAG: AbiTag = AbiTag::new(3, 13).free_threaded();

    python_3_13!(layout);
    free_threaded!(layout, suspended: _Py_THREAD_SUSPENDED);
    const TEXT: UnicodeLayout = unicode_layout!(layout, kind at bit 2);

    fn debug_offsets() -> Vec<DebugOffset> {
        debug_offsets!(layout)
    }
}
