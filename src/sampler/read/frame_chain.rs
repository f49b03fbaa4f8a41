//! Chains of frames as they were copied, and the code objects that they run.

mod upwards;

use crate::cpython::abi::Abi;
use crate::cpython::memory::{Memory, Remote};
use crate::cpython::read::code::{CodeCache, Place};
use crate::cpython::read::frames::{
    Frames, MAX_DEPTH, RawFrame, Step, Walk, newest_c_frame, top_frame,
};
use crate::cpython::read::objects::{Frame, Thread};
use crate::profile::TornReason;
use crate::sampler::fetch::prefetch::{Prefetch, Side};
use crate::sampler::frame_record::FrameRecord;
use crate::sampler::read::call_sites::CallSites;
use crate::sampler::read::callees::Callees;
use crate::sampler::read::chain::Chains;
use crate::sampler::read::eval_loop::{EvalLoop, EvalLoops};
use crate::sampler::tick::Unproven;

/// Among so many of the innermost known steps a frame is looked for.
const NEAR: usize = 8;

/// The chains of one thread in one fetch.
#[derive(Default)]
pub(crate) struct Copied {
    /// The one that ends with the top-frame pointer as it was before the frames were copied.
    pub before: Chain,
    /// The one that ends with the pointer as it was after that, if it was another.
    after: Chain,
    is_same: bool,
    eval_loops: EvalLoops,
}

impl Copied {
    /// Reads the chains of `thread` that end with its top-frame pointer as it was before
    /// and after its frames were copied. Where the frames tell which of them was on top,
    /// no pointer is asked for, and soon none is fetched.
    pub(in crate::sampler) fn read<A: Abi, M: Memory>(
        &mut self,
        prefetch: &Prefetch<M>,
        code: &mut CodeCache<A>,
        calls: &Calls<'_>,
        thread: Remote<Thread>,
    ) -> Result<(), Unproven> {
        let (first, last) = (prefetch.roots(Side::Before), prefetch.roots(Side::After));
        let c_frame = newest_c_frame::<A, _>(&first, thread)?;
        let top = |side| match c_frame {
            None => top_frame::<A, _>(&prefetch.roots(side), thread),
            Some(_) => top_frame::<A, _>(&prefetch.spare_roots(side), thread),
        };
        let is_same_loop = newest_c_frame::<A, _>(&last, thread)? == c_frame;
        let same = c_frame.filter(|_| is_same_loop);
        let begins = same.and_then(|c_frame| self.eval_loops.first(thread, c_frame));
        self.is_same =
            begins.is_some_and(|first| self.before.read_upwards(prefetch, code, calls, first));
        if !self.is_same {
            let before = top(Side::Before)?;
            self.before.read(prefetch, code, calls, before)?;
            self.is_same = same.is_some() && self.before.is_top_executed;
            if self.before.walk.has_foreign {
                self.eval_loops.note_foreign();
            }
        }
        if self.is_same {
            if let (Some(c_frame), Some(first)) = (same, self.before.first_of_loop()) {
                self.eval_loops
                    .note::<A, M>(EvalLoop { thread, c_frame, first }, prefetch.direct());
            }
            return Ok(());
        }
        let after = top(Side::After)?;
        self.is_same = self.before.walk.top == after;
        if self.is_same {
            return Ok(());
        }
        self.after.read_beside(&self.before, prefetch, code, calls, after)?;
        if self.after.walk.has_foreign {
            self.eval_loops.note_foreign();
        }
        Ok(())
    }

    /// To be called when a thread that stood still was in another frame than was told
    /// without its pointer.
    pub(in crate::sampler) fn doubt(&mut self) {
        self.eval_loops.doubt();
    }

    /// The frames that were walked, no loop executes, and another had called.
    pub(in crate::sampler) fn foreign_callees(&self) -> impl Iterator<Item = &RawFrame> {
        let chains = [&self.before, &self.after].into_iter();
        chains.filter(|chain| chain.walk.has_foreign).flat_map(Chain::foreign_callees)
    }

    /// Both chains.
    #[must_use]
    pub(crate) fn chains(&self) -> Chains<'_> {
        let before = &self.before.links;
        Chains { before, after: if self.is_same { before } else { &self.after.links } }
    }
}

