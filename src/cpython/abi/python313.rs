//! CPython 3.13: the thread state points to its frame; `_Py_DebugOffsets` bears witness.

use super::layout::v3_13 as layout;
use super::prelude::*;

/// CPython 3.13.
pub enum Python313 {}

python_since_3_13!(
    Python313,
    layout,
    AbiTag::new(3, 13),
    roots: runtime_with_gils,
    code: f_executable,
    tag: 0,
    shim: FRAME_OWNED_BY_CSTACK,
    stack_top: Some(field!(layout::_PyInterpreterFrame, stacktop)),
    copies: no_copies,
    kind: 2,
    dict: 3
);
