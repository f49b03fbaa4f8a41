//! Where everything begins: the interpreter list and the GIL's holder.

use super::GilLayout;
use crate::cpython::memory::{Field, Remote};
use crate::cpython::read::objects::{Interpreter, Runtime, Thread};

/// Where a version keeps its roots.
#[derive(Clone, Copy)]
pub enum Roots {
    /// 2.7 to 3.6: `interp_head` and `_PyThreadState_Current`, two variables.
    Variables,
    /// 3.7 and later: in `_PyRuntime`.
    Runtime {
        /// `interpreters.head`.
        interpreters: Field<Runtime, Remote<Interpreter>>,
        /// How to tell who holds the GIL.
        gil: GilHolder,
    },
}

/// How a version with a `_PyRuntime` tells who holds the GIL.
#[derive(Clone, Copy)]
pub enum GilHolder {
    /// 3.7 to 3.11: `gilstate.tstate_current`.
    Current(Field<Runtime, Remote<Thread>>),
    /// 3.12 and later: every interpreter points to its GIL.
    PerInterpreter(GilLayout),
    /// Free-threaded builds: `state` of each thread state. One that is attached may run Python
    /// code. If the interpreter has switched its GIL on, it is attached only while it holds
    /// that (`_PyThreadState_Attach` in `Python/pystate.c`, v3.13.0 to v3.15.0).
    Attached(AttachedLayout),
}

/// How a thread state tells whether its thread is attached.
#[derive(Clone, Copy)]
pub struct AttachedLayout {
    /// `state`.
    pub state: Field<Thread, i32>,
    /// Its value in one that is.
    pub attached: i32,
    /// Its values in one that a stop-the-world pause has suspended.
    pub suspended: &'static [i32],
}

/// Whether a thread of a free-threaded process may run Python code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may.
    Attached,
    /// It waits until its interpreter lets all threads go on again.
    Suspended,
    /// It does not want to, or waits to be attached.
    Detached,
}

impl AttachedLayout {
    /// What this value of `state` says.
    #[must_use]
    pub fn standing(&self, state: i32) -> Standing {
        match state {
            state if state == self.attached => Standing::Attached,
            state if self.suspended.contains(&state) => Standing::Suspended,
            _ => Standing::Detached,
        }
    }
}

/// One entry of `_Py_DebugOffsets` (3.13 and later), which the process itself
/// carries, and what the layouts here say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DebugOffset {
    /// Its name in `_Py_DebugOffsets`.
    pub name: &'static str,
    /// Where in `_PyRuntime` the entry is.
    pub position: usize,
    /// The offset, in bytes, that it must hold.
    pub offset: usize,
}
