//! What a run gives up once it has all that it needs: before the first sample is taken, out of
//! memory that may be hostile.
//!
//! * [`rights`]: capabilities beyond those by which the process is read, and by which the result
//!   takes its name;
//! * `no_new_privs`: nothing that is executed from then on has more;
//! * [`filter`]: system calls that a run does not make, such as to execute a program, to open a
//!   socket or to write to the process;
//! * [`folder`]: with a core file, also where may be written. Landlock forbids whoever it confines
//!   to read a process outside of the same domain, whatever capabilities there are
//!   (`hook_ptrace_access_check`, security/landlock/task.c, v6.12): so nobody can have it who
//!   reads a live process.
//!
//! What `-t` starts is started before that, and keeps all that it has.

pub(crate) mod borrowed;
mod filter;
mod folder;
mod install;
mod needs;
mod rights;

use std::fmt;

use nix::errno::Errno;
use nix::sys::prctl;

use self::folder::Folder;
pub(crate) use self::needs::{Needs, Writes};
use self::rights::Kept;
use crate::escape::say;

/// What has been given up, or would be.
#[derive(Debug)]
pub(crate) struct Confinement {
    kept: Result<Kept, String>,
    filter: Result<(), Errno>,
    folder: Option<Folder>,
    stops: bool,
}

/// Gives up what a run does not need. It cannot be taken back, and holds for every thread that
/// this one starts; what is filtered, for those that there are too. What this system does not
/// have is said on stderr.
pub(crate) fn confine(needs: &Needs) {
    let is_core = needs.pid.is_none();
    let folder = is_core.then(|| folder::confine(needs.writes.file()));
    let kept = rights::keep(needs).map_err(|error| error.to_string());
    let filter = prctl::set_no_new_privs().and_then(|()| filter::install_for(needs));
    let confinement = Confinement { kept, filter, folder, stops: needs.stops };
    if confinement.lacks() {
        say(&format!("WARNING: The run is less confined than it should be: {confinement}."));
    }
}

/// What [`confine`] would do, without doing it.
#[must_use]
pub(crate) fn foresee(needs: &Needs) -> Confinement {
    Confinement {
        kept: rights::foresee(needs).map_err(|error| error.to_string()),
        filter: install::is_known(),
        folder: needs.pid.is_none().then(folder::foresee),
        stops: needs.stops,
    }
}

impl Confinement {
    /// Whether something is not there that should be. A kernel need not have Landlock.
    fn lacks(&self) -> bool {
        self.kept.is_err() || self.filter.is_err()
    }
}

impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kept {
            Ok(kept) => write!(f, "{kept}")?,
            Err(error) => write!(f, "capabilities stay ({error})")?,
        }
        match &self.filter {
            Ok(()) if self.stops => f.write_str("; no_new_privs; system calls are filtered"),
            Ok(()) => f.write_str("; no_new_privs; system calls are filtered, without ptrace"),
            Err(errno) => write!(f, "; no filter of system calls ({errno})"),
        }?;
        match &self.folder {
            Some(folder) => write!(f, "; {folder}"),
            None => Ok(()),
        }
    }
}
