//! Samples in bins of time, so that a report of millions of them stays small.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::profile::{Profile, Sample, Seen, State};

/// The most bins: more than a screen has columns.
const MOST_BINS: u64 = 2000;

/// When each stack of each thread was seen.
#[derive(Debug, Serialize)]
pub(super) struct Timeline {
    /// How many bins there are.
    bins: u64,
    /// How long one is, in microseconds.
    width: u64,
    /// For each thread, stack and state that occurs: thread, stack, state, the number of
    /// bins in which it does, and for each of these its distance from the one before and
    /// the number of samples.
    rows: Vec<u64>,
    /// Bins and numbers of idle samples, bins as distances.
    idle: Vec<u64>,
    /// The same of moments at which the process could not be read.
    failed: Vec<u64>,
}

/// Numbers of samples by bin, in order.
type Bins = BTreeMap<u64, u64>;

impl Timeline {
    /// The timeline of `profile`, whose first events may have happened before its run
    /// is said to have begun, and the last after its end.
    #[must_use]
    pub(super) fn of(profile: &Profile) -> Self {
        let events = profile.timeline();
        let start = profile.about.started;
        let since = |microseconds: u64| microseconds.saturating_sub(start);
        let last = events.iter().map(|event| since(event.microseconds)).max().unwrap_or(0);
        let elapsed = u64::try_from(profile.about.elapsed.as_micros()).unwrap_or(u64::MAX);
        let length = elapsed.max(last.saturating_add(1));
        let width = width(length, u64::try_from(profile.about.period().as_micros()).unwrap_or(1));

        let mut rows: BTreeMap<(u64, u64, u64), Bins> = BTreeMap::new();
        let (mut idle, mut failed) = (Bins::new(), Bins::new());
        for event in events {
            let bins = match event.seen {
                Seen::Idle => &mut idle,
                Seen::Failed => &mut failed,
                Seen::Sample(sample) => rows.entry(key(sample)).or_default(),
            };
            *bins.entry(since(event.microseconds) / width).or_default() += 1;
        }
        let mut flat = Vec::new();
        for ((thread, stack, state), bins) in &rows {
            flat.extend([*thread, *stack, *state, bins.len() as u64]);
            flatten(bins, &mut flat);
        }
        let mut timeline = Self {
            bins: length.div_ceil(width),
            width,
            rows: flat,
            idle: Vec::new(),
            failed: Vec::new(),
        };
        flatten(&idle, &mut timeline.idle);
        flatten(&failed, &mut timeline.failed);
        timeline
    }
}

/// A whole number of periods, so that a steady run is even in its bins.
fn width(length: u64, period: u64) -> u64 {
    let period = period.max(1);
    length.div_ceil(MOST_BINS).div_ceil(period).saturating_mul(period).max(1)
}

/// Thread, stack and state as numbers.
fn key(sample: Sample) -> (u64, u64, u64) {
    let thread = sample.thread.map_or(0, |thread| thread.index() as u64);
    (thread, sample.stack.index() as u64, state(sample.state))
}

/// 1 for holding the GIL, and 2 for being off, 4 for being on a processor, where that
/// is known; 8 for being suspended by a stop-the-world pause.
fn state(state: State) -> u64 {
    let processor = match state.on_cpu {
        None => 0,
        Some(false) => 2,
        Some(true) => 4,
    };
    u64::from(state.holds_gil) + processor + 8 * u64::from(state.is_suspended)
}

fn flatten(bins: &Bins, into: &mut Vec<u64>) {
    let mut before = 0;
    for (bin, samples) in bins {
        into.extend([bin - before, *samples]);
        before = *bin;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::profile::{Detail, Process, RunInfo, Step};

    #[test]
    fn samples_are_counted_in_bins_of_whole_periods() {
        let mut profile = Profile::new(Detail::Timeline);
        let process = profile.add_process(Process::default());
        let thread = Some(profile.intern_thread(process, 7));
        let stack = profile.child(None, Step::Truncated);
        let held = State { holds_gil: true, ..State::default() };
        for at in [1_000_000, 1_010_000, 1_020_000] {
            profile.record(at, Sample { stack, thread, state: held });
        }
        profile.record_idle(1_030_000);
        // Before the beginning: a clock that was set back.
        profile.record_failed(900_000);
        profile.about = RunInfo {
            started: 1_000_000,
            elapsed: Duration::from_secs(60),
            interval: Duration::from_millis(10),
            ..RunInfo::default()
        };
        let timeline = Timeline::of(&profile);
        assert_eq!((timeline.bins, timeline.width), (2000, 30_000));
        assert_eq!(timeline.rows, [0, 0, 1, 1, 0, 3]);
        assert_eq!(timeline.idle, [1, 1]);
        assert_eq!(timeline.failed, [0, 1]);
    }

    #[test]
    fn a_pause_is_a_state_of_its_own() {
        let rows = Timeline::of(&crate::render::fixture::pauses()).rows;
        let states: Vec<u64> = rows.chunks(6).map(|row| row[2]).collect();
        assert_eq!(states, [1, 8, 0]);
    }

    #[test]
    fn no_samples_make_no_rows() {
        let timeline = Timeline::of(&Profile::new(Detail::Timeline));
        assert_eq!((timeline.bins, timeline.rows.len()), (1, 0));
    }

    #[test]
    fn times_that_make_no_sense_are_bounded() {
        assert_eq!(width(0, 0), 1);
        assert!(width(u64::MAX, u64::MAX) > 0);
        let mut profile = Profile::new(Detail::Timeline);
        profile.record_idle(u64::MAX);
        profile.record_idle(0);
        let timeline = Timeline::of(&profile);
        assert!(timeline.bins <= MOST_BINS);
        assert_eq!(timeline.idle.len(), 4);
    }
}
