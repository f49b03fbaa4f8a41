//! What became of every tick: nothing is silent.

use std::fmt;
use std::time::Duration;

use crate::sampler::witness::Disagreement;

/// Counts of one run.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Moments at which a sample was due and taken up.
    pub ticks: u64,
    /// Stacks that were proven and counted.
    pub samples: u64,
    /// Ticks that needed one fetch.
    pub at_once: u64,
    /// Ticks that needed more than one, or a later tick whose proven stack they count for.
    pub retried: u64,
    /// Ticks whose stack changed under every attempt, or was never told.
    pub torn: u64,
    /// Samples that named a code object which was gone soon after.
    pub dropped: u64,
    /// Stacks of single threads that were torn in ticks that went well otherwise.
    pub lost_threads: u64,
    /// Ticks at which the process could not be read.
    pub failed: u64,
    /// Moments that were missed because the profiler was late.
    pub late: u64,
    /// How long each stop took.
    pub stops: Stops,
    /// A function whose shares differ between stopped samples and others.
    pub disagreement: Option<Disagreement>,
    /// Threads were asked for, and so far none was met.
    pub lacks_threads: bool,
    /// System calls that read the process.
    pub reads: u64,
    /// Time of this program on a processor.
    pub cpu: Duration,
    /// From the first tick to the last.
    pub elapsed: Duration,
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
        self.at_once += other.at_once;
        self.retried += other.retried;
        self.torn += other.torn;
        self.dropped += other.dropped;
        self.lost_threads += other.lost_threads;
        self.failed += other.failed;
        self.late += other.late;
        self.stops.add_all(&other.stops);
        self.disagreement = self.disagreement.take().or_else(|| other.disagreement.clone());
        self.lacks_threads = other.lacks_threads;
        self.reads += other.reads;
        self.cpu += other.cpu;
        self.elapsed += other.elapsed;
    }

    /// What was sampled and could not be counted.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.torn + self.dropped + self.lost_threads + self.failed
    }

    /// Names and values, in the order to print them.
    #[must_use]
    pub fn rows(&self) -> Vec<(String, String)> {
        let per_sample = |value: f64| value / (self.samples.max(1) as f64);
        let mut rows = vec![
            ("ticks", self.ticks.to_string()),
            ("samples", self.samples.to_string()),
            ("proven at once", self.at_once.to_string()),
            ("retried", self.retried.to_string()),
            ("stopped", self.stops.count().to_string()),
            ("stopped total ms", format!("{:.1}", self.stops.total().as_secs_f64() * 1e3)),
            ("stopped p99 us", format!("{:.0}", self.stops.p99().as_secs_f64() * 1e6)),
            ("torn", self.torn.to_string()),
            ("dropped", self.dropped.to_string()),
            ("lost threads", self.lost_threads.to_string()),
            ("failed", self.failed.to_string()),
            ("late", self.late.to_string()),
        ];
        if let Some(disagreement) = &self.disagreement {
            rows.push(("stopped and other samples disagree", disagreement.to_string()));
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
    fn no_stops_take_no_time() {
        assert_eq!(Stops::default().p99(), Duration::ZERO);
    }
}
