//! What has been sampled: a tree of stacks with counts, and as much of threads and of
//! the order of events as a format needs.

pub(crate) mod filter;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
pub(crate) mod links;
mod mapping;
mod modules;
mod native_torn;
pub(crate) mod places;
pub mod recording;
mod run_info;
mod save_error;
pub(crate) mod snapshot;
mod source;
pub mod stats;
mod torn;

use std::collections::{HashMap, HashSet};

use rustc_hash::FxBuildHasher;

pub use self::modules::{Module, Modules};
pub use self::native_torn::NativeTorn;
pub use self::run_info::{
    Detail, LONGEST_SEARCH_PATH, Process, ProcessId, RunInfo, State, Thread, ThreadId,
};
pub use self::save_error::SaveError;
pub use self::source::Source;
pub use self::torn::TornReason;
use crate::stack::{FrameId, FrameTable, Index};

/// The samples of one run.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// The run.
    pub about: RunInfo,
    /// Every frame that was seen.
    pub frames: FrameTable,
    /// What is known of the libraries that native frames are of.
    pub modules: Modules,
    detail: Detail,
    processes: Vec<Process>,
    threads: Vec<Thread>,
    thread_ids: HashMap<(ProcessId, u64), ThreadId, FxBuildHasher>,
    nodes: Vec<Node>,
    children: HashMap<(Option<StackId>, Step), StackId, FxBuildHasher>,
    by_thread: HashMap<(StackId, ThreadId, State), u64, FxBuildHasher>,
    timeline: Vec<Event>,
    idle: u64,
    failed: u64,
}

/// A stack that has been interned in a [`Profile`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StackId(Index);

impl StackId {
    /// Its position among those of its profile, in the order they were interned.
    #[must_use]
    pub fn index(self) -> usize {
        self.0.index()
    }
}

/// One step of a stack, from its root inwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// A frame.
    Frame(FrameId),
    /// The place of outer frames that were not read, because the stack was too deep.
    Truncated,
}

/// There can be millions: each takes 16 bytes, and its place among the children 12.
#[derive(Clone, Debug)]
struct Node {
    caller: Option<StackId>,
    step: Step,
    samples: u64,
}

/// One thread at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Its stack.
    pub stack: StackId,
    /// The thread; `None` in a profile that does not keep threads.
    pub thread: Option<ThreadId>,
    /// What the thread was doing.
    pub state: State,
}

/// What was seen at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A thread on a stack.
    Sample(Sample),
    /// Nobody ran Python code.
    Idle,
    /// The process could not be read consistently.
    Failed,
}

/// What was seen, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Microseconds since the epoch.
    pub microseconds: u64,
    /// What was seen.
    pub seen: Seen,
}

impl Profile {
    /// An empty profile that keeps so much of each sample.
    #[must_use]
    pub fn new(detail: Detail) -> Self {
        Self { detail, ..Self::default() }
    }

    /// How much is kept of each sample.
    #[must_use]
    pub fn detail(&self) -> Detail {
        self.detail
    }

    /// Whether samples tell their threads.
    #[must_use]
    pub fn keeps_threads(&self) -> bool {
        self.detail >= Detail::Threads
    }

    /// Adds a process.
    pub fn add_process(&mut self, process: Process) -> ProcessId {
        self.processes.push(process);
        ProcessId(index(self.processes.len() - 1))
    }

    /// Every process, in the order they were added.
    pub fn processes(&self) -> impl Iterator<Item = (ProcessId, &Process)> {
        (0..).map(ProcessId).zip(&self.processes)
    }

    /// Whether stacks have to tell whose they are: there are several processes, or could
    /// have been.
    #[must_use]
    pub fn tells_processes(&self) -> bool {
        self.about.tells_processes || self.processes.len() > 1
    }

    /// Whether all processes are free-threaded: then no GIL is spoken of.
    #[must_use]
    pub fn is_free_threaded(&self) -> bool {
        !self.processes.is_empty() && self.processes.iter().all(Process::is_free_threaded)
    }

