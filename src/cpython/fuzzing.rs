//! Readers of a process's memory, over a memory that is made of an input.

use super::abi::{self, Abi};
use super::memory::{Fault, Memory, Remote, Span};
use super::read::code::{CodeCache, Named};
use super::read::frame_format::MAX_DEPTH;
use super::read::frames::{Broken, Frames, Walk, is_settled, walk_thread};
use super::read::lines::{LineTable, LocationTable, Ranges, SignedLnotab, UnsignedLnotab};
use super::read::objects::{Object, Types};
use super::read::proof::{Standstill, check_debug_offsets, prove, system_layout};
use super::read::text::Text;
use super::read::text_format::MAX_UNITS;
use super::read::thread_names::ThreadNames;
use super::read::threads::{ProcessRoots, RootSymbols, thread_info};
use super::read::types::ObjectTypes;
use super::read::values::Values;
use super::read::variables::variables;
use super::read::{dictionaries, search_path};
use crate::stack::FrameTable;

/// Where the bytes of an input lie.
pub(crate) const START: u64 = 0x1_0000;

/// A memory that holds an input.
struct Input<'a> {
    bytes: &'a [u8],
    /// Whether every address leads into it, however far from [`START`].
    is_everywhere: bool,
}

impl Memory for Input<'_> {
    fn read_into(&self, address: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        let fault = Fault::unmapped(address, buffer.len());
        assert!(buffer.len() <= 1 << 24, "{} bytes are read at once", buffer.len());
        let offset = address.wrapping_sub(START);
        if !self.is_everywhere {
            let rest = usize::try_from(offset).ok().and_then(|offset| self.bytes.get(offset..));
            let part = rest.and_then(|rest| rest.get(..buffer.len())).ok_or(fault)?;
            buffer.copy_from_slice(part);
            return Ok(());
        }
        let offset = offset.checked_rem(self.bytes.len() as u64).ok_or(fault)? as usize;
        let (mut rest, mut from) = (buffer, self.bytes.get(offset..).unwrap_or_default());
        while !rest.is_empty() && !from.is_empty() {
            let (part, after) = rest.split_at_mut(from.len().min(rest.len()));
            part.copy_from_slice(from.get(..part.len()).unwrap_or_default());
            (rest, from) = (after, self.bytes);
        }
        Ok(())
    }
}

/// What an input says of itself: which ABI, which release of it, what kind of memory.
fn divided(bytes: &[u8]) -> Option<(usize, u8, Input<'_>)> {
    let (&[abi, about], bytes) = bytes.split_first_chunk()?;
    let memory = Input { bytes, is_everywhere: about & 1 == 1 };
    Some((abi.into(), about >> 1 & 31, memory))
}

fn word(number: u64) -> u64 {
    START + number * 8
}

/// Types whose addresses are in the input: an object there may have them.
fn types() -> Types {
    Types { code: word(1), text: word(2), bytes: word(3) }
}

/// Types of objects whose addresses are words in a row.
pub(crate) fn object_types(first: u64, names_are_bytes: bool) -> ObjectTypes {
    let at = |number: u64| first + number * 8;
    ObjectTypes {
        none: at(0),
        r#true: at(1),
        r#false: at(2),
        integer: at(3),
        small_integer: at(4),
        float: at(5),
        unicode: at(6),
        bytes: at(7),
        list: at(8),
        tuple: at(9),
        dict: at(10),
        set: at(11),
        frozen_set: at(12),
        cell: at(13),
        module: at(14),
        unicode_width: 4,
        names_are_bytes,
    }
}

fn roots<A: Abi>(micro: u8) -> Option<ProcessRoots> {
    let symbols = RootSymbols {
        current_thread: Some(word(0)),
        interpreters_head: Some(word(1)),
        runtime: Some(START),
    };
    ProcessRoots::resolve(&A::roots(micro), symbols).ok()
}

/// Interpreters, threads, GILs and the frames of threads: one ABI after the input's first byte.
pub fn frames(bytes: &[u8]) {
    struct Walks<'a>(u8, Input<'a>);
    impl abi::ForAbi for Walks<'_> {
        fn visit<A: Abi>(&self) {
            let Self(micro, memory) = self;
            let Some(roots) = roots::<A>(*micro) else { return };
            for standstill in [Standstill::None, Standstill::Held, Standstill::Kept] {
                let _ = prove::<A, _>(memory, &roots, types(), standstill);
            }
            let _ = check_debug_offsets::<A, _>(memory, START);
            let _ = roots.standing(memory, Remote::new(word(1)));
            let gils = roots.gils::<A, _>(memory).unwrap_or_default();
            let _ = roots.gils_again::<A, _>(memory, &gils);
            let _ = roots.gil_holders::<A, _>(memory);
            let threads = roots.threads::<A, _>(memory).unwrap_or_default();
            let states = threads.iter().map(|thread| thread.state).take(4);
            for state in states.chain([Remote::new(START), Remote::new(word(8))]) {
                let _ = thread_info::<A, _>(memory, state);
                walk::<A>(memory, state);
            }
        }
    }
    let Some((number, micro, memory)) = divided(bytes) else { return };
    abi::visit_built(number, &Walks(micro, memory));
}

