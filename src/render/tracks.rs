//! The timeline, thread by thread, with a length for every sample: for formats that show
//! time.
//!
//! A sample was taken at one moment and stands for the time until its process was looked at
//! again. If that took longer than two periods, nobody was looking, and it stands for one
//! period; what is left is a gap.

use std::collections::HashMap;
use std::time::Duration;

use crate::profile::{Event, Process, ProcessId, Profile, Seen, ThreadId};

/// A longer time between two samples, in periods, is a gap.
const LONGEST: u64 = 2;

/// The timeline of a profile, sorted into tracks.
pub(super) struct Tracks<'a> {
    profile: &'a Profile,
    /// When time 0 was, in microseconds since the epoch.
    origin: u64,
    /// How long each event of the timeline lasted, in microseconds.
    lengths: Vec<u32>,
    tracks: Vec<Track>,
}

/// What was seen of one thread.
pub(super) struct Track {
    /// The thread; `None` for what belongs to none, such as idle moments.
    pub thread: Option<ThreadId>,
    /// Positions in the timeline.
    events: Vec<u32>,
}

/// Something that was seen, and how long it lasted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// Microseconds since the run began.
    pub start: u64,
    /// Microseconds.
    pub length: u64,
    /// What was seen.
    pub seen: Seen,
}

impl Moment {
    /// When it was over, in microseconds since the run began.
    pub(super) fn end(self) -> u64 {
        self.start + self.length
    }
}

impl<'a> Tracks<'a> {
    /// Sorts the timeline of `profile`, whose events must be in the order of their times.
    pub(super) fn of(profile: &'a Profile) -> Self {
        let first = profile.timeline().first().map(|event| event.microseconds);
        let origin = first.map_or(profile.about.started, |first| first.min(profile.about.started));
        Self { profile, origin, lengths: lengths(profile), tracks: tracks(profile) }
    }

    /// The profile that they are of.
    pub(super) fn profile(&self) -> &'a Profile {
        self.profile
    }

    /// When time 0 is, in microseconds since the epoch.
    pub(super) fn origin(&self) -> u64 {
        self.origin
    }

    /// The tracks: what belongs to no thread first, then the threads in the order of first
    /// sight. None is empty.
    pub(super) fn all(&self) -> &[Track] {
        &self.tracks
    }

    /// The process of a track, if it has one.
    pub(super) fn process(&self, track: &Track) -> Option<(ProcessId, &'a Process)> {
        let id = self.profile.thread(track.thread?).process;
        Some((id, self.profile.process(id)))
    }

    /// What was seen in a track, in order; no two overlap.
    pub(super) fn moments<'b>(&'b self, track: &'b Track) -> impl Iterator<Item = Moment> + 'b {
        track.events.iter().enumerate().map(|(position, event)| {
            let moment = self.moment(*event as usize);
            let next = track.events.get(position + 1).map(|next| self.moment(*next as usize).start);
            let room = next.map_or(u64::MAX, |next| next.saturating_sub(moment.start));
            Moment { length: moment.length.min(room), ..moment }
        })
    }

    /// When the last moment of a track was over, in microseconds since the run began.
    pub(super) fn end(&self, track: &Track) -> u64 {
        track.events.last().map_or(0, |last| self.moment(*last as usize).end())
    }

    /// Whether the samples of two threads ever overlap.
    pub(super) fn overlap(&self) -> bool {
        self.in_order().zip(self.in_order().skip(1)).any(|(one, next)| next.start < one.end())
    }

    /// Everything that was seen, in the order of time.
    pub(super) fn in_order(&self) -> impl Iterator<Item = Moment> + '_ {
        (0..self.lengths.len()).map(|event| self.moment(event))
    }

    fn moment(&self, event: usize) -> Moment {
        let Event { microseconds, seen } = self.profile.timeline()[event];
        let start = microseconds.saturating_sub(self.origin);
        Moment { start, length: self.lengths[event].into(), seen }
    }
}

/// A time in which one thing was seen, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Microseconds since the run began.
    pub start: u64,
    /// Microseconds.
    pub length: u64,
    /// What was seen; `None` in a gap.
    pub seen: Option<Seen>,
}

/// Moments that do not overlap, and the gaps before and between them.
pub(super) fn with_gaps(moments: impl Iterator<Item = Moment>) -> impl Iterator<Item = Stretch> {
    let mut clock = 0;
    moments.flat_map(move |Moment { start, length, seen }| {
        let gap = start.saturating_sub(clock);
        let gap = (gap > 0).then_some(Stretch { start: clock, length: gap, seen: None });
        clock = start + length;
        gap.into_iter().chain([Stretch { start, length, seen: Some(seen) }])
    })
}

/// The thread of whose track an event is.
pub(super) fn thread(seen: Seen) -> Option<ThreadId> {
    match seen {
        Seen::Sample(sample) => sample.thread,
        Seen::Idle | Seen::Failed => None,
    }
}

