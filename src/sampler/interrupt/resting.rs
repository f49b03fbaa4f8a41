//! What is kept of a thread that waits for long.

use super::perf::Mark;
use crate::cpython::memory::Remote;
use crate::cpython::read::objects::Thread;
use crate::profile::Sample;

/// A thread that did not run when a look found it.
#[derive(Clone, Copy)]
pub(super) struct Resting {
    pub(super) thread: Remote<Thread>,
    pub(super) tid: i32,
    pub(super) mark: Mark,
    /// What it waits in, if that is to be sampled.
    pub(super) sample: Option<Sample>,
}
