//! Which calls a program makes, from where, and how far that is believed.
//!
//! A stop teaches calls beyond doubt. While the thread runs, a call is looked at again
//! and again by itself ([`super::glance`]); a mixture of two moments can look like a
//! call, but only by chance, and not for long.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use rustc_hash::FxBuildHasher;

use super::chain::Link;
use super::glance::{Look, are_near};
use super::rivals::Rivals;
use super::trial::{MANY_LOOKS, Trial};
use crate::python::code::CodeId;
use crate::python::frames::Position;

/// What is known of the calls of a program: who calls whom, from where, and what
/// stacks begin with.
#[derive(Debug, Default)]
pub struct CallSites {
    calls: HashMap<Call, Belief, FxBuildHasher>,
    /// Calls that were asked for, and those that they may be mistaken for.
    rivals: Rivals,
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

/// What is believed of what looked like a call.
#[derive(Clone, Copy, Debug)]
enum Belief {
    /// That it is one.
    Known,
    /// Nothing yet: it was seen while the thread ran, and this is how it fared.
    Doubtful(Trial),
    /// That it was something else.
    Refuted(Trial),
}

/// A root is believed after so many second looks that were the same, if one of so many
/// was. A generator that is resumed again and again has no caller in between.
const SAME_ROOTS: u32 = 12;
const LOOKS_FOR_ROOT: u32 = 4;

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
        matches!(self.calls.get(&call(caller, callee)), Some(Belief::Known))
    }

    /// Whether it is open if `caller` calls `callee` from where it stands.
    #[must_use]
    pub fn is_open(&self, caller: &Link, callee: &Link) -> bool {
        matches!(self.calls.get(&call(caller, callee)), None | Some(Belief::Doubtful(_)))
    }

    /// Whether every frame of a chain is known to call the next.
    #[must_use]
    pub fn contain_all(&self, chain: &[Link]) -> bool {
        chain.windows(2).all(|pair| self.contains(&pair[0], &pair[1]))
    }

    /// Whether a stack is known to begin like this one. A chain that was copied
    /// while a frame was unlinked ends too early.
    #[must_use]
    pub fn has_root_of(&self, chain: &[Link], now: Instant) -> bool {
        let Some(root) = chain.first() else { return true };
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
            self.calls.insert(call(&pair[0], &pair[1]), Belief::Known);
            self.note_callee(pair[1].frame, pair[1].code);
        }
        self.roots.extend(chain.first().map(|root| root.code));
    }

    /// Takes note that a call is asked for. A caller that nothing holds but its loop is a
    /// mixture itself, or does not tell.
    pub fn note_question(&mut self, caller: &Link, callee: &Link) {
        if caller.references > 1 {
            self.rivals.note(caller, callee);
        }
    }

    /// Takes note of a second look at a call.
    pub fn note_look(&mut self, caller: &Link, callee: &Link, look: Look) {
        let is_near = are_near(caller, callee);
        self.bound();
        let nothing = Belief::Doubtful(Trial::default());
        let belief = self.calls.entry(call(caller, callee)).or_insert(nothing);
        let trial = match belief {
            Belief::Known => return,
            Belief::Doubtful(trial) => trial.note(look),
            Belief::Refuted(trial) => {
                trial.note(look);
                if look != Look::Same {
                    return;
                }
                // One look that is the same opens the matter again. What was seen before still
                // counts: tried anew each time, a mixture would once be lucky.
                trial.faded()
            }
        };
        let is_beyond_chance = trial.is_beyond_chance()
            || trial.is_told_often() && self.rivals.is_sole(caller, callee);
        let is_left_to_looks = !self.has_stops && !is_near;
        *belief = if trial.is_steady(is_near) || is_left_to_looks && is_beyond_chance {
            Belief::Known
        } else if trial.is_in_vain() {
            Belief::Refuted(trial)
        } else {
            Belief::Doubtful(trial)
        };
    }

    /// Learns what stacks begin with, from one all of whose calls are known and whose
    /// root was looked at a second time.
    pub fn note_root(&mut self, chain: &[Link], same: bool, now: Instant) {
        let Some(root) = chain.first() else { return };
        chain.windows(2).for_each(|pair| self.note_callee(pair[1].frame, pair[1].code));
        let trial = self.doubtful_roots.entry(root.code).or_default();
        trial.note(if same { Look::Same } else { Look::Other });
        if trial.same >= SAME_ROOTS && trial.same * LOOKS_FOR_ROOT >= trial.looks {
            self.learn_root(chain, now);
        } else if trial.looks >= MANY_LOOKS {
            *trial = Trial::default();
        }
    }

    /// A function that nobody calls is a root; of another only a certain frame is.
    fn learn_root(&mut self, chain: &[Link], now: Instant) {
        let Some(root) = chain.first() else { return };
        let frame = (root.frame, root.code);
        if !self.callees.contains(&root.code) {
            self.roots.insert(root.code);
        } else if !self.callee_frames.contains(&frame) {
            self.root_frames.entry(frame).or_insert((now, 0)).1 += 1;
        }
    }

    /// Takes note that the frame at an address was called, with the code that it ran: it is
    /// no root.
    pub fn note_callee(&mut self, frame: u64, code: CodeId) {
        if self.callees.insert(code) {
            self.roots.remove(&code);
        }
        if self.callee_frames.insert((frame, code)) {
            self.root_frames.remove(&(frame, code));
        }
    }

    fn bound(&mut self) {
        let sizes = [self.calls.len(), self.callee_frames.len(), self.doubtful_roots.len()];
        if sizes.iter().any(|size| *size > MAX_SITES) {
            *self = Self::new(self.has_stops);
        }
    }
}

