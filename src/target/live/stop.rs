//! Stopping the running threads of a process for a moment, by ptrace(2).
//!
//! A thread is seized, interrupted, and let go again; between two stops it is
//! not traced. What is promised:
//!
//! * Only a thread that runs is stopped. One that sleeps in the kernel does not
//!   change its stack, and a stop could end its system call with `EINTR`.
//! * No signal is lost: one that arrives at the same time is passed on.
//! * A thread that job control has stopped stays stopped.
//! * Exit statuses are left to those they belong to: nothing is waited for
//!   except threads that end while they are traced, which only their tracer
//!   can collect.
//! * A thread that does not stop in time is not waited for. It is let go as soon
//!   as it can be: at the next stop, by [`Stopper::release_late`], or, when the
//!   [`Stopper`] is gone, by [`super::release_left`]; and by the kernel if this
//!   program ends first.
//!
//! While a child of ours is stopped here, `waitpid` on it reports that stop, and
//! `std::process::Child::try_wait` takes it for an exit: ask between two stops.

use std::collections::HashMap;
use std::fs::File;
use std::hint;
use std::marker::PhantomData;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sched::sched_getcpu;
use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, gettid};

use super::detach::detach_with;
use super::identity::Identity;
use super::left::leave;
use super::rescue::Rescuer;
use super::stat::Stat;
use super::{numbered_entries, read_stat, tracer};
use crate::target::interface::ThreadState;
use crate::target::live::nap;
use crate::target::live::scheduling::make_way;

/// How long a stop may take by default. A thread that runs is stopped within
/// some 10 µs; one that waits for a processor takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_millis(5);

/// How long a stop is waited for without sleeping. It costs this program's
/// processor, and halves what the process feels.
const SPIN: Duration = Duration::from_micros(100);

/// The sleep between two looks after that; the kernel adds 50 µs of its own.
const NAP: Duration = Duration::from_micros(20);

/// How long threads that are late are waited for before something else is done that may last.
const LAST_WAIT: Duration = Duration::from_millis(100);

/// So many files are kept open to read the states of threads.
const KEPT_FILES: usize = 64;

/// Why threads could not be stopped. They run on, untouched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StopError {
    /// Another program traces the process, and only one can.
    #[error(
        "cannot stop process {pid}: it is traced by {name} (process {tracer})\n\
         Only one program at a time can do that."
    )]
    Traced {
        /// The process.
        pid: i32,
        /// Who traces it.
        tracer: i32,
        /// The tracer's command name.
        name: String,
    },
    /// The kernel does not allow it, though it may allow reading.
    #[error("cannot stop process {pid}: {errno}")]
    Denied {
        /// The process.
        pid: i32,
        /// What the kernel said.
        errno: Errno,
    },
    /// The process has ended.
    #[error("cannot stop process {pid}: No such process")]
    Gone {
        /// The process.
        pid: i32,
    },
    /// The [`Stopper`] is one that stops nobody.
    #[error("process {pid} is never to be stopped")]
    Never {
        /// The process.
        pid: i32,
    },
}

/// Stops threads of one process. Bound to the thread that made it, because
/// the kernel knows tracers by thread.
#[derive(Debug)]
pub(crate) struct Stopper {
    pub(super) pid: i32,
    /// The process, which alone is stopped; `None`: whatever has the id.
    identity: Option<Identity>,
    /// Whether it may stop anybody.
    pub(super) is_allowed: bool,
    pub(super) patience: Duration,
    /// The `stat` files of threads, kept open: reading is half of the cost.
    files: HashMap<i32, File>,
    /// Traced threads that are stopped, for the guard that lives.
    pub(super) held: Vec<Held>,
    /// The last moment at which none of them was: not before that have they stood still.
    unstopped: Instant,
    /// Traced threads that have not stopped in time, or have died since.
    pub(super) late: Vec<Pid>,
    /// Started when a second thread is to be stopped for the first time.
    rescuer: Option<Rescuer>,
    bound_to_thread: PhantomData<*const ()>,
}

/// A thread that is stopped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) tid: Pid,
    /// The signal it was about to receive when it stopped; 0: none.
    signal: i32,
}

