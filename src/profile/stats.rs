//! What became of every tick: nothing is silent.

use std::fmt;
use std::time::Duration;

use crate::profile::{Source, TornReason};

/// Whether a run has come to anything, and what became of its ticks if not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Stacks that were counted.
    pub samples: u64,
    /// Ticks at which there was no stack to be sampled: that is an answer too.
    pub idle: u64,
    /// Ticks whose stack could not be proven.
    pub torn: u64,
    /// Samples whose code objects had changed soon after.
    pub dropped: u64,
    /// Ticks at which the process could not be read.
    pub failed: u64,
}

impl Outcome {
    /// What the rows of an account say ([`Account::rows`]).
    #[must_use]
    pub fn of_rows(rows: &[(String, String)]) -> Self {
        let count = |name: &str| {
            let row = rows.iter().find(|(row, _)| row == name);
            row.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
        };
        Self {
            samples: count("samples"),
            idle: count("idle"),
            torn: count("torn"),
            dropped: count("dropped"),
            failed: count("failed"),
        }
    }

    /// Both together.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self {
            samples: self.samples + other.samples,
            idle: self.idle + other.idle,
            torn: self.torn + other.torn,
            dropped: self.dropped + other.dropped,
            failed: self.failed + other.failed,
        }
    }

    /// Whether stacks were looked for and nothing was found out.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.samples + self.idle == 0 && self.torn + self.dropped + self.failed > 0
    }
}

/// In words: what there was in the place of samples.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.torn, "torn"),
            (self.dropped, "dropped because their code had changed"),
            (self.failed, "failed because the process could not be read"),
        ];
        let there = parts.iter().filter(|(count, _)| *count > 0);
        let words: Vec<String> = there.map(|(count, what)| format!("{count} {what}")).collect();
        f.write_str(&words.join(", "))
    }
}

/// The row that tells why the kernel took no samples.
const REFUSAL: &str = "not by the kernel";

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
    /// Ticks at which the process could not be read.
    pub failed: u64,
    /// Why not, the last time that this was seen.
    pub last_failure: Option<String>,
    /// Moments that were missed because the profiler was late.
    pub late: u64,
    /// How the samples were taken; `None` before that is known.
    pub source: Option<Source>,
    /// Why the kernel did not take them, if it was asked.
    pub refusal: Option<String>,
    /// Ticks at which the limit of stops allowed none, or that came too late for one: the next
    /// sample counts for them.
    pub skipped: u64,
    /// What the kernel's engine did, if that took the samples.
    pub kernel: Option<ByKernel>,
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

/// How long stops took, in a histogram of fixed size.
#[derive(Clone, Debug)]
pub struct Stops {
    count: u64,
    total: Duration,
    /// Counts by microseconds, in buckets that grow by an eighth.
    buckets: Vec<u64>,
}

const BUCKETS: usize = 160;

impl Default for Stops {
    fn default() -> Self {
        Self { count: 0, total: Duration::ZERO, buckets: vec![0; BUCKETS] }
    }
}

impl Stops {
    /// Adds one.
    pub fn add(&mut self, time: Duration) {
        self.count += 1;
        self.total += time;
        let bucket = (0..BUCKETS - 1).find(|bucket| time < bound(*bucket)).unwrap_or(BUCKETS - 1);
        self.buckets[bucket] += 1;
    }

    /// Adds those of another.
    fn add_all(&mut self, other: &Self) {
        self.count += other.count;
        self.total += other.total;
        for (own, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *own += more;
        }
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How long all of them took.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.total
    }

    /// A time that 99 of 100 stops did not exceed, to an eighth.
    #[must_use]
    pub fn p99(&self) -> Duration {
        let enough = self.count - self.count / 100;
        let mut seen = 0;
        let reached = self.buckets.iter().position(|count| {
            seen += count;
            seen >= enough
        });
        if self.count == 0 { Duration::ZERO } else { bound(reached.unwrap_or(BUCKETS - 1)) }
    }
}

