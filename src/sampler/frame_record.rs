//! One frame as it was copied.

use crate::cpython::read::code::{CodeId, Named};
use crate::cpython::read::frames::{Position, RawFrame};

/// One frame of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameRecord {
    /// The address of the frame.
    pub frame: u64,
    /// What it is linked to: the frame of its caller, or a shim between them.
    pub caller: u64,
    /// Whether its caller says when it is not under way.
    pub is_told_by_caller: bool,
    /// Whether it existed when it was copied, as far as it tells.
    pub is_alive: bool,
    /// Whether it said that it was inside a call. Where frames do not tell, it is not.
    pub may_call: bool,
    /// Whether it said that it was not inside a call.
    pub calls_none: bool,
    /// How many held it ([`RawFrame::references`]).
    pub references: u32,
    /// The code object that it runs, by address.
    pub address: u64,
    /// The same, by identity.
    pub code: CodeId,
    /// Where in it.
    pub position: Position,
}

impl FrameRecord {
    /// The code object that it runs.
    pub(crate) fn named(&self) -> Named {
        Named { address: self.address, id: self.code }
    }

    /// A frame that was copied, and the code object that it ran.
    pub(crate) fn new(raw: &RawFrame, code: CodeId) -> Self {
        Self {
            frame: raw.frame.address(),
            caller: raw.caller.address(),
            is_told_by_caller: raw.is_told_by_caller,
            is_alive: raw.is_alive,
            may_call: raw.may_call,
            calls_none: raw.calls_none,
            references: raw.references,
            address: raw.code.address(),
            code,
            position: raw.position,
        }
    }

    /// Whether it said that it was inside a call, or another held it as a callee does.
    #[must_use]
    pub(crate) fn says_inside(&self) -> bool {
        self.may_call || self.references > 1
    }
}