/// Threads that are stopped for as long as this lives.
#[derive(Debug)]
pub(crate) struct Stopped<'a> {
    pub(super) stopper: &'a mut Stopper,
}

impl Stopper {
    /// For the threads of process `pid`. Does nothing yet.
    #[must_use]
    pub(crate) fn new(pid: i32) -> Self {
        Self {
            pid,
            identity: None,
            is_allowed: true,
            patience: PATIENCE,
            files: HashMap::new(),
            held: Vec::new(),
            unstopped: Instant::now(),
            late: Vec::new(),
            rescuer: None,
            bound_to_thread: PhantomData,
        }
    }

    /// For threads of process `pid` that were told to stop, and have not been let go.
    pub(super) fn of_late(pid: i32, late: Vec<Pid>) -> Self {
        let mut stopper = Self::new(pid);
        stopper.late = late;
        stopper
    }

    /// Those that were told to stop, and have not been let go: somebody else does that.
    pub(super) fn take_late(&mut self) -> Vec<Pid> {
        std::mem::take(&mut self.late)
    }

    /// Stops nobody, unless it is `allowed`: it makes no ptrace call then.
    #[must_use]
    pub(crate) fn allowed(mut self, allowed: bool) -> Self {
        self.is_allowed = allowed;
        self
    }

    /// Stops nobody but this process, while it executes this program.
    #[must_use]
    pub(super) fn only(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Waits at most this long for threads to stop.
    #[cfg(test)]
    pub(crate) fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Stops every thread of the process that runs now. A thread that one of
    /// them starts in the meantime is not stopped.
    ///
    /// # Errors
    /// [`StopError`] if the first that runs cannot be traced.
    pub(crate) fn stop_running(&mut self) -> Result<Stopped<'_>, StopError> {
        let tids = numbered_entries(&format!("/proc/{}/task", self.pid))
            .map_err(|_| StopError::Gone { pid: self.pid })?;
        self.stop_those_running(&tids)
    }

