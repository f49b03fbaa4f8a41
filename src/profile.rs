//! What has been sampled: a tree of stacks with counts, and the order of events
//! where a format needs it.

use std::collections::{HashMap, HashSet};

use rustc_hash::FxBuildHasher;

use crate::stack::{FrameId, FrameTable};

/// The samples of one run.
#[derive(Debug, Default)]
pub struct Profile {
    /// Every frame that was seen.
    pub frames: FrameTable,
    nodes: Vec<Node>,
    children: HashMap<(Option<StackId>, Step), StackId, FxBuildHasher>,
    timeline: Option<Vec<Event>>,
    idle: u64,
    failed: u64,
}

/// A stack that has been interned in a [`Profile`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StackId(u32);

/// One step of a stack, from its root inwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// A frame.
    Frame(FrameId),
    /// The place of outer frames that were not read, because the stack was too deep.
    Truncated,
}

#[derive(Debug)]
struct Node {
    caller: Option<StackId>,
    step: Step,
    samples: u64,
}

/// What was seen at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A thread, on this stack.
    Stack(StackId),
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
    /// A profile that keeps the order of events as well as their counts.
    #[must_use]
    pub fn with_timeline() -> Self {
        Self { timeline: Some(Vec::new()), ..Self::default() }
    }

    /// Counts one sample of a stack that was interned with [`Profile::child`].
    pub fn record_id(&mut self, microseconds: u64, stack: StackId) {
        self.nodes[stack.0 as usize].samples += 1;
        self.note(microseconds, Seen::Stack(stack));
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
        (0..)
            .zip(&self.nodes)
            .filter(|(_, node)| node.samples > 0)
            .map(|(index, node)| (StackId(index), node.samples))
    }

    /// Puts the events into the order of their times: samples that wait for their
    /// proof are counted later than others.
    pub fn sort_timeline(&mut self) {
        if let Some(timeline) = &mut self.timeline {
            timeline.sort_by_key(|event| event.microseconds);
        }
    }

    /// Everything in the order it was seen; empty unless asked for.
    #[must_use]
    pub fn timeline(&self) -> &[Event] {
        self.timeline.as_deref().unwrap_or_default()
    }

    /// The steps of a stack, root first, into `steps`.
    pub fn steps(&self, stack: StackId, steps: &mut Vec<Step>) {
        steps.clear();
        let mut next = Some(stack);
        while let Some(id) = next {
            let node = &self.nodes[id.0 as usize];
            steps.push(node.step);
            next = node.caller;
        }
        steps.reverse();
    }

    /// Whether one of `frames` is part of a stack.
    #[must_use]
    pub fn names_any(&self, stack: StackId, frames: &HashSet<FrameId>) -> bool {
        let mut next = self.nodes.get(stack.0 as usize);
        while let Some(node) = next {
            if matches!(node.step, Step::Frame(frame) if frames.contains(&frame)) {
                return true;
            }
            next = node.caller.and_then(|caller| self.nodes.get(caller.0 as usize));
        }
        false
    }

    /// The innermost frame of a stack.
    #[must_use]
    pub fn leaf(&self, stack: StackId) -> Option<FrameId> {
        match self.nodes.get(stack.0 as usize)?.step {
            Step::Frame(frame) => Some(frame),
            Step::Truncated => None,
        }
    }

    fn note(&mut self, microseconds: u64, seen: Seen) {
        if let Some(timeline) = &mut self.timeline {
            timeline.push(Event { microseconds, seen });
        }
    }

    /// The stack that is one step deeper than `caller`; `None` is the empty one.
    pub fn child(&mut self, caller: Option<StackId>, step: Step) -> StackId {
        let next = StackId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        let id = *self.children.entry((caller, step)).or_insert(next);
        if id == next {
            self.nodes.push(Node { caller, step, samples: 0 });
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::Frame;

    /// A step into `function`.
    fn step(profile: &mut Profile, function: &str) -> Step {
        let frame = Frame { file: "a.py".into(), function: function.into(), line: 1 };
        Step::Frame(profile.frames.intern(frame))
    }

    #[test]
    fn equal_stacks_share_a_count() {
        let mut profile = Profile::default();
        let mut sample = |functions: &[&str]| {
            let mut stack = None;
            for function in functions {
                let step = step(&mut profile, function);
                stack = Some(profile.child(stack, step));
            }
            profile.record_id(0, stack.expect("a stack has a frame"));
        };
        sample(&["main", "leaf"]);
        sample(&["main"]);
        sample(&["main", "leaf"]);
        let counts: Vec<u64> = profile.stacks().map(|(_, samples)| samples).collect();
        assert_eq!(counts, [1, 2]);
        assert!(profile.timeline().is_empty());
    }

    #[test]
    fn idle_moments_are_counted_and_kept_in_order() {
        let mut profile = Profile::with_timeline();
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
        profile.record_id(0, stack);
        let (id, _) = profile.stacks().next().expect("one stack was recorded");
        let mut steps = Vec::new();
        profile.steps(id, &mut steps);
        assert_eq!(steps.first(), Some(&Step::Truncated));
        assert_eq!(steps.len(), 2);
    }
}
