//! What stands in a drawn stack: frames, and the words that stand where there are none.

use std::collections::HashMap;
use std::hash::Hash;

use rustc_hash::FxBuildHasher;

use crate::profile::{Profile, Seen, StackId, Step};
use crate::stack::Frame;

/// One row of a drawn stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Row {
    /// A step of a stack.
    Step(Step),
    /// The only row of a moment at which nobody ran Python code.
    Idle,
    /// The only row of a moment at which the process could not be read.
    Failed,
}

impl Row {
    /// The rows that stand for no frame.
    pub(super) const WORDS: [Self; 3] = [Self::Step(Step::Truncated), Self::Idle, Self::Failed];

    /// The frame that it shows, if it shows one.
    pub(super) fn frame(self, profile: &Profile) -> Option<&Frame> {
        match self {
            Self::Step(Step::Frame(id)) => Some(profile.frames.frame(id)),
            _ => None,
        }
    }

    /// What it is called: a function's name, or a word in parentheses.
    pub(super) fn name(self, profile: &Profile) -> &str {
        match self {
            Self::Step(Step::Frame(id)) => &profile.frames.frame(id).function,
            Self::Step(Step::Truncated) => "(truncated)",
            Self::Idle => "(idle)",
            Self::Failed => "(failed)",
        }
    }

    /// Its place in a list of all frames with [`Row::WORDS`] after them.
    pub(super) fn index(self, profile: &Profile) -> usize {
        let frames = profile.frames.all().len();
        match self {
            Self::Step(Step::Frame(id)) => id.index(),
            Self::Step(Step::Truncated) => frames,
            Self::Idle => frames + 1,
            Self::Failed => frames + 2,
        }
    }
}

/// The rows of what was seen, root first, into `rows`.
pub(super) fn rows(profile: &Profile, seen: Seen, rows: &mut Vec<Row>) {
    rows.clear();
    match seen {
        Seen::Idle => rows.push(Row::Idle),
        Seen::Failed => rows.push(Row::Failed),
        Seen::Sample(sample) => {
            let mut next = Some(sample.stack);
            while let Some(stack) = next {
                rows.push(Row::Step(profile.step(stack)));
                next = profile.caller(stack);
            }
            rows.reverse();
        }
    }
}

/// Stacks as trees, one for each group: a node for each row under the same callers.
/// A node comes after its caller.
pub(super) struct Tree<Group> {
    nodes: Vec<Node<Group>>,
    stacks: HashMap<(Group, StackId), u32, FxBuildHasher>,
    words: HashMap<(Group, Row), u32, FxBuildHasher>,
}

/// A node of a [`Tree`].
pub(super) struct Node<Group> {
    /// Which tree it is of.
    pub group: Group,
    /// The node that it was called from.
    pub caller: Option<u32>,
    /// What it shows.
    pub row: Row,
}

impl<Group: Copy + Eq + Hash> Tree<Group> {
    /// An empty one.
    pub(super) fn new() -> Self {
        Self { nodes: Vec::new(), stacks: HashMap::default(), words: HashMap::default() }
    }

    /// The innermost node of what was seen, a new one if it has not been seen in `group`.
    pub(super) fn node(&mut self, profile: &Profile, group: Group, seen: Seen) -> u32 {
        let word = match seen {
            Seen::Sample(sample) => return self.stack(profile, group, sample.stack),
            Seen::Idle => Row::Idle,
            Seen::Failed => Row::Failed,
        };
        let next = index(self.nodes.len());
        let node = *self.words.entry((group, word)).or_insert(next);
        if node == next {
            self.nodes.push(Node { group, caller: None, row: word });
        }
        node
    }

    /// The innermost node of what was seen, if it has been seen in `group`.
    pub(super) fn find(&self, group: Group, seen: Seen) -> Option<u32> {
        match seen {
            Seen::Sample(sample) => self.stacks.get(&(group, sample.stack)).copied(),
            Seen::Idle => self.words.get(&(group, Row::Idle)).copied(),
            Seen::Failed => self.words.get(&(group, Row::Failed)).copied(),
        }
    }

    /// Every node; a node's number is its position.
    pub(super) fn nodes(&self) -> &[Node<Group>] {
        &self.nodes
    }

    /// Walks outwards until a known caller, then back again.
    fn stack(&mut self, profile: &Profile, group: Group, stack: StackId) -> u32 {
        let mut unknown = Vec::new();
        let mut next = Some(stack);
        let mut caller = None;
        while let Some(stack) = next {
            caller = self.stacks.get(&(group, stack)).copied();
            if caller.is_some() {
                break;
            }
            unknown.push(stack);
            next = profile.caller(stack);
        }
        for stack in unknown.into_iter().rev() {
            let node = index(self.nodes.len());
            self.nodes.push(Node { group, caller, row: Row::Step(profile.step(stack)) });
            self.stacks.insert((group, stack), node);
            caller = Some(node);
        }
        caller.unwrap_or_default()
    }
}

/// A position as it is stored.
fn index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn a_tree_holds_the_stacks_that_were_put_in() {
        let profile = fixture::profile();
        let mut tree = Tree::new();
        let mut expected = Vec::new();
        for event in profile.timeline() {
            let mut node = Some(tree.node(&profile, (), event.seen));
            rows(&profile, event.seen, &mut expected);
            while let Some(number) = node {
                let found = &tree.nodes()[number as usize];
                assert_eq!(expected.pop(), Some(found.row));
                assert!(found.caller.is_none_or(|caller| caller < number));
                node = found.caller;
            }
            assert!(expected.is_empty());
        }
        let size = tree.nodes().len();
        for event in profile.timeline() {
            let node = tree.node(&profile, (), event.seen);
            assert_eq!(tree.find((), event.seen), Some(node));
        }
        assert_eq!(tree.nodes().len(), size);
    }
}