    /// Stops what runs as far as it can be stopped; what cannot be, runs on.
    pub(crate) fn hold(&mut self) -> Option<Stopped<'_>> {
        self.stop_running().ok()
    }

    /// Stops those of the threads `tids` that run now.
    ///
    /// # Errors
    /// [`StopError`] if one that runs cannot be traced; then none is stopped.
    pub(crate) fn stop_those_running(&mut self, tids: &[i32]) -> Result<Stopped<'_>, StopError> {
        if !self.is_allowed {
            return Err(StopError::Never { pid: self.pid });
        }
        self.release_late();
        if self.identity.as_ref().is_some_and(|identity| !identity.holds()) {
            return Err(StopError::Gone { pid: self.pid });
        }
        let mut waiting = Vec::with_capacity(tids.len().min(8));
        let mut shares_processor = false;
        let mut outcome = Ok(());
        self.unstopped = Instant::now();
        for tid in tids {
            let Some(processor) = self.processor_if_running(*tid) else { continue };
            make_way(processor);
            match self.interrupt(Pid::from_raw(*tid), &waiting) {
                Ok(true) => waiting.push(Pid::from_raw(*tid)),
                Ok(false) => {}
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
            shares_processor |= sched_getcpu().is_ok_and(|own| own == processor);
        }
        self.wait_for(&mut waiting, shares_processor);
        self.late.append(&mut waiting);
        let guard = Stopped { stopper: self };
        outcome.map(|()| guard) // On an error the guard lets go what is held.
    }

    /// Lets go the threads that did not stop in time and have stopped since.
    /// Returns how many are still to be waited for.
    ///
    /// Whoever keeps a `Stopper` without stopping anything for a while calls
    /// this now and then: a thread that stops late stands still until then.
    pub(crate) fn release_late(&mut self) -> usize {
        for tid in std::mem::take(&mut self.late) {
            self.release_if_stopped(tid);
        }
        self.late.len()
    }

    /// Waits a while until there is none to be let go any more: for whoever is about to do
    /// something that may take long. One that stops after that stands still until then.
    pub(crate) fn wait_for_late(&mut self) {
        let start = Instant::now();
        while self.release_late() > 0 && start.elapsed() < LAST_WAIT {
            nap(NAP);
        }
        // What is given up after that is not given up by threads that are there.
        self.rescuer = None;
    }

    /// Whether a thread that ran was to stop and has not been let go: if it stands still by
    /// now, nobody else has stopped it.
    #[must_use]
    pub(crate) fn awaits(&self, tid: i32) -> bool {
        self.late.contains(&Pid::from_raw(tid))
    }

    /// Seizes and interrupts a thread, while `waiting` are traced already;
    /// `false` if it is gone or still late.
    pub(super) fn interrupt(&mut self, tid: Pid, waiting: &[Pid]) -> Result<bool, StopError> {
        if self.late.contains(&tid) {
            return Ok(false);
        }
        match self.seize(tid, waiting) {
            Ok(()) => {}
            Err(Errno::ESRCH) => return Ok(false),
            Err(errno) => return self.refused(tid, errno),
        }
        if ptrace::interrupt(tid).is_err() {
            self.late.push(tid); // It has died or executed a program since.
            return Ok(false);
        }
        Ok(true)
    }

    fn seize(&mut self, tid: Pid, waiting: &[Pid]) -> Result<(), Errno> {
        let seize = || ptrace::seize(tid, ptrace::Options::empty());
        let leader = Pid::from_raw(self.pid);
        // The first thread is not waited for by the one that executes.
        let others = waiting.iter().chain(&self.late).copied().filter(|other| *other != leader);
        let others: Vec<Pid> = others.collect();
        if others.is_empty() {
            return seize();
        }
        if self.rescuer.is_none() {
            self.rescuer = Rescuer::start();
        }
        match &self.rescuer {
            Some(rescuer) => rescuer.under_watch(&others, seize),
            None => Err(Errno::ESRCH), // Better not stopped than stuck.
        }
    }

    fn refused(&mut self, tid: Pid, errno: Errno) -> Result<bool, StopError> {
        let path = format!("/proc/{}/task/{tid}/stat", self.pid);
        let alive = read_stat(&path).is_ok_and(|stat| !stat.state.has_ended());
        if !alive {
            return Ok(false); // A thread that is ending cannot be traced either.
        }
        let pid = self.pid;
        match tracer(tid.as_raw()) {
            Some(tracer) if tracer == gettid().as_raw() => {
                self.late.push(tid); // Late under another id: see follow_exec.
                Ok(false)
            }
            Some(tracer) => Err(StopError::Traced { pid, tracer, name: name_of(tracer) }),
            None => Err(StopError::Denied { pid, errno }),
        }
    }

    /// Waits until the threads have stopped, or patience ends. Those that have
    /// not are left in `waiting`.
    pub(super) fn wait_for(&mut self, waiting: &mut Vec<Pid>, shares_processor: bool) {
        let start = Instant::now();
        let mut look = start;
        loop {
            waiting.retain(|tid| match stop_of(*tid) {
                Some(signal) => {
                    self.held.push(Held { tid: *tid, signal });
                    false
                }
                None => true,
            });
            if self.held.is_empty() {
                self.unstopped = look;
            }
            look = Instant::now();
            let waited = look.saturating_duration_since(start);
            if waiting.is_empty() || waited >= self.patience {
                return;
            }
            // A thread on this very processor can only stop while we sleep.
            if waited < SPIN && !shares_processor {
                hint::spin_loop();
            } else {
                nap(NAP);
            }
        }
    }

    /// Lets go everything that is held.
    fn release_all(&mut self) {
        while let Some(held) = self.held.pop() {
            self.release(held.tid, held.signal);
        }
    }

    fn release(&mut self, tid: Pid, signal: i32) {
        if detach_with(tid, signal).is_err() {
            self.late.push(tid); // Killed while it was stopped.
        }
    }

    fn release_if_stopped(&mut self, tid: Pid) {
        if let Some(signal) = stop_of(tid) {
            self.release(tid, signal);
            return;
        }
        // An interrupt again: a thread that executes a program takes another id
        // in between. It succeeds for whatever is traced by us.
        let is_traced = ptrace::interrupt(tid).is_ok();
        match read_stat(&format!("/proc/{}/task/{tid}/stat", self.pid)) {
            Ok(stat) if stat.state.has_ended() => self.collect(tid, &stat),
            Ok(_) if is_traced => self.late.push(tid),
            Ok(_) => {} // Another thread, which has got this id by executing.
            Err(_) => self.follow_exec(tid),
        }
    }

    /// Collects a thread that ended while it was traced: nobody else can. The
    /// exit status of our own child is its owner's; that of another process
    /// goes on to its parent.
    fn collect(&mut self, tid: Pid, stat: &Stat) {
        let leader = tid.as_raw() == self.pid;
        if leader && u32::try_from(stat.parent) == Ok(std::process::id()) {
            return;
        }
        let flags = WaitPidFlag::WNOHANG | WaitPidFlag::__WALL;
        if waitpid(tid, Some(flags)) == Ok(WaitStatus::StillAlive) {
            self.late.push(tid); // The first thread waits for the others to end.
        }
    }

    /// A thread that executes a program takes the id of the process with it,
    /// and is still traced.
    fn follow_exec(&mut self, tid: Pid) {
        let ours = tracer(self.pid) == Some(gettid().as_raw());
        if ours && tid.as_raw() != self.pid {
            let leader = Pid::from_raw(self.pid);
            let known =
                self.late.contains(&leader) || self.held.iter().any(|held| held.tid == leader);
            if !known {
                self.late.push(leader);
            }
        }
    }

    /// The processor that a thread runs on, or `None` if it does not run.
    fn processor_if_running(&mut self, tid: i32) -> Option<usize> {
        let mut line = [0; 1024];
        let known = self.files.get(&tid).and_then(|file| file.read_at(&mut line, 0).ok());
        let length = match known {
            Some(length) => length,
            None => {
                self.files.remove(&tid);
                let file = File::open(format!("/proc/{}/task/{tid}/stat", self.pid)).ok()?;
                let length = file.read_at(&mut line, 0).ok()?;
                if self.files.len() >= KEPT_FILES {
                    self.files.clear();
                }
                self.files.insert(tid, file);
                length
            }
        };
        let stat = Stat::parse(line.get(..length)?)?;
        (stat.state == ThreadState::Running).then_some(stat.processor)
    }
}

