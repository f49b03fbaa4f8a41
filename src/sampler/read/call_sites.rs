//! Which calls a program makes, from where: as they were seen while a thread stood still.
//!
//! A thread that runs is copied at more than one moment, and a mixture of two moments can look
//! like a call. So a caller and a callee are believed only if such a pair was on a stack that
//! was read while its thread stood still: at a turn, in a stop, or because it rested. What was
//! never seen so is refused, and asked for: the next turn shows it, if it exists.

use std::collections::HashSet;

use rustc_hash::FxBuildHasher;

use crate::cpython::read::code::CodeId;
use crate::cpython::read::frames::Position;
use crate::sampler::frame_record::FrameRecord;

/// What is known of the calls of a program: who calls whom, from where, and what
/// stacks begin and end with.
#[derive(Debug, Default)]
pub(crate) struct CallSites {
    calls: HashSet<Call, FxBuildHasher>,
    /// Where functions call others, and where they were on top.
    calling: HashSet<Site, FxBuildHasher>,
    on_top: HashSet<Site, FxBuildHasher>,
    callees: HashSet<CodeId, FxBuildHasher>,
    callee_frames: HashSet<(u64, CodeId), FxBuildHasher>,
    roots: HashSet<CodeId, FxBuildHasher>,
    root_frames: HashSet<(u64, CodeId), FxBuildHasher>,
}

/// A place in a code object.
type Site = (CodeId, Position);

/// Who calls, where, whom.
type Call = (Site, CodeId);

/// The most that is remembered of one kind before all is learnt anew: what code objects
/// did that are gone is never asked for again.
const MOST: usize = 1 << 20;

impl CallSites {
    /// Whether `caller` is known to call `callee` from where it stands.
    #[must_use]
    pub(crate) fn contains(&self, caller: &FrameRecord, callee: &FrameRecord) -> bool {
        self.calls.contains(&(site(caller), callee.code))
    }

    /// Whether `caller` may have been calling `callee`, which is not known: not if it says that
    /// it is inside no call, nor where it was seen on top and never saw a callee.
    #[must_use]
    pub(crate) fn is_open(&self, caller: &FrameRecord, callee: &FrameRecord) -> bool {
        let says_outside = callee.is_told_by_caller && caller.calls_none;
        let site = site(caller);
        let never_calls = self.on_top.contains(&site) && !self.calling.contains(&site);
        !self.contains(caller, callee) && !says_outside && !never_calls
    }

    /// Whether calls are known from where a frame stands.
    #[must_use]
    pub(crate) fn calls_from(&self, caller: &FrameRecord) -> bool {
        self.calling.contains(&site(caller))
    }

    /// Whether every frame of a chain is known to call the next.
    #[must_use]
    pub(crate) fn contain_all(&self, chain: &[FrameRecord]) -> bool {
        chain.windows(2).all(|pair| self.contains(&pair[0], &pair[1]))
    }

    /// Whether a stack is known to begin like this one: with a function that nobody calls, or
    /// in a frame that nobody called. A chain that was copied while a frame was unlinked ends
    /// too early.
    #[must_use]
    pub(crate) fn has_root_of(&self, chain: &[FrameRecord]) -> bool {
        let Some(root) = chain.first() else { return true };
        self.roots.contains(&root.code) || self.root_frames.contains(&(root.frame, root.code))
    }

    /// Learns everything of the stack of a thread that stood still. Whether any of it is new.
    pub(crate) fn learn(&mut self, stack: &[FrameRecord]) -> bool {
        let is_new = self.learn_calls(stack);
        let Some(root) = stack.first() else { return is_new };
        let frame = (root.frame, root.code);
        is_new
            | if !self.callees.contains(&root.code) {
                self.roots.insert(root.code)
            } else {
                !self.callee_frames.contains(&frame) && self.root_frames.insert(frame)
            }
    }

