//! The way up: from frames that are known to be on the stack to the one that says that it
//! is executed, without or beyond the pointer to the top.

use super::{Calls, Chain, Known, frame_at};
use crate::cpython::abi::Abi;
use crate::cpython::memory::{Memory, Remote};
use crate::cpython::read::code::{CodeCache, Place};
use crate::cpython::read::frames::{MAX_DEPTH, RawFrame, Step};
use crate::sampler::fetch::prefetch::Prefetch;
use crate::sampler::frame_record::FrameRecord;

/// How many frames are looked for above the one that the top-frame pointer names.
const MOST_ABOVE: usize = 64;

impl Chain {
    /// Goes from the innermost frame that has not changed to the one that says that it is
    /// executed, where the last fetch had frames, without a pointer to the top: for a
    /// thread that is still in the call of the evaluation loop that begins with `first`.
    /// `false` if that does not lead to one.
    pub(in crate::sampler) fn read_upwards<A: Abi, M: Memory>(
        &mut self,
        prefetch: &Prefetch<M>,
        code: &mut CodeCache<A>,
        calls: &Calls<'_>,
        first: Step,
    ) -> bool {
        let same = self.unchanged(prefetch, code);
        let begins = self.known.iter().rposition(|known| known.step.begins);
        if !begins.is_some_and(|at| at < same && self.known[at].step == first) {
            return false;
        }
        self.links.truncate(self.known[same - 1].links);
        self.step_up(prefetch, code, same);
        if !self.is_at_top() {
            self.step_beyond(prefetch, code, calls);
        }
        if !self.is_at_top() || self.known.len() > MAX_DEPTH {
            return false;
        }
        self.walk.begin(self.known.last().map_or(Remote::new(0), |top| top.step.frame));
        self.walk.is_whole = true;
        self.walk.loop_caller = Some(first.caller);
        self.moment = Some((prefetch.number(), code.generation()));
        true
    }

    /// Keeps the `same` outermost known steps, and what still follows from them, up to the
    /// frame that is executed.
    fn step_up<A: Abi, M: Memory>(
        &mut self,
        prefetch: &Prefetch<M>,
        code: &mut CodeCache<A>,
        same: usize,
    ) {
        let mut kept = same;
        while kept < self.known.len() && !self.known[kept - 1].is_executed {
            let (caller, step) = (self.known[kept - 1].step.frame, self.known[kept].step);
            let copied = frame_at::<A, M>(prefetch, step.frame);
            let is_callee = |raw: &RawFrame| raw.is_told_by_caller && raw.caller == caller;
            let Some(raw) = copied.filter(is_callee) else { break };
            match code.place(&raw) {
                Some(Place::Inside(id)) => self.links.push(FrameRecord::new(&raw, id)),
                Some(Place::Incomplete) => {}
                Some(Place::Outside) | None => break,
            }
            self.known[kept] = Known::new(step, Some(&raw), self.links.len());
            kept += 1;
        }
        self.known.truncate(kept);
    }

    /// Adds the callees of the innermost frame that are found above it.
    fn step_beyond<A: Abi, M: Memory>(
        &mut self,
        prefetch: &Prefetch<M>,
        code: &mut CodeCache<A>,
        calls: &Calls<'_>,
    ) {
        let links = self.links.len();
        let found = self.ascend(prefetch, code, calls);
        let above = self.above[..found].iter().zip(links + 1..);
        self.known.extend(above.map(|(link, links)| Known::above(link, links)));
    }

    /// Goes on from an innermost frame that says that it is inside a call. Its callee
    /// was copied with it, and says itself that it is linked to it and executed; only a
    /// call that is known is believed, for the two were not copied at one instant. Returns
    /// how many callees there were, one above the other. If there is none, the pointer is
    /// right, or as good as any guess.
    pub(in crate::sampler) fn ascend<A: Abi, M: Memory>(
        &mut self,
        prefetch: &Prefetch<M>,
        code: &mut CodeCache<A>,
        calls: &Calls<'_>,
    ) -> usize {
        let Some(mut caller) = self.links.last().copied() else { return 0 };
        self.above.clear();
        let mut executed = 0;
        while caller.may_call && self.above.len() < MOST_ABOVE {
            let found = calls.callees.of(caller.frame).find_map(|place| {
                let raw = frame_at::<A, M>(prefetch, Remote::new(place))?;
                let Some(Place::Inside(id)) = code.place(&raw) else {
                    return None;
                };
                let callee = FrameRecord::new(&raw, id);
                let is_callee = raw.caller.address() == caller.frame
                    && raw.is_told_by_caller
                    && (raw.is_executed || callee.may_call)
                    && calls.sites.contains(&caller, &callee);
                is_callee.then_some((callee, raw.is_executed))
            });
            let Some((callee, is_executed)) = found else { break };
            self.above.push(callee);
            if is_executed {
                executed = self.above.len();
            }
            caller = callee;
        }
        self.links.extend_from_slice(&self.above[..executed]);
        executed
    }
}

#[cfg(all(test, feature = "py27", feature = "py36", feature = "py310"))]
#[cfg(all(feature = "py311", feature = "py312", feature = "py314"))]
#[path = "upwards_tests.rs"]
mod tests;
