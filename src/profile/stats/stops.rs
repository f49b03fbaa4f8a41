//! How long stops took.

use std::time::Duration;

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
    pub(super) fn add_all(&mut self, other: &Self) {
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
