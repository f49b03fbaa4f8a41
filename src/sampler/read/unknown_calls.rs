//! Stacks of a thread that runs, with a call that is not known yet.

use crate::cpython::abi::Abi;
use crate::cpython::memory::{Memory, Remote};
use crate::cpython::read::frames::{Broken, is_settled};
use crate::cpython::read::objects::Thread;
use crate::sampler::engine::Engine;
use crate::sampler::read::chain::Part;
use crate::sampler::read::deferred::Callee;
use crate::sampler::read::top_pointer::LeafEvidence;
use crate::sampler::tick::Unknown;

impl<A: Abi, M: Memory> Engine<A, M> {
    /// Takes down that a thread was met in calls that are not known: it is to be met while it
    /// stands still.
    pub(in crate::sampler) fn note_unknown(
        &mut self,
        thread: Remote<Thread>,
    ) -> Result<(), Broken> {
        let holds_gil = self.holds_gil(thread)?;
        if !self.unknown.iter().any(|unknown| unknown.thread == thread) {
            self.unknown.push(Unknown { thread, holds_gil });
        }
        Ok(())
    }

    /// The part of the stack of a thread that runs that is known, and whom the last of it
    /// had called: the frame on top, if that is `told`, or one that it calls from where it
    /// says that it is inside a call. What was copied above that is of another moment.
    pub(in crate::sampler) fn known_callers(
        &mut self,
        told: LeafEvidence,
    ) -> Option<(Part, Callee)> {
        let mut pairs = self.stack().windows(2);
        let caller = pairs.position(|pair| !self.sites.contains(&pair[0], &pair[1]))?;
        let part = Part { length: caller + 1, ..self.stack };
        if told == LeafEvidence::OnTop {
            return self.stack().last().map(|top| (part, Callee::Top(top.frame)));
        }
        let link = self.stack()[caller];
        (link.says_inside() && self.sites.calls_from(&link)).then_some((part, Callee::Any))
    }

    /// Whether a thread was not just entering the evaluation loop, when seen in
    /// `memory` at the moment of the first chain.
    pub(in crate::sampler) fn is_settled(
        &self,
        thread: Remote<Thread>,
        memory: &impl Memory,
    ) -> Result<bool, Broken> {
        Ok(is_settled::<A, _>(memory, thread, &self.copied.before.walk)?)
    }
}