    /// One process.
    ///
    /// # Panics
    /// If `id` comes from another profile.
    #[must_use]
    pub fn process(&self, id: ProcessId) -> &Process {
        &self.processes[id.0 as usize]
    }

    /// The same, to add what has become known of it.
    ///
    /// # Panics
    /// If `id` comes from another profile.
    pub fn process_mut(&mut self, id: ProcessId) -> &mut Process {
        &mut self.processes[id.0 as usize]
    }

    /// The thread of `process` that calls itself `id`, a new one if it has not been seen.
    pub fn intern_thread(&mut self, process: ProcessId, id: u64) -> ThreadId {
        let next = ThreadId(index(self.threads.len()));
        let thread = *self.thread_ids.entry((process, id)).or_insert(next);
        if thread == next {
            self.threads.push(Thread { process, id, native_id: None, name: None });
        }
        thread
    }

    /// The thread of `process` that calls itself `id`, if it has been seen.
    #[must_use]
    pub fn known_thread(&self, process: ProcessId, id: u64) -> Option<ThreadId> {
        self.thread_ids.get(&(process, id)).copied()
    }

    /// How many threads have been seen.
    #[must_use]
    pub fn thread_count(&self) -> usize {
        self.threads.len()
    }

    /// Every thread, in the order of first sight.
    pub fn threads(&self) -> impl Iterator<Item = (ThreadId, &Thread)> {
        (0..).map(ThreadId).zip(&self.threads)
    }

    /// One thread.
    ///
    /// # Panics
    /// If `id` comes from another profile.
    #[must_use]
    pub fn thread(&self, id: ThreadId) -> &Thread {
        &self.threads[id.0 as usize]
    }

    /// The same, to add what has become known of it.
    ///
    /// # Panics
    /// If `id` comes from another profile.
    pub fn thread_mut(&mut self, id: ThreadId) -> &mut Thread {
        &mut self.threads[id.0 as usize]
    }

    /// Counts one sample, whose stack was interned with [`Profile::child`].
    pub fn record(&mut self, microseconds: u64, sample: Sample) {
        self.count(sample, 1);
        self.note(microseconds, Seen::Sample(sample));
    }

    /// Counts a sample at each of these moments, in microseconds since the epoch.
    pub(crate) fn record_at(
        &mut self,
        moments: impl ExactSizeIterator<Item = u64>,
        sample: Sample,
    ) {
        self.count(sample, moments.len() as u64);
        if self.detail >= Detail::Timeline {
            moments.for_each(|moment| self.note(moment, Seen::Sample(sample)));
        }
    }

    /// Counts so many equal samples whose times are not known.
    pub fn count(&mut self, sample: Sample, samples: u64) {
        let count = &mut self.nodes[sample.stack.index()].samples;
        *count = count.saturating_add(samples);
        if let (true, Some(thread)) = (self.keeps_threads(), sample.thread) {
            let count = self.by_thread.entry((sample.stack, thread, sample.state)).or_default();
            *count = count.saturating_add(samples);
        }
    }

    /// Every sample, and how often it was counted, as [`Profile::count`] takes them.
    pub(crate) fn counts(&self) -> Vec<(Sample, u64)> {
        let of_threads = self.stacks_by_thread();
        let mut of_none: Vec<u64> = self.nodes.iter().map(|node| node.samples).collect();
        let mut counts = Vec::new();
        for (thread, stack, state, samples) in of_threads {
            let rest = &mut of_none[stack.index()];
            *rest = rest.saturating_sub(samples);
            counts.push((Sample { stack, thread: Some(thread), state }, samples));
        }
        for (index, samples) in of_none.into_iter().enumerate().filter(|(_, rest)| *rest > 0) {
            let stack = StackId(Index::at(index));
            counts.push((Sample { stack, thread: None, state: State::default() }, samples));
        }
        counts
    }

    /// Counts so many moments at which nobody ran Python code.
    pub(crate) fn count_idle(&mut self, moments: u64) {
        self.idle = self.idle.saturating_add(moments);
    }

    /// Counts so many moments at which the process could not be read.
    pub(crate) fn count_failed(&mut self, moments: u64) {
        self.failed = self.failed.saturating_add(moments);
    }

