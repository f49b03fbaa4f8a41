//! When the next sample is due: absolute deadlines, so that the time a sample
//! takes does not add up.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::target::live::nap;

/// The longest nap, so that a signal to end the run is noticed soon.
const LONGEST_NAP: Duration = Duration::from_millis(20);

/// The same while somebody stands still until this thread wakes.
const SHORT_NAP: Duration = Duration::from_millis(1);

/// The ticks of one run, `interval` apart.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    /// When the clock was last looked at.
    moment: Instant,
    interval: Duration,
    duration: Option<Duration>,
    next: Duration,
    is_first: bool,
    late: u64,
    jitter: Option<Jitter>,
    shift: Duration,
    /// Whether this thread keeps its processor from somebody while it waits for a tick.
    is_in_the_way: bool,
    longest_nap: Duration,
}

/// Random numbers that are good enough to fall out of step (xorshift).
#[derive(Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    /// Numbers that differ from run to run.
    pub(crate) fn new() -> Self {
        Self(microseconds() | 1)
    }

    /// One from 0 up to 1.
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A time from zero up to `limit`.
    fn below(&mut self, limit: Duration) -> Duration {
        limit.mul_f64(self.next())
    }

    /// The time to the next of moments that are independent of each other, and `mean` apart.
    pub(crate) fn gap(&mut self, mean: Duration) -> Duration {
        mean.mul_f64(-(1.0 - self.next()).ln())
    }
}

impl Clock {
    /// Starts now. The first tick is due at once; the last before `duration`
    /// is over, if there is one. There is always a first tick.
    #[must_use]
    pub(crate) fn start(interval: Duration, duration: Option<Duration>) -> Self {
        let start = Instant::now();
        Self {
            start,
            moment: start,
            interval,
            duration,
            next: Duration::ZERO,
            is_first: true,
            late: 0,
            jitter: None,
            shift: Duration::ZERO,
            is_in_the_way: false,
            longest_nap: LONGEST_NAP,
        }
    }

    /// Moves each tick by a random part of the interval, so that a program that
    /// does things periodically is not always met at the same one.
    #[must_use]
    pub(crate) fn jitter(mut self, on: bool) -> Self {
        self.jitter = on.then(Jitter::new);
        self
    }

    /// How many ticks were missed.
    #[must_use]
    pub(crate) fn late(&self) -> u64 {
        self.late
    }

    /// When the last tick began: the one look at the clock that it takes.
    #[must_use]
    pub(crate) fn moment(&self) -> Instant {
        self.moment
    }

    /// When the run began.
    #[must_use]
    pub(crate) fn began(&self) -> Instant {
        self.start
    }

    /// How long the run has lasted.
    #[must_use]
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// How much of the run is left; `None` if its end is not known.
    #[must_use]
    pub(crate) fn left(&self) -> Option<Duration> {
        self.duration.map(|duration| duration.saturating_sub(self.start.elapsed()))
    }

    /// When the run is over, if that is known.
    #[must_use]
    pub(crate) fn end(&self) -> Option<Instant> {
        self.start.checked_add(self.duration?)
    }

    /// Tells whether somebody waits for the processor of this thread while that is awake: then
    /// it does not wake before a tick.
    pub(crate) fn be_in_the_way(&mut self, on: bool) {
        self.is_in_the_way = on;
    }

    /// Tells whether there is something to be done before the next tick, as soon as it can be.
    pub(crate) fn wake_often(&mut self, on: bool) {
        self.longest_nap = if on { SHORT_NAP } else { LONGEST_NAP };
    }

    /// When the next tick is due.
    #[must_use]
    pub(crate) fn due(&self) -> Instant {
        self.start.checked_add(self.next + self.shift).unwrap_or(self.start)
    }

    /// Waits for the next tick. `false` when the run is over or `stop` says so.
    ///
    /// Ticks that were missed are left out, not made up for.
    pub(crate) fn wait(&mut self, mut stop: impl FnMut() -> bool) -> bool {
        if !self.is_first && self.duration.is_some_and(|duration| self.next >= duration) {
            return false;
        }
        loop {
            if stop() {
                return false;
            }
            self.moment = Instant::now();
            let elapsed = self.moment.saturating_duration_since(self.start);
            let due = self.next + self.shift;
            if elapsed >= due {
                self.is_first = false;
                let missed = missed(self.next, elapsed, self.interval);
                self.late += missed;
                self.next = following(self.next, missed, elapsed, self.interval);
                let interval = self.interval;
                self.shift = self.jitter.as_mut().map_or(Duration::ZERO, |j| j.below(interval));
                return true;
            }
            rest((due - elapsed).min(self.longest_nap), self.is_in_the_way);
        }
    }