/// A chain under construction.
#[derive(Default)]
pub(crate) struct Chain {
    /// The walk from the top-frame pointer to the first frame that was known, or to the
    /// end of the chain.
    pub walk: Walk,
    /// The frames that may have been the stack, outermost first.
    pub links: Vec<FrameRecord>,
    /// What was found, outermost first. As much of it as has not changed is kept.
    known: Vec<Known>,
    /// The fetch that was walked, and the generation of its code objects, if all of them
    /// were known.
    moment: Option<(u32, u32)>,
    /// How many steps were kept.
    #[cfg(test)]
    kept: usize,
    /// Frames that the walk did not begin with, outermost first.
    above: Vec<FrameRecord>,
    /// Whether the innermost frame said that it was executed. Then no other of the same
    /// call of the evaluation loop was.
    is_top_executed: bool,
}

/// A step of a walk, and what follows from it.
#[derive(Clone, Copy, Debug)]
struct Known {
    step: Step,
    /// Whether the frame says that it is not inside a call ([`RawFrame::calls_none`]).
    calls_none: bool,
    /// Whether it says that it was entered and not left ([`RawFrame::is_executed`]).
    is_executed: bool,
    /// How many links there are up to here.
    links: usize,
}

impl Known {
    fn new(step: Step, raw: Option<&RawFrame>, links: usize) -> Self {
        let calls_none = raw.is_some_and(|raw| raw.calls_none);
        let is_executed = raw.is_some_and(|raw| raw.is_executed);
        Self { step, calls_none, is_executed, links }
    }

    /// Of a frame that tells whether it is executed.
    fn above(link: &FrameRecord, links: usize) -> Self {
        let (frame, caller) = (Remote::new(link.frame), Remote::new(link.caller));
        let step = Step { frame, caller, begins: false, is_shim: false };
        Self { step, calls_none: !link.may_call, is_executed: !link.may_call, links }
    }
}

/// What is known of a program's calls.
pub(in crate::sampler) struct Calls<'a> {
    pub sites: &'a CallSites,
    pub callees: &'a Callees,
}

impl Chain {
    /// Walks from `top` and finds the code object of each frame. Code objects that
    /// were not known are decoded, which makes the attempt incomplete: by then
    /// the frame may be gone. What the last fetch had too, from the outermost frame on,
    /// byte for byte, is not walked again.
    fn read<A: Abi, M: Memory>(
        &mut self,
        prefetch: &Prefetch<M>,
        code: &mut CodeCache<A>,
        calls: &Calls<'_>,
        top: Remote<Frame>,
    ) -> Result<(), Unproven> {
        let same = self.unchanged(prefetch, code);
        self.moment = None;
        self.known.truncate(same);
        self.go_on(prefetch, code, calls, top)?;
        self.moment = Some((prefetch.number(), code.generation()));
        Ok(())
    }

    /// How many of the known steps, from the outermost on, were in the last fetch, and in
    /// the one before it, byte for byte.
    fn unchanged<A: Abi, M: Memory>(&self, prefetch: &Prefetch<M>, code: &CodeCache<A>) -> usize {
        let before = (prefetch.number().wrapping_sub(1), code.generation());
        let is_last = self.moment == Some(before) && !self.walk.truncated;
        let places = self.known.iter().map(|known| known.step.frame.address());
        if is_last { prefetch.same_at(places, A::Frames::SIZE) } else { 0 }
    }

    /// The frames of the walk that no loop executes, and whose caller was met too.
    fn foreign_callees(&self) -> impl Iterator<Item = &RawFrame> {
        let met = self.known.last().map(|known| &known.step).into_iter();
        let callers = self.walk.path.iter().skip(1).chain(met);
        let mut frames = self.walk.frames.iter();
        self.walk.path.iter().zip(callers).filter_map(move |(step, caller)| {
            let raw = if step.is_shim { None } else { frames.next() };
            raw.filter(|raw| raw.is_foreign && raw.caller == caller.frame && !caller.is_shim)
        })
    }

    /// Whether the innermost known frame says that it is executed.
    fn is_at_top(&self) -> bool {
        self.known.last().is_some_and(|known| known.is_executed)
    }

    /// The step with which the innermost call of the evaluation loop begins, if all steps
    /// are known.
    fn first_of_loop(&self) -> Option<Step> {
        let begins = self.known.iter().rev().find(|known| known.step.begins);
        begins.map(|known| known.step).filter(|_| !self.walk.truncated)
    }

