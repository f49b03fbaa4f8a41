//! Which frames were the stack at the moment they were copied.
//!
//! One fetch reads a thread's top-frame pointer, then the frames, then the pointer
//! again, while the thread runs. If both pointers are equal the top is known. If
//! they differ, the frames below both are certain, and the top was one of the few
//! between. To accept only equal pointers would never see a function that
//! lasts less than a fetch, and give its time to its caller. So the caller
//! is asked: if it stood on a call site of the frame above it, it was inside that
//! call; if it stood elsewhere, it was on top itself, and what lies above is the
//! dead frame of an earlier call.

use crate::sampler::fetch::prefetch::Side;
use crate::sampler::frame_record::FrameRecord;
use crate::sampler::read::call_sites::CallSites;

/// Two chains that were found in one fetch, outermost frame first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chains<'a> {
    /// The one that ends with the top-frame pointer as it was before everything else was
    /// copied.
    pub before: &'a [FrameRecord],
    /// As it was after that.
    pub after: &'a [FrameRecord],
}

/// So many frames of one of two chains, from the outermost on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Which chain.
    pub side: Side,
    /// How many frames.
    pub length: usize,
}

/// What two chains tell of the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// This was the stack.
    Stack(Part),
    /// It depends on whether one frame was calling another, and that is not known.
    Open,
    /// There is more than one answer, or none.
    Torn,
}

impl<'a> Chains<'a> {
    /// The frames of a part.
    #[must_use]
    pub(crate) fn part(&self, part: Part) -> &'a [FrameRecord] {
        self.chain(part.side).get(..part.length).unwrap_or_default()
    }

    /// Which frames were the stack.
    #[must_use]
    pub(crate) fn decide(&self, sites: &CallSites) -> Verdict {
        let (Some(first), Some(last)) = (self.before.last(), self.after.last()) else {
            let none = self.before.is_empty() && self.after.is_empty();
            let nothing = Part { side: Side::Before, length: 0 };
            return if none { Verdict::Stack(nothing) } else { Verdict::Torn };
        };
        if first.frame == last.frame {
            Verdict::Stack(Part { side: Side::Before, length: self.before.len() })
        } else if let Some(base) = position(self.before, last.frame) {
            self.extend(Side::Before, base, sites)
        } else if let Some(base) = position(self.after, first.frame) {
            self.extend(Side::After, base, sites)
        } else {
            self.fork(sites)
        }
    }

    /// How many frames both chains have, from the outermost on, wherever they stand.
    #[must_use]
    pub(crate) fn common(&self) -> usize {
        let same = |(a, b): &(&FrameRecord, &FrameRecord)| a.frame == b.frame && a.code == b.code;
        self.before.iter().zip(self.after).take_while(same).count()
    }

    /// Those that a frame had called, by one chain or the other.
    pub(crate) fn callees_of(&self, caller: &FrameRecord) -> impl Iterator<Item = &'a FrameRecord> {
        let caller = caller.frame;
        [self.before, self.after].into_iter().filter_map(move |chain| {
            let above = chain.get(position(chain, caller)? + 1)?;
            (above.caller == caller).then_some(above)
        })
    }

    fn chain(&self, side: Side) -> &'a [FrameRecord] {
        match side {
            Side::Before => self.before,
            Side::After => self.after,
        }
    }

    /// The part of a chain that was alive, if the frame at `base` was: each frame
    /// above it that the one below is known to have been calling.
    fn extend(&self, side: Side, base: usize, sites: &CallSites) -> Verdict {
        let chain = self.chain(side);
        let mut top = base;
        while top + 1 < chain.len() && sites.contains(&chain[top], &chain[top + 1]) {
            top += 1;
        }
        let caller = chain[top];
        match chain.get(top + 1) {
            // Of one that says that it is inside a call it is known that it was not on top.
            Some(callee)
                if callee.is_alive && !caller.says_inside() && sites.is_open(&caller, callee) =>
            {
                Verdict::Open
            }
            _ => Verdict::Stack(Part { side, length: top + 1 }),
        }
    }

    /// The stack where both chains leave a common frame: at most one of them was
    /// alive above it.
    fn fork(&self, sites: &CallSites) -> Verdict {
        let common = self.common();
        let Some(base) = common.checked_sub(1) else { return Verdict::Torn };
        let one = self.extend(Side::Before, base, sites);
        let other = self.extend(Side::After, base, sites);
        match (one, other) {
            (Verdict::Stack(one), Verdict::Stack(other)) => {
                match (one.length > common, other.length > common) {
                    (true, true) => Verdict::Torn,
                    (false, true) => Verdict::Stack(other),
                    _ => Verdict::Stack(one),
                }
            }
            // A call that is known needs no other to be refuted.
            (Verdict::Stack(known), _) | (_, Verdict::Stack(known)) if known.length > common => {
                Verdict::Stack(known)
            }
            (Verdict::Stack(_), open) | (open, _) => open,
        }
    }
}

