//! When samples are due, and of which threads.

use std::time::Duration;

use crate::sampler::selection::TimeMode;

/// One interval in the numbers of the program, as in `program.c`.
const WHOLE: u64 = 1 << 24;

/// The timer's period as a part of the interval, with jitter: so many ticks of the timer do
/// not add up to an interval that soon the same moments of it would be met again.
const STEP: f64 = 0.118_034;

/// The shortest period of the timer with jitter. Most of its ticks cost little, but the
/// kernel does not go below 10 µs.
const SHORTEST_PERIOD: Duration = Duration::from_micros(42);

/// The shortest such period where each thread has ticks of its own and no jitter is asked for.
/// The kernel lets the first period of each thread begin with it: one that lives for less than
/// a period is never interrupted, so that is made short.
const SHORTEST_OF_EACH: Duration = Duration::from_micros(500);

/// How many ticks looks are apart on average, if that is neither too short nor too long, where
/// all ticks are left for them. To wake for one costs as much as a few tens of samples.
const LOOKS_APART: u32 = 2;
const LEAST_GAP: Duration = Duration::from_millis(8);
const MOST_GAP: Duration = Duration::from_millis(20);

/// How far they are apart at most where hardly any are.
const LONGEST_GAP: Duration = Duration::from_millis(100);

/// The same at the beginning, and after a run of so many times the gap: ticks that are left
/// after the last look are given to nothing, and what a process does in its last moments is lost
/// with it.
const FIRST_GAP: Duration = Duration::from_millis(8);
const RUN_SHARE: u32 = 200;

/// The least where all threads are looked at, each of which is sampled by itself.
const LEAST_GAP_OF_ALL: Duration = Duration::from_millis(4);

/// When samples are due, and of which threads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// The time between two samples.
    pub interval: Duration,
    /// Whether each is moved by a random part of that.
    pub jitter: bool,
    /// What a thread has to do to be sampled.
    pub mode: TimeMode,
    /// Whether the process is free-threaded: many threads can be attached at once.
    pub is_free_threaded: bool,
    /// Whether native frames are captured too.
    pub native: bool,
}

impl Plan {
    /// Whether each thread has ticks of its own, rather than each GIL.
    pub(super) fn is_of_each_thread(&self) -> bool {
        self.is_free_threaded || self.mode.is_of_all_threads()
    }

    /// Whether of these only threads are sampled that are attached.
    pub(super) fn is_of_attached(&self) -> bool {
        self.is_free_threaded && !self.mode.is_of_all_threads()
    }

    /// Whether the timer ticks several times in an interval, for one sample.
    fn is_thinned(&self) -> bool {
        let is_long = self.interval.mul_f64(STEP) >= SHORTEST_OF_EACH;
        self.jitter || self.is_of_each_thread() && is_long
    }

    /// The time between two ticks of the timer.
    pub(super) fn period(&self) -> Duration {
        if self.is_thinned() {
            self.interval.mul_f64(STEP).max(SHORTEST_PERIOD.min(self.interval))
        } else {
            self.interval
        }
    }

    /// How far looks are apart on average when a run has lasted for so long, unless they take
    /// long. With the part of the ticks that is `left` for looks the error of a share grows that
    /// they bring into a profile, and with their number it shrinks: so there are as many as that
    /// part is large. It is of a long time, and must not follow what the program does now: see
    /// `lanes`.
    pub(super) fn gap_after(&self, elapsed: Duration, left: f64) -> Duration {
        let gap = self.gap();
        let longer = Duration::try_from_secs_f64(gap.as_secs_f64() / left.clamp(0.01, 1.0));
        let gap = longer.map_or(gap, |longer| longer.min(LONGEST_GAP.max(gap)));
        gap.min((elapsed / RUN_SHARE).max(FIRST_GAP).max(self.interval))
    }

    /// How far they are apart in a long run, if all ticks are left for them.
    pub(super) fn gap(&self) -> Duration {
        let least = if self.is_of_each_thread() { LEAST_GAP_OF_ALL } else { LEAST_GAP };
        self.interval.saturating_mul(LOOKS_APART).clamp(least, MOST_GAP).max(self.interval)
    }

    /// That time as a part of the interval, in the program's numbers; 0 if it is all of it.
    pub(super) fn jitter_step(&self) -> u32 {
        if !self.is_thinned() {
            return 0;
        }
        let part = self.period().as_nanos() * u128::from(WHOLE) / self.interval.as_nanos().max(1);
        u32::try_from(part).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(interval: Duration, jitter: bool) -> Plan {
        Plan { interval, jitter, mode: TimeMode::Gil, is_free_threaded: false, native: false }
    }

    #[test]
    fn without_jitter_the_timer_ticks_once_in_an_interval() {
        let plan = plan(Duration::from_millis(10), false);
        assert_eq!((plan.period(), plan.jitter_step()), (plan.interval, 0));
    }

    #[test]
    fn threads_that_have_ticks_of_their_own_are_met_however_short_they_are() {
        let each =
            |micros| Plan { is_free_threaded: true, ..plan(Duration::from_micros(micros), false) };
        assert_eq!(each(10_000).period(), Duration::from_millis(10).mul_f64(STEP));
        assert!(each(10_000).jitter_step() > 0);
        assert_eq!((each(1000).period(), each(1000).jitter_step()), (each(1000).interval, 0));
    }

    #[test]
    fn looks_are_some_ticks_apart() {
        let gap = |micros| plan(Duration::from_micros(micros), false).gap().as_micros();
        assert_eq!([100, 1000, 9000].map(gap), [8000, 8000, 18_000]);
        assert_eq!([10_000, 20_000, 1_000_000].map(gap), [20_000, 20_000, 1_000_000]);
        assert_eq!(plan(Duration::MAX, false).gap(), Duration::MAX);
    }

    #[test]
    fn looks_are_rarer_in_a_long_run_and_where_little_is_left_for_them() {
        let gap = |millis, elapsed, left| {
            let plan = plan(Duration::from_millis(millis), false);
            plan.gap_after(Duration::from_millis(elapsed), left).as_millis()
        };
        assert_eq!([0, 300, 500, 9000].map(|elapsed| gap(10, elapsed, 1.0)), [10, 10, 10, 20]);
        assert_eq!([0, 300, 500, 9000].map(|elapsed| gap(1, elapsed, 1.0)), [8, 8, 8, 8]);
        assert_eq!([1.0, 0.5, 0.1, 0.0].map(|left| gap(10, 60_000, left)), [20, 40, 100, 100]);
        assert_eq!(gap(10, 1000, 0.0), 10, "not at once");
        assert_eq!(gap(500, 1000, 0.0), 500);
    }

    #[test]
    fn with_jitter_it_ticks_more_often_and_never_in_step() {
        for micros in [100, 200, 1000, 10_000, 1_000_000] {
            let plan = plan(Duration::from_micros(micros), true);
            let (period, step) = (plan.period(), u64::from(plan.jitter_step()));
            assert!(period >= SHORTEST_PERIOD && period * 2 < plan.interval);
            let ticks = WHOLE as f64 / step as f64;
            let expected = plan.interval.as_secs_f64() / period.as_secs_f64();
            assert!((ticks / expected - 1.0).abs() < 1e-5, "{ticks} {expected}");
            // The first ten intervals do not meet the same moment twice.
            let moments: Vec<u64> = (0..20).map(|tick| tick * step % WHOLE).collect();
            assert!((1..20).all(|tick| moments[tick] > WHOLE / 1000), "{moments:?}");
        }
    }
}
