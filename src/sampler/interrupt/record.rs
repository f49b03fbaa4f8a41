//! What the program writes into the ring buffer: frames as they were copied, and what code
//! objects are recognised by.
//!
//! The bytes are the process's, so anything may be in them.

use std::cell::Cell;

use crate::cpython::abi::{Abi, TopFrame};
use crate::cpython::memory::{Fault, Memory, Remote, Value};
use crate::cpython::read::frames::Frames;
use crate::cpython::read::objects::{Frame, Thread};
use crate::sampler::native::Machine;

/// As in `program.c`.
const CHUNK_FRAMES: usize = 32;
const CHUNK_HEAD: usize = 96;
const NO_GIL: u32 = u32::MAX;
const CODE_MAX: usize = 256;
const TEXT_SIZE: usize = 256;
const TABLE_SIZE: usize = 1088;
const CHUNK: u32 = 1;
const CODE: u32 = 2;
const END: u32 = 3;
const REGISTERS: u32 = 4;
const STACK: u32 = 5;
const PAGE: usize = 4096;

/// Bytes of a frame in a chunk: its address, and a copy of it.
const fn stride<A: Abi>() -> usize {
    8 + A::Frames::SIZE
}

/// Bytes of a record that holds frames.
pub(super) const fn chunk_size<A: Abi>() -> usize {
    CHUNK_HEAD + CHUNK_FRAMES * stride::<A>()
}

/// What a record is part of: no two interrupts are at the same time on one processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Moment {
    /// The processor.
    pub cpu: u32,
    /// Nanoseconds, by the monotonic clock.
    pub time: u64,
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record<'a> {
    /// Some frames of a stack.
    Chunk(Chunk<'a>),
    /// A code object.
    Code(SeenCode),
    /// The registers of the thread, as words.
    Registers(Moment, &'a [u8]),
    /// A page of its stack: where it is, and what is there.
    Stack(Moment, u64, &'a [u8]),
    /// That was all.
    End(End),
}

/// Frames of a stack, innermost first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chunk<'a> {
    /// The sample.
    pub moment: Moment,
    /// The thread state whose it is.
    pub thread: u64,
    /// What `threading.get_ident()` returns in that thread.
    pub id: u64,
    /// The place of the GIL that it held, if it held one.
    pub gil: Option<u32>,
    /// The kernel's id of the thread, as its process knows it.
    pub native: u32,
    /// What led to the innermost frame.
    pub words: [u64; 6],
    /// Addresses and copies of frames.
    pub frames: &'a [u8],
}

/// The end of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// The sample.
    pub moment: Moment,
    /// The frame that would follow; 0 if none does.
    pub next: u64,
    /// Whether something could not be read.
    pub has_fault: bool,
    /// Whether code objects are lacking that should have been copied.
    pub lacks_codes: bool,
}

/// What a code object said of itself when a frame ran it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SeenCode {
    /// The sample.
    pub moment: Moment,
    /// Where the object lies.
    pub address: u64,
    /// The copy of its bytecode that a frame executed: its index and where it begins.
    pub copy: Option<(u32, u64)>,
    /// What was copied: of the object, its name, its file, its bytecode and its line table.
    copies: [(u64, Vec<u8>); 5],
}

impl SeenCode {
    /// What was copied from `address` on, at most `length` bytes.
    fn copied(&self, address: u64, length: usize) -> Option<&[u8]> {
        self.copies.iter().find_map(|(start, copy)| {
            let from = usize::try_from(address.checked_sub(*start)?).ok()?;
            let rest = copy.get(from..).filter(|rest| !rest.is_empty())?;
            Some(&rest[..rest.len().min(length)])
        })
    }
}

/// A code object as it was copied; where an object goes on behind what was copied of it, as it
/// is in the process now, if what was copied is the same there.
pub(super) struct Completed<'a, M> {
    /// What was copied.
    pub seen: &'a SeenCode,
    /// The process.
    pub now: &'a M,
}

impl<M: Memory> Memory for Completed<'_, M> {
    fn read_into(&self, address: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        let fault = Fault::unmapped(address, buffer.len());
        let copied = self.seen.copied(address, buffer.len()).ok_or(fault)?;
        if copied.len() < buffer.len() {
            self.now.read_into(address, buffer)?;
            return if buffer.starts_with(copied) { Ok(()) } else { Err(fault) };
        }
        buffer.copy_from_slice(copied);
        Ok(())
    }
}

