//! Rights that this program has from its file, and its caller has not.
//!
//! With `setcap cap_sys_ptrace+ep` on a binary that everybody may run, everybody could read every
//! process. So such rights are given up at the start, and the kernel judges as it would judge
//! the caller; only who asks for them by name has them.

use caps::errors::CapsError;
use caps::{CapSet, Capability, CapsHashSet};
use nix::unistd::{getegid, geteuid, getgid, getuid, setresgid, setresuid};

use super::install::has_rights_of_file;
use crate::app::error::Error;

/// With these the kernel takes samples. It is asked for no process that may not be read.
const OF_KERNEL: [Capability; 2] = [Capability::CAP_BPF, Capability::CAP_PERFMON];

/// What is said of a process that could be read with them.
pub(crate) const HINT: &str = "This program has rights from its file (setcap), and does not use \
                               them for processes that its caller could not read: see \
                               --as-capable.";

/// Gives up what this program has from its file and its caller has not, unless that is what
/// was asked for. Has to be called before anything of a process is read.
///
/// # Errors
/// [`Error::Rights`] if that cannot be done: then the program must not go on.
pub(crate) fn give_up(as_capable: bool) -> Result<(), Error> {
    if as_capable || getuid().is_root() || !has_rights_of_file() {
        return Ok(());
    }
    drop_capabilities().map_err(|error| Error::Rights(error.to_string()))?;
    drop_ids().map_err(|errno| Error::Rights(errno.to_string()))
}

/// Whether this program could have more rights than it has, if it was asked to.
#[must_use]
pub(crate) fn are_left() -> bool {
    let has_trace = || caps::has_cap(None, CapSet::Effective, Capability::CAP_SYS_PTRACE);
    !getuid().is_root() && has_rights_of_file() && !has_trace().unwrap_or(false)
}

fn drop_capabilities() -> Result<(), CapsError> {
    let permitted = caps::read(None, CapSet::Permitted)?;
    let kept: CapsHashSet =
        OF_KERNEL.into_iter().filter(|right| permitted.contains(right)).collect();
    caps::set(None, CapSet::Effective, &kept)?;
    caps::set(None, CapSet::Permitted, &kept)
}

/// Becomes who has called, if the file is set-uid or set-gid.
fn drop_ids() -> nix::Result<()> {
    let (user, group) = (getuid(), getgid());
    if getegid() != group {
        setresgid(group, group, group)?;
    }
    if geteuid() != user {
        setresuid(user, user, user)?;
    }
    Ok(())
}
