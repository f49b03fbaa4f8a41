//! CPython 3.15, free-threaded: as 3.14.

use super::layout::v3_15t as layout;
use super::prelude::*;

/// A free-threaded CPython 3.15.
pub enum Python315t {}

python_since_3_13!(
    Python315t,
    layout,
    AbiTag::new(3, 15).free_threaded(),
    roots: runtime_without_gil_3_15,
    code: f_executable.bits,
    tag: layout::Py_TAG_BITS,
    shim: FRAME_OWNED_BY_INTERPRETER,
    stack_top: None,
    copies: copies_of_threads,
    kind: 8,
    dict: 1
);
