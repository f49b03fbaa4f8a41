//! Threads that had not stopped when their [`Stopper`] went: whoever traces them goes on to
//! something else, and lets them go as soon as they can be.

use std::cell::RefCell;
use std::mem;

use nix::unistd::Pid;

use super::stop::Stopper;

thread_local! {
    /// By process, those that this thread traces: the kernel knows tracers by thread.
    static LEFT: RefCell<Vec<(i32, Vec<Pid>)>> = const { RefCell::new(Vec::new()) };
}

/// Leaves threads of process `pid` to [`release_left`].
pub(super) fn leave(pid: i32, threads: Vec<Pid>) {
    if !threads.is_empty() {
        // At the end of this thread the kernel lets them go.
        let _ = LEFT.try_with(|left| left.borrow_mut().push((pid, threads)));
    }
}

/// Lets go what can be by now. Whoever waits for long calls this now and then.
pub(crate) fn release_left() {
    let left = LEFT.try_with(|left| mem::take(&mut *left.borrow_mut())).unwrap_or_default();
    for (pid, threads) in left {
        let mut stopper = Stopper::of_late(pid, threads);
        stopper.release_late();
        leave(pid, stopper.take_late());
    }
}
