//! Counters of the kernel that belong to one thread: perf_event_open(2).

#![allow(unsafe_code, reason = "nix does not have these system calls; see open and control")]

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;

use nix::errno::Errno;
use nix::libc;

/// `struct perf_event_attr`, as of Linux 4.4 (include/uapi/linux/perf_event.h).
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    breakpoint_type: u32,
    config1: u64,
    config2: u64,
    branch_sample_type: u64,
    sample_regs_user: u64,
    sample_stack_user: u32,
    clock: i32,
    sample_regs_intr: u64,
    aux_watermark: u32,
    sample_max_stack: u16,
    reserved: u16,
}

/// `PERF_TYPE_SOFTWARE`, and of these two clocks of a thread's time on a processor.
const SOFTWARE: u32 = 1;
const CPU_CLOCK: u64 = 0;
const TASK_CLOCK: u64 = 1;

const DISABLED: u64 = 1;
/// Threads and processes that it starts are counted too.
const INHERIT: u64 = 1 << 1;
/// Only threads are (from Linux 5.13).
const INHERIT_THREAD: u64 = 1 << 35;

/// `PERF_FLAG_FD_CLOEXEC`.
const CLOSE_ON_EXEC: libc::c_ulong = 1 << 3;

/// `PERF_EVENT_IOC_ENABLE` and `PERF_EVENT_IOC_SET_BPF`.
const ENABLE: libc::c_ulong = 0x2400;
const SET_PROGRAM: libc::c_ulong = 0x4004_2408;

/// A timer in one thread's own time, and in that of all threads which that starts from now
/// on. It is there until it is dropped.
#[derive(Debug)]
pub struct Timer {
    _event: OwnedFd,
}

impl Timer {
    /// Lets `program` run in thread `tid` whenever that has been on a processor for another
    /// `period` nanoseconds.
    ///
    /// # Errors
    /// What the kernel says: `ESRCH` if there is no such thread.
    pub fn start(tid: i32, period: u64, program: BorrowedFd<'_>) -> Result<Self, Errno> {
        let with = |flags| Attributes {
            config: CPU_CLOCK,
            sample_period: period,
            flags: DISABLED | flags,
            ..Attributes::default()
        };
        let event = match open(with(INHERIT | INHERIT_THREAD), tid) {
            // The program looks at which process it runs in, so this is merely not as cheap.
            Err(Errno::EINVAL) => open(with(INHERIT), tid)?,
            result => result?,
        };
        let program = libc::c_ulong::try_from(program.as_raw_fd()).map_err(|_| Errno::EBADF)?;
        control(&event, SET_PROGRAM, program)?;
        control(&event, ENABLE, 0)?;
        Ok(Self { _event: event })
    }
}

/// How long one thread has been on a processor.
#[derive(Debug)]
pub struct Counter {
    event: File,
    /// A file of the thread: it cannot be read any more when that has ended, also if another
    /// has its number by then.
    name: File,
}

impl Counter {
    /// Counts the time of thread `tid` of process `pid` from now on. `None` if there is no such
    /// thread, or it may not be counted.
    pub fn start(pid: i32, tid: i32) -> Option<Self> {
        let name = File::open(format!("/proc/{pid}/task/{tid}/comm")).ok()?;
        let attributes = Attributes { config: TASK_CLOCK, ..Attributes::default() };
        let counter = Self { event: open(attributes, tid).ok()?.into(), name };
        counter.is_alive().then_some(counter)
    }

    /// In nanoseconds. Between two reads that are equal the thread has executed nothing: the
    /// kernel counts from before a thread goes on until after it has been interrupted.
    /// `None` if it has ended.
    #[must_use]
    pub fn read(&self) -> Option<u64> {
        let mut bytes = [0; 8];
        (&self.event).read_exact(&mut bytes).ok()?;
        self.is_alive().then(|| u64::from_ne_bytes(bytes))
    }

    fn is_alive(&self) -> bool {
        self.name.read_at(&mut [0; 32], 0).is_ok()
    }
}

/// Opens an event of thread `tid`, on whatever processor that runs.
fn open(attributes: Attributes, tid: i32) -> Result<OwnedFd, Errno> {
    let size = size_of::<Attributes>() as u32;
    let attributes = Attributes { kind: SOFTWARE, size, ..attributes };
    let (any, none) = (-1, -1);
    // SAFETY: the kernel reads as many bytes as the structure says that it has
    // (perf_event_open(2)), and what it answers is an error or a new file descriptor.
    unsafe {
        let number = libc::SYS_perf_event_open;
        let answer = libc::syscall(number, &raw const attributes, tid, any, none, CLOSE_ON_EXEC);
        let fd = Errno::result(answer)? as i32;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Asks something of an event that takes a number.
fn control(event: &OwnedFd, request: libc::c_ulong, value: libc::c_ulong) -> Result<(), Errno> {
    // SAFETY: neither request takes a pointer.
    let answer = unsafe { libc::ioctl(event.as_raw_fd(), request as _, value) };
    Errno::result(answer).map(drop)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::{Duration, Instant};

    use nix::unistd::{getpid, gettid};

    use super::*;

    fn start(tid: i32) -> Option<Counter> {
        Counter::start(getpid().as_raw(), tid)
    }

    #[test]
    fn a_thread_that_waits_is_not_counted_and_one_that_runs_is() {
        // Where this is not allowed there is nothing to test.
        if start(gettid().as_raw()).is_none() {
            return;
        }
        let ((tell, told), (answer, answers)) = (channel::<bool>(), channel());
        let thread = thread::spawn(move || {
            let _ = answer.send(gettid().as_raw());
            while told.recv().is_ok_and(|goes_on| goes_on) {
                let start = Instant::now();
                while start.elapsed() < Duration::from_millis(5) {}
                let _ = answer.send(0);
            }
        });
        let tid = answers.recv().expect("it tells");
        let counter = start(tid).expect("this thread may be counted");
        // It is asleep when two counts are equal with a while between them.
        let asleep = || {
            let count = counter.read();
            thread::sleep(Duration::from_millis(1));
            count.filter(|_| counter.read() == count)
        };
        let before = std::iter::repeat_with(asleep).find_map(|count| count).expect("it waits");
        tell.send(true).expect("it listens");
        answers.recv().expect("it has worked");
        let after = counter.read().expect("it is there");
        assert!(after >= before + 1_000_000, "{before} {after}");
        tell.send(false).expect("it listens");
        thread.join().expect("it ends");
        let is_gone = || counter.read().is_none();
        assert!((0..1000).any(|_| is_gone() || {
            thread::sleep(Duration::from_millis(1));
            false
        }));
    }

    #[test]
    fn nobody_has_no_counter() {
        assert!(start(i32::MAX).is_none());
    }
}
