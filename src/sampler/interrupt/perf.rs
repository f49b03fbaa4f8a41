//! Events of the kernel that belong to one thread: perf_event_open(2).

#![allow(unsafe_code, reason = "nix does not have these system calls; see open and control")]

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;
use nix::libc;

use super::switches::{Switches, registers_mask};
use crate::target::registers::RegisterSet;

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
/// How often it was taken off a processor: a sample each time tells its registers.
const CONTEXT_SWITCHES: u64 = 3;
/// `PERF_SAMPLE_REGS_USER`.
const REGISTERS: u64 = 1 << 12;

const DISABLED: u64 = 1;
/// Threads and processes that it starts are counted too.
const INHERIT: u64 = 1 << 1;
/// It is noted when the thread is given a processor and when it loses it.
const SWITCHES: u64 = 1 << 26;
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
pub(super) struct Timer {
    _event: OwnedFd,
}

impl Timer {
    /// Lets `program` run in thread `tid` whenever that has been on a processor for another
    /// `period` nanoseconds.
    ///
    /// # Errors
    /// What the kernel says: `ESRCH` if there is no such thread.
    pub(super) fn start(tid: i32, period: u64, program: BorrowedFd<'_>) -> Result<Self, Errno> {
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

impl Timer {
    /// Opens a timer in the time of thread `tid` that never ticks, and closes it.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn probe(tid: i32) -> Result<(), Errno> {
        const LONG: u64 = 1 << 40;
        let attributes = Attributes {
            config: CPU_CLOCK,
            sample_period: LONG,
            flags: DISABLED,
            ..Attributes::default()
        };
        open(attributes, tid).map(drop)
    }
}

/// How many watches there have been.
static WATCHES: AtomicU64 = AtomicU64::new(0);

/// Tells whether one thread is on a processor, and how long it has been.
#[derive(Debug)]
pub(super) struct Watch {
    /// No other has this number.
    number: u64,
    event: File,
    /// A file of the thread: it cannot be read any more when that has ended, also if another
    /// has its number by then.
    name: File,
    /// When it was switched, if the kernel shows that, and whether it ran before the first.
    switches: Option<(Switches, bool)>,
    /// The same with its registers, if they are asked for.
    registers: Option<(File, Switches)>,
}

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// It is on a processor.
    Runs,
    /// It is on none. Between two that are equal it has executed nothing.
    Rests(Mark),
}

/// What is another if a thread has run meanwhile, or is watched anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    watch: u64,
    last: Last,
}

/// What a watch saw last of a thread that runs no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    /// How often it was switched.
    Switches(u64),
    /// How long it has been on a processor, in nanoseconds.
    Time(u64),
}

impl Watch {
    /// Watches thread `tid` of process `pid` from now on. `None` if there is no such thread, or
    /// it may not be watched.
    pub(super) fn start(pid: i32, tid: i32, with_registers: bool) -> Option<Self> {
        let name = File::open(format!("/proc/{pid}/task/{tid}/comm")).ok()?;
        let attributes = Attributes { config: TASK_CLOCK, flags: SWITCHES, ..Default::default() };
        let event: File = open(attributes, tid).ok()?.into();
        let switches = Switches::of(&event);
        let number = WATCHES.fetch_add(1, Ordering::Relaxed);
        let registers = if with_registers { registers_of(tid) } else { None };
        let mut watch = Self { number, event, name, switches: None, registers };
        // If the thread is not switched from here on, it goes on doing what it does now.
        let runs = watch.look()? == Sight::Runs;
        watch.switches = switches.map(|switches| (switches, runs));
        Some(watch)
    }

    /// What the thread does now. `None` if it has ended.
    #[must_use]
    pub(super) fn look(&self) -> Option<Sight> {
        let rests = |last| Sight::Rests(Mark { watch: self.number, last });
        let sight = match &self.switches {
            Some((switches, runs_first)) => {
                let (mark, runs) = switches.last();
                let runs = runs.unwrap_or(*runs_first);
                if runs { Sight::Runs } else { rests(Last::Switches(mark)) }
            }
            None => {
                let before = self.time()?;
                let is_same = self.time()? == before;
                if is_same { rests(Last::Time(before)) } else { Sight::Runs }
            }
        };
        self.is_alive().then_some(sight)
    }

