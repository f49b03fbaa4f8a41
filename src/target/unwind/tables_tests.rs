//! Tables that are made by hand for x86-64, whole and damaged.

use proptest::prelude::*;

use super::fixture::{entries_at, file, unwinder};
use super::*;
use crate::target::fuzzing;

/// Where the image is loaded.
const BASE: u64 = 0x40_0000;
/// Where the stack is.
const STACK: u64 = 0x7ffc_0000_0000;

const DEF_CFA: u8 = 0x0c;
const DEF_CFA_OFFSET: u8 = 0x0e;
const DEF_CFA_EXPRESSION: u8 = 0x0f;
const UNDEFINED: u8 = 0x07;
const ADVANCE: u8 = 0x40;
const OFFSET: u8 = 0x80;
/// Numbers of registers in tables.
const SP: u8 = arch::SP.0 as u8;
const FP: u8 = arch::FP.0 as u8;
const IP: u8 = arch::IP.0 as u8;

/// Entries: a common one, with the return address below the canonical frame address, and one for
/// each function: its first address, its length, what it says.
fn entries(functions: &[(u32, u32, &[u8])]) -> (Vec<(u32, u32)>, Vec<u8>) {
    let start = entries_at(functions.len()) as u32;
    // Version 1, `zR`, factors 1 and -8, the column of the return address, `pcrel sdata4`.
    let common = [1, b'z', b'R', 0, 1, 0x78, IP, 1, 0x1b, DEF_CFA, SP, 8, OFFSET | IP, 1];
    let mut bytes = Vec::new();
    put(&mut bytes, 0, &common);
    let mut pairs = Vec::new();
    for (address, length, says) in functions {
        let at = bytes.len() as u32;
        pairs.push((*address, at));
        let place = start + at + 8;
        let mut content = address.wrapping_sub(place).to_le_bytes().to_vec();
        content.extend(length.to_le_bytes());
        content.push(0);
        content.extend(*says);
        put(&mut bytes, at + 4, &content);
    }
    (pairs, bytes)
}

/// Appends an entry: its length, how far back its common entry is, and what it says.
fn put(bytes: &mut Vec<u8>, pointer: u32, content: &[u8]) {
    let length = (4 + content.len()).next_multiple_of(4);
    let end = bytes.len() + 4 + length;
    bytes.extend((length as u32).to_le_bytes());
    bytes.extend(pointer.to_le_bytes());
    bytes.extend(content);
    bytes.resize(end, 0);
}

/// The end of a stack, and its frames: offset in the image, and start and end on the stack.
fn unwound(
    functions: &[(u32, u32, &[u8])],
    ip: u64,
    bp: u64,
    words: &[u64],
) -> (UnwindEnd, Vec<(u64, u64, u64)>) {
    let (pairs, entries) = entries(functions);
    let mut unwinder = unwinder(file(&pairs, &entries), BASE).expect("an image");
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let stack = StackCopy { start: STACK, bytes: &bytes };
    let registers = Registers { ip: BASE + ip, sp: STACK, bp, lr: 0 };
    let mut frames = Vec::new();
    let end = unwinder.unwind(registers, &stack, &mut frames);
    let plain = frames.iter().map(|frame| {
        let end = frame.end.checked_sub(STACK).filter(|_| frame.end != u64::MAX);
        (frame.address - BASE, frame.start - STACK, end.unwrap_or(u64::MAX))
    });
    (end, plain.collect())
}

#[test]
fn rows_are_chosen_by_the_instruction() {
    // A push of 16 bytes after four bytes of code; the first function of all has no caller.
    let leaf: &[u8] = &[ADVANCE | 4, DEF_CFA_OFFSET, 24];
    let functions = [(0x10, 0x10, leaf), (0x20, 0x10, &[UNDEFINED, IP][..])];
    let root = (0x2f, 8, u64::MAX);
    let after_call = BASE + 0x30;
    let expected = (UnwindEnd::Root, vec![(0x12, 0, 8), root]);
    assert_eq!(unwound(&functions, 0x12, 0, &[after_call]), expected);
    let expected = (UnwindEnd::Root, vec![(0x14, 0, 24), (0x2f, 24, u64::MAX)]);
    assert_eq!(unwound(&functions, 0x14, 0, &[1, 2, after_call]), expected);
}