    /// Counts one moment at which nobody ran Python code.
    pub fn record_idle(&mut self, microseconds: u64) {
        self.idle += 1;
        self.note(microseconds, Seen::Idle);
    }

    /// Counts one moment at which the process could not be read.
    pub fn record_failed(&mut self, microseconds: u64) {
        self.failed += 1;
        self.note(microseconds, Seen::Failed);
    }

    /// How often nobody ran Python code.
    #[must_use]
    pub fn idle(&self) -> u64 {
        self.idle
    }

    /// How often the process could not be read.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed
    }

    /// Every stack that was sampled and how often, in the order of first sight.
    pub fn stacks(&self) -> impl Iterator<Item = (StackId, u64)> {
        let sampled = self.nodes.iter().enumerate().filter(|(_, node)| node.samples > 0);
        sampled.map(|(index, node)| (StackId(Index::at(index)), node.samples))
    }

    /// Every stack of every thread in every state, and how often, ordered by thread; empty
    /// unless threads are kept.
    #[must_use]
    pub fn stacks_by_thread(&self) -> Vec<(ThreadId, StackId, State, u64)> {
        let counts = self.by_thread.iter();
        let mut all: Vec<_> = counts
            .map(|((stack, thread, state), samples)| (*thread, *stack, *state, *samples))
            .collect();
        all.sort_unstable();
        all
    }

    /// Puts the events into the order of their times: samples that wait for their
    /// proof are counted later than others.
    pub fn sort_timeline(&mut self) {
        self.timeline.sort_by_key(|event| event.microseconds);
    }

    /// Everything in the order it was seen; empty unless asked for.
    #[must_use]
    pub fn timeline(&self) -> &[Event] {
        &self.timeline
    }

    /// Takes the events out, in the order of their times: what has been written down need
    /// not be kept. The counts stay.
    pub fn take_timeline(&mut self) -> Vec<Event> {
        self.sort_timeline();
        std::mem::take(&mut self.timeline)
    }

    /// The stacks that have been interned after the first `known`, whether they were sampled
    /// or are part of others: what each was called from, and its innermost step. A caller
    /// comes before those that it calls.
    pub fn stacks_since(
        &self,
        known: usize,
    ) -> impl Iterator<Item = (Option<StackId>, Step)> + use<'_> {
        let nodes = self.nodes.get(known..).unwrap_or_default();
        nodes.iter().map(|node| (node.caller, node.step))
    }

    /// The steps of a stack, root first, into `steps`.
    pub fn steps(&self, stack: StackId, steps: &mut Vec<Step>) {
        steps.clear();
        let mut next = Some(stack);
        while let Some(id) = next {
            let node = &self.nodes[id.index()];
            steps.push(node.step);
            next = node.caller;
        }
        steps.reverse();
    }

    /// The stack that a stack was called from; `None` for a root.
    #[must_use]
    pub fn caller(&self, stack: StackId) -> Option<StackId> {
        self.nodes[stack.index()].caller
    }

    /// The innermost step of a stack.
    #[must_use]
    pub fn step(&self, stack: StackId) -> Step {
        self.nodes[stack.index()].step
    }

    /// Whether one of `frames` is part of a stack.
    #[must_use]
    pub fn names_any(&self, stack: StackId, frames: &HashSet<FrameId>) -> bool {
        let mut next = self.nodes.get(stack.index());
        while let Some(node) = next {
            if matches!(node.step, Step::Frame(frame) if frames.contains(&frame)) {
                return true;
            }
            next = node.caller.and_then(|caller| self.nodes.get(caller.index()));
        }
        false
    }

    /// The innermost frame of a stack.
    #[must_use]
    pub fn leaf(&self, stack: StackId) -> Option<FrameId> {
        match self.nodes.get(stack.index())?.step {
            Step::Frame(frame) => Some(frame),
            Step::Truncated => None,
        }
    }

    fn note(&mut self, microseconds: u64, seen: Seen) {
        if self.detail >= Detail::Timeline {
            self.timeline.push(Event { microseconds, seen });
        }
    }

    /// Interns a stack of another profile, whose `steps` these are, root first. `None` if
    /// there are none.
    pub fn copy_stack(&mut self, from: &Self, steps: &[Step]) -> Option<StackId> {
        steps.iter().fold(None, |caller, step| {
            let step = match step {
                Step::Truncated => Step::Truncated,
                Step::Frame(frame) => {
                    Step::Frame(self.frames.intern(from.frames.frame(*frame).clone()))
                }
            };
            Some(self.child(caller, step))
        })
    }

    /// The stack that is one step deeper than `caller`; `None` is the empty one.
    pub fn child(&mut self, caller: Option<StackId>, step: Step) -> StackId {
        let next = StackId(Index::at(self.nodes.len()));
        let id = *self.children.entry((caller, step)).or_insert(next);
        if id == next {
            self.nodes.push(Node { caller, step, samples: 0 });
        }
        id
    }
}

