//! `co_lnotab`, the line table up to CPython 3.9.
//!
//! The table is a list of pairs of bytes. A pair (*a*, *d*) says: the next *a*
//! bytes of bytecode belong to the current line; then the line changes by *d*.
//! The current line starts as `co_firstlineno`. The bytecode after the last pair
//! belongs to the line reached by then.
//!
//! A step that does not fit in a byte takes several pairs: more bytecode as pairs
//! with *d* = 0, more lines as pairs with *a* = 0.
//!
//! *d* is unsigned up to 3.5 and signed from 3.6 on. It makes a difference as soon
//! as code goes back to an earlier line: read as unsigned, a step of -1 lands 256
//! lines too low in the file.
//!
//! Facts from `Objects/codeobject.c` (`PyCode_Addr2Line`) and
//! `Objects/lnotab_notes.txt`: v2.7.18, v3.4.10 and v3.5.10 for the unsigned kind,
//! v3.6.15 to v3.9.18 for the signed one.

use std::iter::once;

use super::{Entry, LineTable, pairs};

/// `co_lnotab` with unsigned line steps: CPython up to 3.5.
pub struct UnsignedLnotab;

/// `co_lnotab` with signed line steps: CPython 3.6 to 3.9.
pub struct SignedLnotab;

impl LineTable for UnsignedLnotab {
    fn entries(table: &[u8], first_line: i32) -> impl Iterator<Item = Entry> {
        entries(table, first_line, i32::from)
    }
}

impl LineTable for SignedLnotab {
    fn entries(table: &[u8], first_line: i32) -> impl Iterator<Item = Entry> {
        entries(table, first_line, |step| i32::from(step as i8))
    }
}

/// The stretches of either kind; `line_step` is how it reads the second byte.
fn entries(table: &[u8], first_line: i32, line_step: fn(u8) -> i32) -> impl Iterator<Item = Entry> {
    let steps = pairs(table).map(move |(bytes, step)| (i32::from(bytes), line_step(step)));
    let open_end = once((i32::MAX, 0));
    let mut start = 0_i32;
    let mut line = first_line;
    steps
        .chain(open_end)
        .map(move |(bytes, line_step)| {
            let entry = Entry::new(start, start.saturating_add(bytes), Some(line));
            start = entry.end;
            line = line.wrapping_add(line_step);
            entry
        })
        .filter(|entry| !entry.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_steps_the_bytecode_before_the_line() {
        // Lines 1, 2 and 7 start at offsets 0, 6 and 50.
        let table = [6, 1, 44, 5];
        for (offset, line) in [(0, 1), (5, 1), (6, 2), (49, 2), (50, 7), (1000, 7)] {
            assert_eq!(UnsignedLnotab::line(&table, 1, offset), Some(line));
            assert_eq!(SignedLnotab::line(&table, 1, offset), Some(line));
        }
    }

    #[test]
    fn steps_over_255_take_several_pairs() {
        // 300 bytes on line 10, then line 610.
        let unsigned = [255, 0, 45, 255, 0, 255, 0, 90];
        assert_eq!(UnsignedLnotab::line(&unsigned, 10, 299), Some(10));
        assert_eq!(UnsignedLnotab::line(&unsigned, 10, 300), Some(610));
        let signed = [255, 0, 45, 127, 0, 127, 0, 127, 0, 127, 0, 92];
        assert_eq!(SignedLnotab::line(&signed, 10, 299), Some(10));
        assert_eq!(SignedLnotab::line(&signed, 10, 300), Some(610));
    }

    #[test]
    fn the_kinds_differ_in_steps_back() {
        let table = [4, 10, 4, 0xF6];
        assert_eq!(SignedLnotab::line(&table, 100, 8), Some(100));
        assert_eq!(UnsignedLnotab::line(&table, 100, 8), Some(356));
    }

    #[test]
    fn before_the_first_instruction_is_the_first_line() {
        // The first pair already moves off the first line, at offset 0.
        let table = [0, 3, 8, 1];
        assert_eq!(UnsignedLnotab::line(&table, 20, -1), Some(20));
        assert_eq!(SignedLnotab::line(&table, 20, -1), Some(20));
        assert_eq!(SignedLnotab::line(&table, 20, i32::MIN), Some(20));
        assert_eq!(SignedLnotab::line(&table, 20, 0), Some(23));
    }

    #[test]
    fn an_empty_table_is_all_first_line() {
        assert_eq!(SignedLnotab::line(&[], 5, 0), Some(5));
        assert_eq!(SignedLnotab::line(&[], 5, i32::MAX - 1), Some(5));
        let whole: Vec<Entry> = SignedLnotab::entries(&[], 5).collect();
        assert_eq!(whole, [Entry::new(0, i32::MAX, Some(5))]);
    }

    #[test]
    fn an_odd_last_byte_is_left_out() {
        assert_eq!(SignedLnotab::line(&[6, 1, 44], 1, 100), Some(2));
    }

    #[test]
    fn lines_that_leave_the_range_of_i32_do_not_panic() {
        assert_eq!(UnsignedLnotab::line(&[0, 1], i32::MAX, 0), None);
        assert_eq!(SignedLnotab::line(&[0, 0xFF], i32::MIN, 0), Some(i32::MAX));
        assert_eq!(SignedLnotab::line(&[0, 0xFF], 0, 0), None);
    }
}
