//! Stacks with a call that is not known yet: what else can be asked of a thread that
//! is not stopped.

use std::time::{Duration, Instant};

use super::chain::{Chains, Link, Part, position, same_calls};
use super::first::Told;
use super::glance::{Look, Top};
use super::owed::Callee;
use super::{Engine, FIRST_CREDIT, Unproven};
use crate::abi::Abi;
use crate::memory::prefetch::Side;
use crate::memory::{Memory, Remote};
use crate::python::code::Place;
use crate::python::frames::{Broken, RawFrame, Word, is_settled, path_to_top};
use crate::python::objects::Thread;

/// How often calls of one stack are looked at a second time, in all, and each.
const GLANCES: usize = 48;
const LOOKS: usize = 8;

/// How long it takes to earn another glance: they shall cost no more than a small part of a
/// core, or than the fetches, with each of which one is earned too.
const EARNS_A_GLANCE: Duration = Duration::from_micros(20);

/// After so many looks at a call that its caller has left, it will not come back to it soon.
const LOOKS_TOO_LATE: u32 = 4;

impl<A: Abi, M: Memory> Engine<A, M> {
    /// Looks a second time at a stack with unknown calls or an unknown root. If its
    /// thread did not hold the GIL, the stack is believed at once when it is the same;
    /// otherwise each call is, when it has been the same often enough.
    pub(super) fn confirm(&mut self, thread: Remote<Thread>, now: Instant) -> Result<(), Unproven> {
        if self.holds_gil(thread)? {
            self.glance_at_calls(thread, now)?;
        } else {
            self.look_again(thread)?;
        }
        let known = self.sites.contain_all(self.stack()) && self.has_known_root(now);
        if known { Ok(()) } else { Err(Unproven::Torn) }
    }

    /// The part of the stack of a thread that runs that is known, and whom the last of it
    /// had called: the frame on top, if that is `told`, or one that it calls from where it
    /// says that it is inside a call. What was copied above that is of another moment.
    pub(super) fn known_callers(&mut self, told: Told) -> Option<(Part, Callee)> {
        let mut pairs = self.stack().windows(2);
        let caller = pairs.position(|pair| !self.sites.contains(&pair[0], &pair[1]))?;
        let part = Part { length: caller + 1, ..self.stack };
        if told == Told::OnTop {
            return self.stack().last().map(|top| (part, Callee::Top(top.frame)));
        }
        let link = self.stack()[caller];
        // A callee of it was copied: that of the unknown call.
        self.held.note(&link, true);
        self.held.is_inside(&link, false).then_some((part, Callee::Any))
    }

    /// Fetches the stack of a thread that rests once more.
    fn look_again(&mut self, thread: Remote<Thread>) -> Result<(), Unproven> {
        let seen = self.stack().to_vec();
        self.prefetch.fetch()?;
        self.read_chains(thread).map_err(|_| Unproven::Torn)?;
        self.decide(thread)?;
        let is_settled = self.is_settled(thread, &self.prefetch.body())?;
        if self.prefetch.misses() > 0 {
            return Err(Unproven::Incomplete);
        }
        if !is_settled || !same_calls(&seen, self.stack()) || self.holds_gil(thread)? {
            return Err(Unproven::Torn);
        }
        self.learn();
        Ok(())
    }

    /// Looks at each unknown call of the stack by itself, while the thread runs, and at
    /// its root if that is unknown.
    pub(super) fn glance_at_calls(
        &mut self,
        thread: Remote<Thread>,
        now: Instant,
    ) -> Result<(), Unproven> {
        if !self.is_settled(thread, self.prefetch.direct())? {
            return Err(Unproven::Torn);
        }
        let path = path_to_top::<A, _>(&self.prefetch.roots(Side::Before), thread)?;
        let mut looks = GLANCES;
        // Outermost first: on those calls most stacks depend.
        let depth = self.stack().len();
        for index in 1..depth {
            let (caller, callee) = (self.stack()[index - 1], self.stack()[index]);
            if !self.sites.contains(&caller, &callee) {
                let more = looks.min(LOOKS);
                looks -= more;
                self.look(&path, &caller, &callee, index + 1 == depth, more);
            }
        }
        if self.sites.contain_all(self.stack()) {
            for _ in 0..LOOKS {
                if self.has_known_root(now) {
                    break;
                }
                if let Some(same) = self.glance_at_root(&path) {
                    let stack = self.copied.chains().part(self.stack);
                    self.sites.note_root(stack, same, now);
                }
            }
        }
        Ok(())
    }

