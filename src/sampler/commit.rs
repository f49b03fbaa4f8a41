//! What becomes of a proven stack: it is interned, remembered, and waits for its code
//! objects. The next one mostly differs at its tip only.

use std::time::Instant;

use crate::cpython::abi::Abi;
use crate::cpython::memory::{Memory, Remote};
use crate::cpython::read::frames::{Broken, Frames};
use crate::cpython::read::objects::Thread;
use crate::profile::stats::Account;
use crate::profile::{self, Profile, StackId, State, Step, ThreadId, TornReason};
use crate::sampler::commit_queue::{Sample, Weight};
use crate::sampler::engine::Engine;
use crate::sampler::kept::{Remembered, Rest};
use crate::sampler::read::deferred::{Callee, Claim, Deferred, Moment};

impl<A: Abi, M: Memory> Engine<A, M> {
    /// Whether nothing that the last walk of a thread read has changed, nor what is known of
    /// its code objects.
    pub(super) fn is_as_before(&mut self, thread: Remote<Thread>) -> bool {
        let Some(known) = self.threads.get_mut(&thread.address()) else { return false };
        known.has_known_code(self.code.generation())
            && self.prefetch.is_unchanged(&mut known.footprint)
    }

    /// Whether a thread has not run since its last stack was proven. Its frames hold their
    /// code objects, so these stay as well, once they have been compared.
    pub(super) fn has_rested(&mut self, thread: Remote<Thread>, rest: Rest) -> bool {
        let Some(known) = self.threads.get_mut(&thread.address()) else { return false };
        let has_rested = known.rest == Some(rest) && known.has_known_code(self.code.generation());
        if has_rested && known.round != self.pending.round() {
            known.round = self.pending.round();
        }
        has_rested
    }

    /// Counts the last stack of a thread once more.
    pub(super) fn count_again(
        &mut self,
        now: Instant,
        microseconds: u64,
        thread: Remote<Thread>,
    ) -> bool {
        let Some(known) = self.threads.get_mut(&thread.address()) else { return false };
        if known.round != self.pending.round() {
            known.links.iter().for_each(|link| self.pending.name(link.named()));
            known.round = self.pending.round();
        }
        let Some(stack) = known.ids.last().copied() else { return false };
        let owner = known.owner;
        let seen = profile::Sample { stack, thread: owner, state: self.state(thread) };
        self.pending.push(now, Sample { microseconds, seen, weight: self.weight });
        true
    }

    /// What the profile knows a thread by, if it keeps threads.
    pub(super) fn owner(
        &self,
        thread: Remote<Thread>,
        profile: &mut Profile,
    ) -> Result<Option<ThreadId>, Broken> {
        if !profile.keeps_threads() {
            return Ok(None);
        }
        let id = self.prefetch.body().field(thread, A::THREAD.id)?;
        Ok(Some(profile.intern_thread(self.process, id)))
    }

    pub(super) fn state(&self, thread: Remote<Thread>) -> State {
        State {
            holds_gil: !self.every_thread || self.holding.contains(&thread),
            is_suspended: self.suspended.contains(&thread),
            on_cpu: self.selection.as_ref().and_then(|selection| selection.on_cpu(thread)),
        }
    }

    /// How much of the stack under proof the last one had too, with code objects that have
    /// been named since the last comparison.
    pub(super) fn named_before(&self, thread: Remote<Thread>) -> usize {
        let is_current = |known: &&Remembered| {
            known.round == self.pending.round()
                && known.truncated == self.copied.before.walk.truncated
        };
        let known = self.threads.get(&thread.address()).filter(is_current);
        known.map_or(0, |known| known.named.min(self.common))
    }

