//! What is counted while a run goes on.

use std::time::Duration;

use super::key::Key;
use super::outcome::Outcome;
use super::rows::{Refusal, Rows, Value};
use super::stops::Stops;
use crate::profile::{NativeTorn, Source, TornReason};

/// Counts of one run.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Moments at which a sample was due and taken up.
    pub ticks: u64,
    /// Stacks that were proven and counted.
    pub samples: u64,
    /// Ticks at which there was no stack to be sampled.
    pub idle: u64,
    /// Ticks that needed one fetch.
    pub at_once: u64,
    /// Ticks that needed more than one, or a later tick whose proven stack they count for.
    pub retried: u64,
    /// Ticks whose stack could not be proven.
    pub torn: u64,
    /// Why, by [`TornReason::index`].
    pub torn_by: [u64; TornReason::ALL.len()],
    /// Samples that named a code object which was gone soon after.
    pub dropped: u64,
    /// Stacks of single threads that were torn in ticks that went well otherwise.
    pub lost_threads: u64,
    /// Threads that a stop-the-world pause of their interpreter had suspended, times the ticks at
    /// which they were.
    pub suspended: u64,
    /// Ticks at which the process could not be read.
    pub failed: u64,
    /// Why not, the last time that this was seen.
    pub last_failure: Option<String>,
    /// Moments that were missed because the profiler was late.
    pub late: u64,
    /// How the samples were taken; `None` before that is known.
    pub source: Option<Source>,
    /// Why the kernel did not take them, if it was asked.
    pub refusal: Option<Refusal>,
    /// Ticks at which the limit of stops allowed none, or that came too late for one: the next
    /// sample counts for them.
    pub skipped: u64,
    /// What the kernel's engine did, if that took the samples.
    pub kernel: Option<ByKernel>,
    /// What became of native frames, if they were asked for.
    pub native: Option<ByNative>,
    /// How long each stop took.
    pub stops: Stops,
    /// How long the thread that was read waited each time, where it is never stopped.
    pub turns: Stops,
    /// Threads were asked for, and so far none was met.
    pub lacks_threads: bool,
    /// System calls that read the process.
    pub reads: u64,
    /// Time of this program on a processor.
    pub cpu: Duration,
    /// From the first tick to the last.
    pub elapsed: Duration,
}

/// How the ticks of the kernel's engine were taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByKernel {
    /// By an interrupt of the thread.
    pub interrupts: u64,
    /// By a look at a thread that did not run.
    pub looks: u64,
    /// By nobody: the thread ran, and no interrupt came.
    pub missed: u64,
}

/// What became of native frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByNative {
    /// Stacks into which they fit.
    pub fit: u64,
    /// Stacks that stand without them, by [`NativeTorn::index`].
    pub torn_by: [u64; NativeTorn::ALL.len()],
}

impl Account {
    /// Adds what another run, or another part of this one, came to.
    pub fn add(&mut self, other: &Self) {
        self.ticks += other.ticks;
        self.samples += other.samples;
        self.idle += other.idle;
        self.at_once += other.at_once;
        self.retried += other.retried;
        self.torn += other.torn;
        self.torn_by.iter_mut().zip(other.torn_by).for_each(|(own, other)| *own += other);
        self.dropped += other.dropped;
        self.lost_threads += other.lost_threads;
        self.suspended += other.suspended;
        self.failed += other.failed;
        if other.last_failure.is_some() {
            self.last_failure.clone_from(&other.last_failure);
        }
        self.late += other.late;
        if let Some(other) = &other.kernel {
            let own = self.kernel.get_or_insert_default();
            own.interrupts += other.interrupts;
            own.looks += other.looks;
            own.missed += other.missed;
        }
        if let Some(other) = &other.native {
            let own = self.native.get_or_insert_default();
            own.fit += other.fit;
            own.torn_by.iter_mut().zip(other.torn_by).for_each(|(own, other)| *own += other);
        }
        self.stops.add_all(&other.stops);
        self.turns.add_all(&other.turns);
        self.source = self.source.or(other.source);
        self.refusal = self.refusal.take().or_else(|| other.refusal.clone());
        self.skipped += other.skipped;
        self.lacks_threads = other.lacks_threads;
        self.reads += other.reads;
        self.cpu += other.cpu;
        self.elapsed += other.elapsed;
    }

    /// Notes a tick whose stacks were proven, after more than one fetch if `retried`.
    pub(crate) fn note_proven(&mut self, retried: bool) {
        *(if retried { &mut self.retried } else { &mut self.at_once }) += 1;
    }

    /// Notes ticks whose stacks could not be told.
    pub(crate) fn note_torn(&mut self, reason: TornReason, ticks: u64) {
        log::debug!("no stack at {ticks} ticks: {reason:?}");
        self.torn += ticks;
        self.torn_by[reason.index()] += ticks;
    }

    /// Notes what became of the native frames of so many stacks.
    pub(crate) fn note_native(&mut self, found: Result<(), NativeTorn>, stacks: u64) {
        let native = self.native.get_or_insert_default();
        match found {
            Ok(()) => native.fit += stacks,
            Err(reason) => native.torn_by[reason.index()] += stacks,
        }
    }

