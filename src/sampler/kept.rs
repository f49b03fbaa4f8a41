//! What the engine keeps from one tick to the next, of each thread and for its memory.

use crate::cpython::read::code::Named;
use crate::cpython::read::frames::Walk;
use crate::profile::{StackId, ThreadId};
use crate::sampler::fetch::Pages;
use crate::sampler::fetch::prefetch::{Footprint, Prefetch};
use crate::sampler::frame_record::FrameRecord;
use crate::sampler::read::frame_chain::Copied;
use crate::sampler::stacks::{Copies, Placed};
use crate::target::live::RunCount;

/// What is fetched for one thread, and what was copied of it.
pub(super) struct Reader<M> {
    pub(super) prefetch: Prefetch<M>,
    pub(super) copied: Copied,
}

/// The last stack of a thread, from which the next one mostly differs at its tip.
#[derive(Default)]
pub(super) struct Remembered {
    /// Outermost first.
    pub(super) links: Vec<FrameRecord>,
    /// What was interned for each of them: for a stack that was cut off there is one
    /// more, before them.
    pub(super) ids: Vec<StackId>,
    pub(super) truncated: bool,
    /// What the walk read.
    pub(super) footprint: Footprint,
    /// How many of the outermost links have had their code objects named in `round`.
    pub(super) named: usize,
    pub(super) round: u32,
    /// The generation of the code objects.
    pub(super) generation: u32,
    /// What the profile knows it by.
    pub(super) owner: Option<ThreadId>,
    /// What shows that the thread has not run since the stack was read.
    pub(super) rest: Option<Rest>,
}

/// What does not change while a thread does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rest {
    /// How often it has run, counted when it was off every processor.
    pub(super) count: RunCount,
    /// Its identity, and the first of the words that lead to its innermost frame: a thread
    /// state can be another thread's than it says.
    pub(super) id: u64,
    pub(super) first_word: u64,
}

impl Remembered {
    /// Whether the code objects of the stack are trusted to stay, and known to have stayed.
    /// One with young ones is always walked: they are compared then.
    pub(super) fn has_known_code(&self, generation: u32) -> bool {
        let are_named = self.named == self.links.len() && !self.links.is_empty();
        are_named && self.generation == generation
    }
}

/// What is kept from one sample to the next, for its memory.
#[derive(Default)]
pub(super) struct Still {
    pub(super) pages: Pages,
    pub(super) walk: Walk,
    /// What the thread calls itself: `threading.get_ident()`.
    pub(super) identity: u64,
    /// The stack, outermost frame first.
    pub(super) stack: Vec<Placed>,
    /// The steps of the walk that its frames are.
    pub(super) steps: Vec<usize>,
    /// The same, to be learnt.
    pub(super) links: Vec<FrameRecord>,
    pub(super) young: Vec<Named>,
    /// No code object is copied: the thread stands still while they are decoded.
    pub(super) copies: Copies,
}