    /// Interns the proven stack and lets it wait for its code objects: for this moment, and
    /// for those that wait for it.
    pub(super) fn count(
        &mut self,
        now: Instant,
        thread: Remote<Thread>,
        moment: Moment,
        profile: &mut Profile,
    ) {
        let named = self.named_before(thread);
        let known = self.threads.entry(thread.address()).or_default();
        let truncated = self.copied.before.walk.truncated;
        let stack = self.copied.chains().part(self.stack);
        let is_alike = known.truncated == truncated && known.generation == self.code.generation();
        // What was interned of the last stack is kept as far as this one is the same.
        let common = if is_alike { self.common } else { 0 };
        let cut = usize::from(truncated);
        known.ids.truncate(if common == 0 { 0 } else { common + cut });
        if truncated && known.ids.is_empty() {
            known.ids.push(profile.child(None, Step::Truncated));
        }
        known.named = named;
        let mut last = None;
        for (index, link) in stack.iter().enumerate().skip(named.min(common)) {
            let named = link.named();
            // A young one has just been compared, and will be again with each sample.
            if last == Some(named) || !self.code.is_young(&named) {
                if last != Some(named) {
                    self.pending.name(named);
                }
                last = Some(named);
                known.named += usize::from(known.named == index);
            }
            if index < common {
                continue;
            }
            let Some(frame) = self.code.frame(named, link.position, &mut profile.frames) else {
                *known = Remembered::default();
                return; // Forgotten since: cannot be counted.
            };
            let caller = known.ids.last().copied();
            known.ids.push(profile.child(caller, Step::Frame(frame)));
        }
        for pair in stack[common.saturating_sub(1)..].windows(2) {
            if A::Frames::TELLS_CALLS || A::Frames::ON_HEAP {
                self.callees.note(&pair[0], &pair[1]);
            }
        }
        self.prefetch.footprint(&mut known.footprint);
        known.links.truncate(self.common);
        known.links.extend_from_slice(&stack[self.common..]);
        known.truncated = truncated;
        known.round = self.pending.round();
        known.generation = self.code.generation();
        known.owner = moment.owner;
        known.rest = None;
        if let Some(stack) = known.ids.last().copied() {
            let Moment { microseconds, owner, state, .. } = moment;
            let seen = profile::Sample { stack, thread: owner, state };
            self.pending.push(now, Sample { microseconds, seen, weight: self.weight });
            self.resolve(now, thread, stack);
        }
    }

    /// Takes down that the stack under proof was not all of a thread's stack: its last frame
    /// had called the one at `callee`, or whichever it calls from where it stands. That
    /// counts if the attempt goes well.
    pub(super) fn owe(&mut self, thread: Remote<Thread>, callee: Callee, moment: Moment) {
        let callers = self.stack().to_vec();
        self.owing.push(Claim { thread: thread.address(), callers, callee, moment });
    }

    /// Owes what the attempt came to. Whether that was all that the tick did.
    pub(super) fn owe_all(&mut self) -> bool {
        let is_all = self.owing.iter().any(|claim| claim.moment.is_alone);
        for claim in self.owing.drain(..) {
            self.deferred.note(&claim);
        }
        is_all
    }

    /// Whether there are moments for which a stack is still to be found.
    pub(crate) fn owes_stacks(&self) -> bool {
        !self.deferred.is_none()
    }

    /// Forgets all moments that are owed a stack, as if they had not been.
    pub(crate) fn forget_owed(&mut self) {
        self.deferred = Deferred::default();
    }

    /// Counts the `stack` under proof for the moments that are owed to a call of it.
    fn resolve(&mut self, now: Instant, thread: Remote<Thread>, stack: StackId) {
        if self.deferred.is_none() {
            return;
        }
        let links = self.copied.chains().part(self.stack);
        for moment in self.deferred.resolve(thread.address(), links) {
            self.paid += u64::from(moment.is_alone);
            let Moment { microseconds, owner, state, .. } = moment;
            let seen = profile::Sample { stack, thread: owner, state };
            self.pending.push_paid(now, Sample { microseconds, seen, weight: Weight::ONE });
        }
    }

    /// Accounts for the ticks that were owed a stack.
    pub(super) fn account_for_deferred(&mut self, account: &mut Account) {
        account.retried += std::mem::take(&mut self.paid);
        for moment in self.deferred.given_up() {
            if moment.is_alone {
                account.note_torn(TornReason::Over, 1);
            } else {
                account.lost_threads += 1;
            }
        }
    }
}
