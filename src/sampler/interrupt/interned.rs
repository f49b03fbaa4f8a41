//! The last stack that an interrupt brought: of the next one most frames are the same.

use crate::cpython::read::frames::Position;
use crate::profile::StackId;
use crate::sampler::stacks::{Placed, Ran};

/// The last stack that an interrupt brought, as the profile has it.
#[derive(Debug, Default)]
pub(super) struct Interned {
    /// What it began with, if not with its first frame.
    root: Option<StackId>,
    /// What was known of code objects then, as [`Self::share`] is told it.
    round: (u32, u32),
    /// Its frames, outermost first, and the stacks that end with them.
    frames: Vec<(Placed, StackId)>,
}

impl Interned {
    /// The outermost frames that `stack` shares with it. What was copied may be another by now,
    /// and where a copy of bytecode begins.
    pub(super) fn shared<'a>(
        &'a self,
        stack: &'a [Placed],
        round: (u32, u32),
    ) -> impl Iterator<Item = &'a Placed> {
        let is_valid = self.round == round;
        let pairs = stack.iter().zip(&self.frames).take_while(move |(placed, (known, _))| {
            let stays = matches!(placed.code, Ran::There(_) | Ran::Native(_));
            let is_copy = matches!(placed.position, Position::Copied { .. });
            is_valid && stays && !is_copy && *placed == known
        });
        pairs.map(|(placed, _)| placed)
    }

    /// Turns to `stack`, which begins with `root`. The number of frames that are known of it.
    pub(super) fn share(
        &mut self,
        root: Option<StackId>,
        stack: &[Placed],
        round: (u32, u32),
    ) -> usize {
        let shared = if self.root == root { self.shared(stack, round).count() } else { 0 };
        (self.root, self.round) = (root, round);
        self.frames.truncate(shared);
        shared
    }

    /// The stack that so many frames end with, if they are any.
    pub(super) fn last(&self, frames: usize) -> Option<StackId> {
        self.frames.get(frames.checked_sub(1)?).map(|(_, stack)| *stack)
    }

    /// Adds the next frame.
    pub(super) fn add(&mut self, placed: Placed, stack: StackId) {
        self.frames.push((placed, stack));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpython::read::code::{CodeId, Named};
    use crate::profile::{Detail, Profile, Step};
    use crate::stack::Frame;

    #[test]
    fn what_two_stacks_share_is_known_until_code_objects_are_compared() {
        let mut profile = Profile::new(Detail::default());
        let mut child = |line| {
            let frame = Frame::python("a.py", "f", line);
            let frame = profile.frames.intern(frame);
            profile.child(None, Step::Frame(frame))
        };
        let ids = [child(1), child(2), child(3)];
        let copied = |address| Placed { code: Ran::Copied(address), position: Position::Line(1) };
        let named = Named { address: 0x1000, id: CodeId::for_tests(1) };
        let there = |line| Placed { code: Ran::There(named), position: Position::Line(line) };
        let mut interned = Interned::default();
        let stack = [there(1), there(2), copied(3)];
        assert_eq!(interned.share(None, &stack, (0, 0)), 0);
        stack.iter().zip(ids).for_each(|(placed, id)| interned.add(*placed, id));
        assert_eq!(interned.shared(&stack, (0, 0)).count(), 2, "what was copied is looked at anew");
        assert_eq!(interned.shared(&stack, (0, 1)).count(), 0);
        assert_eq!(interned.shared(&[there(2)], (0, 0)).count(), 0);
        assert_eq!(interned.share(None, &[there(1), there(4)], (0, 0)), 1);
        assert_eq!((interned.last(1), interned.last(0)), (Some(ids[0]), None));
        assert_eq!(interned.share(Some(ids[2]), &[there(1)], (0, 0)), 0, "it begins elsewhere");
    }
}