impl<'a> Record<'a> {
    /// The sample that it is part of.
    pub(super) fn moment(&self) -> Moment {
        match self {
            Self::Chunk(chunk) => chunk.moment,
            Self::Code(code) => code.moment,
            Self::Registers(moment, _) | Self::Stack(moment, ..) => *moment,
            Self::End(end) => end.moment,
        }
    }

    /// The record in these bytes; `None` if they are none.
    pub(super) fn parse<A: Abi>(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = Bytes(bytes);
        let kind = rest.value::<u32>()?;
        let cpu = rest.value()?;
        let moment = Moment { cpu, time: rest.value()? };
        match kind {
            CHUNK => Some(Self::Chunk(chunk::<A>(moment, rest)?)),
            CODE => Some(Self::Code(code::<A>(moment, rest)?)),
            REGISTERS => Some(Self::Registers(moment, rest.0)),
            STACK => {
                let address = rest.value()?;
                Some(Self::Stack(moment, address, rest.take(PAGE)?))
            }
            END => Some(Self::End(End {
                moment,
                next: rest.value()?,
                has_fault: rest.value::<u32>()? != 0,
                lacks_codes: rest.value::<u32>()? != 0,
            })),
            _ => None,
        }
    }
}

fn chunk<'a, A: Abi>(moment: Moment, mut rest: Bytes<'a>) -> Option<Chunk<'a>> {
    let (thread, id) = (rest.value()?, rest.value()?);
    let gil = Some(rest.value()?).filter(|gil| *gil != NO_GIL);
    let frames = rest.value::<u32>()? as usize;
    let (native, _) = (rest.value()?, rest.value::<u32>()?);
    let mut words = [0; 6];
    for word in &mut words {
        *word = rest.value()?;
    }
    let frames = rest.take(frames.min(CHUNK_FRAMES) * stride::<A>())?;
    Some(Chunk { moment, thread, id, gil, native, words, frames })
}

fn code<A: Abi>(moment: Moment, mut rest: Bytes<'_>) -> Option<SeenCode> {
    const { assert!(A::CODE.size <= CODE_MAX) };
    let address = rest.value()?;
    let (index, first) = (rest.value::<u64>()?, rest.value()?);
    let copy = u32::try_from(index).ok().filter(|_| first != 0).map(|index| (index, first));
    let own = rest.take(CODE_MAX)?.get(..A::CODE.size)?.to_vec();
    let mut object = |most: usize| {
        let address = rest.value()?;
        let length = (rest.value::<u64>()? as usize).min(most);
        Some((address, rest.take(most)?[..length].to_vec()))
    };
    let [name, file, bytecode] = [object(TEXT_SIZE)?, object(TEXT_SIZE)?, object(TEXT_SIZE)?];
    let table = object(TABLE_SIZE)?;
    Some(SeenCode { moment, address, copy, copies: [(address, own), name, file, bytecode, table] })
}

/// The records of one sample that have been read.
#[derive(Clone, Debug, Default)]
pub(super) struct Partial {
    /// The sample.
    pub moment: Moment,
    /// The thread state whose it is.
    pub thread: u64,
    /// What `threading.get_ident()` returns in that thread.
    pub id: u64,
    /// The place of the GIL that it held, if it held one.
    pub gil: Option<u32>,
    /// The kernel's id of the thread, as its process knows it.
    pub native: u32,
    /// What led to the innermost frame.
    pub words: [u64; 6],
    /// Addresses and copies of frames.
    pub frames: Vec<u8>,
    /// The frame that would follow; 0 if none does.
    pub next: u64,
    /// The code objects that were copied.
    pub codes: Vec<SeenCode>,
    /// Registers and stack, if they were copied.
    pub machine: Machine,
    /// Whether the walk ended because something could not be read.
    pub has_fault: bool,
    /// Whether code objects are lacking among those.
    pub lacks_codes: bool,
}

