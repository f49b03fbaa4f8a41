//! CPython 3.14: the executable of a frame is a tagged reference.

use super::layout::v3_14 as layout;
use super::prelude::*;

/// CPython 3.14.
pub enum Python314 {}

python_since_3_13!(
    Python314,
    layout,
    AbiTag::new(3, 14),
    roots: runtime_with_gils,
    code: f_executable.bits,
    tag: layout::Py_TAG_BITS,
    shim: FRAME_OWNED_BY_INTERPRETER,
    stack_top: None,
    copies: no_copies,
    kind: 2,
    dict: 3
);