    /// How long it has been on a processor since this was started, in nanoseconds. If it is on
    /// one, that processor is interrupted to tell. `None` if it has ended.
    ///
    /// Between two that are equal the thread has executed nothing: the kernel counts from
    /// before a thread goes on until after it has been interrupted.
    #[must_use]
    pub(super) fn time(&self) -> Option<u64> {
        let mut bytes = [0; 8];
        (&self.event).read_exact(&mut bytes).ok()?;
        self.is_alive().then(|| u64::from_ne_bytes(bytes))
    }

    /// The registers of the thread, if it is on no processor and they are known.
    pub(super) fn registers(&self) -> Option<RegisterSet> {
        self.registers.as_ref().and_then(|(_, switches)| switches.registers())
    }

    fn is_alive(&self) -> bool {
        self.name.read_at(&mut [0; 32], 0).is_ok()
    }
}

/// What notes the registers of a thread whenever it is taken off a processor.
fn registers_of(tid: i32) -> Option<(File, Switches)> {
    let attributes = Attributes {
        config: CONTEXT_SWITCHES,
        sample_period: 1,
        sample_type: REGISTERS,
        sample_regs_user: registers_mask(),
        flags: SWITCHES,
        ..Attributes::default()
    };
    let event: File = open(attributes, tid).ok()?.into();
    let switches = Switches::of(&event)?;
    Some((event, switches))
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
    use std::fs;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread;
    use std::time::{Duration, Instant};

    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    use nix::unistd::{Pid, getpid, gettid};

    use super::*;
    use crate::target::registers::places;

    fn start(tid: i32) -> Option<Watch> {
        Watch::start(getpid().as_raw(), tid, false)
    }

    /// A thread that works whenever it is told to, until that is taken back, and says so then.
    struct Worker {
        tid: i32,
        tell: Sender<()>,
        answers: Receiver<i32>,
        goes_on: Arc<AtomicBool>,
        thread: thread::JoinHandle<()>,
    }

    impl Worker {
        fn start() -> Self {
            let ((tell, told), (answer, answers)) = (channel(), channel());
            let goes_on = Arc::new(AtomicBool::new(false));
            let is_told = Arc::clone(&goes_on);
            let thread = thread::spawn(move || {
                let _ = answer.send(gettid().as_raw());
                while told.recv().is_ok() {
                    while is_told.load(Ordering::Relaxed) {}
                    let _ = answer.send(0);
                }
            });
            let tid = answers.recv().expect("it tells");
            Self { tid, tell, answers, goes_on, thread }
        }

        /// What `look` finds while it works.
        fn while_it_works<T>(&self, look: impl FnMut() -> Option<T>) -> T {
            self.goes_on.store(true, Ordering::Relaxed);
            self.tell.send(()).expect("it listens");
            let found = wait_until(look);
            self.goes_on.store(false, Ordering::Relaxed);
            self.answers.recv().expect("it has worked");
            found
        }

        fn end(self) {
            drop(self.tell);
            self.thread.join().expect("it ends");
        }
    }

    /// Keeps this thread on one processor and another one on the others, so that neither takes
    /// the processor from the other. Whether there are two.
    fn part_from(tid: i32) -> bool {
        let this = Pid::from_raw(0);
        let mut others = sched_getaffinity(this).expect("it is told");
        let own = (0..CpuSet::count()).find(|cpu| others.is_set(*cpu) == Ok(true));
        let own = own.expect("there is one");
        let mut only = CpuSet::new();
        only.set(own).and_then(|()| others.unset(own)).expect("it exists");
        sched_setaffinity(Pid::from_raw(tid), &others).is_ok()
            && sched_setaffinity(this, &only).is_ok()
    }

    /// Waits until this is so.
    fn wait_until<T>(mut find: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = find() {
                return found;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "it did not come to that");
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn rests(watch: &Watch) -> Option<Mark> {
        match watch.look() {
            Some(Sight::Rests(mark)) => Some(mark),
            _ => None,
        }
    }

    /// The ways to watch it that are allowed here: with the kernel's notes, and without.
    fn watches(tid: i32) -> Vec<Watch> {
        let without = start(tid).map(|watch| Watch { switches: None, ..watch });
        start(tid).into_iter().chain(without).collect()
    }

    #[test]
    fn a_thread_that_rests_has_one_mark_and_another_one_when_it_has_run() {
        let worker = Worker::start();
        for watch in watches(worker.tid) {
            for _ in 0..3 {
                let before = wait_until(|| {
                    let mark = rests(&watch)?;
                    thread::sleep(Duration::from_millis(1));
                    (rests(&watch) == Some(mark)).then_some(mark)
                });
                let time = watch.time().expect("it is there");
                let has_worked = || watch.time().filter(|now| *now >= time + 1_000_000);
                worker.while_it_works(has_worked);
                assert_ne!(rests(&watch), Some(before), "{watch:?}");
            }
        }
        worker.end();
    }

    #[test]
    fn a_mark_is_of_one_watch_only() {
        let worker = Worker::start();
        let watches: Vec<Watch> =
            watches(worker.tid).into_iter().chain(watches(worker.tid)).collect();
        let marks: Vec<Mark> = wait_until(|| watches.iter().map(rests).collect());
        let is_once = |mark| marks.iter().filter(|other| *other == mark).count() == 1;
        assert!(marks.iter().all(is_once), "{marks:?}");
        worker.end();
    }

    #[test]
    fn a_thread_that_works_is_seen_to_run_and_one_that_has_ended_is_not_seen() {
        // The thread that looks is kept on a processor.
        thread::spawn(look_at_one_that_works).join().expect("it is seen");
    }

    fn look_at_one_that_works() {
        let worker = Worker::start();
        if !part_from(worker.tid) {
            return; // On one processor, whoever looks is the one that runs.
        }
        let runs = |watch: &Watch| (watch.look()? == Sight::Runs).then_some(());
        for watch in watches(worker.tid) {
            worker.while_it_works(|| runs(&watch));
            // One that begins to be watched while it runs.
            worker.while_it_works(|| runs(&start(worker.tid)?));
            wait_until(|| rests(&watch));
        }
        let watches = watches(worker.tid);
        worker.end();
        for watch in watches {
            wait_until(|| (watch.look().is_none() && watch.time().is_none()).then_some(()));
        }
    }

    #[test]
    fn the_registers_of_one_that_rests_are_known_when_it_has_run() {
        let worker = Worker::start();
        let watch = Watch::start(getpid().as_raw(), worker.tid, true).expect("it is there");
        assert!(watch.registers().is_none(), "it has not been switched yet");
        let time = watch.time().expect("it is there");
        worker.while_it_works(|| watch.time().filter(|now| *now >= time + 1_000_000));
        // One that waits for a processor is in no system call.
        let (registers, call) = wait_until(|| {
            let (mark, registers) = (rests(&watch)?, watch.registers()?);
            let call =
                fs::read_to_string(format!("/proc/self/task/{}/syscall", worker.tid)).ok()?;
            (!call.starts_with("running") && rests(&watch) == Some(mark))
                .then_some((registers, call))
        });
        let RegisterSet::All(words) = registers else { panic!("{registers:?}") };
        let pointers: Vec<&str> = call.split_ascii_whitespace().rev().take(2).collect();
        let known = [places::IP, places::SP].map(|place| format!("{:#x}", words[place]));
        assert_eq!(pointers, known, "as the kernel says of its system call");
        worker.end();
    }

    #[test]
    fn nobody_is_not_watched() {
        assert!(start(i32::MAX).is_none());
    }
}
