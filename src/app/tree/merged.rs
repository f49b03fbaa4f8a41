//! The one profile that the recordings of several processes are read into.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::tree_stats::TreeStats;
use crate::app::options::Options;
use crate::profile::stats::{Key, Value};
use crate::profile::{Detail, Profile, RunInfo};
use crate::sampler::clock::microseconds;

/// The profile of several processes, and what their recordings say of themselves.
pub(super) struct Merged {
    /// What has been read so far.
    pub profile: Profile,
    /// The run, as far as it is known before anybody has sampled.
    own: RunInfo,
    begin: Instant,
    /// What the recordings that are over say, as if they were one.
    past: RunInfo,
    /// What each other one says by now, by the number of its sampler.
    live: HashMap<u64, RunInfo>,
}

/// The same, shared with the threads that read.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<Merged>>);

impl Merged {
    /// Nothing yet.
    pub(super) fn begin(options: &Options) -> Shared {
        Shared(Arc::new(Mutex::new(Self {
            profile: empty(options),
            own: own(options),
            begin: Instant::now(),
            past: RunInfo::default(),
            live: HashMap::new(),
        })))
    }

    /// Gives the profile away and begins the next.
    pub(super) fn begin_anew(&mut self, options: &Options) -> Profile {
        self.own = own(options);
        self.begin = Instant::now();
        self.past = RunInfo::default();
        self.live.clear();
        mem::replace(&mut self.profile, empty(options))
    }

    /// Notes what the recording of a sampler says by now.
    pub(super) fn note(&mut self, sampler: u64, about: RunInfo) {
        self.live.insert(sampler, about);
    }

    /// Notes what the recording of a sampler says at its end.
    pub(super) fn end(&mut self, sampler: u64, about: &RunInfo) {
        self.live.remove(&sampler);
        self.past = RunInfo::of_all([&self.past, about]);
    }

    /// How many samples were counted, and how many could not be.
    pub(super) fn counts(&self) -> (u64, u64) {
        let abouts = || self.live.values().chain([&self.past]);
        let sum = |key| abouts().map(|about| about.account.count(key)).sum::<u64>();
        let errors = [Key::Torn, Key::Dropped, Key::LostThreads, Key::Failed];
        (sum(Key::Samples), errors.into_iter().map(sum).sum())
    }

    /// What there is to say of the run by now.
    fn run_info(&self, stats: &TreeStats) -> RunInfo {
        let all = RunInfo::of_all(self.live.values().chain([&self.past]));
        let elapsed = self.begin.elapsed();
        let mut account = all.account;
        stats.rows().for_each(|(key, count)| account.add(key, count));
        account.put(Key::Elapsed, Value::Time(elapsed));
        RunInfo { elapsed, ticks: all.ticks, style: all.style, account, ..self.own.clone() }
    }
}

impl Shared {
    /// The profile, while nobody else reads into it.
    pub(super) fn lock(&self) -> MutexGuard<'_, Merged> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, with what there is to say of the run by now.
    pub(super) fn with_run_info(&self, stats: &TreeStats) -> MutexGuard<'_, Merged> {
        let mut merged = self.lock();
        merged.profile.about = merged.run_info(stats);
        merged
    }
}

/// A profile that tells the processes apart.
fn empty(options: &Options) -> Profile {
    Profile::new(options.format.detail.max(Detail::Threads))
}

fn own(options: &Options) -> RunInfo {
    RunInfo {
        started: microseconds(),
        interval: options.interval,
        every_thread: options.every_thread,
        tells_processes: true,
        ..RunInfo::default()
    }
}
