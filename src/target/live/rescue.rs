//! A way out of a deadlock between `PTRACE_SEIZE` and `execve`.
//!
//! A thread that executes a program first ends the other threads and waits for
//! them, holding the kernel's `cred_guard_mutex`. A traced thread has only ended
//! once its tracer has collected it. `PTRACE_SEIZE` takes the same mutex, so a
//! tracer that already traces one thread and seizes another at that moment waits
//! for the thread that waits for it (the kernel's `de_thread` in fs/exec.c and
//! `ptrace_attach` in kernel/ptrace.c, v6.12). Any thread of the tracer's process
//! may collect, so another one looks after those that seize.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

/// A seizure takes some microseconds; one that takes longer than this is stuck.
const PERIOD: Duration = Duration::from_millis(10);

/// A thread that watches seizures while this lives.
#[derive(Debug)]
pub(super) struct Rescuer {
    watched: Arc<Watched>,
    /// Ends the thread when it is dropped.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Watched {
    /// Seizures begun and ended: odd while one is under way.
    seizures: AtomicU64,
    /// The threads that are traced meanwhile.
    traced: Mutex<Vec<Pid>>,
}

impl Watched {
    fn traced(&self) -> MutexGuard<'_, Vec<Pid>> {
        self.traced.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rescuer {
    /// Starts the thread; `None` if there cannot be another.
    pub(super) fn start() -> Option<Self> {
        let watched = Arc::new(Watched::default());
        let (end, is_over) = mpsc::channel();
        let shared = Arc::clone(&watched);
        let thread = thread::Builder::new().name("rescuer".into()).stack_size(64 << 10);
        let thread = thread.spawn(move || watch(&shared, &is_over)).ok()?;
        Some(Self { watched, end: Some(end), thread: Some(thread) })
    }

    /// Seizes, under watch, while `traced` are traced already.
    pub(super) fn under_watch<R>(&self, traced: &[Pid], seize: impl FnOnce() -> R) -> R {
        let mut list = self.watched.traced();
        list.clear();
        list.extend_from_slice(traced);
        drop(list);
        self.watched.seizures.fetch_add(1, Ordering::AcqRel);
        let result = seize();
        self.watched.seizures.fetch_add(1, Ordering::AcqRel);
        result
    }
}

impl Drop for Rescuer {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // It never panics, and has nothing to say.
            let _ = thread.join();
        }
    }
}

fn watch(watched: &Watched, is_over: &Receiver<()>) {
    let mut before = 0;
    while is_over.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
        let now = watched.seizures.load(Ordering::Acquire);
        if now % 2 == 1 && now == before {
            for tid in watched.traced().iter() {
                let flags = WaitPidFlag::WNOHANG | WaitPidFlag::__WALL;
                let _ = waitpid(*tid, Some(flags));
            }
        }
        before = now;
    }
}
