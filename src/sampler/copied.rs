//! A chain of frames as it was copied, and the code objects that they run.

use super::Unproven;
use super::chain::Link;
use crate::abi::Abi;
use crate::memory::prefetch::Prefetch;
use crate::memory::{Memory, Remote};
use crate::python::code::{CodeCache, Place};
use crate::python::frames::{Frames, RawFrame, Walk};
use crate::python::objects::Frame;

/// A chain under construction.
#[derive(Default)]
pub struct Chain {
    /// As it was found.
    pub walk: Walk,
    /// The frames that may have been the stack, innermost first.
    pub links: Vec<Link>,
}

impl Chain {
    /// Walks from `top` and finds the code object of each frame. Code objects that
    /// were not known are decoded, which makes the attempt incomplete: by then
    /// the frame may be gone.
    pub(super) fn read<A: Abi, M: Memory>(
        &mut self,
        prefetch: &Prefetch<M>,
        code: &mut CodeCache<A>,
        top: Remote<Frame>,
    ) -> Result<(), Unproven> {
        self.walk.begin(top);
        A::Frames::walk(&prefetch.frames(), &mut self.walk)?;
        if !self.walk.is_whole {
            return Err(Unproven::Torn);
        }
        self.links.clear();
        let mut outcome = Ok(());
        let mut above: Option<&RawFrame> = None;
        for raw in &self.walk.frames {
            if above.is_some_and(|above| above.has_left(raw)) {
                self.links.clear(); // When this one was copied, it was the top.
            }
            above = Some(raw);
            let id = match code.place(raw.code, raw.position) {
                Some(Place::Inside(id)) => id,
                Some(Place::Incomplete(_)) if raw.may_be_incomplete => continue,
                Some(Place::Incomplete(id)) => id,
                Some(Place::Outside) => return Err(Unproven::Torn),
                None => {
                    outcome = Err(Unproven::Incomplete);
                    code.decode(prefetch.direct(), raw.code)?
                }
            };
            self.links.push(Link {
                frame: raw.frame.address(),
                caller: raw.caller.address(),
                is_told_by_caller: raw.is_told_by_caller,
                is_alive: raw.is_alive,
                address: raw.code.address(),
                code: id,
                position: raw.position,
            });
        }
        outcome
    }
}
