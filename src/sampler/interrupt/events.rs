//! The timers of the threads of one process, and who of them is on a processor.

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::KernelError;
use super::perf::{Sight, Timer, Watch};
use crate::target::live::Process;
use crate::target::registers::RegisterSet;

/// So many threads are watched.
const MOST_WATCHED: usize = 256;

/// The timers of the threads of one process, and who of them is on a processor.
pub(super) struct Events {
    pid: i32,
    program: OwnedFd,
    period: u64,
    timers: HashMap<i32, Timer>,
    watches: HashMap<i32, Watched>,
    /// Whether the registers of those that are watched are noted.
    with_registers: bool,
}

/// A thread that is watched.
struct Watched {
    watch: Watch,
    /// Whether it is known to have a timer.
    has_timer: bool,
}

impl Events {
    /// Sets a timer for each thread of `process`, which lets `program` run in it whenever it
    /// has been on a processor for another `period`.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub(super) fn start(
        process: &Process,
        program: OwnedFd,
        period: Duration,
        with_registers: bool,
    ) -> Result<Self, KernelError> {
        // Each thread takes a file.
        if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
            let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
        }
        let period = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
        let pid = process.pid();
        let (timers, watches) = (HashMap::new(), HashMap::new());
        let mut events = Self { pid, program, period, timers, watches, with_registers };
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

    /// Whether a thread may have a timer: opens one that does not tick.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub(super) fn probe(tid: i32) -> Result<(), KernelError> {
        match Timer::probe(tid) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(errno) => Err(KernelError::Timer { tid, errno, hint: hint(errno) }),
        }
    }

    /// Sets a timer for a thread that has none. `false` if it has ended.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub(super) fn add(&mut self, tid: i32) -> Result<bool, KernelError> {
        match Timer::start(tid, self.period, self.program.as_fd()) {
            Ok(timer) => {
                self.timers.insert(tid, timer);
                Ok(true)
            }
            Err(Errno::ESRCH) => Ok(false),
            Err(errno) => Err(KernelError::Timer { tid, errno, hint: hint(errno) }),
        }
    }

    /// What a thread does now. `None` if it has ended.
    pub(super) fn look(&mut self, tid: i32) -> Option<Sight> {
        let sight = self.watched(tid)?.watch.look();
        if sight.is_none() {
            self.watches.remove(&tid);
        }
        sight
    }

    /// The registers of a thread that is on no processor, as far as they are known.
    pub(super) fn registers(&mut self, tid: i32) -> Option<RegisterSet> {
        self.watched(tid)?.watch.registers()
    }

    /// Whether a thread has been on a processor for longer than `time` since it is watched,
    /// and nothing says that it has a timer.
    pub(super) fn may_lack_timer(
        &mut self,
        tid: i32,
        time: Duration,
        has_ticked: impl FnOnce() -> bool,
    ) -> bool {
        let Some(watched) = self.watched(tid).filter(|watched| !watched.has_timer) else {
            return false;
        };
        watched.has_timer = has_ticked();
        let is_longer = |ran| u128::from(ran) > time.as_nanos();
        !watched.has_timer && watched.watch.time().is_some_and(is_longer)
    }

    fn watched(&mut self, tid: i32) -> Option<&mut Watched> {
        let Self { pid, watches, with_registers, .. } = self;
        if !watches.contains_key(&tid) {
            if watches.len() >= MOST_WATCHED {
                watches.clear();
            }
            let watch = Watch::start(*pid, tid, *with_registers)?;
            watches.insert(tid, Watched { watch, has_timer: false });
        }
        watches.get_mut(&tid)
    }

    /// How many files this takes, at most.
    pub(super) fn files(&self) -> usize {
        self.timers.len() + 3 * MOST_WATCHED
    }

    /// Watches a thread no longer: it may have ended, and another have its number.
    pub(super) fn forget(&mut self, tid: i32) {
        self.watches.remove(&tid);
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
