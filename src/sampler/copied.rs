//! Chains of frames as they were copied, and the code objects that they run.

use super::Unproven;
use super::callees::Callees;
use super::calls::CallSites;
use super::chain::{Chains, Link};
use crate::abi::Abi;
use crate::memory::prefetch::Prefetch;
use crate::memory::{Memory, Remote};
use crate::python::code::{CodeCache, Place};
use crate::python::frames::{Frames, MAX_DEPTH, RawFrame, Step, Walk};
use crate::python::objects::Frame;

/// How many frames are looked for above the one that the top-frame pointer names.
const MOST_ABOVE: usize = 64;

/// Among so many of the innermost known steps a frame is looked for.
const NEAR: usize = 8;

/// The chains of one thread in one fetch.
#[derive(Default)]
pub struct Copied {
    /// The one that ends with the top-frame pointer as it was before the frames were copied.
    pub before: Chain,
    /// The one that ends with the pointer as it was after that, if it was another.
    after: Chain,
    is_same: bool,
}

impl Copied {
    /// Reads the chains that end with `before` and `after`.
    pub(super) fn read<A: Abi, M: Memory>(
        &mut self,
        prefetch: &Prefetch<M>,
        code: &mut CodeCache<A>,
        calls: &Calls<'_>,
        (before, after): (Remote<Frame>, Remote<Frame>),
    ) -> Result<(), Unproven> {
        self.before.read(prefetch, code, calls, before)?;
        self.is_same = before == after;
        if self.is_same {
            return Ok(());
        }
        self.after.read_beside(&self.before, prefetch, code, calls, after)
    }

    /// Both chains.
    #[must_use]
    pub fn chains(&self) -> Chains<'_> {
        let before = &self.before.links;
        Chains { before, after: if self.is_same { before } else { &self.after.links } }
    }
}

/// A chain under construction.
#[derive(Default)]
pub struct Chain {
    /// The walk from the top-frame pointer to the first frame that was known, or to the
    /// end of the chain.
    pub walk: Walk,
    /// The frames that may have been the stack, outermost first.
    pub links: Vec<Link>,
    /// What was found, outermost first. As much of it as has not changed is kept.
    known: Vec<Known>,
    /// The fetch that was walked, and the generation of its code objects, if all of them
    /// were known.
    moment: Option<(u32, u32)>,
    /// How many steps were kept.
    #[cfg(test)]
    kept: usize,
    /// Frames that the walk did not begin with, outermost first.
    above: Vec<Link>,
}

/// A step of a walk, and what follows from it.
#[derive(Clone, Copy, Debug)]
struct Known {
    step: Step,
    /// Whether the frame says that it is not inside a call ([`RawFrame::calls_none`]).
    calls_none: bool,
    /// How many links there are up to here.
    links: usize,
}

/// What is known of a program's calls.
pub(super) struct Calls<'a> {
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
        let now = (prefetch.number(), code.generation());
        let before = (now.0.wrapping_sub(1), now.1);
        let is_last = self.moment.take() == Some(before) && !self.walk.truncated;
        let places = self.known.iter().map(|known| known.step.frame.address());
        let same = if is_last { prefetch.same_at(places, A::Frames::SIZE) } else { 0 };
        self.known.truncate(same);
        self.go_on(prefetch, code, calls, top)?;
        self.moment = Some(now);
        Ok(())
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
            let caller = begins.map(|known| known.step.caller);
            self.walk.loop_caller = self.walk.loop_caller.or(caller);
        }
        if !self.walk.is_whole {
            return Err(Unproven::Torn);
        }
        self.link(prefetch, code)?;
        self.ascend(prefetch, code, calls);
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
                        let _ = code.verify(prefetch.direct(), &[raw.code]);
                        return Err(Unproven::Torn);
                    }
                    None => {
                        is_complete = false;
                        Some(code.decode(prefetch.direct(), raw.code)?)
                    }
                };
                self.links.extend(id.map(|id| Link::new(raw, id)));
            }
            let calls_none = raw.is_some_and(|raw| raw.calls_none);
            self.known.push(Known { step: *step, calls_none, links: self.links.len() });
        }
        if is_complete { Ok(()) } else { Err(Unproven::Incomplete) }
    }

    /// Goes on from an innermost frame that says that it is inside a call. Its callee
    /// was copied with it, and says itself that it is linked to it and executed; only a
    /// call that is known is believed, for the two were not copied at one instant. If
    /// there is none, the pointer is right, or as good as any guess.
    fn ascend<A: Abi, M: Memory>(
        &mut self,
        prefetch: &Prefetch<M>,
        code: &CodeCache<A>,
        calls: &Calls<'_>,
    ) {
        let Some(mut caller) = self.links.last().copied() else { return };
        self.above.clear();
        let mut executed = 0;
        while caller.may_call && self.above.len() < MOST_ABOVE {
            let found = calls.callees.of(caller.frame).find_map(|place| {
                let raw = frame_at::<A, M>(prefetch, Remote::new(place))?;
                let Some(Place::Inside(id)) = code.place(&raw) else {
                    return None;
                };
                let callee = Link::new(&raw, id);
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
    }
}

/// What was copied of the frame at a place, if one can be there.
fn frame_at<A: Abi, M: Memory>(prefetch: &Prefetch<M>, place: Remote<Frame>) -> Option<RawFrame> {
    let mut copy = [0; crate::python::frames::COPY];
    let copy = &mut copy[..A::Frames::SIZE];
    prefetch.frames().read_into(place.address(), copy).ok()?;
    A::Frames::decode(place, copy)?.raw
}

#[cfg(all(test, feature = "py27", feature = "py36", feature = "py310"))]
#[cfg(all(feature = "py311", feature = "py312", feature = "py314"))]
#[path = "copied_tests.rs"]
mod tests;
