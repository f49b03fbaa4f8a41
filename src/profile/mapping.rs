//! What is needed to put the samples of one profile into another, on other stacks.

use super::{Detail, Event, Profile, Sample, Seen, StackId};
use crate::stack::Index;

impl Profile {
    /// Takes over what is known of `from` beside its samples: the run, its processes and
    /// threads, by the same ids.
    pub fn follow(&mut self, from: &Self) {
        self.about.clone_from(&from.about);
        self.modules.follow(&from.modules);
        self.processes.clone_from(&from.processes);
        self.threads.clone_from(&from.threads);
        self.thread_ids.clone_from(&from.thread_ids);
    }

    /// The same run, processes, frames and stacks, without threads and samples; it keeps so
    /// much of those that are to come.
    #[must_use]
    pub fn emptied(self, detail: Detail) -> Self {
        let mut nodes = self.nodes;
        nodes.iter_mut().for_each(|node| node.samples = 0);
        Self {
            about: self.about,
            frames: self.frames,
            modules: self.modules,
            detail,
            processes: self.processes,
            nodes,
            children: self.children,
            ..Self::default()
        }
    }

    /// Forgets of each sample what goes beyond so much detail.
    pub fn reduce(&mut self, detail: Detail) {
        self.detail = self.detail.min(detail);
        if self.detail < Detail::Timeline {
            self.timeline.clear();
        }
        if self.detail < Detail::Threads {
            self.by_thread.clear();
        }
    }

    /// The stacks that have been interned after the first `known`, callers first.
    pub fn stack_ids_since(&self, known: usize) -> impl Iterator<Item = StackId> + use<> {
        (known..self.nodes.len()).map(|index| StackId(Index::at(index)))
    }

    /// Counts everything that `from` has counted, each sample on the stack that `stack_of`
    /// makes of it, which is told how often it was counted. Where it makes none, the samples
    /// are left out.
    pub fn count_all(
        &mut self,
        from: &Self,
        mut stack_of: impl FnMut(&mut Self, Sample, u64) -> Option<StackId>,
    ) {
        self.idle += from.idle;
        self.failed += from.failed;
        let mut of_no_thread: Vec<u64> = from.nodes.iter().map(|node| node.samples).collect();
        let mut count = |sample: Sample, samples| {
            if let Some(stack) = stack_of(self, sample, samples) {
                self.count(Sample { stack, ..sample }, samples);
            }
        };
        for (thread, stack, state, samples) in from.stacks_by_thread() {
            of_no_thread[stack.index()] -= samples;
            count(Sample { stack, thread: Some(thread), state }, samples);
        }
        for (stack, samples) in from.stack_ids_since(0).zip(of_no_thread) {
            if samples > 0 {
                count(Sample { stack, thread: None, state: Default::default() }, samples);
            }
        }
    }

    /// Records what was seen once more.
    pub fn record_event(&mut self, Event { microseconds, seen }: Event) {
        match seen {
            Seen::Idle => self.record_idle(microseconds),
            Seen::Failed => self.record_failed(microseconds),
            Seen::Sample(sample) => self.record(microseconds, sample),
        }
    }
}