/// A position as it is stored.
fn index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::Frame;

    /// A step into `function`.
    fn step(profile: &mut Profile, function: &str) -> Step {
        let frame = Frame::python("a.py", function, 1);
        Step::Frame(profile.frames.intern(frame))
    }

    /// A sample whose thread is not kept.
    fn sample(stack: StackId) -> Sample {
        Sample { stack, thread: None, state: State::default() }
    }

    #[test]
    fn a_stack_takes_no_more_memory_than_it_must() {
        assert_eq!(size_of::<Node>(), 16);
        assert_eq!(size_of::<((Option<StackId>, Step), StackId)>(), 12);
    }

    #[test]
    fn equal_stacks_share_a_count() {
        let mut profile = Profile::default();
        let mut see = |functions: &[&str]| {
            let mut stack = None;
            for function in functions {
                let step = step(&mut profile, function);
                stack = Some(profile.child(stack, step));
            }
            profile.record(0, sample(stack.expect("a stack has a frame")));
        };
        see(&["main", "leaf"]);
        see(&["main"]);
        see(&["main", "leaf"]);
        let counts: Vec<u64> = profile.stacks().map(|(_, samples)| samples).collect();
        assert_eq!(counts, [1, 2]);
        assert!(profile.timeline().is_empty());
    }

    #[test]
    fn idle_moments_are_counted_and_kept_in_order() {
        let mut profile = Profile::new(Detail::Timeline);
        profile.record_idle(7);
        assert_eq!(profile.idle(), 1);
        assert_eq!(profile.timeline(), [Event { microseconds: 7, seen: Seen::Idle }]);
    }

    #[test]
    fn a_truncated_stack_says_so_at_its_root() {
        let mut profile = Profile::default();
        let cut = profile.child(None, Step::Truncated);
        let leaf = step(&mut profile, "leaf");
        let stack = profile.child(Some(cut), leaf);
        profile.record(0, sample(stack));
        let (id, _) = profile.stacks().next().expect("one stack was recorded");
        let mut steps = Vec::new();
        profile.steps(id, &mut steps);
        assert_eq!(steps.first(), Some(&Step::Truncated));
        assert_eq!(steps.len(), 2);
    }

    #[test]
    fn threads_of_several_processes_have_counts_of_their_own() {
        let mut profile = Profile::new(Detail::Threads);
        let processes =
            [1, 2].map(|pid| profile.add_process(Process { pid, ..Process::default() }));
        let leaf = step(&mut profile, "leaf");
        let stack = profile.child(None, leaf);
        let threads = processes.map(|process| profile.intern_thread(process, 7));
        assert_eq!(profile.intern_thread(processes[0], 7), threads[0]);
        for thread in [threads[0], threads[1], threads[0]] {
            profile.record(0, Sample { thread: Some(thread), ..sample(stack) });
        }
        let counts: Vec<_> = profile
            .stacks_by_thread()
            .iter()
            .map(|(thread, .., samples)| (*thread, *samples))
            .collect();
        assert_eq!(counts, [(threads[0], 2), (threads[1], 1)]);
        assert_eq!(profile.process(profile.thread(threads[1]).process).pid, 2);
        assert!(profile.timeline().is_empty());
    }
}
