//! A walk of a thread that stood still, as the functions that it was in.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use crate::cpython::abi::Abi;
use crate::cpython::memory::{Memory, Remote};
use crate::cpython::read::code::{CodeCache, CopiedCode, Named, Place};
use crate::cpython::read::frames::{Broken, Position, RawFrame, Walk};
use crate::cpython::read::objects::Frame;
use crate::sampler::native::NativeId;

/// A frame of a stack, and what it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    /// The code object, or the native function.
    pub code: Ran,
    /// Where in it.
    pub position: Position,
}

impl Placed {
    /// The code object, if it is one in the process.
    pub(super) fn there(&self) -> Option<Named> {
        match self.code {
            Ran::There(named) => Some(named),
            Ran::Copied(_) | Ran::Native(_) => None,
        }
    }
}

/// What a frame ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ran {
    /// A code object in the process, which is compared later.
    There(Named),
    /// The code object at this address among those that were copied.
    Copied(u64),
    /// Machine code.
    Native(NativeId),
}

/// Code objects that were copied. Most are copied again with the next sample, so they are kept.
#[derive(Default)]
pub(super) struct Copies {
    /// By address.
    known: HashMap<u64, CopiedCode, FxBuildHasher>,
    /// Addresses of those that were copied for the sample at hand.
    chosen: Vec<u64>,
}

impl Copies {
    /// How many are kept.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.known.clear();
        self.chosen.clear();
    }

    /// Turns to another sample.
    pub(super) fn begin(&mut self) {
        self.chosen.clear();
    }

    /// Adds the one that was copied at an address to the sample. `memory` holds the copy.
    pub(super) fn choose<A: Abi, M: Memory>(
        &mut self,
        address: u64,
        memory: &M,
        cache: &CodeCache<A>,
    ) {
        let is_known = self.known.get(&address).is_some_and(|known| known.is_still_in(memory));
        if !is_known {
            let Ok(code) = cache.decode_copy(memory, Remote::new(address)) else { return };
            self.known.insert(address, code);
        }
        self.chosen.push(address);
    }

    /// Notes where a copy of the bytecode of the one at an address began.
    pub(super) fn note_copy(&mut self, address: u64, index: u32, first: u64) {
        self.known.get_mut(&address).into_iter().for_each(|code| code.note_copy(index, first));
    }

    fn of_sample(&self, address: u64) -> Option<&CopiedCode> {
        self.chosen.contains(&address).then(|| self.known.get(&address))?
    }

    /// The one at an address.
    pub(super) fn get_mut(&mut self, address: u64) -> Option<&mut CopiedCode> {
        self.known.get_mut(&address)
    }
}

/// Why a walk is not a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoStack {
    /// It led into a frame that was being linked or unlinked, or to no end of a stack.
    Torn,
    /// What was known of a code object is not so any more: what is there now has to be decoded.
    Changed,
    /// It led to what is no code object.
    Broken(Broken),
}

impl From<Broken> for NoStack {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// Puts the frames of a walk into `stack`, outermost first, and the step of the walk that each is
/// into `steps`. Left out are those that are still in the making. Code objects that were neither `copied` nor known are decoded.
///
/// # Errors
/// If it is not the stack of a thread.
pub(super) fn place_frames<A: Abi, M: Memory>(
    walk: &Walk,
    code: &mut CodeCache<A>,
    copied: &Copies,
    memory: &M,
    (stack, steps): (&mut Vec<Placed>, &mut Vec<usize>),
) -> Result<(), NoStack> {
    stack.clear();
    steps.clear();
    if !walk.is_whole {
        return Err(NoStack::Torn);
    }
    // The frame that is linked to next, and whether it says that it is inside no call.
    let mut caller: (Remote<Frame>, bool) = (Remote::new(0), false);
    let mut frames = walk.frames.iter().rev();
    for (number, step) in walk.path.iter().enumerate().rev() {
        let raw = if step.is_shim { None } else { frames.next() };
        if let Some(raw) = raw {
            if raw.has_left(caller.0, caller.1) {
                break;
            }
            let address = raw.code.address();
            let copy = copied.of_sample(address);
            let place = match copy {
                Some(copy) => copy.place(raw),
                None => place(raw, code, memory)?,
            };
            match place {
                Place::Inside(id) => {
                    let there = Ran::There(Named { address, id });
                    let code = if copy.is_some() { Ran::Copied(address) } else { there };
                    stack.push(Placed { code, position: raw.position });
                    steps.push(number);
                }
                Place::Incomplete => {}
                // It has its code, but not its place in that.
                Place::Outside if raw.may_be_incomplete && frames.len() == 0 => {}
                Place::Outside => return Err(NoStack::Torn),
            }
        }
        caller = (step.frame, raw.is_some_and(|raw| raw.calls_none));
    }
    Ok(())
}

/// Where a frame stands in a code object of the process.
fn place<A: Abi, M: Memory>(
    raw: &RawFrame,
    code: &mut CodeCache<A>,
    memory: &M,
) -> Result<Place, NoStack> {
    let mut known = code.place(raw);
    if known.is_none() {
        code.decode_of(memory, raw)?;
        known = code.place(raw);
    }
    match known {
        Some(Place::Outside) if !code.is_same(memory, raw.code) => Err(NoStack::Changed),
        place => place.ok_or(NoStack::Changed),
    }
}
