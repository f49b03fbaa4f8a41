//! Why the kernel does not let one process read another, and what can be done about it.

use std::fmt;

/// Why the kernel does not let one process read another (ptrace(2), "Ptrace
/// access mode checking").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Denial {
    /// It belongs to another user.
    OtherUser {
        /// Its user id, where it can be told.
        owner: Option<u32>,
    },
    /// It is of the same user, but of another group.
    OtherGroup {
        /// Its group id.
        group: u32,
    },
    /// It is of the same user, but does not let itself be read.
    NotDumpable,
    /// It is of the same user, but has capabilities that we have not.
    MoreCapabilities,
    /// `/proc` does not show it.
    Hidden {
        /// Whether that is because it belongs to another user. Else it is of the same one,
        /// and does not let itself be read.
        of_other_user: bool,
    },
    /// The Yama security module allows only descendants (1), only
    /// administrators (2), or nobody (3).
    Yama {
        /// `/proc/sys/kernel/yama/ptrace_scope`.
        scope: u8,
    },
    /// We are root, but without the right: usual in a container.
    NoCapability,
    /// Something else: a security module, or another user namespace.
    Other,
}

impl Denial {
    /// What is said of all processes to which this happened, in an account. Ids are left out.
    #[must_use]
    pub(crate) fn in_short(self) -> &'static str {
        match self {
            Self::OtherUser { .. } => "of another user",
            Self::OtherGroup { .. } => "of another group",
            Self::NotDumpable => "not dumpable",
            Self::MoreCapabilities => "with more capabilities",
            Self::Hidden { .. } => "hidden by /proc",
            Self::Yama { .. } => "protected by ptrace_scope",
            Self::NoCapability => "for want of CAP_SYS_PTRACE",
            Self::Other => "for an unknown reason",
        }
    }

    /// What can be done about it, as a sentence.
    #[must_use]
    pub(crate) fn remedy(self) -> &'static str {
        match self {
            Self::OtherUser { .. } => "Run as that user, or as root (sudo).",
            Self::OtherGroup { .. } => "Run with that group (sg), or as root (sudo).",
            Self::Yama { scope: 3 } => "Only a reboot takes that back.",
            Self::Yama { scope: 1 } => {
                "Run as root (sudo), start the program through the profiler with -t, or allow it \
                 (sysctl kernel.yama.ptrace_scope=0)."
            }
            Self::NoCapability => {
                "In a container, add it: docker run --cap-add SYS_PTRACE; in Kubernetes, run it \
                 from kubectl debug --profile=sysadmin."
            }
            Self::Other => {
                "Look for a security module (SELinux, AppArmor), and whether the process is \
                 outside of this container."
            }
            _ => "Run as root (sudo).",
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherUser { owner: Some(owner) } => {
                write!(f, "The process belongs to another user (uid {owner}).")
            }
            Self::OtherUser { owner: None } => f.write_str("The process belongs to another user."),
            Self::OtherGroup { group } => {
                write!(f, "The process belongs to another group (gid {group}).")
            }
            Self::NotDumpable => f.write_str(
                "The process does not let itself be read: it is not dumpable. That is so after \
                 root's rights were dropped, where its program may not be read, and after prctl \
                 PR_SET_DUMPABLE.",
            ),
            Self::MoreCapabilities => f.write_str(
                "The process has capabilities that this program has not, such as those of its \
                 file (getcap).",
            ),
            Self::Hidden { of_other_user: true } => f.write_str(
                "/proc is mounted with hidepid, and hides the process: it belongs to another \
                 user.",
            ),
            Self::Hidden { of_other_user: false } => f.write_str(
                "/proc is mounted with hidepid, and hides the process: it does not let itself \
                 be read.",
            ),
            Self::Yama { scope: 3 } => {
                f.write_str("kernel.yama.ptrace_scope is 3: no process may read another.")
            }
            Self::Yama { scope: 2 } => {
                f.write_str("kernel.yama.ptrace_scope is 2: only root may read other processes.")
            }
            Self::Yama { scope } => write!(
                f,
                "kernel.yama.ptrace_scope is {scope}: a process may only read those it started."
            ),
            Self::NoCapability => f.write_str("This is root without the right CAP_SYS_PTRACE."),
            Self::Other => f.write_str("The kernel forbids it, and does not say why."),
        }?;
        write!(f, " {}", self.remedy())
    }
}