impl Partial {
    /// Adds a record. Whether it was the last of its sample. What there is of another is
    /// forgotten: the rest of it found no room.
    pub(super) fn add(&mut self, record: Record<'_>) -> bool {
        if record.moment() != self.moment {
            // The room for frames and stack stays.
            let mut frames = std::mem::take(&mut self.frames);
            frames.clear();
            let mut machine = std::mem::take(&mut self.machine);
            machine.clear();
            *self = Self { moment: record.moment(), frames, machine, ..Self::default() };
        }
        match record {
            Record::Chunk(chunk) => {
                (self.thread, self.id, self.words) = (chunk.thread, chunk.id, chunk.words);
                (self.gil, self.native) = (chunk.gil, chunk.native);
                self.frames.extend_from_slice(chunk.frames);
                false
            }
            Record::Code(code) => {
                self.codes.push(code);
                false
            }
            Record::Registers(_, words) => {
                self.machine.set_registers(words);
                false
            }
            Record::Stack(_, address, page) => {
                self.machine.add_stack(address, page);
                false
            }
            Record::End(end) => {
                self.next = end.next;
                self.has_fault = end.has_fault;
                self.lacks_codes = end.lacks_codes;
                true
            }
        }
    }
}

/// Bytes that are read from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn value<T: Value>(&mut self) -> Option<T> {
        self.take(T::SIZE).map(T::from_bytes)
    }
}

/// A whole stack as it was copied: a memory that holds nothing but its frames, and the words
/// that lead to them.
#[derive(Clone, Debug, Default)]
pub(super) struct CopiedStack {
    frames: Vec<u8>,
    stride: usize,
    words: Vec<(u64, u64)>,
    /// Where the walk goes on: frames are read in the order in which they were copied.
    position: Cell<usize>,
}

impl CopiedStack {
    /// Turns to the stack of a sample, of the thread with this state.
    pub(super) fn begin<A: Abi>(&mut self, thread: Remote<Thread>, sample: &Partial) {
        let words = &sample.words;
        self.frames.clear();
        self.frames.extend_from_slice(&sample.frames);
        self.stride = stride::<A>();
        self.position.set(0);
        self.words.clear();
        let at = |base: u64, offset: usize| base.wrapping_add(offset as u64);
        let thread = thread.address();
        match A::THREAD.top {
            TopFrame::Direct(field) => self.words.push((at(thread, field.offset()), words[1])),
            TopFrame::CFrame(layout) => self.words.extend([
                (at(thread, layout.newest.offset()), words[0]),
                (at(words[0], layout.current.offset()), words[1]),
                (at(words[0], layout.previous.offset()), words[2]),
                (at(words[2], layout.current.offset()), words[3]),
                (at(thread, layout.frames_top.offset()), words[4]),
                (at(thread, layout.frames_limit.offset()), words[5]),
            ]),
        }
    }

    fn frame(&self, address: u64) -> Option<&[u8]> {
        let position = self.position.get();
        let entry = self.frames.get(position..position + self.stride)?;
        let (at, copy) = entry.split_at_checked(8)?;
        if u64::from_bytes(at) != address {
            return None;
        }
        self.position.set(position + self.stride);
        Some(copy)
    }
}

impl Memory for CopiedStack {
    fn read_into(&self, address: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        let fault = Fault::unmapped(address, buffer.len());
        if let Some((_, word)) = self.words.iter().find(|(at, _)| *at == address) {
            let word = word.to_ne_bytes();
            buffer.copy_from_slice(word.get(..buffer.len()).ok_or(fault)?);
            return Ok(());
        }
        let copy = self.frame(address).ok_or(fault)?;
        buffer.copy_from_slice(copy.get(..buffer.len()).ok_or(fault)?);
        Ok(())
    }
}

/// The frame that is not among those that were copied, if the stack was too deep.
pub(super) fn cut_at(next: u64) -> impl FnMut(Remote<Frame>) -> bool {
    move |frame| next != 0 && frame.address() == next
}

#[cfg(all(test, any(feature = "py27", feature = "py311")))]
mod tests {
    use super::*;
    #[cfg(not(feature = "py311"))]
    use crate::cpython::abi::Python27 as Python;
    #[cfg(feature = "py311")]
    use crate::cpython::abi::Python311 as Python;
    use crate::cpython::memory::fake::FakeMemory;

