//! Code objects: decoded once, recognised ever after.
//!
//! A code object can be freed and another one made at the same address, with
//! every pointer the same. So what is remembered of one also holds the bytes that
//! tell it from any other: its fields, its name, its file and its line table. A
//! sample is believed only if these bytes were the same before and after it: right after
//! it, unless the code object is trusted to stay ([`super::probation`]). A function never gets
//! another's name.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::marker::PhantomData;
use std::time::Instant;

use rustc_hash::FxBuildHasher;

pub(crate) use super::decoded_code::{CodeId, Place};
use super::decoded_code::{DecodedCode, first_of_copy};
use super::frames::{Broken, Position, RawFrame};
use super::objects::{Code, Types};
use super::probation::Probation;
use crate::cpython::abi::Abi;
use crate::cpython::memory::{Memory, Remote, Span};
use crate::stack::{FrameId, FrameTable};

/// How many code objects are remembered before the cache starts again.
const MAX_ENTRIES: usize = 100_000;

/// Of how many that are gone it is remembered which frames had their names.
const MAX_GONE: usize = 10_000;

/// A code object that something was named after: where it lies, and which of those that
/// have lain there it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Named {
    /// Where it lies.
    pub address: u64,
    /// Which it is.
    pub id: CodeId,
}

/// A code object that was copied when a frame ran it.
#[derive(Debug)]
pub(crate) struct CopiedCode {
    id: CodeId,
    decoded: DecodedCode,
}

impl CopiedCode {
    /// Whether the code object at its address in `memory` is the same.
    pub(crate) fn is_still_in<M: Memory>(&self, memory: &M) -> bool {
        let expected = self.decoded.expected();
        let mut now = vec![0; expected.len()];
        let spans: Vec<Span> = self.decoded.spans().collect();
        memory.read_spans(&spans, &mut now) == Ok(now.len()) && now == expected
    }

    /// Where a frame stands in it.
    pub(crate) fn place(&self, raw: &RawFrame) -> Place {
        self.decoded.place(raw, self.id).unwrap_or(Place::Outside)
    }

    /// Notes where a copy of its instructions began.
    pub(crate) fn note_copy(&mut self, index: u32, first: u64) {
        self.decoded.note_copy(index, first);
    }
}

/// What a comparison of code objects came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verified {
    /// All are what they were.
    Same,
    /// Some are not; these are the frames that they gave their names to.
    Changed(HashSet<FrameId>),
    /// Of one it is not known any more what it was.
    Unknown,
}

/// What has been decoded, by address.
type ByAddress = HashMap<u64, (CodeId, DecodedCode), FxBuildHasher>;

/// The code objects of one process.
#[derive(Debug)]
pub(crate) struct CodeCache<A> {
    types: Types,
    decoded: ByAddress,
    /// The frames that had the names of those that are not what they were.
    gone: HashMap<CodeId, Vec<FrameId>, FxBuildHasher>,
    /// How many have come and gone at an address.
    predecessors: HashMap<u64, u32, FxBuildHasher>,
    /// Changes when code objects are forgotten.
    generation: u32,
    /// How many are young.
    young: usize,
    line_numbers: bool,
    spans: Vec<Span>,
    bytes: Vec<u8>,
    abi: PhantomData<fn() -> A>,
}

impl<A: Abi> CodeCache<A> {
    /// An empty cache for a process whose type objects are at `types`.
    #[must_use]
    pub(crate) fn new(types: Types) -> Self {
        Self {
            types,
            decoded: HashMap::default(),
            gone: HashMap::default(),
            predecessors: HashMap::default(),
            generation: 0,
            young: 0,
            line_numbers: true,
            spans: Vec::new(),
            bytes: Vec::new(),
            abi: PhantomData,
        }
    }

    /// Whether frames on different lines of a function are different frames;
    /// if not, their line is 0.
    #[must_use]
    pub(crate) fn line_numbers(mut self, line_numbers: bool) -> Self {
        self.line_numbers = line_numbers;
        self
    }

