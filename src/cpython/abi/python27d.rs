//! CPython 2.7 that traces references, as debug builds do.

use super::layout::v2_7d as layout;
use super::prelude::*;

/// CPython 2.7 that traces references.
pub enum Python27d {}

python_2_7!(Python27d, layout, AbiTag::new(2, 7).trace_refs());