    fn words(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    fn head(kind: u32, moment: Moment) -> Vec<u8> {
        let kind_and_cpu = u64::from(moment.cpu) << 32 | u64::from(kind);
        words(&[kind_and_cpu, moment.time])
    }

    fn end(moment: Moment, next: u64) -> Vec<u8> {
        [head(END, moment), words(&[next, 1 << 32])].concat()
    }

    fn seen_code(moment: Moment, length: u64) -> Vec<u8> {
        let object =
            |address: u64, size: usize| [words(&[address, length]), vec![7; size]].concat();
        let texts = [0x2000, 0x3000, 0x4000].map(|address| object(address, TEXT_SIZE)).concat();
        let own = [words(&[0x1000, 0, 0]), vec![3; CODE_MAX]].concat();
        [head(CODE, moment), own, texts, object(0x5000, TABLE_SIZE)].concat()
    }

    const MOMENT: Moment = Moment { cpu: 3, time: 77 };

    #[test]
    fn a_code_object_is_a_memory_of_what_was_copied() {
        let bytes = seen_code(MOMENT, 64);
        let Some(Record::Code(code)) = parse(&bytes) else { panic!("no code object") };
        assert_eq!((code.moment, code.address), (MOMENT, 0x1000));
        let mut now = FakeMemory::new();
        let copy = Completed { seen: &code, now: &now };
        assert_eq!(copy.read::<u8>(0x1000), Ok(3));
        assert_eq!(copy.read::<u32>(0x503c), Ok(0x0707_0707));
        assert!(copy.read::<u32>(0x503d).is_err(), "not all of that was copied");
        assert!(copy.read::<u8>(0x2fff).is_err());
        assert!(copy.read::<u8>(u64::MAX).is_err());
        now.write(0x503c, &[7, 7, 7, 7, 9, 9]);
        let copy = Completed { seen: &code, now: &now };
        assert_eq!(copy.read_bytes(0x503d, 5), Ok(vec![7, 7, 7, 9, 9]), "it goes on so");
        assert!(copy.read::<u8>(0x5040).is_err(), "nothing of that was copied");
        now.write(0x503e, &[8]);
        let copy = Completed { seen: &code, now: &now };
        assert!(copy.read_bytes(0x503d, 5).is_err(), "it is not the same any more");
        assert_eq!(copy.read_bytes(0x503d, 3), Ok(vec![7, 7, 7]), "but it was");
        assert_eq!(parse(&bytes[..bytes.len() - 1]), None);
        for length in [0, 1 << 40] {
            let bytes = seen_code(MOMENT, length);
            let Some(Record::Code(code)) = parse(&bytes) else { panic!("no code object") };
            assert_eq!(code.copied(0x20ff, 9).is_some(), length > 0);
            assert!(code.copied(0x2100, 9).is_none());
        }
    }

    #[test]
    fn a_sample_ends_with_its_last_record_and_forgets_those_of_others() {
        let mut partial = Partial::default();
        let lost = Moment { time: 76, ..MOMENT };
        let code = |moment| seen_code(moment, 1);
        assert!(!partial.add(parse(&code(lost)).expect("a record")));
        assert!(!partial.add(parse(&code(MOMENT)).expect("a record")));
        assert!(partial.add(parse(&end(MOMENT, 5)).expect("a record")));
        assert_eq!((partial.moment, partial.codes.len(), partial.next), (MOMENT, 1, 5));
        assert_eq!((partial.has_fault, partial.lacks_codes), (false, true));
    }

    #[test]
    fn what_is_no_record_is_none() {
        assert_eq!(parse(&[]), None);
        assert_eq!(parse(&head(9, MOMENT)), None);
        assert_eq!(parse(&head(CHUNK, MOMENT)), None);
    }

    fn parse(bytes: &[u8]) -> Option<Record<'_>> {
        Record::parse::<Python>(bytes)
    }

    #[test]
    fn a_copied_stack_holds_its_frames_in_order_and_nothing_else() {
        let frame = |address: u64, byte: u8| {
            [words(&[address]), vec![byte; stride::<Python>() - 8]].concat()
        };
        let head =
            [head(CHUNK, MOMENT), words(&[0x500, 42, 2 << 32, 77]), words(&[0x600, 1, 2, 3, 4, 5])];
        let bytes = [head.concat(), frame(0x7000, 1), frame(0x8000, 2)].concat();
        let mut partial = Partial::default();
        assert!(!partial.add(parse(&bytes).expect("a record")));
        assert_eq!((partial.thread, partial.id), (0x500, 42));
        assert_eq!((partial.gil, partial.native), (Some(0), 77));
        assert_eq!(parse(&bytes[..bytes.len() - 1]), None);
        let mut stack = CopiedStack::default();
        stack.begin::<Python>(Remote::new(0x500), &partial);
        assert!(stack.read::<u64>(0x8000).is_err(), "not yet");
        assert_eq!(stack.read::<u8>(0x7000), Ok(1));
        assert_eq!(stack.read::<u8>(0x8000), Ok(2));
        assert!(stack.read::<u8>(0x7000).is_err(), "it has been passed");
        assert!(stack.read::<u8>(0).is_err());
    }
}
