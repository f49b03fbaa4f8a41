//! What the kernel says of threads: which are on a processor, and which have not run.
//!
//! The state in `stat` tells that a thread runs or waits for a processor. Which of the
//! two, the time on a processor in `schedstat` tells: a thread is not given more samples
//! than fit into the time that it got. So eight threads that share two processors have
//! two samples at a tick, and not eight.
//!
//! `schedstat` also counts how often a thread was given a processor. One that is off every
//! processor has not run while that count stays, and its stack is what it was. That it is
//! off, `syscall` tells: the kernel writes `running` there unless the thread has been
//! switched out (`fs/proc/base.c` and `lib/syscall.c`, `task_current_syscall`); `stat` says
//! that it sleeps a moment before. So a thread that waits costs one short read at a tick,
//! and another one or two when it has begun to. Files are kept open.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rustc_hash::FxBuildHasher;

use crate::target::ThreadState;
use crate::target::live::{RunCount, Stat};

/// How much a thread may be counted ahead of its time: the kernel brings the time of one
/// that runs up to date every few milliseconds.
const ADVANCE: Duration = Duration::from_millis(20);

/// How many files are left to everything else that this program opens.
const OTHER_FILES: u64 = 64;

/// The most files that are kept open.
const MAX_KEPT: u64 = 64 * 1024;

/// The threads of one process.
pub(crate) struct Processor {
    pid: i32,
    /// In nanoseconds; 0 for as fast as possible.
    interval: u64,
    /// How many of these a sample stands for.
    ticks: u32,
    threads: HashMap<i32, Tracked, FxBuildHasher>,
    /// Whether it is to be told which threads are on a processor.
    tells_cpu: bool,
    /// How many more files may be kept open.
    spare_files: u64,
}

/// What the kernel says of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// It is not there.
    Ended,
    /// It waits. With a count: it is off every processor, and as long as a look finds the
    /// same count, it has not run.
    Waits(Option<RunCount>),
    /// It is on a processor, and a sample of it is due; or it shares a processor, and none is.
    Runs {
        /// Whether one is.
        is_due: bool,
    },
}

/// A thread that is looked at.
#[derive(Default)]
struct Tracked {
    schedule: Option<File>,
    stat: Option<File>,
    call: Option<File>,
    /// Its time on a processor that has been counted, in nanoseconds.
    counted: Option<u64>,
    /// How often it had run when it was off every processor, if it was at the last look.
    waits: Option<RunCount>,
    /// Whether it was looked at since the last [`Processor::sweep`].
    is_met: bool,
}

impl Processor {
    /// For the threads of process `pid`, which is sampled every `interval`. Which of them are
    /// on a processor is found out if it `tells_cpu`.
    #[must_use]
    pub(crate) fn new(pid: i32, interval: Duration, tells_cpu: bool) -> Self {
        let interval = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
        let (threads, spare_files) = (HashMap::default(), allowed_files());
        Self { pid, interval, ticks: 1, threads, tells_cpu, spare_files }
    }

    /// The same, which leaves so many files more to others.
    pub(super) fn leaving(mut self, files: usize) -> Self {
        self.spare_files = self.spare_files.saturating_sub(files as u64);
        self
    }

    /// Lets each sample stand for so many intervals.
    pub(crate) fn weigh(&mut self, ticks: u32) {
        self.ticks = ticks;
    }

    /// What the kernel says of a thread now.
    pub(crate) fn look(&mut self, tid: i32) -> Look {
        let Self { pid, interval, ticks, threads, tells_cpu, spare_files } = self;
        let interval = interval.saturating_mul(u64::from(*ticks));
        let mut files = Files { pid: *pid, tid, spare: spare_files };
        let thread = threads.entry(tid).or_default();
        thread.is_met = true;
        // Before the state, so that one that is off then has been off as long as this stays.
        let count = files.read(&mut thread.schedule, "schedstat");
        let count = count.and_then(|text| RunCount::parse(&text));
        if count.is_some() && count == thread.waits {
            return Look::Waits(count);
        }
        thread.waits = None;
        let is_off = files.read(&mut thread.call, "syscall").map(|text| is_off(&text));
        if !*tells_cpu {
            match is_off {
                Some(true) => {
                    thread.waits = count;
                    return Look::Waits(count);
                }
                Some(false) => return Look::Runs { is_due: true },
                None => {}
            }
        }
        let stat = files.read(&mut thread.stat, "stat").and_then(|line| Stat::parse(&line));
        let Some(state) = stat.map(|stat| stat.state) else {
            self.forget(tid);
            return Look::Ended;
        };
        // One that is stopped by this program ran until then.
        if matches!(state, ThreadState::Running | ThreadState::Traced) {
            // Where the kernel does not count, its state has to do.
            let is_due = |count: RunCount| is_due(&mut thread.counted, count.time, interval);
            return Look::Runs { is_due: count.is_none_or(is_due) };
        }
        thread.waits = count.filter(|_| is_off == Some(true));
        Look::Waits(thread.waits)
    }

