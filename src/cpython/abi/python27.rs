//! CPython 2.7.

use super::layout::v2_7 as layout;
use super::prelude::*;

/// CPython 2.7.
pub enum Python27 {}

python_2_7!(Python27, layout, AbiTag::new(2, 7));