#[test]
fn the_frame_pointer_is_restored() {
    let saves: &[u8] = &[DEF_CFA_OFFSET, 16, OFFSET | FP, 2];
    let uses: &[u8] = &[DEF_CFA, FP, 16];
    let functions = [(0x10, 0x10, saves), (0x20, 0x10, uses), (0x30, 8, &[UNDEFINED, IP][..])];
    let words = [STACK + 24, BASE + 0x28, 7, 8, BASE + 0x34];
    let (end, frames) = unwound(&functions, 0x10, 1, &words);
    assert_eq!((end, frames.len(), frames[1]), (UnwindEnd::Root, 3, (0x27, 16, 40)));
}

#[test]
fn nothing_is_guessed() {
    let plain: &[u8] = &[];
    let functions = [(0x10, 0x10, plain)];
    let one = |end: u64| vec![(0x10, 0, end)];
    let ends = |words: &[u64]| unwound(&functions, 0x10, STACK, words);
    // Between functions, in other memory, nowhere.
    let caller = (0x27, 8, u64::MAX);
    let expected = (UnwindEnd::Unknown, [one(8), vec![caller]].concat());
    assert_eq!(ends(&[BASE + 0x28, 0, 0]), expected);
    assert_eq!(ends(&[0x1234]), (UnwindEnd::Unknown, one(u64::MAX)));
    assert_eq!(ends(&[0]), (UnwindEnd::Root, one(u64::MAX)));
    assert_eq!(ends(&[]), (UnwindEnd::Cut(8), one(u64::MAX)));
    assert_eq!(unwound(&functions, 0xffff, 0, &[]), (UnwindEnd::Unknown, vec![]));
}

#[test]
fn a_stack_ends() {
    let stays: &[u8] = &[DEF_CFA, SP, 0, OFFSET | IP, 0];
    let functions = [(0x10, 0x10, stays)];
    let (end, _) = unwound(&functions, 0x10, 0, &[BASE + 0x14]);
    assert_eq!(end, UnwindEnd::NoProgress);
    let plain: &[u8] = &[];
    let deep = vec![BASE + 0x14; MAX_FRAMES + 10];
    let (end, frames) = unwound(&[(0x10, 0x10, plain)], 0x10, 0, &deep);
    assert_eq!((end, frames.len()), (UnwindEnd::TooDeep, MAX_FRAMES));
}

#[test]
fn expressions_are_evaluated_and_do_not_loop() {
    // The word at the stack pointer: DW_OP_breg7 0, DW_OP_deref.
    let follows: &[u8] = &[DEF_CFA_EXPRESSION, 3, 0x77, 0, 0x06];
    let functions = [(0x10, 0x10, follows), (0x20, 0x10, &[UNDEFINED, IP][..])];
    let (end, frames) = unwound(&functions, 0x10, 0, &[STACK + 32, 0, 0, BASE + 0x21]);
    assert_eq!((end, frames.len(), frames[0].2), (UnwindEnd::Root, 2, 32));
    // DW_OP_skip -3.
    let loops: &[u8] = &[DEF_CFA_EXPRESSION, 3, 0x2f, 0xfd, 0xff];
    let (end, _) = unwound(&[(0x10, 0x10, loops)], 0x10, 0, &[]);
    assert_eq!(end, UnwindEnd::Unknown);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Bytes of good tables are exchanged for others.
    #[test]
    fn damaged_tables_do_no_harm(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        registers in prop::collection::vec(0..0x400_u64, 3),
        stack in prop::collection::vec(0..0x400_u64, 0..40),
    ) {
        let saves: &[u8] = &[DEF_CFA_OFFSET, 16, OFFSET | FP, 2];
        let deref: &[u8] = &[DEF_CFA_EXPRESSION, 3, 0x77, 0, 0x06];
        let functions = [(0x10, 0x80, saves), (0x90, 0x80, &[][..]), (0x110, 0x80, deref)];
        let (pairs, entries) = entries(&functions);
        let mut file = file(&pairs, &entries);
        for (place, byte) in damage {
            *place.get_mut(&mut file) = byte;
        }
        let registers = Registers {
            ip: BASE + registers[0],
            sp: STACK,
            bp: STACK + registers[1],
            lr: BASE + registers[2],
        };
        let words = stack.iter().map(|word| if word % 3 == 0 { STACK + word } else { BASE + word });
        let words: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        fuzzing::unwind_image(file, BASE, registers, &StackCopy { start: STACK, bytes: &words });
    }
}