    /// The same, where `other` has been read from the same fetch.
    fn read_beside<A: Abi, M: Memory>(
        &mut self,
        other: &Self,
        prefetch: &Prefetch<M>,
        code: &mut CodeCache<A>,
        calls: &Calls<'_>,
        top: Remote<Frame>,
    ) -> Result<(), Unproven> {
        self.moment = None;
        self.known.clear();
        if !other.walk.truncated {
            self.known.extend_from_slice(&other.known);
            self.links.clone_from(&other.links);
        }
        self.go_on(prefetch, code, calls, top)
    }

    /// Walks from `top` until the walk comes to a frame that is known.
    fn go_on<A: Abi, M: Memory>(
        &mut self,
        prefetch: &Prefetch<M>,
        code: &mut CodeCache<A>,
        calls: &Calls<'_>,
        top: Remote<Frame>,
    ) -> Result<(), Unproven> {
        let kept = self.walk::<A, M>(prefetch, top)?;
        self.known.truncate(kept);
        self.links.truncate(self.known.last().map_or(0, |known| known.links));
        #[cfg(test)]
        {
            self.kept = kept;
        }
        if kept > 0 {
            self.walk.is_whole = kept + self.walk.path.len() <= MAX_DEPTH;
            let begins = self.known.iter().rev().find(|known| known.step.begins);
            let caller = begins.map_or(Remote::new(0), |known| known.step.caller);
            self.walk.loop_caller.get_or_insert(caller);
        }
        if !self.walk.is_whole {
            return Err(Unproven::Torn(TornReason::Moved));
        }
        self.link(prefetch, code)?;
        let above = self.ascend(prefetch, code, calls);
        self.is_top_executed = above > 0 || self.is_at_top();
        Ok(())
    }

    /// Walks from `top`, and returns how many of the known steps, from the outermost on,
    /// the walk has come to.
    fn walk<A: Abi, M: Memory>(
        &mut self,
        prefetch: &Prefetch<M>,
        top: Remote<Frame>,
    ) -> Result<usize, Unproven> {
        let Self { walk, known, .. } = self;
        walk.begin(top);
        let mut kept = 0;
        A::Frames::walk_until(&prefetch.frames(), walk, |frame| {
            let near = known.iter().rev().take(NEAR).position(|known| known.step.frame == frame);
            kept = near.map_or(0, |inwards| known.len() - inwards);
            kept > 0
        })?;
        Ok(kept)
    }

    /// Adds what was walked, up to a frame that was on top when it was copied.
    fn link<A: Abi, M: Memory>(
        &mut self,
        prefetch: &Prefetch<M>,
        code: &mut CodeCache<A>,
    ) -> Result<(), Unproven> {
        let mut is_complete = true;
        let mut frames = self.walk.frames.iter().rev();
        for step in self.walk.path.iter().rev() {
            let raw = if step.is_shim { None } else { frames.next() };
            if let Some(raw) = raw {
                let caller = self.known.last();
                if caller.is_some_and(|c| raw.has_left(c.step.frame, c.calls_none)) {
                    break;
                }
                let id = match code.place(raw) {
                    Some(Place::Inside(id)) => Some(id),
                    Some(Place::Incomplete) => None,
                    Some(Place::Outside) => {
                        // Or in another code object, in the memory of one that is gone.
                        let same = code.is_same(prefetch.direct(), raw.code);
                        // Or in the making: it has its code, but not its place in that.
                        let is_innermost = frames.len() == 0;
                        if !(same && is_innermost && raw.may_be_incomplete) {
                            return Err(Unproven::Torn(TornReason::Moved));
                        }
                        None
                    }
                    None => {
                        is_complete = false;
                        Some(code.decode_of(prefetch.direct(), raw)?)
                    }
                };
                self.links.extend(id.map(|id| FrameRecord::new(raw, id)));
            }
            self.known.push(Known::new(*step, raw, self.links.len()));
        }
        if is_complete { Ok(()) } else { Err(Unproven::Torn(TornReason::NotFetched)) }
    }
}

/// What was copied of the frame at a place, if one can be there.
fn frame_at<A: Abi, M: Memory>(prefetch: &Prefetch<M>, place: Remote<Frame>) -> Option<RawFrame> {
    let mut copy = [0; crate::cpython::read::frames::COPY];
    let copy = &mut copy[..A::Frames::SIZE];
    prefetch.frames().read_into(place.address(), copy).ok()?;
    A::Frames::decode(place, copy)?.raw
}

#[cfg(all(test, feature = "py27", feature = "py36", feature = "py310"))]
#[cfg(all(feature = "py311", feature = "py312", feature = "py314"))]
#[path = "frame_chain_tests.rs"]
mod tests;
