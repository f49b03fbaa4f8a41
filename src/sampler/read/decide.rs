//! What the stack of a thread was, by the chains that were read and all that is known.

use std::time::Duration;

use crate::cpython::abi::Abi;
use crate::cpython::memory::{Memory, Remote};
use crate::cpython::read::code::Verified;
use crate::cpython::read::frames::{Frames, top_frame};
use crate::cpython::read::objects::Thread;
use crate::profile::TornReason;
use crate::sampler::engine::Engine;
use crate::sampler::frame_record::FrameRecord;
use crate::sampler::read::chain::{Verdict, common_root};
use crate::sampler::read::deferred::Callee;
use crate::sampler::read::top_pointer::LeafEvidence;
use crate::sampler::tick::{Proof, Unproven};

/// What is compared later than this after a fetch began was not compared at once: the
/// profiler had to wait for its turn on a processor.
const AT_ONCE: Duration = Duration::from_millis(1);

/// The bytes of a pointer.
const POINTER: usize = 8;

impl<A: Abi, M: Memory> Engine<A, M> {
    /// Decides what the stack of a thread was.
    pub(in crate::sampler) fn prove(
        &mut self,
        thread: Remote<Thread>,
        is_held: bool,
    ) -> Result<Proof, Unproven> {
        let decided = self.decide(thread);
        let told = match is_held {
            true => LeafEvidence::Nothing,
            false => self.turn_to_first(thread, decided.is_ok())?,
        };
        if told == LeafEvidence::Nothing {
            decided?;
        }
        let Some(top) = self.stack().last().copied() else { return Ok(Proof::Idle) };
        let callee = match told {
            LeafEvidence::OnTop => None,
            LeafEvidence::Left(callee) => Some(Callee::Top(callee)),
            LeafEvidence::Nothing => {
                let may_be = !is_held && top.says_inside() && self.holds_gil(thread)?;
                let was_inside = may_be && self.was_inside(&top);
                if may_be && !was_inside && self.may_call_unknown() {
                    self.note_unknown(thread)?;
                    return Err(Unproven::Torn(TornReason::UnknownCall));
                }
                was_inside.then_some(Callee::Any)
            }
        };
        if let Some(callee) = callee {
            if !self.has_known_sites(thread) || self.may_call_unknown() {
                self.note_unknown(thread)?;
            }
            return Ok(Proof::Callers(callee));
        }
        if is_held {
            // It has stood still since before the fetch.
            let fetched = self.prefetch.body();
            if !self.is_settled(thread, &fetched)? {
                return Err(Unproven::Torn(TornReason::Linking));
            }
            let shown = top_frame::<A, _>(&fetched, thread)?;
            if shown != self.copied.before.walk.top {
                self.copied.doubt();
                return Err(Unproven::Torn(TornReason::Moved));
            }
        } else if !self.has_known_sites(thread) {
            self.note_unknown(thread)?;
            let known = if self.holds_gil(thread)? { self.known_callers(told) } else { None };
            let (callers, callee) = known.ok_or(Unproven::Torn(TornReason::UnknownCall))?;
            self.stack = callers;
            return Ok(Proof::Callers(callee));
        }
        if !is_held && !self.is_of_one_moment() {
            return Err(Unproven::Torn(TornReason::Moved));
        }
        if self.code.has_young() {
            self.verify_young(thread, is_held)?;
        }
        Ok(Proof::Stack)
    }

    /// The stack under proof, outermost frame first.
    pub(in crate::sampler) fn stack(&self) -> &[FrameRecord] {
        self.copied.chains().part(self.stack)
    }

    /// Learns everything of the stack: the thread stood still until it had been read.
    pub(in crate::sampler) fn learn(&mut self) {
        let stack = self.copied.chains().part(self.stack);
        if self.copied.before.walk.truncated {
            self.sites.learn_calls(stack);
        } else {
            self.sites.learn(stack);
        }
    }

    /// Finds the stack.
    pub(in crate::sampler) fn decide(&mut self, thread: Remote<Thread>) -> Result<(), Unproven> {
        match self.copied.chains().decide(&self.sites) {
            Verdict::Stack(stack) => {
                self.stack = stack;
                self.note_common(thread);
                Ok(())
            }
            Verdict::Open => {
                self.note_unknown(thread)?;
                Err(Unproven::Torn(TornReason::UnknownCall))
            }
            Verdict::Torn => Err(Unproven::Torn(TornReason::Moved)),
        }
    }

