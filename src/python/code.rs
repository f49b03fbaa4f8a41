//! Code objects: decoded once, recognised ever after.
//!
//! A code object can be freed and another one made at the same address, with
//! every pointer the same. So what is remembered of one also holds the bytes that
//! tell it from any other: its fields, its name, its file and its line table. A
//! sample is believed only if these bytes were the same before and after it. A
//! function never gets another's name.

use std::collections::{HashMap, HashSet};
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use rustc_hash::FxBuildHasher;

use super::frames::{Broken, Position, RawFrame};
use super::known::Known;
use super::objects::Code;
use crate::abi::Abi;
use crate::memory::{Memory, Remote, Span};
use crate::stack::{FrameId, FrameTable};

/// A code object that was decoded longer ago is taken to be one that stays: it is
/// still compared, but together with others and a little later.
const YOUTH: Duration = Duration::from_millis(20);

/// How many code objects are remembered before the cache starts again.
const MAX_ENTRIES: usize = 100_000;

/// Addresses of the type objects that prove what an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Types {
    /// `PyCode_Type`.
    pub code: u64,
    /// The type of names: `PyUnicode_Type`, in 2.7 `PyString_Type`.
    pub text: u64,
    /// The type of line tables: `PyBytes_Type`, in 2.7 `PyString_Type`.
    pub bytes: u64,
}

/// A code object as it was decoded. Another one at the same address has another
/// identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodeId(u32);

impl CodeId {
    /// An identity out of thin air.
    #[cfg(test)]
    pub(crate) fn for_tests(number: u32) -> Self {
        Self(number)
    }
}

/// Where a frame stands in its code object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On an instruction.
    Inside(CodeId),
    /// Before the first traceable instruction: not a frame yet, or one of the
    /// interpreter's own.
    Incomplete,
    /// Nowhere: the frame is a mixture of two, copied while it changed.
    Outside,
}

/// What a comparison of code objects came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verified {
    /// All are what they were.
    Same,
    /// Some are not; these are the frames that they gave their names to.
    Changed(HashSet<FrameId>),
    /// One had been forgotten already.
    Unknown,
}

/// The code objects of one process.
#[derive(Debug)]
pub struct CodeCache<A> {
    types: Types,
    known: HashMap<u64, (CodeId, Known), FxBuildHasher>,
    next: u32,
    /// Changes when code objects are forgotten.
    generation: u32,
    youngest: Option<Instant>,
    line_numbers: bool,
    spans: Vec<Span>,
    bytes: Vec<u8>,
    abi: PhantomData<fn() -> A>,
}

impl<A: Abi> CodeCache<A> {
    /// An empty cache for a process whose type objects are at `types`.
    #[must_use]
    pub fn new(types: Types) -> Self {
        Self {
            types,
            known: HashMap::default(),
            next: 0,
            generation: 0,
            youngest: None,
            line_numbers: true,
            spans: Vec::new(),
            bytes: Vec::new(),
            abi: PhantomData,
        }
    }

    /// Whether frames on different lines of a function are different frames;
    /// if not, their line is 0.
    #[must_use]
    pub fn line_numbers(mut self, line_numbers: bool) -> Self {
        self.line_numbers = line_numbers;
        self
    }

    /// The code object at an address, if it has been decoded.
    #[must_use]
    pub fn get(&self, code: Remote<Code>) -> Option<CodeId> {
        self.known.get(&code.address()).map(|(id, _)| *id)
    }

    /// As long as this is the same, what was decoded is still known.
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Where a frame stands, if its code object has been decoded.
    #[must_use]
    pub fn place(&self, raw: &RawFrame) -> Option<Place> {
        if raw.may_be_incomplete && raw.code.is_null() {
            return Some(Place::Incomplete);
        }
        let (id, known) = self.known.get(&raw.code.address())?;
        Some(if !known.is_inside(raw.position) {
            Place::Outside
        } else if raw.may_be_incomplete && known.is_incomplete(raw.position) {
            Place::Incomplete
        } else {
            Place::Inside(*id)
        })
    }

    /// Whether a code object was decoded so lately that it may be short-lived.
    #[must_use]
    pub fn is_young(&self, code: u64, now: Instant) -> bool {
        self.known.get(&code).is_none_or(|(_, known)| known.age(now) < YOUTH)
    }

    /// Whether it is so young that it will be compared by itself for a while.
    #[must_use]
    pub fn is_infant(&self, code: u64, now: Instant) -> bool {
        self.known.get(&code).is_none_or(|(_, known)| known.age(now) < YOUTH / 2)
    }

    /// Whether any code object was decoded lately.
    #[must_use]
    pub fn has_young(&self, now: Instant) -> bool {
        self.youngest.is_some_and(|decoded| now.saturating_duration_since(decoded) < YOUTH)
    }

    /// Decodes the code object at an address, unless that has been done.
    ///
    /// # Errors
    /// [`Broken`] if it cannot be read or is none.
    pub fn decode<M: Memory>(&mut self, memory: &M, code: Remote<Code>) -> Result<CodeId, Broken> {
        if let Some(id) = self.get(code) {
            return Ok(id);
        }
        let known = Known::decode::<A, M>(memory, code, self.types)?;
        self.youngest = Some(Instant::now());
        if self.known.len() >= MAX_ENTRIES {
            self.known.clear();
            self.generation = self.generation.wrapping_add(1);
        }
        let id = CodeId(self.next);
        self.next = self.next.wrapping_add(1);
        self.known.insert(code.address(), (id, known));
        Ok(id)
    }

    /// The function, file and line of a decoded code object at `position`.
    pub fn frame(
        &mut self,
        code: Remote<Code>,
        position: Position,
        table: &mut FrameTable,
    ) -> Option<FrameId> {
        let (_, known) = self.known.get_mut(&code.address())?;
        Some(known.frame::<A>(position, self.line_numbers, table))
    }

    /// Forgets all frames, so that [`CodeCache::frame`] can be asked with another table.
    pub fn forget_frames(&mut self) {
        self.known.values_mut().for_each(|(_, known)| known.forget_frames());
    }

    /// Compares code objects with the process and forgets those that are not what
    /// they were. One or two system calls, however many there are.
    pub fn verify<M: Memory>(&mut self, memory: &M, codes: &[Remote<Code>]) -> Verified {
        self.spans.clear();
        for code in codes {
            let known = self.known.get(&code.address());
            self.spans.extend(known.iter().flat_map(|(_, known)| known.spans()));
        }
        let length = self.spans.iter().map(|span| span.length).sum();
        self.bytes.resize(length, 0);
        let read = memory.read_spans(&self.spans, &mut self.bytes).unwrap_or(0);
        let mut rest = &self.bytes[..read.min(length)];
        let mut all = true;
        let mut changed = HashSet::new();
        for code in codes {
            let Some((_, known)) = self.known.get(&code.address()) else {
                return Verified::Unknown;
            };
            let length = known.witness().len();
            let is_same = rest.get(..length) == Some(known.witness());
            rest = rest.get(length..).unwrap_or_default();
            if !is_same {
                all = false;
                changed.extend(known.frames());
                self.known.remove(&code.address());
                self.generation = self.generation.wrapping_add(1);
            }
        }
        if all { Verified::Same } else { Verified::Changed(changed) }
    }
}
