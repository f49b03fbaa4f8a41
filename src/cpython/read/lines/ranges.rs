//! `co_linetable` of CPython 3.10, the line table of PEP 626.
//!
//! The table is a list of pairs of bytes, an unsigned (*n*) and a signed (*d*)
//! one. It looks like `co_lnotab`, but the line changes first: a pair says that
//! the line changes by *d*, and that the next *n* bytes of bytecode belong to it.
//! With *d* = -128 those bytes belong to no line, and the current line stays.
//!
//! A pair with *n* = 0 only moves the line, for steps that do not fit in a byte.
//! The table covers the whole bytecode; past its end there is no line.
//!
//! Facts from `Objects/codeobject.c` (`PyCode_Addr2Line`, `advance`) and
//! `Objects/lnotab_notes.txt`, v3.10.13.

use super::{Entry, LineTable, pairs};

/// `co_linetable` as pairs of a length and a line step: CPython 3.10.
pub struct Ranges;

/// The line step of bytecode that has no line.
const NO_LINE: i8 = -128;

impl LineTable for Ranges {
    fn entries(table: &[u8], first_line: i32) -> impl Iterator<Item = Entry> {
        let mut start = 0_i32;
        let mut line = first_line;
        pairs(table)
            .map(move |(bytes, step)| {
                let step = step as i8;
                let has_line = step != NO_LINE;
                if has_line {
                    line = line.wrapping_add(step.into());
                }
                let end = start.saturating_add(bytes.into());
                let entry = Entry::new(start, end, has_line.then_some(line));
                start = end;
                entry
            })
            .filter(|entry| !entry.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table from pairs with the line step signed.
    fn table(pairs: &[(u8, i8)]) -> Vec<u8> {
        pairs.iter().flat_map(|&(bytes, step)| [bytes, step as u8]).collect()
    }

    #[test]
    fn a_pair_steps_the_line_before_the_bytecode() {
        let table = table(&[(6, 1), (44, 5), (10, -3)]);
        for (offset, line) in [(0, 11), (4, 11), (6, 16), (48, 16), (50, 13), (58, 13)] {
            assert_eq!(Ranges::line(&table, 10, offset), Some(line), "at {offset}");
        }
    }

    #[test]
    fn bytecode_without_a_line_leaves_the_line_as_it_was() {
        let table = table(&[(4, 1), (2, NO_LINE), (2, 1)]);
        assert_eq!(Ranges::line(&table, 10, 2), Some(11));
        assert_eq!(Ranges::line(&table, 10, 4), None);
        assert_eq!(Ranges::line(&table, 10, 6), Some(12));
    }

    #[test]
    fn long_steps_take_several_pairs() {
        // Line 261 for 400 bytes, then line 7.
        let table = table(&[(0, 127), (0, 127), (254, 6), (146, 0), (0, -127), (2, -127)]);
        assert_eq!(Ranges::line(&table, 1, 0), Some(261));
        assert_eq!(Ranges::line(&table, 1, 398), Some(261));
        assert_eq!(Ranges::line(&table, 1, 400), Some(7));
    }

    #[test]
    fn outside_the_table() {
        let table = table(&[(4, 1)]);
        assert_eq!(Ranges::line(&table, 10, -1), Some(10));
        assert_eq!(Ranges::line(&table, 10, -2), Some(10));
        assert_eq!(Ranges::line(&table, 10, 4), None);
        assert_eq!(Ranges::line(&table, 10, i32::MAX), None);
        assert_eq!(Ranges::line(&[], 10, 0), None);
    }

    #[test]
    fn an_odd_last_byte_is_left_out() {
        assert_eq!(Ranges::line(&[4, 1, 4], 10, 4), None);
    }

    #[test]
    fn lines_that_leave_the_range_of_i32_do_not_panic() {
        assert_eq!(Ranges::line(&[2, 1], i32::MAX, 0), None);
        assert_eq!(Ranges::line(&[2, 0xFF], i32::MIN, 0), Some(i32::MAX));
    }
}
