//! To be woken when a sample is due, and not when the process has gone to sleep.
//!
//! On a machine that is busy, the kernel lets a thread that wakes wait for another to give
//! up its processor, and mostly that is the process that is sampled: it is found where it
//! sleeps, however much it works in between. Of bursts of half a millisecond, a third to a
//! half was lost.

#![allow(unsafe_code, reason = "nix does not have these two system calls; see ask_for_slice")]

use nix::errno::Errno;
use nix::libc;
use nix::sched::{sched_getaffinity, sched_getcpu, sched_setaffinity};
use nix::sys::prctl;
use nix::unistd::Pid;

/// The shortest time on a processor that can be asked for at once, in nanoseconds. Who needs
/// little comes before who needs more (from Linux 6.12 on; earlier it says nothing).
const SLICE: u64 = 100_000;

/// In nanoseconds, how much later than asked for this thread may be woken: by default 50 µs,
/// so that it is woken together with others.
const SLACK: libc::c_ulong = 1;

/// Asks the kernel to wake this thread, but not those that it starts, when it wants to be
/// woken. No right is needed; where it is refused, all goes on as before.
pub(crate) fn be_woken_in_time() {
    let _ = prctl::set_timerslack(SLACK);
    let _ = ask_for_slice();
}

/// Moves this thread to another processor than that on which it is in somebody's way, if it
/// may run on another. The kernel wakes a thread where it slept, though the thread that runs
/// there has to make room for it: then that does not run at the moment that is asked about.
/// Whether it has moved.
pub(crate) fn make_way(processor: usize) -> bool {
    let this = Pid::from_raw(0);
    if sched_getcpu() != Ok(processor) {
        return false;
    }
    let Ok(all) = sched_getaffinity(this) else { return false };
    let mut others = all;
    // Of no other processor the kernel says that it is none.
    let has_moved = others.unset(processor).is_ok() && sched_setaffinity(this, &others).is_ok();
    if has_moved {
        let _ = sched_setaffinity(this, &all);
    }
    has_moved
}

fn ask_for_slice() -> Result<(), Errno> {
    let mut attributes = attributes()?;
    // Somebody has chosen another way to be scheduled.
    if i32::try_from(attributes.sched_policy) != Ok(libc::SCHED_OTHER) {
        return Ok(());
    }
    attributes.sched_runtime = SLICE;
    attributes.sched_flags |= libc::SCHED_FLAG_RESET_ON_FORK as u64;
    // SAFETY: the kernel reads as many bytes as the structure says that it has
    // (sched_setattr(2)), and 0 is this thread.
    let answer = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    Errno::result(answer).map(drop)
}

/// Whether this thread, when it wakes, gets a processor at once that another thread has: the
/// kernel has granted it short slices, or it is a real-time thread. Else it may have to wait
/// for the end of the other's slice, some milliseconds.
#[must_use]
pub(crate) fn is_woken_at_once() -> bool {
    attributes().is_ok_and(|attributes| match i32::try_from(attributes.sched_policy) {
        Ok(libc::SCHED_OTHER) => attributes.sched_runtime == SLICE,
        Ok(libc::SCHED_FIFO | libc::SCHED_RR) => true,
        _ => false,
    })
}

/// How this thread is scheduled.
fn attributes() -> Result<libc::sched_attr, Errno> {
    let size = size_of::<libc::sched_attr>() as u32;
    let mut attributes = libc::sched_attr {
        size,
        sched_policy: 0,
        sched_flags: 0,
        sched_nice: 0,
        sched_priority: 0,
        sched_runtime: 0,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the kernel writes no more than `size` bytes, which is what there is
    // (sched_getattr(2)), and 0 is this thread.
    let answer = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) };
    Errno::result(answer).map(|_| attributes)
}

#[cfg(test)]
mod tests {
    use nix::sched::CpuSet;

    use std::thread;

    use super::*;

    #[test]
    fn who_makes_way_may_come_back() {
        let moves = thread::spawn(|| {
            let all = sched_getaffinity(Pid::from_raw(0)).expect("this thread is there");
            let is_allowed = |processor: &usize| all.is_set(*processor) == Ok(true);
            let number = (0..CpuSet::count()).filter(is_allowed).count();
            let here = sched_getcpu().expect("it runs somewhere");
            // It may have been moved since.
            let has_moved = (0..100).any(|_| sched_getcpu().is_ok_and(make_way));
            assert!(!make_way(CpuSet::count()), "there is no such processor");
            assert_eq!(sched_getaffinity(Pid::from_raw(0)), Ok(all), "from {here}");
            (has_moved, number)
        });
        let (has_moved, number) = moves.join().expect("it ends");
        assert_eq!(has_moved, number > 1);
    }

    #[test]
    fn only_this_thread_asks_to_be_woken_in_time() {
        let asked = thread::spawn(|| {
            let before = attributes().expect("the kernel tells");
            be_woken_in_time();
            let own = attributes().expect("the kernel tells");
            let started = thread::spawn(attributes).join().expect("it ends");
            let started = started.expect("the kernel tells");
            (before, own, started, prctl::get_timerslack(), is_woken_at_once())
        });
        let (before, own, started, slack, is_prompt) = asked.join().expect("it ends");
        assert_eq!(slack, Ok(1));
        // Kernels that have it tell the slice of everybody.
        if before.sched_runtime != 0 {
            assert_eq!(own.sched_runtime, SLICE);
            assert!(is_prompt);
            assert_eq!(started.sched_runtime, before.sched_runtime);
        }
        assert_eq!((own.sched_policy, own.sched_nice), (before.sched_policy, before.sched_nice));
    }
}
