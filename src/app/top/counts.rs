//! What has been sampled: lately, and since the beginning.

use std::collections::{HashMap, VecDeque};

use rustc_hash::FxBuildHasher;

use crate::profile::{Event, Sample, Seen, StackId, State, ThreadId};

/// What "lately" means, in microseconds.
const LATELY: u64 = 5_000_000;

/// The most events that are kept of it: with very many threads it is shorter.
const MOST_EVENTS: usize = 500_000;

/// Counts of one span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moments {
    /// Moments at which threads were looked at.
    pub all: u64,
    /// At which one held the GIL.
    pub held: u64,
}

/// A thread, as it was lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Activity {
    /// The thread.
    pub thread: ThreadId,
    /// Moments at which it had a stack.
    pub seen: u64,
    /// At which it held the GIL.
    pub held: u64,
    /// Its last stack.
    pub stack: StackId,
    /// What it was doing then.
    pub state: State,
}

/// Samples, counted.
#[derive(Debug, Default)]
pub(super) struct Counts {
    lately: VecDeque<Event>,
    stacks: HashMap<(StackId, bool), u64, FxBuildHasher>,
    moments: Moments,
    /// The time of the last event, and of the last at which a GIL was held.
    last: Option<u64>,
    last_held: Option<u64>,
    samples: u64,
}

impl Counts {
    /// Adds events, ordered by time.
    pub(super) fn add(&mut self, events: &[Event]) {
        for event in events {
            count(event, &mut self.last, &mut self.last_held, &mut self.moments);
            if let Seen::Sample(Sample { stack, state, .. }) = event.seen {
                *self.stacks.entry((stack, state.holds_gil)).or_default() += 1;
                self.samples += 1;
            }
            self.lately.push_back(*event);
        }
        let newest = self.lately.back().map_or(0, |event| event.microseconds);
        while self.lately.len() > MOST_EVENTS
            || self.lately.front().is_some_and(|event| event.microseconds + LATELY < newest)
        {
            self.lately.pop_front();
        }
    }

    /// Forgets everything.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Samples since the beginning.
    pub(super) fn whole_samples(&self) -> u64 {
        self.samples
    }

    /// The moments of the recent time, or since the beginning.
    pub(super) fn moments(&self, recent: bool) -> Moments {
        if !recent {
            return self.moments;
        }
        let mut moments = Moments::default();
        let (mut last, mut last_held) = (None, None);
        for event in &self.lately {
            count(event, &mut last, &mut last_held, &mut moments);
        }
        moments
    }

    /// Moments in one second, lately.
    pub(super) fn rate(&self) -> f64 {
        let (Some(first), Some(last)) = (self.lately.front(), self.lately.back()) else {
            return 0.0;
        };
        let seconds = last.microseconds.saturating_sub(first.microseconds) as f64 / 1e6;
        if seconds > 0.0 { (self.moments(true).all - 1) as f64 / seconds } else { 0.0 }
    }

    /// Stacks and how often they were seen: of all threads, or of those that held the GIL.
    pub(super) fn stacks(&self, recent: bool, only_gil: bool) -> Vec<(StackId, u64)> {
        let mut counts: HashMap<StackId, u64, FxBuildHasher> = HashMap::default();
        if recent {
            for event in &self.lately {
                if let Seen::Sample(Sample { stack, state, .. }) = event.seen {
                    if state.holds_gil || !only_gil {
                        *counts.entry(stack).or_default() += 1;
                    }
                }
            }
        } else {
            for ((stack, held), count) in &self.stacks {
                if *held || !only_gil {
                    *counts.entry(*stack).or_default() += count;
                }
            }
        }
        let mut all: Vec<_> = counts.into_iter().collect();
        all.sort_unstable();
        all
    }

    /// The threads of the recent time, the busiest first.
    pub(super) fn threads(&self) -> Vec<Activity> {
        let mut threads: HashMap<ThreadId, Activity, FxBuildHasher> = HashMap::default();
        for event in &self.lately {
            let Seen::Sample(Sample { stack, thread: Some(thread), state }) = event.seen else {
                continue;
            };
            let activity = threads.entry(thread).or_insert(Activity {
                thread,
                seen: 0,
                held: 0,
                stack,
                state,
            });
            activity.seen += 1;
            activity.held += u64::from(state.holds_gil);
            (activity.stack, activity.state) = (stack, state);
        }
        let mut all: Vec<Activity> = threads.into_values().collect();
        all.sort_by_key(|activity| (u64::MAX - activity.held, activity.thread));
        all
    }
}

/// Counts the moment of an event, if it is a new one. All threads of one look have the
/// same time.
fn count(
    event: &Event,
    last: &mut Option<u64>,
    last_held: &mut Option<u64>,
    moments: &mut Moments,
) {
    let now = Some(event.microseconds);
    moments.all += u64::from(*last != now);
    *last = now;
    if matches!(event.seen, Seen::Sample(sample) if sample.state.holds_gil) {
        moments.held += u64::from(*last_held != now);
        *last_held = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Detail, Process, Profile, Step};

    /// A stack and two threads to sample.
    fn scene() -> (StackId, [ThreadId; 2]) {
        let mut profile = Profile::new(Detail::Timeline);
        let process = profile.add_process(Process::default());
        let stack = profile.child(None, Step::Truncated);
        (stack, [1, 2].map(|id| profile.intern_thread(process, id)))
    }

    fn sample(time: u64, stack: StackId, thread: ThreadId, holds_gil: bool) -> Event {
        let state = State { holds_gil, ..State::default() };
        let sample = Sample { stack, thread: Some(thread), state };
        Event { microseconds: time, seen: Seen::Sample(sample) }
    }

    #[test]
    fn threads_of_one_look_are_one_moment() {
        let (stack, [one, two]) = scene();
        let mut counts = Counts::default();
        counts.add(&[
            sample(10, stack, one, true),
            sample(10, stack, two, false),
            sample(20, stack, one, false),
            Event { microseconds: 30, seen: Seen::Idle },
        ]);
        for recent in [true, false] {
            assert_eq!(counts.moments(recent), Moments { all: 3, held: 1 });
            assert_eq!(counts.stacks(recent, true), [(stack, 1)]);
            assert_eq!(counts.stacks(recent, false), [(stack, 3)]);
        }
        let threads: Vec<_> = counts.threads().iter().map(|t| (t.seen, t.held)).collect();
        assert_eq!(threads, [(2, 1), (1, 0)]);
        assert!((counts.rate() - 100_000.0).abs() < 1.0);
    }

    #[test]
    fn what_is_long_ago_counts_only_in_the_whole() {
        let (stack, [one, _]) = scene();
        let mut counts = Counts::default();
        counts.add(&[sample(1, stack, one, true)]);
        counts.add(&[sample(LATELY + 2, stack, one, true)]);
        assert_eq!(counts.stacks(true, true), [(stack, 1)]);
        assert_eq!(counts.stacks(false, true), [(stack, 2)]);
        assert_eq!(counts.whole_samples(), 2);
        counts.reset();
        assert!(counts.stacks(false, false).is_empty() && counts.rate() == 0.0);
    }
}
