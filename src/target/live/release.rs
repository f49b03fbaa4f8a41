//! Letting go of threads that had not stopped when their [`Stopper`] went.

use super::left::{leave, take_left};
use super::stop::Stopper;

/// Lets go what can be by now. Whoever waits for long calls this now and then.
pub(crate) fn release_left() {
    for (pid, threads) in take_left() {
        let mut stopper = Stopper::of_late(pid, threads);
        stopper.release_late();
        leave(pid, stopper.take_late());
    }
}