fn tracks(profile: &Profile) -> Vec<Track> {
    let mut tracks: Vec<Track> = std::iter::once(None)
        .chain(profile.threads().map(|(id, _)| Some(id)))
        .map(|thread| Track { thread, events: Vec::new() })
        .collect();
    for (position, event) in (0..).zip(profile.timeline()) {
        tracks[thread(event.seen).map_or(0, |thread| thread.index() + 1)].events.push(position);
    }
    tracks.retain(|track| !track.events.is_empty());
    tracks
}

/// The last moments at which something was seen, while going back in time.
#[derive(Clone, Copy)]
struct Looks {
    at: u64,
    after: Option<u64>,
}

fn lengths(profile: &Profile) -> Vec<u32> {
    let period = microseconds(profile.about.period()).max(1);
    let several = profile.processes().nth(1).is_some();
    // Idle moments do not say whose they are: among several processes they end no sample.
    let owner = |event: &Event| {
        let thread = thread(event.seen).filter(|_| several);
        thread.map(|thread| profile.thread(thread).process)
    };
    let mut looks: HashMap<Option<ProcessId>, Looks> = HashMap::new();
    let mut lengths = vec![0; profile.timeline().len()];
    for (length, event) in lengths.iter_mut().zip(profile.timeline()).rev() {
        let at = event.microseconds;
        let seen = looks.entry(owner(event)).or_insert(Looks { at, after: None });
        if at < seen.at {
            *seen = Looks { at, after: Some(seen.at) };
        }
        let until_next = seen.after.map(|after| after - at);
        let lasted = until_next.filter(|time| *time <= LONGEST * period).unwrap_or(period);
        *length = u32::try_from(lasted).unwrap_or(u32::MAX);
    }
    lengths
}

/// Whole microseconds.
pub(super) fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Detail, RunInfo, Sample, State, Step};
    use crate::stack::Frame;

    /// A profile with a period of 10 ms and samples at these milliseconds, each of a
    /// process and a thread.
    fn profile(processes: usize, samples: &[(u64, usize, u64)]) -> Profile {
        let mut profile = Profile::new(Detail::Timeline);
        profile.about = RunInfo { interval: Duration::from_millis(10), ..RunInfo::default() };
        let processes: Vec<_> =
            (0..processes).map(|_| profile.add_process(Process::default())).collect();
        let frame = Frame::python("a.py", "f", 1);
        let frame = profile.frames.intern(frame);
        let stack = profile.child(None, Step::Frame(frame));
        for (time, process, thread) in samples {
            let thread = Some(profile.intern_thread(processes[*process], *thread));
            profile.record(time * 1000, Sample { stack, thread, state: State::default() });
        }
        profile
    }

    /// Starts and lengths of every track, in milliseconds.
    fn times(profile: &Profile) -> Vec<Vec<(u64, u64)>> {
        let tracks = Tracks::of(profile);
        let times =
            |track| tracks.moments(track).map(|m| (m.start / 1000, m.length / 1000)).collect();
        tracks.all().iter().map(times).collect()
    }

    #[test]
    fn a_sample_lasts_until_its_process_is_looked_at_again() {
        let profile = profile(1, &[(10, 0, 7), (10, 0, 8), (22, 0, 8), (30, 0, 7)]);
        assert_eq!(times(&profile), [vec![(10, 12), (30, 10)], vec![(10, 12), (22, 8)]]);
        assert!(Tracks::of(&profile).overlap());
    }

    #[test]
    fn what_was_not_looked_at_is_a_gap() {
        let profile = profile(1, &[(10, 0, 7), (20, 0, 7), (90, 0, 7)]);
        assert_eq!(times(&profile), [vec![(10, 10), (20, 10), (90, 10)]]);
        assert!(!Tracks::of(&profile).overlap());
    }

    #[test]
    fn stretches_leave_no_time_out() {
        let profile = profile(1, &[(10, 0, 7), (20, 0, 7), (90, 0, 7)]);
        let tracks = Tracks::of(&profile);
        let stretches: Vec<Stretch> = with_gaps(tracks.in_order()).collect();
        assert!(stretches.windows(2).all(|pair| pair[0].start + pair[0].length == pair[1].start));
        let gaps = stretches.iter().filter(|stretch| stretch.seen.is_none());
        let gaps: Vec<u64> = gaps.map(|gap| gap.length / 1000).collect();
        assert_eq!(gaps, [10, 60]);
    }

    #[test]
    fn looks_at_one_process_do_not_end_the_samples_of_another() {
        let profile = profile(2, &[(10, 0, 7), (13, 1, 7), (20, 0, 7), (23, 1, 7)]);
        assert_eq!(times(&profile), [vec![(10, 10), (20, 10)], vec![(13, 10), (23, 10)]]);
    }

    #[test]
    fn idle_moments_have_a_lane_of_their_own() {
        let mut profile = profile(1, &[(10, 0, 7)]);
        profile.record_idle(15_000);
        assert_eq!(times(&profile), [vec![(15, 10)], vec![(10, 5)]]);
        assert_eq!(Tracks::of(&profile).all()[0].thread, None);
    }

    #[test]
    fn two_samples_of_one_thread_at_one_moment_do_not_overlap() {
        let profile = profile(1, &[(10, 0, 7), (10, 0, 7)]);
        assert_eq!(times(&profile), [vec![(10, 0), (10, 10)]]);
    }
}
