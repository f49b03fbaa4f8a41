//! Threads that had not stopped when their [`super::stop::Stopper`] went. Whoever traces them
//! goes on to something else, and lets them go as soon as they can be.

use std::cell::RefCell;
use std::mem;

use nix::unistd::Pid;

thread_local! {
    /// By process, those that this thread traces: the kernel knows tracers by thread.
    static LEFT: RefCell<Vec<(i32, Vec<Pid>)>> = const { RefCell::new(Vec::new()) };
}

/// Leaves threads of process `pid` to [`super::release_left`].
pub(super) fn leave(pid: i32, threads: Vec<Pid>) {
    if !threads.is_empty() {
        // At the end of this thread the kernel lets them go.
        let _ = LEFT.try_with(|left| left.borrow_mut().push((pid, threads)));
    }
}

/// Takes over those that this thread has left.
pub(super) fn take_left() -> Vec<(i32, Vec<Pid>)> {
    LEFT.try_with(|left| mem::take(&mut *left.borrow_mut())).unwrap_or_default()
}
