//! Which samples of a recording are kept: those of some threads, or in some state. A
//! profiler chooses by the same before it samples.

use super::{Lacking, ThreadFilter, in_words};
use crate::profile::stats::Key;
use crate::profile::{Detail, Event, ProcessId, Profile, Sample, Seen, ThreadId};

/// What a thread has to have done to be counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    #[default]
    Any,
    /// Held a GIL.
    HeldGil,
    /// Been on a processor.
    OnCpu,
}

/// Which samples are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampleFilter {
    /// Of these threads.
    pub threads: ThreadFilter,
    /// In this state.
    pub state: State,
    /// Whether moments are left out at which there is none.
    pub exclude_idle: bool,
}

impl SampleFilter {
    /// Whether everything is kept.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }

    /// What is kept of a profile that has a timeline, in so much detail. As if no more had
    /// been sampled: a moment at which nothing is kept of a process is an idle one.
    ///
    /// # Errors
    /// [`Lacking`] if the profile does not tell what is to be chosen by.
    pub fn apply(&self, mut profile: Profile, detail: Detail) -> Result<Profile, Lacking> {
        let is_wanted = self.wanted(&profile)?;
        let is_wanted =
            |sample: &Sample| sample.thread.is_none_or(|thread| is_wanted[thread.index()]);
        let events = profile.take_timeline();
        if self.state == State::OnCpu {
            let samples = events.iter().filter_map(sample).filter(|sample| is_wanted(sample));
            let mut told = samples.map(|sample| sample.state.on_cpu.is_some()).peekable();
            if told.peek().is_some() && !told.any(|told| told) {
                return Err(Lacking::Processor);
            }
        }
        let is_kept = |sample: &Sample| {
            is_wanted(sample)
                && match self.state {
                    State::Any => true,
                    State::HeldGil => sample.state.holds_gil,
                    State::OnCpu => sample.state.on_cpu == Some(true),
                }
        };
        let threads: Vec<_> = profile.threads().map(|(_, thread)| thread.clone()).collect();
        let mut kept = profile.emptied(detail);
        kept.about.every_thread &= self.state != State::HeldGil;
        let mut left_out = 0;
        for moment in events.chunk_by(|one, next| one.microseconds == next.microseconds) {
            let mut idle = Idle::default();
            for event in moment {
                let Some(mut sample) = sample(event) else {
                    if !self.exclude_idle || event.seen == Seen::Failed {
                        kept.record_event(*event);
                    }
                    continue;
                };
                let thread = sample.thread.map(|thread| &threads[thread.index()]);
                idle.see(thread.map(|thread| thread.process), is_kept(&sample));
                if !is_kept(&sample) {
                    left_out += 1;
                    continue;
                }
                if let Some(thread) = thread {
                    let id = kept.intern_thread(thread.process, thread.id);
                    kept.thread_mut(id).clone_from(thread);
                    sample.thread = Some(id);
                }
                kept.record(event.microseconds, sample);
            }
            for _ in 0..if self.exclude_idle { 0 } else { idle.processes() } {
                kept.record_idle(moment[0].microseconds);
            }
        }
        kept.about.account.add(Key::LeftOutByThreads, left_out);
        Ok(kept)
    }

    /// Which threads are wanted, by their positions.
    fn wanted(&self, profile: &Profile) -> Result<Vec<bool>, Lacking> {
        let accepts = |id: ThreadId| {
            let thread = profile.thread(id);
            let pid = profile.process(thread.process).pid;
            self.threads.is_open()
                || self.threads.accepts(pid, thread.id, thread.native_id, thread.name.as_deref())
        };
        let wanted: Vec<bool> = profile.threads().map(|(id, _)| accepts(id)).collect();
        if self.threads.is_open() || wanted.contains(&true) {
            return Ok(wanted);
        }
        let threads = profile.threads().map(|(_, thread)| (thread.id, thread.name.as_deref()));
        Err(Lacking::Thread { threads: in_words(threads) })
    }
}