/// The upper end of a bucket: 1 µs, and an eighth more for each further one.
fn bound(bucket: usize) -> Duration {
    Duration::from_nanos((1000.0 * 1.125_f64.powi(bucket as i32)) as u64)
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
        self.torn += ticks;
        self.torn_by[reason.index()] += ticks;
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

    /// Names and values, in the order to print them.
    #[must_use]
    pub fn rows(&self) -> Vec<(String, String)> {
        let per_sample = |value: f64| value / (self.samples.max(1) as f64);
        let mut rows = vec![
            ("ticks", self.ticks.to_string()),
            ("samples", self.samples.to_string()),
            ("idle", self.idle.to_string()),
            ("proven at once", self.at_once.to_string()),
            ("retried", self.retried.to_string()),
            ("stopped", self.stops.count().to_string()),
            ("skipped", self.skipped.to_string()),
            ("stopped total ms", format!("{:.1}", self.stops.total().as_secs_f64() * 1e3)),
            ("stopped p99 us", format!("{:.0}", self.stops.p99().as_secs_f64() * 1e6)),
            ("torn", self.torn.to_string()),
            ("dropped", self.dropped.to_string()),
            ("lost threads", self.lost_threads.to_string()),
            ("failed", self.failed.to_string()),
            ("late", self.late.to_string()),
        ];
        if let Some(source) = self.source {
            rows.insert(0, ("engine", source.name().to_owned()));
        }
        if let Some(refusal) = self.refusal.as_deref().and_then(|text| text.lines().next()) {
            rows.push((REFUSAL, refusal.to_owned()));
        }
        let torn = TornReason::ALL.into_iter().zip(self.torn_by).filter(|(_, ticks)| *ticks > 0);
        rows.extend(torn.map(|(reason, ticks)| (reason.name(), ticks.to_string())));
        if self.turns.count() > 0 {
            rows.extend([
                ("turns", self.turns.count().to_string()),
                ("turns total ms", format!("{:.1}", self.turns.total().as_secs_f64() * 1e3)),
                ("turns p99 us", format!("{:.0}", self.turns.p99().as_secs_f64() * 1e6)),
            ]);
        }
        if let Some(ByKernel { interrupts, looks, missed }) = self.kernel {
            rows.extend([
                ("interrupts", interrupts.to_string()),
                ("looks", looks.to_string()),
                ("missed", missed.to_string()),
            ]);
        }
        rows.extend([
            ("remote reads per sample", format!("{:.2}", per_sample(self.reads as f64))),
            ("cpu us per sample", format!("{:.2}", per_sample(self.cpu.as_secs_f64() * 1e6))),
            ("elapsed s", format!("{:.2}", self.elapsed.as_secs_f64())),
        ]);
        rows.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.rows().into_iter().map(|(name, value)| format!("{name}: {value}"));
        f.write_str(&lines.collect::<Vec<_>>().join("\n"))
    }
}

/// What to say of the rows of an account if the limit of stops, a share of the time from 0 to
/// 1, let most samples count for several ticks.
#[must_use]
pub fn words_on_limit(rows: &[(String, String)], limit: f64) -> Option<String> {
    let row = |wanted: &str| rows.iter().find(|(name, _)| name == wanted).map(|row| &row.1);
    let count = |name: &str| row(name).and_then(|value| value.parse::<u64>().ok()).unwrap_or(0);
    let (stops, skipped) = (count("stopped"), count("skipped"));
    let number = |name: &str| row(name).and_then(|value| value.parse::<f64>().ok()).unwrap_or(0.0);
    // Else it was not the limit.
    let is_reached = number("stopped total ms") > 500.0 * limit * number("elapsed s");
    if stops == 0 || skipped <= count("ticks") / 20 || !is_reached {
        return None;
    }
    let (percent, ticks) = (limit * 100.0, skipped + stops);
    let enough = (percent * ticks as f64 / stops as f64).ceil().min(100.0);
    let is_denied = row(REFUSAL).is_some_and(|refusal| refusal.contains("may not load"));
    let by_kernel =
        if is_denied { ", or root, for whom the kernel takes them without a stop" } else { "" };
    Some(format!(
        "{stops} stops for {ticks} ticks: more would have taken over {percent} % of the \
         program's time, so each sample counts for the ticks before it, too.\n\
         One for each tick needs --max-pause {enough}{by_kernel}."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_99th_percentile_is_within_an_eighth() {
        let mut stops = Stops::default();
        (0..98).for_each(|_| stops.add(Duration::from_micros(50)));
        stops.add(Duration::from_micros(100));
        stops.add(Duration::from_millis(5));
        let p99 = stops.p99().as_micros();
        assert!((100..=113).contains(&p99), "{p99}");
        assert_eq!(stops.count(), 100);
    }

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
        assert!(!all.rows().iter().any(|(name, _)| name == "engine"));
        all.add(&window);
        all.add(&window);
        let value = |wanted: &str| {
            all.rows().into_iter().find(|(name, _)| name == wanted).map(|(_, value)| value)
        };
        assert_eq!(value("engine").as_deref(), Some("kernel"));
        assert_eq!(value("interrupts").as_deref(), Some("10"));
        assert_eq!(value("missed").as_deref(), Some("2"));
        assert_eq!(all.errors(), 2);
    }

    #[test]
    fn who_was_not_stopped_often_enough_is_told_what_would_help() {
        let mut account = Account { ticks: 1000, skipped: 750, ..Account::default() };
        assert_eq!(words_on_limit(&account.rows(), 0.01), None, "nothing was stopped");
        account.elapsed = Duration::from_secs(1);
        (0..250).for_each(|_| account.stops.add(Duration::from_micros(40)));
        let words = words_on_limit(&account.rows(), 0.01).unwrap_or_default();
        assert!(words.contains("250 stops for 1000 ticks"), "{words}");
        assert!(words.ends_with("--max-pause 4."), "{words}");
        account.refusal = Some("--engine kernel may not load its program: why.\nMore.".into());
        let words = words_on_limit(&account.rows(), 0.01).unwrap_or_default();
        assert!(words.contains("or root"), "{words}");
        account.skipped = 20;
        assert_eq!(words_on_limit(&account.rows(), 0.01), None, "nearly each tick had one");
        (account.skipped, account.elapsed) = (750, Duration::from_secs(10));
        assert_eq!(words_on_limit(&account.rows(), 0.01), None, "it came too late for them");
    }

    #[test]
    fn no_stops_take_no_time() {
        assert_eq!(Stops::default().p99(), Duration::ZERO);
    }
}