fn walk<A: Abi>(memory: &Input, thread: Remote<super::read::objects::Thread>) {
    let mut walk = Walk::default();
    let walked: Result<(), Broken> = walk_thread::<A, _>(memory, thread, &mut walk);
    assert!(walk.frames.len() <= MAX_DEPTH && walk.path.len() <= 2 * MAX_DEPTH + 2);
    let _ = is_settled::<A, _>(memory, thread, &walk);
    if walked.is_ok() {
        walk.begin(walk.top);
        let _ = A::Frames::walk_until(memory, &mut walk, |frame| frame.address() % 24 == 0);
    }
}

/// Code objects, and where frames stand in them.
pub fn code(bytes: &[u8]) {
    struct Decodes<'a>(Input<'a>);
    impl abi::ForAbi for Decodes<'_> {
        fn visit<A: Abi>(&self) {
            let Self(memory) = self;
            let mut walk = Walk::default();
            let _ = walk_thread::<A, _>(memory, Remote::new(START), &mut walk);
            let mut cache = CodeCache::<A>::new(types());
            let mut table = FrameTable::default();
            let mut named = Vec::new();
            for raw in walk.frames.iter().take(64) {
                let Ok(id) = cache.decode_of(memory, raw) else { continue };
                let _ = cache.place(raw);
                let code = Named { address: raw.code.address(), id };
                let _ = cache.frame(code, raw.position, &mut table);
                named.push(code);
            }
            let _ = cache.verify(memory, &named);
            for number in 0..16 {
                let _ = cache.decode(memory, Remote::new(word(number)));
            }
        }
    }
    let Some((number, _, memory)) = divided(bytes) else { return };
    abi::visit_built(number, &Decodes(memory));
}

/// Values, dictionaries, variables, names of threads, `sys.path`.
pub fn objects(bytes: &[u8]) {
    /// Five items in five items of a hundred characters, which are escaped at worst.
    const LONGEST: usize = 256 * 1024;
    struct Reads<'a>(u8, Input<'a>);
    impl abi::ForAbi for Reads<'_> {
        fn visit<A: Abi>(&self) {
            let Self(micro, memory) = self;
            let types = object_types(START, A::NAMES_ARE_BYTES);
            let values = Values { memory, types: &types };
            for number in 0..4 {
                let object = Remote::<Object>::new(word(number * 8));
                assert!(values.show::<A>(object).len() < LONGEST);
                let _ = dictionaries::find::<A, _>(memory, &types, object.cast(), "threading");
                let _ = dictionaries::find_attribute::<A, _>(memory, &types, object, "_name");
            }
            let mut walk = Walk::default();
            let _ = walk_thread::<A, _>(memory, Remote::new(START), &mut walk);
            for raw in walk.frames.iter().take(8) {
                let found = variables::<A, _>(&values, raw).unwrap_or_default();
                assert!(found.iter().all(|variable| variable.value.len() < LONGEST));
            }
            let (Some(roots), Ok(system)) =
                (roots::<A>(*micro), system_layout::<A, _>(memory, Some(START)))
            else {
                return;
            };
            let _ = search_path::read::<A, _>(memory, &types, &system, &roots);
            let _ = ThreadNames::new(types, system).read::<A, _>(memory, &roots);
        }
    }
    let Some((number, micro, memory)) = divided(bytes) else { return };
    abi::visit_built(number, &Reads(micro, memory));
}

/// String objects.
pub fn text(bytes: &[u8]) {
    struct Reads<'a>(Input<'a>);
    impl abi::ForAbi for Reads<'_> {
        fn visit<A: Abi>(&self) {
            let Self(memory) = self;
            for address in [START, START + 1, u64::MAX - 20] {
                let address = Remote::new(address);
                let _ = A::Text::length(memory, address);
                if let Ok(reading) = A::Text::read(memory, address) {
                    assert!(reading.data_length <= (MAX_UNITS + 1) * 4);
                    assert!(reading.text.len() <= MAX_UNITS * 10 + 3);
                }
                if let Ok((units, _)) = A::Text::units(memory, address, 100) {
                    assert!(units.len() <= 100);
                }
            }
        }
    }
    let Some((number, _, memory)) = divided(bytes) else { return };
    abi::visit_built(number, &Reads(memory));
    let span = Span { address: u64::MAX - number as u64, length: number };
    assert!(span.rounded(4096).end() >= span.end());
}

/// Line tables of every format.
pub fn lines(bytes: &[u8]) {
    fn all<T: LineTable>(table: &[u8], first_line: i32, at: i32) {
        let mut end = 0;
        for (count, entry) in T::entries(table, first_line).enumerate() {
            assert!(count <= table.len(), "more entries than bytes");
            assert!(entry.start == end && entry.end > entry.start, "a gap before {entry:?}");
            assert!(entry.line.is_none_or(|line| line >= 0));
            end = entry.end;
        }
        let _ = (T::line(table, first_line, at), T::line(table, first_line, i32::MAX));
    }
    let Some((head, table)) = bytes.split_first_chunk::<8>() else { return };
    let [a, b, c, d, at @ ..] = *head;
    let (first_line, at) = (i32::from_ne_bytes([a, b, c, d]), i32::from_ne_bytes(at));
    all::<UnsignedLnotab>(table, first_line, at);
    all::<SignedLnotab>(table, first_line, at);
    all::<Ranges>(table, first_line, at);
    all::<LocationTable>(table, first_line, at);
}
