//! CPython 3.14, free-threaded: threads have copies of the bytecode.

use super::layout::v3_14t as layout;
use super::prelude::*;

/// A free-threaded CPython 3.14.
pub enum Python314t {}

impl Abi for Python314t {
    const TAG: AbiTag = AbiTag::new(3, 14).free_threaded();

    since_3_14!(layout);
    free_threaded_since_3_14!(layout);
    free_threaded!(layout, suspended: _Py_THREAD_SUSPENDED);
}
