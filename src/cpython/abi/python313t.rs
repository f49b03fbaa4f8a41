//! CPython 3.13, free-threaded.

use super::layout::v3_13t as layout;
use super::prelude::*;

/// A free-threaded CPython 3.13.
pub enum Python313t {}

python_since_3_13!(
    Python313t,
    layout,
    AbiTag::new(3, 13).free_threaded(),
    roots: runtime_without_gil,
    code: f_executable,
    tag: 0,
    shim: FRAME_OWNED_BY_CSTACK,
    stack_top: Some(field!(layout::_PyInterpreterFrame, stacktop)),
    copies: no_copies,
    kind: 2,
    dict: 1
);
