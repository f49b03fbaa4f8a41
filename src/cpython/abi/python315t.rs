//! CPython 3.15, free-threaded: as 3.14; suspended threads have a second state.

use super::layout::v3_15t as layout;
use super::prelude::*;

/// A free-threaded CPython 3.15.
pub enum Python315t {}

impl Abi for Python315t {
    const TAG: AbiTag = AbiTag::new(3, 15).free_threaded();

    since_3_14!(layout);
    free_threaded_since_3_14!(layout);
    free_threaded!(layout, suspended: _Py_THREAD_SUSPENDED, _Py_THREAD_SUSPENDED_WAITING);
}