    /// Looks at the calls that the innermost frame of the stack may have made.
    pub(super) fn glance_at_callees(&mut self, thread: Remote<Thread>) -> Result<(), Unproven> {
        let Some(caller) = self.stack().last().copied() else { return Ok(()) };
        let chains = self.copied.chains();
        let open = |callee: &&Link| self.sites.is_open(&caller, callee);
        let Some(callee) = chains.callees_of(&caller).find(open).copied() else { return Ok(()) };
        let path = path_to_top::<A, _>(&self.prefetch.roots(Side::Before), thread)?;
        self.look(&path, &caller, &callee, true, LOOKS);
        Ok(())
    }

    /// Looks at a call that is open, on which it depends what the stack was.
    pub(super) fn ask(
        &mut self,
        thread: Remote<Thread>,
        caller: &Link,
        callee: &Link,
        is_leaf: bool,
    ) -> Result<(), Unproven> {
        let path = path_to_top::<A, _>(&self.prefetch.roots(Side::Before), thread)?;
        self.look(&path, caller, callee, is_leaf, LOOKS);
        if self.sites.is_open(caller, callee) { Err(Unproven::Torn) } else { Ok(()) }
    }

    /// Looks at a call so many times, or until enough is known. If the first looks all find
    /// that the caller has left it, they come too late, and say nothing of it. A short loop
    /// would have come back to it.
    fn look(&mut self, path: &[Word], caller: &Link, callee: &Link, is_leaf: bool, times: usize) {
        self.sites.note_question(caller, callee);
        let (mut left, mut has_met) = (0, false);
        for _ in 0..times {
            let Some(credit) = self.credit.checked_sub(1) else { break };
            self.credit = credit;
            let Some(look) = self.glance(path, caller, callee, (is_leaf, false)) else { continue };
            if look == Look::Left && !has_met {
                left += 1;
                if left == LOOKS_TOO_LATE {
                    break;
                }
                continue;
            }
            has_met = true;
            for _ in 0..std::mem::take(&mut left) {
                self.sites.note_look(caller, callee, Look::Left);
            }
            self.sites.note_look(caller, callee, look);
            if !self.sites.is_open(caller, callee) {
                break;
            }
        }
    }

    /// Earns what may be looked at a second time, for the time since it was last done.
    pub(super) fn earn_glances(&mut self, now: Instant) {
        if self.credit == FIRST_CREDIT {
            self.earned = now;
            return;
        }
        let time = now.saturating_duration_since(self.earned).as_nanos();
        let earned = u32::try_from(time / EARNS_A_GLANCE.as_nanos()).unwrap_or(FIRST_CREDIT);
        if earned > 0 {
            self.earned = now;
            self.credit = self.credit.saturating_add(earned).min(FIRST_CREDIT);
        }
    }

    fn glance_at_root(&mut self, path: &[Word]) -> Option<bool> {
        let root = *self.stack().first()?;
        match self.stack().get(1).copied() {
            Some(callee) => {
                let ends = (self.stack().len() == 2, true);
                self.glance(path, &root, &callee, ends).map(|look| look == Look::Same)
            }
            None => {
                let top = Top { path, candidates: &[root.frame] };
                self.glance.sees_alone::<A, _>(self.prefetch.direct(), &top, &root)
            }
        }
    }

    fn glance(
        &mut self,
        path: &[Word],
        caller: &Link,
        callee: &Link,
        ends: (bool, bool),
    ) -> Option<Look> {
        tops_above(&self.copied.chains(), callee, &mut self.tops);
        let top = Top { path, candidates: &self.tops };
        let (memory, code) = (self.prefetch.direct(), &self.code);
        let is_no_frame = |raw: &RawFrame| code.place(raw) == Some(Place::Incomplete);
        self.glance.sees_call::<A, _>(memory, &top, caller, callee, ends, is_no_frame)
    }

    /// Whether a thread was not just entering the evaluation loop, when seen in
    /// `memory` at the moment of the first chain.
    pub(super) fn is_settled(
        &self,
        thread: Remote<Thread>,
        memory: &impl Memory,
    ) -> Result<bool, Broken> {
        Ok(is_settled::<A, _>(memory, thread, &self.copied.before.walk)?)
    }
}

/// The frames that a thread may be in while `frame` is on its stack: those above it in
/// the chains, and itself.
fn tops_above(chains: &Chains<'_>, frame: &Link, tops: &mut Vec<u64>) {
    tops.clear();
    for chain in [chains.before, chains.after] {
        let from = position(chain, frame.frame).unwrap_or(chain.len());
        tops.extend(chain[from..].iter().map(|link| link.frame));
    }
}
