//! Whether a process is there: shown by `/proc`, hidden by it, or not at all. And by which
//! of its threads it can be looked at.

use std::fs;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::access::is_denial;
use super::denial::Denial;
use super::error::OpenError;
use super::{Stat, is_gone, numbered_entries, read_stat};

/// What `/proc` shows of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// What the kernel says of it.
    Shown(Stat),
    /// It is there, and `/proc` does not show it to this user (`hidepid`).
    Hidden(Denial),
    /// There is none.
    Absent,
}

/// Whether process `pid` is there.
pub(crate) fn presence(pid: i32) -> Presence {
    if pid <= 0 {
        return Presence::Absent;
    }
    let line = || read_stat(&format!("/proc/{pid}/stat"));
    match line() {
        Ok(stat) => Presence::Shown(stat),
        Err(error) if is_gone(&error) || is_denial(&error) => match hidden(pid) {
            // It may have been started after the first look.
            Some(denial) => line().map_or(Presence::Hidden(denial), Presence::Shown),
            None => Presence::Absent,
        },
        Err(_) => Presence::Absent,
    }
}

/// Why a process is hidden that a signal would reach; `None` if there is none.
///
/// The signal is never sent. Its rights do not depend on `/proc`, and tell a process of
/// another user from one of the same user that does not let itself be read.
fn hidden(pid: i32) -> Option<Denial> {
    match kill(Pid::from_raw(pid), None) {
        Ok(()) => Some(Denial::Hidden { of_other_user: false }),
        Err(Errno::EPERM) => Some(Denial::Hidden { of_other_user: true }),
        Err(_) => None,
    }
}

/// Checks that there is a `/proc`, and that it counts processes as the system calls of this
/// program do: else one process would be looked up and another one be read.
///
/// # Errors
/// [`OpenError::NoProc`], [`OpenError::ForeignProc`].
pub(crate) fn check_proc() -> Result<(), OpenError> {
    let own = std::process::id();
    let shown = fs::read_link("/proc/self").ok();
    let shown = shown.as_deref().and_then(Path::to_str).and_then(|id| id.parse::<u32>().ok());
    match shown {
        Some(id) if id == own => Ok(()),
        None if numbered_entries("/proc").unwrap_or_default().is_empty() => Err(OpenError::NoProc),
        _ => Err(OpenError::ForeignProc),
    }
}

/// The thread under whose id the memory, the mappings and the program of process `pid` are
/// found: the first, or one that still runs if the first has ended. `None` if all have.
///
/// When the first thread ends before the others (`pthread_exit` in `main`), the process
/// goes on, but everything that `/proc/PID` shows is that of a zombie.
pub(crate) fn living_thread(pid: i32) -> Option<i32> {
    living_of(pid, &read_stat(&format!("/proc/{pid}/stat")).ok()?)
}

/// The same, of a process whose first thread is as told.
fn living_of(pid: i32, first: &Stat) -> Option<i32> {
    if !first.state.has_ended() {
        return Some(pid);
    }
    let lives = |tid: &i32| {
        let stat = read_stat(&format!("/proc/{pid}/task/{tid}/stat"));
        // One that is on its way to the end has given the memory back before.
        stat.is_ok_and(|stat| !stat.state.has_ended()) && has_program(*tid)
    };
    numbered_entries(&format!("/proc/{pid}/task")).ok()?.into_iter().find(lives)
}

/// Whether the thread has a program, or that may not be known.
fn has_program(tid: i32) -> bool {
    !fs::read_link(format!("/proc/{tid}/exe")).is_err_and(|error| is_gone(&error))
}

/// Whether a process of which this is known executes a program. One that ends gives its
/// memory back first, which can take a while, and cannot be read any more.
pub(crate) fn has_memory(pid: i32, stat: &Stat) -> bool {
    living_of(pid, stat).is_some_and(has_program)
}

/// Whether process `pid` ends, or is not there any more.
pub(crate) fn is_ending(pid: i32) -> bool {
    match presence(pid) {
        Presence::Shown(stat) => !has_memory(pid, &stat),
        Presence::Hidden(_) => false,
        Presence::Absent => true,
    }
}
