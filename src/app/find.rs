//! Which profiler is for a process that nobody has looked at yet.

use std::path::PathBuf;

use crate::app::error::Error;
use crate::app::interpreters::wait_for_interpreter;
use crate::app::programs::profiler_for;
use crate::target::live::Process;
use crate::target::live::memory::LiveMemory;

/// The profiler that is for a process.
///
/// # Errors
/// [`Error`] if the process cannot be looked at, or the profiler is not installed.
pub(super) fn profiler_of(pid: i32) -> Result<PathBuf, Error> {
    let process = Process::open(pid)?;
    let found = wait_for_interpreter(&process, &LiveMemory::new(pid))?;
    profiler_for(pid, &found.full_version(), found.tag())
}
