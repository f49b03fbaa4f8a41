//! Which threads are on a processor, by the kernel's own accounting.
//!
//! The state in `stat` tells that a thread runs or waits for a processor. Which of the
//! two, the time on a processor in `schedstat` tells: a thread is not given more samples
//! than fit into the time that it got. So eight threads that share two processors have
//! two samples at a tick, and not eight. `schedstat` also tells that a thread which was
//! asleep has not run since; it is read several times as fast as `stat`. So a thread that
//! sleeps costs one short read at a tick, one that runs two; the files are kept open.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use rustc_hash::FxBuildHasher;

use crate::process::{RunCount, Stat, ThreadState};

/// How much a thread may be counted ahead of its time: the kernel brings the time of one
/// that runs up to date every few milliseconds.
const ADVANCE: Duration = Duration::from_millis(20);

/// The files of so many threads are kept open.
const KEPT: usize = 200;

/// The threads of one process.
pub struct Processor {
    pid: i32,
    /// In nanoseconds; 0 for as fast as possible.
    interval: u64,
    threads: HashMap<i32, Tracked, FxBuildHasher>,
}

/// A thread that is looked at.
struct Tracked {
    stat: Option<File>,
    schedule: Option<File>,
    /// Its time on a processor that has been counted, in nanoseconds.
    counted: Option<u64>,
    /// How often it had run when it was asleep, if it was at the last look.
    asleep: Option<RunCount>,
}

impl Processor {
    /// For the threads of process `pid`, which is sampled every `interval`.
    #[must_use]
    pub fn new(pid: i32, interval: Duration) -> Self {
        let interval = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
        Self { pid, interval, threads: HashMap::default() }
    }

    /// Whether a thread is on a processor, and a sample of it is due. `None` if it has
    /// ended.
    pub fn is_on(&mut self, tid: i32) -> Option<bool> {
        let (pid, interval) = (self.pid, self.interval);
        let is_kept = self.threads.len() < KEPT;
        let thread = self.threads.entry(tid).or_insert_with(|| Tracked {
            stat: open(pid, tid, "stat").filter(|_| is_kept),
            schedule: open(pid, tid, "schedstat").filter(|_| is_kept),
            counted: None,
            asleep: None,
        });
        // Before the state, so that one that sleeps then has slept as long as this stays.
        let count = read(thread.schedule.as_ref(), pid, tid, "schedstat")
            .and_then(|text| RunCount::parse(&text));
        if count.is_some() && count == thread.asleep {
            return Some(false);
        }
        thread.asleep = None;
        let Some(state) = read(thread.stat.as_ref(), pid, tid, "stat")
            .and_then(|line| Stat::parse(&line))
            .map(|stat| stat.state)
        else {
            self.threads.remove(&tid);
            return None;
        };
        // One that is stopped by this program ran until then.
        if !matches!(state, ThreadState::Running | ThreadState::Traced) {
            thread.asleep = count;
            return Some(false);
        }
        // Where the kernel does not count, its state has to do.
        Some(count.is_none_or(|count| is_due(&mut thread.counted, count.time, interval)))
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

fn open(pid: i32, tid: i32, name: &str) -> Option<File> {
    File::open(format!("/proc/{pid}/task/{tid}/{name}")).ok()
}

/// The text of a file of a thread, through the one that is kept open if there is one.
fn read(kept: Option<&File>, pid: i32, tid: i32, name: &str) -> Option<Vec<u8>> {
    let mut text = vec![0; 512];
    let length = match kept {
        Some(file) => file.read_at(&mut text, 0).ok()?,
        None => open(pid, tid, name)?.read_at(&mut text, 0).ok()?,
    };
    text.truncate(length);
    Some(text)
}

#[cfg(test)]
mod tests {
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
        let mut processor = Processor::new(std::process::id() as i32, Duration::ZERO);
        assert_eq!(processor.is_on(tid), Some(true));
        assert_eq!(processor.is_on(tid), Some(true));
        assert_eq!(processor.is_on(i32::MAX), None);
    }
}
