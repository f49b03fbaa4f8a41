//! The timers and counters of the threads of one process.

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::KernelError;
use super::perf::{Counter, Timer};
use crate::process::Process;

/// So many counters are kept.
const MOST_COUNTERS: usize = 256;

/// The timers and counters of the threads of one process.
pub struct Events {
    pid: i32,
    program: OwnedFd,
    period: u64,
    timers: HashMap<i32, Timer>,
    counters: HashMap<i32, Counter>,
}

impl Events {
    /// Sets a timer for each thread of `process`, which lets `program` run in it whenever it
    /// has been on a processor for another `period`.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn start(
        process: &Process,
        program: OwnedFd,
        period: Duration,
    ) -> Result<Self, KernelError> {
        // Each thread takes a file.
        if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
            let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
        }
        let period = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
        let pid = process.pid();
        let (timers, counters) = (HashMap::new(), HashMap::new());
        let mut events = Self { pid, program, period, timers, counters };
        let threads = || process.threads().map_err(|source| KernelError::Process { pid, source });
        // What one that has a timer starts has one from its beginning. So whoever is there
        // later has, unless it was started by one that had none yet: see `Events::add`.
        let mut first = HashSet::new();
        for tid in threads()? {
            if first.insert(tid) {
                events.add(tid)?;
            }
        }
        Ok(events)
    }

    /// Sets a timer for a thread that has none. `false` if it has ended.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn add(&mut self, tid: i32) -> Result<bool, KernelError> {
        match Timer::start(tid, self.period, self.program.as_fd()) {
            Ok(timer) => {
                self.timers.insert(tid, timer);
                Ok(true)
            }
            Err(Errno::ESRCH) => Ok(false),
            Err(errno) => Err(KernelError::Timer { tid, errno, hint: hint(errno) }),
        }
    }

    /// How long a thread has been on a processor, in nanoseconds since that was asked for the
    /// first time. `None` if it has ended.
    pub fn time(&mut self, tid: i32) -> Option<u64> {
        if !self.counters.contains_key(&tid) {
            if self.counters.len() >= MOST_COUNTERS {
                self.counters.clear();
            }
            self.counters.insert(tid, Counter::start(self.pid, tid)?);
        }
        let time = self.counters.get(&tid).and_then(Counter::read);
        if time.is_none() {
            self.counters.remove(&tid);
        }
        time
    }

    /// How many files this takes, at most.
    pub fn files(&self) -> usize {
        self.timers.len() + 2 * MOST_COUNTERS
    }

    /// Forgets a counter: its thread may have ended, and another have its number.
    pub fn forget(&mut self, tid: i32) {
        self.counters.remove(&tid);
    }
}

fn hint(errno: Errno) -> &'static str {
    match errno {
        Errno::EMFILE => {
            "\nEach thread needs an open file: raise the limit (ulimit -n), or use another engine."
        }
        Errno::EACCES | Errno::EPERM => {
            "\nThat needs root, or the capability CAP_PERFMON; /proc/sys/kernel/perf_event_paranoid \
             may forbid it to others."
        }
        _ => "",
    }
}
