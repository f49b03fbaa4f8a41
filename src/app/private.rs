//! What root writes about the process of another user is for root alone: a profile holds
//! names of files and functions, and a dump with `--locals` values.

use std::env;

use nix::sys::stat::{Mode, umask};
use nix::unistd::geteuid;

use crate::target::live::security;

/// Lets files that this program creates from now on be readable by its user alone (0600), if
/// that is root and one of the processes is somebody else's. Only then are these looked for.
/// A file that is there already keeps its permissions.
///
/// The mask of this program is changed for that, so it is not for a program that starts the
/// user's command.
pub(super) fn keep_private(pids: impl FnOnce() -> Vec<i32>) {
    let user = geteuid();
    if !user.is_root() {
        return;
    }
    let invoker = env::var("SUDO_UID").ok().and_then(|user| user.parse().ok());
    let of_another = |pid| is_of_another(security::user(pid), user.as_raw(), invoker);
    if pids().into_iter().any(of_another) {
        umask(Mode::S_IRWXG | Mode::S_IRWXO);
    }
}

/// Whether a process is of another user than root and who has become root by `sudo`.
fn is_of_another(owner: Option<u32>, user: u32, invoker: Option<u32>) -> bool {
    user == 0 && owner.is_some_and(|owner| owner != user && Some(owner) != invoker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_sees_what_others_may_not() {
        assert!(is_of_another(Some(1000), 0, None) && is_of_another(Some(1000), 0, Some(1001)));
        assert!(!is_of_another(Some(0), 0, None), "root's own");
        assert!(!is_of_another(Some(1000), 0, Some(1000)), "of who called sudo");
        assert!(!is_of_another(Some(1000), 1000, None), "the kernel has decided");
        assert!(!is_of_another(None, 0, None), "it has ended");
    }
}