    /// Forgets the threads that were not looked at since this was last called: most have ended.
    pub(crate) fn sweep(&mut self) {
        let Self { threads, spare_files, .. } = self;
        threads.retain(|_, thread| {
            let is_kept = std::mem::take(&mut thread.is_met);
            *spare_files += if is_kept { 0 } else { thread.files() };
            is_kept
        });
    }

    /// Forgets a thread, which has ended.
    fn forget(&mut self, tid: i32) {
        self.spare_files += self.threads.remove(&tid).map_or(0, |thread| thread.files());
    }
}

impl Tracked {
    /// How many files of it are kept open.
    fn files(&self) -> u64 {
        [&self.schedule, &self.stat, &self.call].into_iter().flatten().count() as u64
    }
}

/// Whether a thread is off every processor, by its `syscall` file.
fn is_off(text: &[u8]) -> bool {
    !text.is_empty() && !text.starts_with(b"running")
}

/// How many files may be kept open: as many as this program may be allowed to open.
fn allowed_files() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 0 };
    let wanted = hard.min(MAX_KEPT + OTHER_FILES);
    let raised = soft < wanted && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok();
    let allowed = if raised { wanted } else { soft };
    allowed.saturating_sub(OTHER_FILES).min(MAX_KEPT)
}

/// The files of one thread.
struct Files<'a> {
    pid: i32,
    tid: i32,
    /// How many more may be kept open.
    spare: &'a mut u64,
}

impl Files<'_> {
    /// The text of a file, through the one that is kept open if there is one.
    fn read(&mut self, kept: &mut Option<File>, name: &str) -> Option<Vec<u8>> {
        let mut text = vec![0; 512];
        let length = match kept {
            Some(file) => file.read_at(&mut text, 0).ok()?,
            None => {
                let file = File::open(format!("/proc/{}/task/{}/{name}", self.pid, self.tid));
                let file = file.ok()?;
                let length = file.read_at(&mut text, 0).ok()?;
                if *self.spare > 0 {
                    *self.spare -= 1;
                    *kept = Some(file);
                }
                length
            }
        };
        text.truncate(length);
        Some(text)
    }
}

