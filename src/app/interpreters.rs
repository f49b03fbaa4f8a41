//! Waits for the interpreters of a target, which may only be starting.

use std::time::{Duration, Instant};

use crate::app::error::Error;
use crate::target::Target;
use crate::target::live::memory::LiveMemory;
use crate::target::live::{self, Process, nap};
use crate::target::locate::{self, Interpreter, LocateError};

/// How old a process may be and still be about to load its interpreter.
const LOADING: Duration = Duration::from_millis(500);

/// How long an interpreter that has not started is waited for.
pub(super) const STARTING: Duration = Duration::from_secs(5);

/// How many descendants of a process that is not Python are looked at.
const DESCENDANTS: usize = 100;

/// The pause between two looks at a process that is starting.
const NAP: Duration = Duration::from_millis(1);

/// The interpreter of a process, which may still be starting it. If there are several, the
/// one that its program is linked to.
///
/// # Errors
/// [`Error`] if there is none in time.
pub(crate) fn wait_for_interpreter(
    process: &Process,
    memory: &LiveMemory,
) -> Result<Interpreter, Error> {
    let found = wait_until_found(process, || locate::find(process, memory));
    found.map_err(|error| not_python(process.pid(), error.into()))
}

/// All interpreters of a target, that one first.
///
/// # Errors
/// [`LocateError`] if there is none in time.
pub(super) fn wait_for_all<T: Target>(
    target: &T,
    memory: &T::Memory,
) -> Result<Vec<Interpreter>, LocateError> {
    wait_until_found(target, || locate::find_all(target, memory))
}

fn wait_until_found<T: Target, F>(
    target: &T,
    find: impl Fn() -> Result<F, LocateError>,
) -> Result<F, LocateError> {
    let deadline = Instant::now() + STARTING;
    loop {
        match find() {
            Err(error) if may_yet_start(target, &error) && Instant::now() < deadline => {
                nap(NAP);
            }
            result => return result,
        }
    }
}

/// Whether a target without a running interpreter may be about to have one:
/// its interpreter is there but has not begun, or it is too young to tell.
fn may_yet_start<T: Target>(target: &T, error: &LocateError) -> bool {
    let is_young = || target.age().is_some_and(|age| age < LOADING);
    T::CHANGES && (error.is_starting() || (error.may_pass() && is_young()))
}

/// Says of a process that is not Python which of those that it has started is.
pub(super) fn not_python(pid: i32, error: Error) -> Error {
    match error {
        Error::Locate(error @ LocateError::NotPython { .. }) => match python_below(pid) {
            Some((child, found)) => Error::NotPythonItself { error, child, found },
            None => error.into(),
        },
        error => error,
    }
}

/// The nearest descendant of a process that runs Python, and its version.
fn python_below(pid: i32) -> Option<(i32, String)> {
    let mut family = live::children(pid).unwrap_or_default();
    let mut position = 0;
    while let Some(child) = family.get(position).copied() {
        position += 1;
        if let Ok(process) = Process::open(child) {
            if let Ok(found) = locate::find(&process, &LiveMemory::new(child)) {
                return Some((child, found.full_version()));
            }
        }
        family.extend(live::children(child).unwrap_or_default());
        family.truncate(DESCENDANTS);
    }
    None
}