    /// The code object at an address, if it has been decoded.
    #[must_use]
    pub(crate) fn get(&self, code: Remote<Code>) -> Option<CodeId> {
        self.decoded.get(&code.address()).map(|(id, _)| *id)
    }

    /// As long as this is the same, what was decoded is still known.
    #[must_use]
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// Where a frame stands, if its code object has been decoded ([`Self::decode_of`]).
    #[must_use]
    pub(crate) fn place(&mut self, raw: &RawFrame) -> Option<Place> {
        if raw.may_be_incomplete && raw.code.is_null() {
            return Some(Place::Incomplete);
        }
        let (id, decoded) = self.decoded.get_mut(&raw.code.address())?;
        let place = decoded.place(raw, *id);
        if place == Some(Place::Outside) {
            decoded.forget_copy(raw.position);
        }
        place
    }

    /// Decodes a code object of which `memory` holds a copy of one moment. It needs no
    /// comparison: that is what it was.
    ///
    /// # Errors
    /// [`Broken`] if it is none, or not all of it that is needed was copied.
    pub(crate) fn decode_copy<M: Memory>(
        &self,
        memory: &M,
        code: Remote<Code>,
    ) -> Result<CopiedCode, Broken> {
        let decoded = DecodedCode::decode::<A, M>(memory, code, self.types, Probation::new(0))?;
        Ok(CopiedCode { id: CodeId::of(&decoded), decoded })
    }

    /// The function, file and line of a copied code object at `position`.
    pub(crate) fn frame_of_copy(
        &self,
        code: &mut CopiedCode,
        position: Position,
        table: &mut FrameTable,
    ) -> Option<FrameId> {
        code.decoded.frame::<A>(position, self.line_numbers, table)
    }

    /// Whether a code object may be short-lived, as far as is known.
    #[must_use]
    pub(crate) fn is_young(&self, named: &Named) -> bool {
        find(&self.decoded, named).is_none_or(|decoded| !decoded.probation.is_over())
    }

    /// Whether any code object may be.
    #[must_use]
    pub(crate) fn has_young(&self) -> bool {
        self.young > 0
    }

    /// Decodes the code object at an address, unless that has been done.
    ///
    /// # Errors
    /// [`Broken`] if it cannot be read or is none.
    pub(crate) fn decode<M: Memory>(
        &mut self,
        memory: &M,
        code: Remote<Code>,
    ) -> Result<CodeId, Broken> {
        if let Some(id) = self.get(code) {
            return Ok(id);
        }
        let predecessors = self.predecessors.get(&code.address()).copied().unwrap_or(0);
        let probation = Probation::new(predecessors);
        let decoded = DecodedCode::decode::<A, M>(memory, code, self.types, probation)?;
        if self.decoded.len() >= MAX_ENTRIES {
            self.decoded.clear();
            self.young = 0;
            self.generation = self.generation.wrapping_add(1);
        }
        let id = CodeId::of(&decoded);
        self.decoded.insert(code.address(), (id, decoded));
        self.young += 1;
        Ok(id)
    }

    /// Decodes the code object of a frame, and finds the copy of its instructions that the frame
    /// executes, unless that has been done.
    ///
    /// # Errors
    /// [`Broken`] if it cannot be read or is none.
    pub(crate) fn decode_of<M: Memory>(
        &mut self,
        memory: &M,
        raw: &RawFrame,
    ) -> Result<CodeId, Broken> {
        let id = self.decode(memory, raw.code)?;
        if let Position::Copied { index, .. } = raw.position {
            let decoded = self.decoded.get_mut(&raw.code.address());
            if let Some((_, decoded)) =
                decoded.filter(|(_, decoded)| !decoded.knows_copy(raw.position))
            {
                let first = first_of_copy::<A, M>(memory, raw.code, index)?;
                first.into_iter().for_each(|first| decoded.note_copy(index, first));
            }
        }
        Ok(id)
    }

