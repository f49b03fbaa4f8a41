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

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use rustc_hash::FxBuildHasher;

use crate::python::code::CodeId;
use crate::python::frames::Position;

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
    /// The code object that it runs, by address.
    pub address: u64,
    /// The same, by identity.
    pub code: CodeId,
    /// Where in it.
    pub position: Position,
}

/// What is known of the calls of a program: who calls whom, from where, and what
/// stacks begin with.
#[derive(Debug, Default)]
pub struct CallSites {
    known: HashSet<Call, FxBuildHasher>,
    /// Calls that were seen while the thread ran, and how they fared.
    doubtful: HashMap<Call, Trial, FxBuildHasher>,
    /// What looked like calls, and was something else.
    refuted: HashSet<Call, FxBuildHasher>,
    callees: HashSet<CodeId, FxBuildHasher>,
    callee_frames: HashSet<(u64, CodeId), FxBuildHasher>,
    /// Whether there are stops, which teach calls beyond doubt.
    has_stops: bool,
    roots: HashSet<CodeId, FxBuildHasher>,
    doubtful_roots: HashMap<CodeId, Trial, FxBuildHasher>,
    root_frames: HashMap<(u64, CodeId), (Instant, u32), FxBuildHasher>,
}

/// Who calls, where, whom.
type Call = (CodeId, Position, CodeId);

/// How often a call was looked at twice, and was the same.
#[derive(Clone, Copy, Debug, Default)]
struct Trial {
    looks: u32,
    same: u32,
}

impl Trial {
    fn note(&mut self, same: bool) {
        self.looks += 1;
        self.same += u32::from(same);
    }
}

/// A call is believed after so many second looks that were the same, if that were at
/// least three of four.
const SAME_LOOKS: u32 = 6;

/// A call that is over sooner than a look is believed after so many looks, if one of so
/// many was the same. Calls of a fifth of a microsecond are in one of five; a mixture of
/// two calls was met in one of twenty-five.
const MANY_LOOKS: u32 = 200;
const LOOKS_FOR_ONE: u32 = 6;

/// A root is believed after so many second looks that were the same, if one of so many
/// was. A generator that is resumed again and again has no caller in between.
const SAME_ROOTS: u32 = 12;
const LOOKS_FOR_ROOT: u32 = 4;

/// What was never the same in so many looks is not a call.
const VAIN_LOOKS: u32 = 64;

/// A frame whose function is also called by others is believed to be a root if it
/// was seen as one so often, over so long a time. A frame that is being unlinked
/// looks like one for a moment.
const ROOT_LOOKS: u32 = 3;
const ROOT_TIME: Duration = Duration::from_millis(20);

/// The most call sites that are remembered before they are learnt anew: those
/// of code objects that are gone are never asked for again.
const MAX_SITES: usize = 1 << 20;

impl CallSites {
    /// Nothing is known yet. Where there are stops, what is mostly over before a second
    /// look is left to them.
    #[must_use]
    pub fn new(has_stops: bool) -> Self {
        Self { has_stops, ..Self::default() }
    }

    /// Whether `caller` is known to call `callee` from where it stands.
    #[must_use]
    pub fn contains(&self, caller: &Link, callee: &Link) -> bool {
        self.known.contains(&call(caller, callee))
    }

    /// Whether it is open if `caller` calls `callee` from where it stands.
    #[must_use]
    pub fn is_open(&self, caller: &Link, callee: &Link) -> bool {
        let call = call(caller, callee);
        !self.known.contains(&call) && !self.refuted.contains(&call)
    }

    /// Whether every frame of a chain is known to be called by the next.
    #[must_use]
    pub fn contain_all(&self, chain: &[Link]) -> bool {
        chain.windows(2).all(|pair| self.contains(&pair[1], &pair[0]))
    }