    /// This moment, or the last of the run if that is over.
    #[must_use]
    pub(crate) fn last_moment(&self) -> Instant {
        let (now, moment) = (Instant::now(), Duration::from_nanos(1));
        let last = self.duration.and_then(|d| self.start.checked_add(d)?.checked_sub(moment));
        last.map_or(now, |last| last.min(now))
    }
}

/// Waits about so long. A thread wakes up some microseconds late, also where it has asked not
/// to ([`crate::target::live::scheduling`]), so it is woken that much earlier, and spins for what is left;
/// but not where somebody waits for this processor.
fn rest(time: Duration, is_in_the_way: bool) {
    const WAKING: Duration = Duration::from_micros(25);
    const WORTH_SLEEPING: Duration = Duration::from_micros(150);
    if is_in_the_way {
        nap(time);
    } else if time > WORTH_SLEEPING {
        nap(time - WAKING);
    } else {
        std::hint::spin_loop();
    }
}

/// How many ticks after `due` have passed by.
fn missed(due: Duration, elapsed: Duration, interval: Duration) -> u64 {
    let behind = (elapsed - due).as_nanos().checked_div(interval.as_nanos()).unwrap_or(0);
    u64::try_from(behind).unwrap_or(u64::MAX)
}

/// The tick after `due` and those that were missed.
fn following(due: Duration, missed: u64, elapsed: Duration, interval: Duration) -> Duration {
    if interval.is_zero() {
        return elapsed;
    }
    let ticks = u32::try_from(missed).unwrap_or(u32::MAX - 1).saturating_add(1);
    due.saturating_add(interval.saturating_mul(ticks))
}

/// The time that this program has spent on a processor.
#[must_use]
pub(crate) fn cpu_time() -> Duration {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID);
    now.map(Duration::from).unwrap_or_default()
}

/// The time that this thread has spent on a processor.
#[must_use]
pub(crate) fn thread_cpu_time() -> Duration {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID);
    now.map(Duration::from).unwrap_or_default()
}

/// Microseconds since the epoch.
#[must_use]
pub(crate) fn microseconds() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_missed_tick_is_left_out() {
        let next = |elapsed| {
            let missed = missed(10 * MS, elapsed, 10 * MS);
            (missed, following(10 * MS, missed, elapsed, 10 * MS))
        };
        assert_eq!(next(10 * MS), (0, 20 * MS));
        assert_eq!(next(19 * MS), (0, 20 * MS));
        assert_eq!(next(47 * MS), (3, 50 * MS));
    }

    #[test]
    fn no_time_is_one_tick() {
        let mut clock = Clock::start(10 * MS, Some(Duration::ZERO));
        assert!(clock.wait(|| false));
        assert!(!clock.wait(|| false));
    }

    #[test]
    fn a_run_has_as_many_ticks_as_fit() {
        // A clock that is late leaves ticks out, but never has more.
        let mut clock = Clock::start(MS, Some(5 * MS));
        let ticks = std::iter::from_fn(|| clock.wait(|| false).then_some(())).count();
        assert!((1..=5).contains(&ticks), "{ticks}");
    }

    #[test]
    fn a_run_ends_when_told() {
        assert!(!Clock::start(MS, None).wait(|| true));
    }

    #[test]
    fn moments_that_are_independent_have_the_gaps_of_such() {
        let mut jitter = Jitter(1);
        let gaps: Vec<Duration> = (0..10_000).map(|_| jitter.gap(MS)).collect();
        let mean = gaps.iter().sum::<Duration>() / 10_000;
        assert!((MS.mul_f64(0.95)..MS.mul_f64(1.05)).contains(&mean), "{mean:?}");
        // Of 10,000, 10,000 / e are longer than the mean.
        let longer = gaps.iter().filter(|gap| **gap > MS).count();
        assert!((3_500..3_860).contains(&longer), "{longer}");
    }

    #[test]
    fn jitter_spreads_over_the_interval() {
        let mut jitter = Jitter(1);
        let shifts: Vec<Duration> = (0..1000).map(|_| jitter.below(MS)).collect();
        assert!(shifts.iter().all(|shift| *shift < MS));
        let mean = shifts.iter().sum::<Duration>() / 1000;
        assert!((MS.mul_f64(0.45)..MS.mul_f64(0.55)).contains(&mean), "{mean:?}");
    }
}
