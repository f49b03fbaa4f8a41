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

use super::calls::CallSites;
use crate::python::code::CodeId;
use crate::python::frames::{Position, RawFrame};

/// One frame of a chain, innermost first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The address of the frame.
    pub frame: u64,
    /// What it is linked to: the frame of its caller, or a shim between them.
    pub caller: u64,
    /// Whether its caller says when it is not under way.
    pub is_told_by_caller: bool,
    /// Whether it existed when it was copied, as far as it tells.
    pub is_alive: bool,
    /// Whether it said that it was inside a call. Where frames do not tell, it is not.
    pub may_call: bool,
    /// The code object that it runs, by address.
    pub address: u64,
    /// The same, by identity.
    pub code: CodeId,
    /// Where in it.
    pub position: Position,
}

impl Link {
    /// A frame that was copied, and the code object that it ran.
    pub fn new(raw: &RawFrame, code: CodeId) -> Self {
        Self {
            frame: raw.frame.address(),
            caller: raw.caller.address(),
            is_told_by_caller: raw.is_told_by_caller,
            is_alive: raw.is_alive,
            may_call: raw.may_call,
            address: raw.code.address(),
            code,
            position: raw.position,
        }
    }
}

/// What two chains tell of the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// This was the stack.
    Stack(&'a [Link]),
    /// It depends on whether one frame was calling another.
    Open {
        /// The one.
        caller: Link,
        /// The other.
        callee: Link,
        /// Whether the other was the innermost of its chain.
        is_leaf: bool,
    },
    /// There is more than one answer, or none.
    Torn,
}

/// Which frames were the stack. `before` and `after` are the chains that begin
/// at the top-frame pointer as it was before and after the frames were copied.
#[must_use]
pub fn decide<'a>(before: &'a [Link], after: &'a [Link], sites: &CallSites) -> Verdict<'a> {
    let (Some(first), Some(last)) = (before.first(), after.first()) else {
        let none = before.is_empty() && after.is_empty();
        return if none { Verdict::Stack(&[]) } else { Verdict::Torn };
    };
    if first.frame == last.frame {
        Verdict::Stack(before)
    } else if let Some(base) = position(before, last.frame) {
        climb(before, base, sites)
    } else if let Some(base) = position(after, first.frame) {
        climb(after, base, sites)
    } else {
        fork(before, after, sites)
    }
}

/// Whether two stacks are the same but for where their innermost frame stands.
#[must_use]
pub fn same_calls(one: &[Link], other: &[Link]) -> bool {
    match (one.split_first(), other.split_first()) {
        (Some((leaf, callers)), Some((other_leaf, other_callers))) => {
            leaf.frame == other_leaf.frame
                && leaf.code == other_leaf.code
                && callers == other_callers
        }
        (None, None) => true,
        _ => false,
    }
}

/// How many links two stacks have in common, from their roots.
#[must_use]
pub fn common_root(one: &[Link], other: &[Link]) -> usize {
    one.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count()
}

/// The same, where the innermost frame may stand elsewhere.
#[must_use]
pub fn common_callers(one: &[Link], other: &[Link]) -> usize {
    let same = |(a, b): &(&Link, &Link)| a.frame == b.frame && a.code == b.code;
    let all = one.iter().rev().zip(other.iter().rev());
    let equal = common_root(one, other);
    equal + usize::from(all.skip(equal).take(1).any(|pair| same(&pair)))
}

/// Where a frame stands in a chain.
#[must_use]
pub fn position(chain: &[Link], frame: u64) -> Option<usize> {
    chain.iter().position(|link| link.frame == frame)
}

/// The part of `chain` that was alive, if the frame at `base` was: each frame
/// above it that the one below is known to have been calling.
fn climb<'a>(chain: &'a [Link], base: usize, sites: &CallSites) -> Verdict<'a> {
    let mut top = base;
    while top > 0 && sites.contains(&chain[top], &chain[top - 1]) {
        top -= 1;
    }
    match top.checked_sub(1).map(|above| (chain[top], chain[above])) {
        Some((caller, callee)) if callee.is_alive && sites.is_open(&caller, &callee) => {
            Verdict::Open { caller, callee, is_leaf: top == 1 }
        }
        _ => Verdict::Stack(&chain[top..]),
    }
}

/// The stack where both chains leave a common frame: at most one of them was
/// alive above it.
fn fork<'a>(before: &'a [Link], after: &'a [Link], sites: &CallSites) -> Verdict<'a> {
    let same = |(a, b): &(&Link, &Link)| a.frame == b.frame && a.code == b.code;
    let common = before.iter().rev().zip(after.iter().rev()).take_while(same).count();
    if common == 0 {
        return Verdict::Torn;
    }
    let one = climb(before, before.len() - common, sites);
    let other = climb(after, after.len() - common, sites);
    match (one, other) {
        (Verdict::Stack(one), Verdict::Stack(other)) => {
            match (one.len() > common, other.len() > common) {
                (true, true) => Verdict::Torn,
                (false, true) => Verdict::Stack(other),
                _ => Verdict::Stack(one),
            }
        }
        (Verdict::Stack(_), open) | (open, _) => open,
    }
}

