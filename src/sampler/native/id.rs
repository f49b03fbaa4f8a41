//! A native function, as stacks have it.

use crate::stack::FrameKind;

/// A native function that was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NativeId {
    /// The number of the function.
    pub(super) function: u32,
    /// What its frame is of.
    pub(super) kind: FrameKind,
}
