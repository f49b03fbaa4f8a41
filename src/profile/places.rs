//! Functions and lines, and how much of the samples is theirs.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use super::{Profile, StackId, Step};
use crate::stack::{Frame, FrameId};

/// What samples are counted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A function, by its name and file.
    #[default]
    Function,
    /// A line of a function.
    Line,
}

/// A function or a line of one; the line is 0 where functions are counted.
pub(crate) type Place = Frame;

/// A place of [`Places`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PlaceId(u32);

/// The places of a profile, which may grow.
#[derive(Debug, Default)]
pub(crate) struct Places {
    unit: Unit,
    places: Vec<Place>,
    ids: HashMap<Place, PlaceId>,
    /// By the positions of frames.
    of_frames: Vec<PlaceId>,
    /// By stack: each place once, the innermost first.
    of_stacks: HashMap<StackId, Box<[PlaceId]>, FxBuildHasher>,
}

/// How often a place was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    /// It was the innermost.
    pub own: u64,
    /// It was anywhere in the stack; counted once for a stack that has it several times.
    pub total: u64,
}

impl Places {
    /// No places yet.
    #[must_use]
    pub(crate) fn new(unit: Unit) -> Self {
        Self { unit, ..Self::default() }
    }

    /// What is counted.
    #[must_use]
    pub(crate) fn unit(&self) -> Unit {
        self.unit
    }

    /// One place.
    ///
    /// # Panics
    /// If `id` comes from others.
    #[must_use]
    pub(crate) fn place(&self, id: PlaceId) -> &Place {
        &self.places[id.0 as usize]
    }

    /// The shares of all places in these stacks, each of which was seen so often.
    pub(crate) fn shares(
        &mut self,
        profile: &Profile,
        stacks: impl IntoIterator<Item = (StackId, u64)>,
    ) -> HashMap<PlaceId, Share, FxBuildHasher> {
        let mut shares: HashMap<PlaceId, Share, FxBuildHasher> = HashMap::default();
        for (stack, count) in stacks {
            let places = self.of_stack(profile, stack);
            for place in places {
                shares.entry(*place).or_default().total += count;
            }
            if let Some(innermost) = places.first() {
                shares.entry(*innermost).or_default().own += count;
            }
        }
        shares
    }

    /// The places of a stack, each once, the innermost first.
    fn of_stack(&mut self, profile: &Profile, stack: StackId) -> &[PlaceId] {
        if !self.of_stacks.contains_key(&stack) {
            let mut steps = Vec::new();
            profile.steps(stack, &mut steps);
            let mut places: Vec<PlaceId> = Vec::new();
            for step in steps.iter().rev() {
                if let Step::Frame(frame) = step {
                    places.push(self.of_frame(profile, *frame));
                }
            }
            let mut seen = std::collections::HashSet::new();
            places.retain(|place| seen.insert(*place));
            self.of_stacks.insert(stack, places.into());
        }
        self.of_stacks.get(&stack).map_or(&[], |places| places)
    }

    fn of_frame(&mut self, profile: &Profile, frame: FrameId) -> PlaceId {
        for frame in profile.frames.since(self.of_frames.len()) {
            let line = if self.unit == Unit::Line { frame.line } else { 0 };
            let place = Place { line, ..frame.clone() };
            let next = PlaceId(u32::try_from(self.places.len()).unwrap_or(u32::MAX));
            let id = *self.ids.entry(place.clone()).or_insert(next);
            if id == next {
                self.places.push(place);
            }
            self.of_frames.push(id);
        }
        self.of_frames[frame.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_that_calls_itself_counts_once_for_a_sample() {
        let mut profile = Profile::default();
        let mut stack = None;
        for (function, line) in [("main", 1), ("f", 2), ("f", 3), ("f", 2)] {
            let frame = Frame::python("a", function, line);
            let step = Step::Frame(profile.frames.intern(frame));
            stack = Some(profile.child(stack, step));
        }
        let stacks = [(stack.expect("a stack"), 4)];
        for (unit, f) in
            [(Unit::Function, vec![(0, 4, 4)]), (Unit::Line, vec![(2, 4, 4), (3, 0, 4)])]
        {
            let mut places = Places::new(unit);
            let shares = places.shares(&profile, stacks);
            let mut seen: Vec<(i32, u64, u64)> = shares
                .iter()
                .map(|(id, share)| (places.place(*id), share))
                .filter(|(place, _)| &*place.function == "f")
                .map(|(place, share)| (place.line, share.own, share.total))
                .collect();
            seen.sort_unstable();
            assert_eq!(seen, f);
        }
    }
}