    /// Whether a stack is known to begin like this one. A chain that was copied
    /// while a frame was unlinked ends too early.
    #[must_use]
    pub fn has_root_of(&self, chain: &[Link], now: Instant) -> bool {
        let Some(root) = chain.last() else { return true };
        let seen = self.root_frames.get(&(root.frame, root.code));
        let is_settled = |(since, looks): &(Instant, u32)| {
            *looks >= ROOT_LOOKS && now.saturating_duration_since(*since) >= ROOT_TIME
        };
        self.roots.contains(&root.code) || seen.is_some_and(is_settled)
    }

    /// Learns everything of a chain that is beyond doubt: the thread stood still.
    pub fn learn(&mut self, chain: &[Link]) {
        self.bound();
        for pair in chain.windows(2) {
            let call = call(&pair[1], &pair[0]);
            self.known.insert(call);
            self.refuted.remove(&call);
            self.note_callee(&pair[0]);
        }
        self.roots.extend(chain.last().map(|root| root.code));
    }

    /// Takes note of a second look at a call, and whether it was the same.
    pub fn note_look(&mut self, caller: &Link, callee: &Link, same: bool) {
        self.bound();
        let call = call(caller, callee);
        if self.refuted.contains(&call) && !(same && self.refuted.remove(&call)) {
            return; // One look that is the same opens the matter again.
        }
        let trial = self.doubtful.entry(call).or_default();
        trial.note(same);
        let steady = trial.same >= SAME_LOOKS && trial.same * 4 >= trial.looks * 3;
        let often = trial.same * LOOKS_FOR_ONE >= trial.looks;
        let in_vain = trial.same == 0 && trial.looks >= VAIN_LOOKS;
        if steady || (often && trial.looks >= MANY_LOOKS && !self.has_stops) {
            self.known.insert(call);
        } else if in_vain || trial.looks >= MANY_LOOKS {
            self.refuted.insert(call);
        } else {
            return;
        }
        self.doubtful.remove(&call);
    }

    /// Learns what stacks begin with, from one all of whose calls are known and whose
    /// root was looked at a second time.
    pub fn note_root(&mut self, chain: &[Link], same: bool, now: Instant) {
        let Some(root) = chain.last() else { return };
        chain.windows(2).for_each(|pair| self.note_callee(&pair[0]));
        let trial = self.doubtful_roots.entry(root.code).or_default();
        trial.note(same);
        if trial.same >= SAME_ROOTS && trial.same * LOOKS_FOR_ROOT >= trial.looks {
            self.learn_root(chain, now);
        } else if trial.looks >= MANY_LOOKS {
            *trial = Trial::default();
        }
    }

    /// A function that nobody calls is a root; of another only a certain frame is.
    fn learn_root(&mut self, chain: &[Link], now: Instant) {
        let Some(root) = chain.last() else { return };
        let frame = (root.frame, root.code);
        if !self.callees.contains(&root.code) {
            self.roots.insert(root.code);
        } else if !self.callee_frames.contains(&frame) {
            self.root_frames.entry(frame).or_insert((now, 0)).1 += 1;
        }
    }

    fn note_callee(&mut self, callee: &Link) {
        let frame = (callee.frame, callee.code);
        if self.callees.insert(callee.code) {
            self.roots.remove(&callee.code);
        }
        if self.callee_frames.insert(frame) {
            self.root_frames.remove(&frame);
        }
    }

    fn bound(&mut self) {
        let sizes = [
            self.known.len(),
            self.doubtful.len(),
            self.refuted.len(),
            self.callee_frames.len(),
            self.doubtful_roots.len(),
        ];
        if sizes.iter().any(|size| *size > MAX_SITES) {
            *self = Self::new(self.has_stops);
        }
    }
}