    /// The function, file and line of a code object at `position`, if it is still known.
    pub(crate) fn frame(
        &mut self,
        named: Named,
        position: Position,
        table: &mut FrameTable,
    ) -> Option<FrameId> {
        let (id, decoded) = self.decoded.get_mut(&named.address)?;
        if *id != named.id {
            return None;
        }
        decoded.frame::<A>(position, self.line_numbers, table)
    }

    /// Forgets all frames, so that [`CodeCache::frame`] can be asked with another table.
    pub(crate) fn forget_frames(&mut self) {
        self.decoded.values_mut().for_each(|(_, decoded)| decoded.forget_frames());
    }

    /// Compares code objects with the process and forgets those that are not what
    /// they were. One or two system calls, however many there are.
    pub(crate) fn verify<M: Memory>(&mut self, memory: &M, codes: &[Named]) -> Verified {
        self.spans.clear();
        for named in codes {
            let decoded = find(&self.decoded, named).map(DecodedCode::spans);
            self.spans.extend(decoded.into_iter().flatten());
        }
        let length = self.spans.iter().map(|span| span.length).sum();
        self.bytes.resize(length, 0);
        let read = memory.read_spans(&self.spans, &mut self.bytes).unwrap_or(0);
        let mut rest = &self.bytes[..read.min(length)];
        let mut gone = Vec::new();
        for named in codes {
            let is_same = find(&self.decoded, named).is_some_and(|decoded| {
                let read = rest.get(..decoded.expected().len());
                rest = rest.get(decoded.expected().len()..).unwrap_or_default();
                read == Some(decoded.expected())
            });
            if !is_same {
                gone.push(*named);
            }
        }
        gone.iter().for_each(|named| self.forget(named));
        if self.young > 0 {
            self.grow_up(codes);
        }
        if gone.is_empty() { Verified::Same } else { self.changed(&gone) }
    }

    /// Whether the code object at an address is what was decoded there. If not, that is
    /// forgotten.
    pub(crate) fn is_same<M: Memory>(&mut self, memory: &M, code: Remote<Code>) -> bool {
        let address = code.address();
        let id = self.get(code);
        id.is_some_and(|id| self.verify(memory, &[Named { address, id }]) == Verified::Same)
    }

    /// To be called when nothing waits any more that was named after code objects that
    /// are gone.
    pub(crate) fn forget_gone(&mut self) {
        self.gone.clear();
    }

    /// Forgets a code object, but not which frames had its name: there may be samples of
    /// them that wait to hear of it, however it was found out.
    fn forget(&mut self, named: &Named) {
        let Some(decoded) = find(&self.decoded, named) else { return };
        let frames: Vec<_> = decoded.frames().collect();
        self.young -= usize::from(!decoded.probation.is_over());
        if self.gone.len() >= MAX_GONE {
            self.gone.clear();
        }
        self.gone.entry(named.id).or_default().extend(frames);
        if self.predecessors.len() >= MAX_ENTRIES {
            self.predecessors.clear();
        }
        *self.predecessors.entry(named.address).or_default() += 1;
        self.decoded.remove(&named.address);
        self.generation = self.generation.wrapping_add(1);
    }

    /// Notes that all that are still known were found the same.
    fn grow_up(&mut self, codes: &[Named]) {
        let now = Instant::now();
        for named in codes {
            let decoded = self.decoded.get_mut(&named.address).filter(|(id, _)| *id == named.id);
            let is_over = decoded.is_some_and(|(_, decoded)| decoded.probation.note_same(now));
            self.young -= usize::from(is_over);
        }
    }

    /// What became of code objects that are not what they were.
    fn changed(&self, gone: &[Named]) -> Verified {
        let mut changed = HashSet::new();
        for named in gone {
            let Some(frames) = self.gone.get(&named.id) else { return Verified::Unknown };
            changed.extend(frames);
        }
        Verified::Changed(changed)
    }
}

/// What is known of a code object, if it is still the one at its address.
fn find<'a>(decoded: &'a ByAddress, named: &Named) -> Option<&'a DecodedCode> {
    let (id, decoded) = decoded.get(&named.address)?;
    (*id == named.id).then_some(decoded)
}