fn call(caller: &Link, callee: &Link) -> Call {
    (caller.code, caller.position, callee.code)
}

#[cfg(test)]
mod tests {
    use super::super::chain::fixtures::chain;
    use super::super::trial::{FEW_LOOKS, OFTEN_TOLD, SAME_LOOKS, VAIN_LOOKS};
    use super::*;

    /// What is seen of a call that is the same, or not.
    fn seen(same: bool) -> Look {
        if same { Look::Same } else { Look::Other }
    }

    /// Looks at each call of a chain a second time, so many times.
    fn look(sites: &mut CallSites, chain: &[Link], times: u32, same: bool) {
        for pair in chain.windows(2) {
            (0..times).for_each(|_| sites.note_look(&pair[0], &pair[1], seen(same)));
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
        let stack = chain(&[(1, 10, 4), (2, 20, 6), (3, 30, 7)]);
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
        let mixture = chain(&[(2, 20, 5), (3, 30, 7)]);
        let mut sites = CallSites::default();
        for _ in 0..SAME_LOOKS + 2 {
            look(&mut sites, &mixture, 100, false);
            look(&mut sites, &mixture, 1, true);
        }
        assert!(!sites.contain_all(&mixture));
    }

    /// Whether a call is known after so many looks, of which one in `one_in` is the same.
    fn is_believed(looks: u32, one_in: u32, has_stops: bool) -> bool {
        let stack = chain(&[(2, 20, 5), (3, 30, 7)]);
        let mut sites = CallSites::new(has_stops);
        (1..=looks).for_each(|n| sites.note_look(&stack[0], &stack[1], seen(n % one_in == 0)));
        sites.contain_all(&stack)
    }

    #[test]
    fn a_call_that_is_mostly_over_is_believed_after_many_looks() {
        assert!(is_believed(MANY_LOOKS, 5, false));
        assert!(!is_believed(FEW_LOOKS, 5, false));
        assert!(!is_believed(MANY_LOOKS, 5, true), "a stop will tell");
    }

    /// Asks for a call at so many ticks, and looks at it four times at each: it is told once,
    /// and the caller stands there without it so many times.
    fn is_told(sites: &mut CallSites, pair: &[Link], ticks: u32, alone: usize) -> bool {
        for _ in 0..ticks {
            sites.note_question(&pair[0], &pair[1]);
            let others = [Look::Told, Look::Left, Look::Left, Look::Left];
            let looks = [&[Look::Alone; 3][..alone], &others[..4 - alone]].concat();
            looks.into_iter().for_each(|look| sites.note_look(&pair[0], &pair[1], look));
        }
        sites.contain_all(pair)
    }

    #[test]
    fn where_frames_tell_a_call_without_rivals_is_believed_sooner() {
        let mut pair = chain(&[(1, 10, 4), (9000, 20, 7)]);
        pair[0].references = 2;
        let mut rival = pair.clone();
        rival[1].code = CodeId::for_tests(30);
        let told = |has_stops, rivals: u32, alone| {
            let mut sites = CallSites::new(has_stops);
            (0..rivals).for_each(|_| sites.note_question(&rival[0], &rival[1]));
            is_told(&mut sites, &pair, OFTEN_TOLD, alone)
        };
        assert!(told(false, 0, 0));
        assert!(told(false, 0, 2));
        assert!(!told(false, 0, 3), "the caller mostly stands there without it");
        assert!(!told(false, 4, 0), "it calls another from there");
        assert!(!told(true, 0, 0), "a stop will tell");
        pair[0].references = 0;
        let mut sites = CallSites::new(false);
        assert!(!is_told(&mut sites, &pair, OFTEN_TOLD, 0), "frames do not tell");
    }

    #[test]
    fn a_mixture_that_is_met_as_often_as_can_be_is_never_believed() {
        assert!(!is_believed(100_000, 9, false));
    }

    #[test]
    fn frames_that_are_copied_as_one_are_believed_if_half_of_the_looks_are_the_same() {
        let far = chain(&[(2, 20, 5), (9000, 30, 7)]);
        let mut near = far.clone();
        near[1].frame = 3;
        near[1].caller = near[0].frame;
        let is_believed = |pair: &[Link], one_in: u32| {
            let mut sites = CallSites::new(false);
            let mut looks = 1..4 * SAME_LOOKS;
            looks.any(|n| {
                sites.note_look(&pair[0], &pair[1], seen(n % one_in == 0));
                sites.contain_all(pair)
            })
        };
        assert!(is_believed(&near, 2));
        assert!(!is_believed(&near, 3));
        assert!(!is_believed(&far, 2));
    }

    #[test]
    fn a_mixture_that_is_tried_again_and_again_does_not_become_lucky() {
        let mixture = chain(&[(2, 20, 5), (3, 30, 7)]);
        let mut sites = CallSites::new(false);
        for _ in 0..100 {
            // In vain, then a few that were the same in a row: once, that was enough.
            look(&mut sites, &mixture, 4 * VAIN_LOOKS, false);
            look(&mut sites, &mixture, SAME_LOOKS + 1, true);
        }
        assert!(!sites.contain_all(&mixture));
    }

    #[test]
    fn a_chain_that_ends_too_early_has_no_known_root() {
        let stack = chain(&[(1, 10, 4), (2, 20, 6), (3, 30, 7)]);
        let (cut, now) = (&stack[2..], Instant::now());
        let mut known = CallSites::default();
        known.learn(&stack);
        assert!(known.has_root_of(&stack, now));
        steady(&mut known, cut, 100, now);
        assert!(!known.has_root_of(cut, now + ROOT_TIME), "its frame is called by others");
    }

    #[test]
    fn a_root_that_calls_itself_is_believed_in_time() {
        let stack = chain(&[(1, 10, 4), (2, 10, 6)]);
        let now = Instant::now();
        let mut known = CallSites::default();
        steady(&mut known, &stack, SAME_LOOKS + ROOT_LOOKS, now);
        assert!(!known.has_root_of(&stack, now));
        assert!(known.has_root_of(&stack, now + ROOT_TIME));
    }

    #[test]
    fn a_root_that_turns_out_to_be_called_is_forgotten() {
        let stack = chain(&[(1, 10, 4), (2, 20, 6), (3, 30, 7)]);
        let (cut, now) = (&stack[1..], Instant::now());
        let mut known = CallSites::default();
        steady(&mut known, cut, SAME_LOOKS, now);
        assert!(known.has_root_of(cut, now));
        known.learn(&stack);
        assert!(!known.has_root_of(cut, now));
    }
}
