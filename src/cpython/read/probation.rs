//! How long a code object is not trusted to stay.
//!
//! What was the same before and after a sample need not have been the same in between: a
//! program that compiles the same few texts again and again has one of them here, then
//! another, then the first again, each with the same addresses in it. So a code object is
//! compared right after each sample that names it, until it has been found the same often
//! and over some time. Where others have come and gone, that takes longer with each.

use std::time::{Duration, Instant};

/// So often it has to be found the same.
const OFTEN: u8 = 8;

/// At moments that are so far apart, if it is the first at its address.
const APART: Duration = Duration::from_micros(2500);

/// So much farther apart with each that has been there before.
const FARTHER: u32 = 4;

/// More predecessors than this make no difference.
const MOST_PREDECESSORS: u32 = 10;

/// What speaks for a code object's staying.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probation {
    times: u8,
    apart: Duration,
    next: Option<Instant>,
}

impl Probation {
    /// Of one at an address where so many others have come and gone.
    #[must_use]
    pub(crate) fn new(predecessors: u32) -> Self {
        let apart = APART * FARTHER.pow(predecessors.min(MOST_PREDECESSORS));
        Self { times: 0, apart, next: None }
    }

    /// Notes that it was found the same. Whether its probation ends with that.
    pub(crate) fn note_same(&mut self, now: Instant) -> bool {
        if self.is_over() || self.next.is_some_and(|next| now < next) {
            return false;
        }
        self.times += 1;
        self.next = now.checked_add(self.apart);
        self.is_over()
    }

    /// Whether it is trusted to stay.
    #[must_use]
    pub(crate) fn is_over(&self) -> bool {
        self.times >= OFTEN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long it takes to trust one that is compared every 100 microseconds.
    fn probation(predecessors: u32) -> Duration {
        let (mut probation, start) = (Probation::new(predecessors), Instant::now());
        let step = Duration::from_micros(100);
        let times = (0..1_000_000).take_while(|n| !probation.note_same(start + step * *n)).count();
        step * u32::try_from(times).expect("a small number")
    }

    #[test]
    fn many_comparisons_at_one_moment_are_worth_one() {
        assert_eq!(probation(0), 7 * APART);
    }

    #[test]
    fn where_others_have_been_it_takes_longer() {
        assert_eq!(probation(1), 4 * probation(0));
        assert_eq!(probation(3), 64 * probation(0));
    }
}
