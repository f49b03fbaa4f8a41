//! Samples that the kernel takes, in a timer interrupt of the thread itself
//! (`--engine kernel`).
//!
//! A thread that is interrupted cannot move, so its stack is copied as it is, on its own
//! processor, by the program in `program.c`. The timer counts the thread's time on a
//! processor. Ticks of the wall clock that find nobody there are taken by the other half:
//! a look at the holder of the GIL, which counts if the thread has executed nothing between
//! its beginning and its end. How many ticks are left for that, [`lanes`] tells. Where not only
//! threads that hold a GIL are sampled, each thread has such ticks ([`all`]).

mod all;
mod collect;
mod constants;
mod engine;
mod events;
mod interned;
mod lanes;
mod list;
#[cfg_attr(not(feature = "kernel"), path = "absent.rs")]
mod load;
mod look;
mod native;
mod perf;
mod plan;
mod prepare;
mod record;
mod resting;
mod switches;
mod threads;
mod usage;
#[cfg(feature = "kernel")]
mod words;

use std::io;
use std::time::Duration;

use nix::errno::Errno;

pub(crate) use self::engine::Interrupts;
pub(crate) use self::plan::Plan;

/// The shortest interval between two samples: an interrupt takes microseconds.
pub(crate) const SHORTEST_INTERVAL: Duration = Duration::from_micros(50);

/// That with `--jitter`: then its timer ticks several times for a sample.
pub(crate) const SHORTEST_WITH_JITTER: Duration = Duration::from_micros(100);

/// Why the kernel cannot take samples.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KernelError {
    /// The rights are missing.
    #[error(
        "--engine kernel may not load its program: {0}.\n\
         It needs root, or the capabilities CAP_BPF and CAP_PERFMON (Linux 5.8 or later): sudo, \
         or setcap cap_bpf,cap_perfmon+ep on this program. The other engines need neither."
    )]
    Denied(io::Error),
    /// The kernel takes no such program.
    #[error(
        "--engine kernel cannot load its program: {0}.\n\
         It needs Linux 5.8 or later with CONFIG_BPF_SYSCALL and CONFIG_BPF_EVENTS."
    )]
    Refused(io::Error),
    /// There is no program in this build.
    #[cfg(not(feature = "kernel"))]
    #[error("this pyflame was built without --engine kernel (Cargo feature kernel).")]
    Absent,
    /// The program is not what it should be.
    #[error("--engine kernel cannot use its program: {0}. Please report this.")]
    Program(String),
    /// A thread cannot have a timer.
    #[error("--engine kernel cannot set a timer for thread {tid}: {errno}.{hint}")]
    Timer {
        /// The thread.
        tid: i32,
        /// What the kernel said.
        errno: Errno,
        /// What to do.
        hint: &'static str,
    },
    /// There is no such process any more.
    #[error("process {pid} has ended.")]
    Gone {
        /// The process.
        pid: i32,
    },
    /// The process cannot be looked at.
    #[error("--engine kernel cannot read what the kernel says of process {pid}: {source}.")]
    Process {
        /// The process.
        pid: i32,
        /// What the system said.
        source: io::Error,
    },
    /// It cannot be told which thread state belongs to which thread.
    #[error(
        "--engine kernel cannot tell which thread of process {pid} is which: its C library \
         keeps their ids where this program does not find them.\nThe other engines can be used."
    )]
    NoIds {
        /// The process.
        pid: i32,
    },
}

impl From<io::Error> for KernelError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::PermissionDenied => Self::Denied(error),
            _ => Self::Refused(error),
        }
    }
}