/// If a tracee is stopped: the signal that it is about to receive, or 0.
///
/// `PTRACE_GETSIGINFO` only answers for a stopped tracee, and unlike `waitpid`
/// takes nothing away from whoever waits for the process, and knows real-time
/// signals. A stop by `PTRACE_INTERRUPT` or by job control has `si_code`
/// `signal | PTRACE_EVENT_STOP << 8` (ptrace(2)).
fn stop_of(tid: Pid) -> Option<i32> {
    let info = ptrace::getsiginfo(tid).ok()?;
    let event = info.si_code >> 8;
    Some(if event == nix::libc::PTRACE_EVENT_STOP { 0 } else { info.si_signo })
}

fn name_of(pid: i32) -> String {
    read_stat(&format!("/proc/{pid}/stat")).map(|stat| stat.name).unwrap_or_default()
}

impl Stopped<'_> {
    /// The threads that are stopped.
    pub(crate) fn threads(&self) -> impl Iterator<Item = i32> {
        self.stopper.held.iter().map(|held| held.tid.as_raw())
    }

    /// Whether a thread is stopped.
    #[must_use]
    pub(crate) fn holds(&self, tid: i32) -> bool {
        self.threads().any(|held| held == tid)
    }

    /// How long the first of them has stood still, at most. A thread that waits for a
    /// processor is not stopped before it gets one.
    #[must_use]
    pub(crate) fn time(&self) -> Duration {
        self.stopper.unstopped.elapsed()
    }

    /// How many threads were to stop and have not: they run.
    #[must_use]
    pub(crate) fn missing(&self) -> usize {
        self.stopper.late.len()
    }
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.stopper.release_all();
    }
}

impl Drop for Stopper {
    fn drop(&mut self) {
        self.release_all();
        self.wait_for_late();
        leave(self.pid, self.take_late());
    }
}

#[cfg(test)]
#[path = "stop_tests.rs"]
mod tests;