    /// Learns what of it was read, if that was not all. Whether any of it is new.
    pub(crate) fn learn_calls(&mut self, stack: &[FrameRecord]) -> bool {
        self.bound();
        let mut is_new = false;
        for pair in stack.windows(2) {
            let site = site(&pair[0]);
            if self.calls.insert((site, pair[1].code)) {
                self.calling.insert(site);
                is_new = true;
            }
            self.note_callee(pair[1].frame, pair[1].code);
        }
        is_new | stack.last().is_some_and(|top| self.on_top.insert(site(top)))
    }

    /// Takes note that the frame at an address was called, with the code that it ran: it is
    /// no root.
    pub(crate) fn note_callee(&mut self, frame: u64, code: CodeId) {
        if self.callees.insert(code) {
            self.roots.remove(&code);
        }
        if self.callee_frames.insert((frame, code)) {
            self.root_frames.remove(&(frame, code));
        }
    }

    fn bound(&mut self) {
        let sizes = [self.calls.len(), self.on_top.len(), self.callee_frames.len()];
        if sizes.iter().chain([&self.root_frames.len()]).any(|size| *size > MOST) {
            *self = Self::default();
        }
    }
}

fn site(link: &FrameRecord) -> Site {
    (link.code, link.position)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampler::read::chain::fixtures::chain;

    #[test]
    fn a_call_is_known_once_it_was_on_a_stack_that_stood_still() {
        let stack = chain(&[(1, 10, 4), (2, 20, 6), (3, 30, 7)]);
        let mut sites = CallSites::default();
        assert!(!sites.contain_all(&stack) && !sites.has_root_of(&stack));
        sites.learn(&stack);
        assert!(sites.contain_all(&stack) && sites.has_root_of(&stack));
        let mixture = chain(&[(1, 10, 4), (2, 20, 8), (3, 30, 7)]);
        assert!(!sites.contain_all(&mixture), "the caller stands on another line");
    }

    #[test]
    fn an_unknown_call_is_open_until_the_caller_was_seen_there_without_any() {
        let pair = chain(&[(1, 10, 4), (2, 20, 6)]);
        let mut sites = CallSites::default();
        assert!(sites.is_open(&pair[0], &pair[1]));
        sites.learn(&pair[..1]);
        assert!(!sites.is_open(&pair[0], &pair[1]), "it was on top there");
        sites.learn(&chain(&[(1, 10, 4), (2, 21, 6)]));
        assert!(sites.is_open(&pair[0], &pair[1]), "it calls another from there");
        sites.learn(&pair);
        assert!(!sites.is_open(&pair[0], &pair[1]), "it is known");
    }

    #[test]
    fn a_caller_that_says_it_is_inside_no_call_calls_nobody() {
        let pair = chain(&[(1, 10, 4), (2, 20, 6)]);
        let sites = CallSites::default();
        let told = FrameRecord { is_told_by_caller: true, ..pair[1] };
        assert!(sites.is_open(&pair[0], &told));
        let outside = FrameRecord { calls_none: true, ..pair[0] };
        assert!(!sites.is_open(&outside, &told));
        assert!(sites.is_open(&outside, &pair[1]), "it may call that through C");
    }

    #[test]
    fn a_chain_that_ends_too_early_has_no_known_root() {
        let stack = chain(&[(1, 10, 4), (2, 20, 6), (3, 30, 7)]);
        let mut known = CallSites::default();
        known.learn(&stack);
        assert!(known.has_root_of(&stack));
        assert!(!known.has_root_of(&stack[1..]), "its function is called by others");
    }

    #[test]
    fn of_a_function_that_calls_itself_only_a_frame_is_a_root() {
        let stack = chain(&[(1, 10, 4), (2, 10, 6)]);
        let mut known = CallSites::default();
        known.learn(&stack);
        known.learn(&stack);
        assert!(known.has_root_of(&stack));
        assert!(!known.has_root_of(&stack[1..]));
    }

    #[test]
    fn a_root_that_turns_out_to_be_called_is_forgotten() {
        let stack = chain(&[(1, 10, 4), (2, 20, 6), (3, 30, 7)]);
        let mut known = CallSites::default();
        known.learn(&stack[1..]);
        assert!(known.has_root_of(&stack[1..]));
        known.learn(&stack);
        assert!(!known.has_root_of(&stack[1..]));
    }
}