    /// Of how many stacks it was noted what became of their native frames.
    pub(crate) fn native_stacks(&self) -> u64 {
        self.native.map_or(0, |native| native.fit + native.torn_by.iter().sum::<u64>())
    }

    /// Whether it has come to anything.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let Self { samples, idle, torn, dropped, failed, .. } = *self;
        Outcome { samples, idle, torn, dropped, failed }
    }

    /// What was sampled and could not be counted.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.torn + self.dropped + self.lost_threads + self.failed + self.missed()
    }

    fn missed(&self) -> u64 {
        self.kernel.map_or(0, |kernel| kernel.missed)
    }

    /// The same in the rows that are shown and recorded.
    #[must_use]
    pub fn rows(&self) -> Rows {
        let mut rows = Rows::from([
            (Key::Ticks, self.ticks),
            (Key::Samples, self.samples),
            (Key::Idle, self.idle),
            (Key::AtOnce, self.at_once),
            (Key::Retried, self.retried),
            (Key::Stopped, self.stops.count()),
            (Key::Skipped, self.skipped),
            (Key::Torn, self.torn),
            (Key::Dropped, self.dropped),
            (Key::LostThreads, self.lost_threads),
            (Key::Failed, self.failed),
            (Key::Late, self.late),
        ]);
        rows.put(Key::StoppedTotal, Value::Time(self.stops.total()));
        rows.put(Key::StoppedP99, Value::Time(self.stops.p99()));
        if let Some(source) = self.source {
            rows.put(Key::Engine, Value::Sources(vec![source]));
        }
        if let Some(refusal) = &self.refusal {
            // What can be done is said elsewhere.
            let words = refusal.words.lines().next().unwrap_or_default().to_owned();
            rows.put(Key::NotByKernel, Value::Refusal(Refusal { words, ..*refusal }));
        }
        if self.suspended > 0 {
            rows.put(Key::Suspended, Value::Count(self.suspended));
        }
        for (reason, ticks) in TornReason::ALL.into_iter().zip(self.torn_by) {
            if ticks > 0 {
                rows.add(reason.key(), ticks);
            }
        }
        if self.turns.count() > 0 {
            rows.add(Key::Turns, self.turns.count());
            rows.put(Key::TurnsTotal, Value::Time(self.turns.total()));
            rows.put(Key::TurnsP99, Value::Time(self.turns.p99()));
        }
        if let Some(ByKernel { interrupts, looks, missed }) = self.kernel {
            rows.add(Key::Interrupts, interrupts);
            rows.add(Key::Looks, looks);
            rows.add(Key::Missed, missed);
        }
        if let Some(native) = &self.native {
            rows.add(Key::Native, native.fit);
            let torn = NativeTorn::ALL.into_iter().zip(native.torn_by);
            torn.filter(|(_, stacks)| *stacks > 0).for_each(|(why, n)| rows.add(why.key(), n));
        }
        let samples = self.samples.max(1);
        let reads = self.reads.saturating_mul(100).saturating_add(samples / 2) / samples;
        rows.put(Key::Reads, Value::PerSample(reads));
        let cpu = self.cpu.as_nanos() / u128::from(samples);
        let cpu = Duration::from_nanos(u64::try_from(cpu).unwrap_or(u64::MAX));
        rows.put(Key::Cpu, Value::Time(cpu));
        rows.put(Key::Elapsed, Value::Time(self.elapsed));
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_come_to_nothing_if_nothing_was_found_out() {
        let torn = Account { ticks: 3, torn: 2, failed: 1, ..Account::default() };
        assert!(torn.outcome().is_nothing());
        assert_eq!(torn.outcome(), Outcome::of_rows(&torn.rows()));
        let words = "2 torn, 1 failed because the process could not be read";
        assert_eq!(torn.outcome().to_string(), words);
        assert!(!Account::default().outcome().is_nothing(), "nothing was looked for");
        assert!(!Account { samples: 1, ..torn.clone() }.outcome().is_nothing());
        let idle = Account { idle: 1, ..Account::default() };
        assert!(!idle.outcome().is_nothing(), "nobody ran Python code: that is known");
        assert!(!torn.outcome().and(&idle.outcome()).is_nothing());
    }

    #[test]
    fn what_the_kernel_took_is_told_and_added_up() {
        let kernel = ByKernel { interrupts: 5, looks: 3, missed: 1 };
        let source = Some(Source::Interrupt);
        let window = Account { kernel: Some(kernel), source, ..Account::default() };
        let mut all = Account::default();
        assert_eq!(all.rows().get(Key::Engine), None);
        all.add(&window);
        all.add(&window);
        assert_eq!(all.rows().get(Key::Engine), Some(&Value::Sources(vec![Source::Interrupt])));
        assert_eq!(all.rows().count(Key::Interrupts), 10);
        assert_eq!(all.rows().count(Key::Missed), 2);
        assert_eq!(all.errors(), 2);
    }
}
