//! The same samples on other stacks.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use super::{Profile, Seen, StackId, Step};
use crate::stack::{Frame, FrameTable};

/// A step of a stack that is yet to be interned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewStep {
    /// A frame.
    Frame(Frame),
    /// A place of frames that are left out.
    Truncated,
}

impl Profile {
    /// Puts every sample on the stack that `map` makes of its own, root first; where it
    /// makes none the sample is left out. Each distinct stack is mapped once. Also returns
    /// how many samples were left out.
    #[must_use]
    pub fn map_stacks(
        self,
        mut map: impl FnMut(&FrameTable, &[Step]) -> Option<Vec<NewStep>>,
    ) -> (Self, u64) {
        let mut mapped = Self {
            about: self.about.clone(),
            detail: self.detail,
            processes: self.processes.clone(),
            threads: self.threads.clone(),
            thread_ids: self.thread_ids.clone(),
            idle: self.idle,
            failed: self.failed,
            ..Self::default()
        };
        let mut left_out = 0;
        let mut ids: HashMap<StackId, StackId, FxBuildHasher> = HashMap::default();
        let mut steps = Vec::new();
        for (stack, samples) in self.stacks() {
            self.steps(stack, &mut steps);
            match map(&self.frames, &steps).and_then(|new| mapped.intern_stack(new)) {
                Some(id) => {
                    mapped.nodes[id.0 as usize].samples += samples;
                    ids.insert(stack, id);
                }
                None => left_out += samples,
            }
        }
        for ((stack, thread, state), samples) in &self.by_thread {
            if let Some(id) = ids.get(stack) {
                *mapped.by_thread.entry((*id, *thread, *state)).or_default() += samples;
            }
        }
        for mut event in self.timeline {
            if let Seen::Sample(sample) = &mut event.seen {
                let Some(id) = ids.get(&sample.stack) else { continue };
                sample.stack = *id;
            }
            mapped.timeline.push(event);
        }
        (mapped, left_out)
    }

    fn intern_stack(&mut self, steps: Vec<NewStep>) -> Option<StackId> {
        let mut stack = None;
        for step in steps {
            let step = match step {
                NewStep::Frame(frame) => Step::Frame(self.frames.intern(frame)),
                NewStep::Truncated => Step::Truncated,
            };
            stack = Some(self.child(stack, step));
        }
        stack
    }
}