#[cfg(test)]
/// Chains for tests.
pub mod fixtures {
    use super::*;

    /// A chain, innermost first: (frame, code, position).
    pub fn chain(links: &[(u64, u32, i32)]) -> Vec<Link> {
        links
            .iter()
            .map(|&(frame, code, offset)| Link {
                frame,
                caller: 0,
                is_told_by_caller: false,
                is_alive: true,
                may_call: false,
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
    use crate::sampler::calls::VAIN_LOOKS;

    fn sites(chains: &[&[Link]]) -> CallSites {
        let mut sites = CallSites::default();
        chains.iter().for_each(|chain| sites.learn(chain));
        sites
    }

    /// Refutes the innermost call of a chain.
    fn refute(sites: &mut CallSites, chain: &[Link]) {
        (0..VAIN_LOOKS).for_each(|_| sites.note_look(&chain[1], &chain[0], false));
    }

    #[test]
    fn equal_roots_leave_no_doubt_about_the_top() {
        let stack = chain(&[(3, 30, 7), (2, 20, 6), (1, 10, 4)]);
        let known = sites(&[&stack]);
        assert_eq!(decide(&stack, &stack, &known), Verdict::Stack(&stack[..]));
        assert!(known.contain_all(&stack));
        assert!(!CallSites::default().contain_all(&stack));
    }

    #[test]
    fn a_leaf_that_returned_meanwhile_was_on_top_if_its_caller_stood_on_the_call() {
        let mut known = sites(&[&chain(&[(3, 30, 0), (2, 20, 6), (1, 10, 4)])]);
        let inside = chain(&[(3, 30, 9), (2, 20, 6), (1, 10, 4)]);
        assert_eq!(decide(&inside, &inside[1..], &known), Verdict::Stack(&inside[..]));
        let mut over = chain(&[(3, 30, 9), (2, 20, 8), (1, 10, 4)]);
        let open = Verdict::Open { caller: over[1], callee: over[0], is_leaf: true };
        assert_eq!(decide(&over, &over[1..], &known), open);
        refute(&mut known, &over);
        assert_eq!(decide(&over, &over[1..], &known), Verdict::Stack(&over[1..]));
        over[0].is_alive = false;
        let nothing = CallSites::default();
        assert_eq!(decide(&over, &over[1..], &nothing), Verdict::Stack(&over[1..]));
    }

    #[test]
    fn a_leaf_that_was_called_meanwhile_is_decided_alike() {
        let mut known = sites(&[&chain(&[(3, 30, 0), (2, 20, 6), (1, 10, 4)])]);
        let inside = chain(&[(3, 30, 9), (2, 20, 6), (1, 10, 4)]);
        assert_eq!(decide(&inside[1..], &inside, &known), Verdict::Stack(&inside[..]));
        let not_yet = chain(&[(3, 30, 9), (2, 20, 2), (1, 10, 4)]);
        refute(&mut known, &not_yet);
        assert_eq!(decide(&not_yet[1..], &not_yet, &known), Verdict::Stack(&not_yet[1..]));
    }

    #[test]
    fn of_two_branches_at_most_one_was_alive() {
        let a = chain(&[(3, 30, 1), (1, 10, 4)]);
        let b = chain(&[(4, 40, 1), (1, 10, 4)]);
        let decide = |chains: &[&[Link]], wrong: &[&[Link]]| {
            let mut known = sites(chains);
            wrong.iter().for_each(|chain| refute(&mut known, chain));
            decide(&a, &b, &known)
        };
        assert_eq!(decide(&[&a], &[&b]), Verdict::Stack(&a[..]));
        assert_eq!(decide(&[&b], &[&a]), Verdict::Stack(&b[..]));
        assert_eq!(decide(&[], &[&a, &b]), Verdict::Stack(&a[1..]));
        assert_eq!(decide(&[&a, &b], &[]), Verdict::Torn);
        assert!(matches!(decide(&[&a], &[]), Verdict::Open { callee, .. } if callee == b[0]));
        assert!(matches!(decide(&[], &[&b]), Verdict::Open { callee, .. } if callee == a[0]));
    }

    #[test]
    fn chains_without_a_common_frame_are_torn() {
        let a = chain(&[(3, 30, 1)]);
        let b = chain(&[(4, 40, 1)]);
        assert_eq!(decide(&a, &b, &CallSites::default()), Verdict::Torn);
        assert_eq!(decide(&a, &[], &CallSites::default()), Verdict::Torn);
        assert_eq!(decide(&[], &[], &CallSites::default()), Verdict::Stack(&[]));
    }
}
