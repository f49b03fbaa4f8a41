//! How many ticks of the wall clock are left for looks.
//!
//! Of the time in which a GIL is held, the part on a processor is sampled by the timers of
//! the threads. Each of their samples stands for a tick of the wall clock, so what is left
//! are the ticks at which nobody held the GIL, or its holder was not on a processor: asleep,
//! or waiting for one. A look that finds such a state takes all ticks that are left. Over
//! time each state gets as many as it lasted, because looks are at moments that are independent
//! of each other and of the program. That this program takes the processor away from a thread
//! to look at it changes nothing: there are no ticks to give then. How far they are apart
//! follows what the program does over many seconds only ([`LeftShare`]): if they were rarer
//! while it seldom sleeps, ticks that are left of that time would go to what it sleeps in later.

use std::time::Duration;

/// What is as long ago as this counts half for how many ticks are left for looks, if that are
/// some ticks.
const MEMORY: Duration = Duration::from_secs(10);
const FEW: u64 = 100;

/// The ticks of one GIL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lane {
    /// Ticks of the wall clock that have not been given to anybody; below 0, timers are ahead.
    left: i64,
    /// How many interrupts had met its holder by the last look.
    interrupts: u64,
}

impl Lane {
    /// One that begins now, after so many interrupts.
    pub(super) fn new(interrupts: u64) -> Self {
        Self { left: 0, interrupts }
    }

    /// Adds `ticks` of the wall clock, and takes off what the timers took, who have met the
    /// holder `interrupts` times in all.
    pub(super) fn advance(&mut self, ticks: u64, interrupts: u64) {
        let taken = interrupts.saturating_sub(self.interrupts);
        self.interrupts = interrupts;
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.left = self.left.saturating_add(signed(ticks)).saturating_sub(signed(taken));
    }

    /// How many ticks are left.
    pub(super) fn left(&self) -> u64 {
        self.left.try_into().unwrap_or(0)
    }

    /// Gives all of them to what a look has found.
    pub(super) fn take(&mut self) -> u64 {
        let left = self.left();
        self.left = self.left.min(0);
        left
    }

    /// Gives up those beyond `most`: interrupts that never came. Returns how many.
    pub(super) fn give_up(&mut self, most: u64) -> u64 {
        let beyond = self.left().saturating_sub(most);
        self.left -= i64::try_from(beyond).unwrap_or(0);
        beyond
    }
}

/// What part of the ticks is left for looks, over a while.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeftShare {
    /// In ticks: what is as old as this counts for half.
    memory: u64,
    ticks: u64,
    left: u64,
}

impl LeftShare {
    /// That of a run with this time between ticks: all of them, as far as is known.
    pub(super) fn new(interval: Duration) -> Self {
        let ticks = MEMORY.as_nanos() / interval.as_nanos().max(1);
        let memory = u64::try_from(ticks).unwrap_or(u64::MAX).clamp(FEW, u64::MAX / 4);
        let first = memory / 32;
        Self { memory, ticks: first + 1, left: first + 1 }
    }

    /// Notes so many ticks, and how many looks have given to what they found. These may be of
    /// before.
    pub(super) fn note(&mut self, ticks: u64, given: u64) {
        self.ticks = self.ticks.saturating_add(ticks);
        self.left = self.left.saturating_add(given).min(self.ticks);
        if self.ticks > 2 * self.memory {
            (self.ticks, self.left) = (self.ticks / 2, self.left / 2);
        }
    }

    /// That part.
    pub(super) fn get(&self) -> f64 {
        self.left as f64 / self.ticks.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_that_is_left_follows_slowly() {
        let mut share = LeftShare::new(Duration::from_millis(10));
        assert!(share.get() == 1.0);
        (0..10).for_each(|_| share.note(10, 0));
        assert!((0.1..0.5).contains(&share.get()), "{share:?}");
        (0..1000).for_each(|_| share.note(10, 1));
        assert!((0.09..0.11).contains(&share.get()), "{share:?}");
        (0..10).for_each(|_| share.note(10, 10));
        assert!((0.1..0.25).contains(&share.get()), "{share:?}");
        let mut slow = LeftShare::new(Duration::MAX);
        slow.note(u64::MAX, 5);
        assert!(slow.get() < 0.1);
    }

    #[test]
    fn what_timers_take_is_not_left() {
        let mut lane = Lane::new(100);
        lane.advance(10, 104);
        assert_eq!(lane.left(), 6);
        assert_eq!(lane.take(), 6);
        assert_eq!(lane.take(), 0);
        // A timer that is ahead is not paid twice.
        lane.advance(4, 110);
        assert_eq!(lane.left(), 0);
        lane.advance(4, 110);
        assert_eq!(lane.take(), 2);
    }

    #[test]
    fn two_states_get_what_they_lasted_however_they_alternate() {
        // In each ten ticks on a processor for 5, asleep for 3, without the GIL for 2. At one of
        // four, whichever, there is a look.
        let (mut lane, mut interrupts, mut random, mut last) = (Lane::new(0), 0, 1_u64, 0);
        let mut given = [0; 2];
        for tick in 0..400_000_u64 {
            let phase = tick % 10;
            interrupts += u64::from(phase < 5);
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if random >> 62 == 0 {
                lane.advance(tick + 1 - last, interrupts);
                last = tick + 1;
                match phase {
                    0..5 => {}
                    5..8 => given[0] += lane.take(),
                    _ => given[1] += lane.take(),
                }
            }
        }
        assert!((118_000..122_000).contains(&given[0]), "{given:?}");
        assert!((78_000..82_000).contains(&given[1]), "{given:?}");
    }

    #[test]
    fn what_never_came_is_not_given_to_a_later_state() {
        let mut lane = Lane::new(0);
        lane.advance(1000, 0);
        assert_eq!(lane.give_up(32), 968);
        assert_eq!(lane.left(), 32);
        assert_eq!(lane.give_up(32), 0);
    }
}