    pub(in crate::sampler) fn note_common(&mut self, thread: Remote<Thread>) {
        let known = self.threads.get(&thread.address());
        self.common = known.map_or(0, |known| common_root(&known.links, self.stack()));
    }

    /// Whether every call of the stack is known, or was in the last stack.
    fn has_known_sites(&self, thread: Remote<Thread>) -> bool {
        let stack = self.stack();
        let last = self.threads.get(&thread.address()).and_then(|k| k.links.get(self.common));
        // The first that differs may only have moved on.
        let has_moved = |last: &FrameRecord| {
            stack.get(self.common).is_some_and(|l| l.frame == last.frame && l.code == last.code)
        };
        let known = self.common + usize::from(last.is_some_and(has_moved));
        self.has_known_root() && self.sites.contain_all(&stack[known.saturating_sub(1)..])
    }

    /// Whether the innermost frame of the stack may have made a call that is not known.
    fn may_call_unknown(&self) -> bool {
        let Some(caller) = self.stack().last() else { return false };
        let chains = self.copied.chains();
        chains.callees_of(caller).any(|callee| self.sites.is_open(caller, callee))
    }

    /// Whether the stack was there when the pointer to the top was read between two copies of
    /// the frames: it named the innermost frame, that ran the same function for the same caller
    /// in both copies, and all others were copied twice alike.
    ///
    /// Up to 3.10 the pointer that was read before all frames tells the moment
    /// ([`crate::sampler::read::top_pointer`]), so the caller of the innermost frame may have gone on: that it calls
    /// the other from where it stood is known, and only that.
    fn is_of_one_moment(&self) -> bool {
        let stack = self.stack();
        let Some((top, callers)) = stack.split_last() else { return true };
        let is_steady = |links: &[FrameRecord]| {
            self.prefetch.are_steady(links.iter().map(|link| link.frame), A::Frames::SIZE)
        };
        let pointers = A::Frames::POINTERS;
        let is_same = |link: &FrameRecord| {
            let fields = [pointers.code, pointers.caller].map(|field| link.frame + field as u64);
            self.prefetch.are_steady(fields.into_iter(), POINTER)
        };
        if A::Frames::ON_HEAP {
            let Some((caller, outer)) = callers.split_last() else { return is_same(top) };
            return is_same(top) && is_same(caller) && is_steady(outer);
        }
        let named = self.copied.chains().after.last();
        named.is_some_and(|named| named.frame == top.frame) && is_same(top) && is_steady(callers)
    }

    /// Whether the innermost frame, which says that it is inside a call, was not on top when
    /// it was copied.
    fn was_inside(&self, top: &FrameRecord) -> bool {
        top.says_inside() && self.sites.calls_from(top)
    }

    /// Whether the stack begins where stacks are known to begin; the root of one
    /// that was cut off is not known.
    pub(in crate::sampler) fn has_known_root(&self) -> bool {
        self.copied.before.walk.truncated || self.sites.has_root_of(self.stack())
    }

    /// Compares the code objects that may be short-lived, at once: if the thread runs,
    /// before they can have been made anew.
    fn verify_young(&mut self, thread: Remote<Thread>, is_held: bool) -> Result<(), Unproven> {
        let named = self.named_before(thread);
        let links = &self.copied.chains().part(self.stack)[named..];
        self.young.clear();
        self.young
            .extend(links.iter().map(FrameRecord::named).filter(|named| self.code.is_young(named)));
        // A deep stack has few functions.
        self.young.sort_unstable_by_key(|named| named.address);
        self.young.dedup();
        let memory = self.prefetch.direct();
        let same = self.young.is_empty()
            || self.code.verify(memory, &self.young) == Verified::Same
                && (is_held || self.fetched.is_some_and(|fetched| fetched.elapsed() < AT_ONCE));
        if same {
            return Ok(());
        }
        for named in &self.young {
            // What is there now, the next attempt needs.
            let _ = self.code.decode(memory, Remote::new(named.address));
        }
        Err(Unproven::Torn(TornReason::Code))
    }
}