/// Whether a thread that has been on a processor for `time` is due for a sample, and
/// counts it if so.
fn is_due(counted: &mut Option<u64>, time: u64, interval: u64) -> bool {
    let advance = u64::try_from(ADVANCE.as_nanos()).unwrap_or(0).max(interval.saturating_mul(2));
    let next = counted.unwrap_or(time).saturating_add(interval);
    let is_due = next <= time.saturating_add(advance);
    *counted = Some(if is_due { next } else { next.saturating_sub(interval) });
    is_due
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, mpsc};
    use std::thread;

    use super::*;

    const MILLISECOND: u64 = 1_000_000;

    /// How many samples a thread gets in 1,000 ticks of 10 ms that gets so much of each.
    fn samples(share: u64, granularity: u64) -> usize {
        let mut counted = None;
        let times = (0..1000_u64).map(|tick| tick * share / granularity * granularity);
        times.filter(|time| is_due(&mut counted, *time, 10 * MILLISECOND)).count()
    }

    #[test]
    fn a_thread_gets_as_many_samples_as_fit_into_its_time() {
        assert_eq!(samples(10 * MILLISECOND, 1), 1000);
        assert_eq!(samples(10 * MILLISECOND, 4 * MILLISECOND), 1000);
        let quarter = samples(5 * MILLISECOND / 2, 1);
        assert!((250..=253).contains(&quarter), "{quarter}");
    }

    #[test]
    fn without_an_interval_every_look_is_a_sample() {
        let mut counted = None;
        assert!((0..100).all(|_| is_due(&mut counted, 5, 0)));
    }

    #[test]
    fn this_thread_is_on_a_processor() {
        let tid = nix::unistd::gettid().as_raw();
        let mut processor = Processor::new(std::process::id() as i32, Duration::ZERO, true);
        assert_eq!(processor.look(tid), Look::Runs { is_due: true });
        assert_eq!(processor.look(tid), Look::Runs { is_due: true });
        assert_eq!(processor.look(i32::MAX), Look::Ended);
    }

    /// A thread that tells its id, and waits until it is let go, again and again.
    fn waiting_thread(rounds: usize) -> (i32, mpsc::Sender<()>, thread::JoinHandle<()>) {
        let (tell, told) = mpsc::channel();
        let (go, gone) = mpsc::channel::<()>();
        let waits = thread::spawn(move || {
            tell.send(nix::unistd::gettid().as_raw()).expect("somebody listens");
            (0..rounds).for_each(|_| gone.recv().expect("somebody sends"));
        });
        (told.recv().expect("it begins"), go, waits)
    }

    /// Looks until the thread is off every processor: it has to get there first.
    fn look_until_off(processor: &mut Processor, tid: i32, not: Option<RunCount>) -> RunCount {
        loop {
            match processor.look(tid) {
                Look::Waits(Some(count)) if Some(count) != not => return count,
                Look::Ended => panic!("it has ended"),
                _ => thread::yield_now(),
            }
        }
    }

    #[test]
    fn a_thread_that_waits_has_the_same_count_until_it_runs() {
        let mut processor = Processor::new(std::process::id() as i32, Duration::ZERO, true);
        let (tid, go, waits) = waiting_thread(2);
        let first = look_until_off(&mut processor, tid, None);
        assert_eq!(processor.look(tid), Look::Waits(Some(first)), "it has not run");
        go.send(()).expect("it waits");
        let second = look_until_off(&mut processor, tid, Some(first));
        assert!(second.times > first.times, "{second:?} {first:?}");
        go.send(()).expect("it waits");
        waits.join().expect("it ends");
    }

    #[test]
    fn one_file_more_tells_that_a_thread_waits_where_nothing_else_is_asked() {
        let mut processor = Processor::new(std::process::id() as i32, Duration::ZERO, false);
        let (tid, go, waits) = waiting_thread(1);
        let count = look_until_off(&mut processor, tid, None);
        assert_eq!(processor.look(tid), Look::Waits(Some(count)));
        assert!(processor.threads.get(&tid).is_some_and(|files| files.stat.is_none()));
        go.send(()).expect("it waits");
        waits.join().expect("it ends");
    }

    #[test]
    fn a_thread_that_computes_is_not_taken_to_wait() {
        let (tell, told) = mpsc::channel();
        let done = Arc::new(AtomicBool::new(false));
        let is_done = Arc::clone(&done);
        let computes = thread::spawn(move || {
            tell.send(nix::unistd::gettid().as_raw()).expect("somebody listens");
            while !is_done.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
        let tid = told.recv().expect("it begins");
        for tells_cpu in [true, false] {
            let pid = std::process::id() as i32;
            let mut processor = Processor::new(pid, Duration::ZERO, tells_cpu);
            // It may still be about to return from telling its id.
            while matches!(processor.look(tid), Look::Waits(_)) {
                thread::yield_now();
            }
            assert_eq!(processor.look(tid), Look::Runs { is_due: true });
        }
        done.store(true, Ordering::Relaxed);
        computes.join().expect("it ends");
    }

    #[test]
    fn files_are_kept_open_as_far_as_that_is_allowed() {
        let mut processor = Processor::new(std::process::id() as i32, Duration::ZERO, true);
        processor.spare_files = 1;
        let (tid, go, waits) = waiting_thread(1);
        let count = look_until_off(&mut processor, tid, None);
        assert_eq!(processor.spare_files, 0);
        let kept = processor.threads.get(&tid).expect("it was looked at");
        assert!(kept.schedule.is_some() && kept.stat.is_none() && kept.call.is_none());
        assert_eq!(processor.look(tid), Look::Waits(Some(count)));
        processor.sweep();
        assert_eq!(processor.threads.len(), 1, "it was looked at");
        processor.sweep();
        assert_eq!((processor.threads.len(), processor.spare_files), (0, 1));
        look_until_off(&mut processor, tid, None);
        go.send(()).expect("it waits");
        waits.join().expect("it ends");
        while processor.look(tid) != Look::Ended {
            thread::yield_now();
        }
        assert_eq!(processor.spare_files, 1, "files of threads that have ended are closed");
    }
}