/// How many links two stacks have in common, from their roots.
#[must_use]
pub(crate) fn common_root(one: &[FrameRecord], other: &[FrameRecord]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

/// Where a frame stands in a chain.
#[must_use]
pub(crate) fn position(chain: &[FrameRecord], frame: u64) -> Option<usize> {
    chain.iter().rposition(|link| link.frame == frame)
}

#[cfg(test)]
/// Chains for tests.
pub(crate) mod fixtures {
    use super::*;
    use crate::cpython::read::code::CodeId;
    use crate::cpython::read::frames::Position;

    /// A chain, outermost first: (frame, code, position).
    pub(crate) fn chain(links: &[(u64, u32, i32)]) -> Vec<FrameRecord> {
        links
            .iter()
            .map(|&(frame, code, offset)| FrameRecord {
                frame,
                caller: 0,
                is_told_by_caller: false,
                is_alive: true,
                may_call: false,
                calls_none: false,
                references: 0,
                address: u64::from(code),
                code: CodeId::for_tests(code),
                position: Position::Instruction(offset),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::fixtures::chain;
    use super::*;

    fn sites(chains: &[&[FrameRecord]]) -> CallSites {
        let mut sites = CallSites::default();
        for chain in chains {
            sites.learn(chain);
        }
        sites
    }

    fn decide(before: &[FrameRecord], after: &[FrameRecord], sites: &CallSites) -> Verdict {
        Chains { before, after }.decide(sites)
    }

    fn before(length: usize) -> Verdict {
        Verdict::Stack(Part { side: Side::Before, length })
    }

    fn after(length: usize) -> Verdict {
        Verdict::Stack(Part { side: Side::After, length })
    }

    #[test]
    fn equal_roots_leave_no_doubt_about_the_top() {
        let stack = chain(&[(1, 10, 4), (2, 20, 6), (3, 30, 7)]);
        let known = sites(&[&stack]);
        assert_eq!(decide(&stack, &stack, &known), before(3));
        assert!(known.contain_all(&stack));
        assert!(!CallSites::default().contain_all(&stack));
    }

    #[test]
    fn a_leaf_that_returned_meanwhile_was_on_top_if_its_caller_stood_on_the_call() {
        let mut known = sites(&[&chain(&[(1, 10, 4), (2, 20, 6), (3, 30, 0)])]);
        let inside = chain(&[(1, 10, 4), (2, 20, 6), (3, 30, 9)]);
        assert_eq!(decide(&inside, &inside[..2], &known), before(3));
        let mut over = chain(&[(1, 10, 4), (2, 20, 8), (3, 30, 9)]);
        assert_eq!(decide(&over, &over[..2], &known), Verdict::Open);
        known.learn(&over[..2]);
        assert_eq!(decide(&over, &over[..2], &known), before(2), "it was on top there");
        over[2].is_alive = false;
        let nothing = CallSites::default();
        assert_eq!(decide(&over, &over[..2], &nothing), before(2));
    }

    #[test]
    fn a_leaf_that_was_called_meanwhile_is_decided_alike() {
        let mut known = sites(&[&chain(&[(1, 10, 4), (2, 20, 6), (3, 30, 0)])]);
        let inside = chain(&[(1, 10, 4), (2, 20, 6), (3, 30, 9)]);
        assert_eq!(decide(&inside[..2], &inside, &known), after(3));
        let not_yet = chain(&[(1, 10, 4), (2, 20, 2), (3, 30, 9)]);
        known.learn(&not_yet[..2]);
        assert_eq!(decide(&not_yet[..2], &not_yet, &known), after(2));
    }

    #[test]
    fn of_two_branches_at_most_one_was_alive() {
        let a = chain(&[(1, 10, 4), (3, 30, 1)]);
        let b = chain(&[(1, 10, 4), (4, 40, 1)]);
        let decide = |chains: &[&[FrameRecord]]| decide(&a, &b, &sites(chains));
        assert_eq!(decide(&[&a]), before(2));
        assert_eq!(decide(&[&b]), after(2));
        assert_eq!(decide(&[&a[..1]]), before(1), "it calls nobody from there");
        assert_eq!(decide(&[&a, &b]), Verdict::Torn);
        assert_eq!(decide(&[]), Verdict::Open);
    }

    #[test]
    fn the_callees_of_a_frame_are_those_that_are_linked_to_it() {
        let mut a = chain(&[(1, 10, 4), (3, 30, 1)]);
        let mut b = chain(&[(1, 10, 4), (4, 40, 1)]);
        let callees = |a: &[FrameRecord], b: &[FrameRecord]| {
            let chains = Chains { before: a, after: b };
            chains.callees_of(&a[0]).map(|link| link.frame).collect::<Vec<_>>()
        };
        assert!(callees(&a, &b).is_empty());
        b[1].caller = 1;
        assert_eq!(callees(&a, &b), [4]);
        a[1].caller = 1;
        assert_eq!(callees(&a, &b), [3, 4]);
        assert_eq!(callees(&a, &b[..1]), [3]);
    }

    #[test]
    fn chains_without_a_common_frame_are_torn() {
        let a = chain(&[(3, 30, 1)]);
        let b = chain(&[(4, 40, 1)]);
        assert_eq!(decide(&a, &b, &CallSites::default()), Verdict::Torn);
        assert_eq!(decide(&a, &[], &CallSites::default()), Verdict::Torn);
        assert_eq!(decide(&[], &[], &CallSites::default()), before(0));
    }
}