/// The processes that were seen at one moment, and whether something of each was kept.
#[derive(Default)]
struct Idle {
    seen: Vec<(Option<ProcessId>, bool)>,
}

impl Idle {
    fn see(&mut self, process: Option<ProcessId>, is_kept: bool) {
        match self.seen.iter_mut().find(|(known, _)| *known == process) {
            Some((_, kept)) => *kept |= is_kept,
            None => self.seen.push((process, is_kept)),
        }
    }

    /// How many there are of which nothing was kept.
    fn processes(&self) -> usize {
        self.seen.iter().filter(|(_, kept)| !kept).count()
    }
}

fn sample(event: &Event) -> Option<Sample> {
    match event.seen {
        Seen::Sample(sample) => Some(sample),
        Seen::Idle | Seen::Failed => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{self, Process, Step};

    /// Two moments of two threads of one process, at the second of which nobody holds the
    /// GIL, and one idle moment; `on_cpu` is what was seen of the main thread.
    fn profile(on_cpu: Option<bool>) -> Profile {
        let mut profile = Profile::new(Detail::Timeline);
        profile.about.every_thread = true;
        let process = profile.add_process(Process::new(42, "python3", "3.11.7"));
        let stack = profile.child(None, Step::Truncated);
        let [main, other] = [7, 8].map(|id| profile.intern_thread(process, id));
        profile.thread_mut(main).native_id = Some(42);
        profile.thread_mut(other).name = Some("pool-1".into());
        for (time, holds_gil) in [(10, true), (20, false)] {
            let state = profile::State { holds_gil, on_cpu, ..profile::State::default() };
            profile.record(time, Sample { stack, thread: Some(main), state });
            let state = profile::State { holds_gil: false, ..state };
            profile.record(time, Sample { stack, thread: Some(other), state });
        }
        profile.record_idle(30);
        profile
    }

    /// Samples and idle moments that are kept.
    fn kept(filter: &SampleFilter, on_cpu: Option<bool>) -> (u64, u64) {
        let kept = filter.apply(profile(on_cpu), Detail::Threads).expect("it tells everything");
        (kept.stacks().map(|(_, samples)| samples).sum(), kept.idle())
    }

    fn threads(words: &[&str], main: bool) -> ThreadFilter {
        ThreadFilter { words: words.iter().map(|word| (*word).to_owned()).collect(), main }
    }

    #[test]
    fn a_moment_without_samples_is_idle() {
        let gil = SampleFilter { state: State::HeldGil, ..Default::default() };
        assert_eq!(kept(&gil, None), (1, 2));
        let left = gil.apply(profile(None), Detail::Timeline).expect("it is told");
        assert!(!left.about.every_thread);
        assert_eq!(left.threads().count(), 1, "the others were not sampled");
        assert_eq!(left.timeline().len(), 3);
        assert_eq!(left.about.account.count(Key::LeftOutByThreads), 3);
        assert_eq!(kept(&SampleFilter { exclude_idle: true, ..gil }, None), (1, 0));
    }

    #[test]
    fn threads_are_kept_by_what_they_are_called() {
        for threads in [threads(&["pool-1"], false), threads(&["8"], false), threads(&[], true)] {
            assert_eq!(kept(&SampleFilter { threads, ..Default::default() }, None), (2, 1));
        }
        let threads = threads(&["pool-2"], false);
        let filter = SampleFilter { threads, ..Default::default() };
        let error = filter.apply(profile(None), Detail::Threads).expect_err("there is none");
        assert!(error.to_string().ends_with("but 7, \"pool-1\""), "{error}");
    }

    #[test]
    fn what_was_not_looked_at_cannot_be_chosen_by() {
        let cpu = SampleFilter { state: State::OnCpu, ..Default::default() };
        assert_eq!(kept(&cpu, Some(true)), (4, 1));
        assert_eq!(kept(&cpu, Some(false)), (0, 3));
        assert_eq!(cpu.apply(profile(None), Detail::Threads).err(), Some(Lacking::Processor));
    }
}
