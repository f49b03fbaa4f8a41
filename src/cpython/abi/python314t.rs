//! CPython 3.14, free-threaded: threads have copies of the bytecode.

use super::layout::v3_14t as layout;
use super::prelude::*;

/// A free-threaded CPython 3.14.
pub enum Python314t {}

python_since_3_13!(
    Python314t,
    layout,
    AbiTag::new(3, 14).free_threaded(),
    roots: runtime_without_gil,
    code: f_executable.bits,
    tag: layout::Py_TAG_BITS,
    shim: FRAME_OWNED_BY_INTERPRETER,
    stack_top: None,
    copies: copies_of_threads,
    kind: 8,
    dict: 1
);
