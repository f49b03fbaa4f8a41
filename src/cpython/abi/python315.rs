//! CPython 3.15: as 3.14.

use super::layout::v3_15 as layout;
use super::prelude::*;

/// CPython 3.15.
pub enum Python315 {}

python_since_3_13!(
    Python315,
    layout,
    AbiTag::new(3, 15),
    roots: runtime_with_gils,
    code: f_executable.bits,
    tag: layout::Py_TAG_BITS,
    shim: FRAME_OWNED_BY_INTERPRETER,
    stack_top: None,
    copies: no_copies,
    kind: 2,
    dict: 3
);