fn call(caller: &Link, callee: &Link) -> Call {
    (caller.code, caller.position, callee.code)
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
mod tests {
    use super::*;

    /// A chain, innermost first: (frame, code, position).
    fn chain(links: &[(u64, u32, i32)]) -> Vec<Link> {
        links
            .iter()
            .map(|&(frame, code, offset)| Link {
                frame,
                caller: 0,
                is_told_by_caller: false,
                is_alive: true,
                address: u64::from(code),
                code: CodeId::for_tests(code),
                position: Position::Instruction(offset),
            })
            .collect()
    }

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

    /// Looks at each call of a chain a second time, so many times.
    fn look(sites: &mut CallSites, chain: &[Link], times: u32, same: bool) {
        for pair in chain.windows(2) {
            (0..times).for_each(|_| sites.note_look(&pair[1], &pair[0], same));
        }
    }

    /// The same, and at its root, and all was as before.
    fn steady(sites: &mut CallSites, chain: &[Link], times: u32, now: Instant) {
        for _ in 0..times {
            look(sites, chain, 1, true);
            if sites.contain_all(chain) {
                (0..SAME_ROOTS).for_each(|_| sites.note_root(chain, true, now));
            }
        }
    }

    #[test]
    fn a_call_is_believed_after_a_few_steady_looks() {
        let stack = chain(&[(3, 30, 7), (2, 20, 6), (1, 10, 4)]);
        let now = Instant::now();
        let mut sites = CallSites::default();
        steady(&mut sites, &stack, SAME_LOOKS - 1, now);
        assert!(!sites.contain_all(&stack));
        steady(&mut sites, &stack, 1, now);
        assert!(sites.contain_all(&stack));
        assert!(sites.has_root_of(&stack, now));
    }

    #[test]
    fn a_mixture_that_is_met_twice_by_chance_is_not_believed() {
        let mixture = chain(&[(3, 30, 7), (2, 20, 5)]);
        let mut sites = CallSites::default();
        for _ in 0..SAME_LOOKS + 2 {
            look(&mut sites, &mixture, 100, false);
            look(&mut sites, &mixture, 1, true);
        }
        assert!(!sites.contain_all(&mixture));
    }

    #[test]
    fn a_call_that_is_mostly_over_is_believed_after_many_looks() {
        let stack = chain(&[(3, 30, 7), (2, 20, 5)]);
        let believed = |different: u32, has_stops: bool| {
            let mut sites = CallSites::new(has_stops);
            for _ in 0..MANY_LOOKS {
                (0..different).for_each(|_| sites.note_look(&stack[1], &stack[0], false));
                sites.note_look(&stack[1], &stack[0], true);
            }
            sites.contain_all(&stack)
        };
        assert!(believed(4, false));
        assert!(!believed(8, false));
        assert!(!believed(4, true), "a stop will tell");
    }

    #[test]
    fn a_chain_that_ends_too_early_has_no_known_root() {
        let stack = chain(&[(3, 30, 7), (2, 20, 6), (1, 10, 4)]);
        let (cut, now) = (&stack[..1], Instant::now());
        let mut known = sites(&[&stack]);
        assert!(known.has_root_of(&stack, now));
        steady(&mut known, cut, 100, now);
        assert!(!known.has_root_of(cut, now + ROOT_TIME), "its frame is called by others");
    }

    #[test]
    fn a_root_that_calls_itself_is_believed_in_time() {
        let stack = chain(&[(2, 10, 6), (1, 10, 4)]);
        let now = Instant::now();
        let mut known = CallSites::default();
        steady(&mut known, &stack, SAME_LOOKS + ROOT_LOOKS, now);
        assert!(!known.has_root_of(&stack, now));
        assert!(known.has_root_of(&stack, now + ROOT_TIME));
    }

    #[test]
    fn a_root_that_turns_out_to_be_called_is_forgotten() {
        let stack = chain(&[(3, 30, 7), (2, 20, 6), (1, 10, 4)]);
        let (cut, now) = (&stack[..2], Instant::now());
        let mut known = CallSites::default();
        steady(&mut known, cut, SAME_LOOKS, now);
        assert!(known.has_root_of(cut, now));
        known.learn(&stack);
        assert!(!known.has_root_of(cut, now));
    }
}
