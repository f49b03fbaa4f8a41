//! `co_linetable` from CPython 3.11 on, the location table.
//!
//! The table gives lines and columns; only the lines are read here. It is a list
//! of entries of one byte or more. The top bit is set in the first byte of an
//! entry and clear in all others, so that an entry can be skipped without being
//! understood. The first byte also holds the kind of the entry (bits 3–6) and how
//! many instruction units it covers, less one (bits 0–2); a unit is two bytes.
//!
//! | kind  | name       | line                   | further bytes              |
//! |-------|------------|------------------------|----------------------------|
//! | 0–9   | short      | as before              | columns                    |
//! | 10–12 | one line   | 0, 1 or 2 further      | columns                    |
//! | 13    | no columns | moves by a signed step | the step                   |
//! | 14    | long       | moves by a signed step | the step, last line, columns |
//! | 15    | none       | none; stays for the next entry | –                  |
//!
//! The step is a number of variable length: six bits a byte, the lowest first, bit
//! 6 set in every byte but the last. Its lowest bit is the sign, the rest the
//! magnitude. The line starts as `co_firstlineno`. The table covers the whole
//! bytecode, inline caches included; past its end there is no line.
//!
//! Facts from `Objects/codeobject.c` (`PyCode_Addr2Line`, `advance`,
//! `get_line_delta`), `Objects/locations.md` and `Include/cpython/code.h`
//! (`_PyCodeLocationInfoKind`), v3.11.7, and from `InternalDocs/code_objects.md`,
//! v3.14.0.

use std::iter::from_fn;

use super::{Entry, LineTable};

/// `co_linetable` as entries of variable length: CPython 3.11 on.
pub struct LocationTable;

/// Set in the first byte of an entry and in no other.
const FIRST_BYTE: u8 = 0x80;
/// The kinds that move the line by 0, 1 or 2.
const ONE_LINE: u8 = 10;
const ONE_LINE_LAST: u8 = 12;
const NO_COLUMNS: u8 = 13;
const LONG: u8 = 14;
const NO_LOCATION: u8 = 15;
/// Bytes in an instruction unit.
const UNIT: i32 = 2;
/// Bytes that a number of 32 bits takes at most; further ones hold nothing.
const NUMBER_BYTES: usize = 6;

impl LineTable for LocationTable {
    fn entries(table: &[u8], first_line: i32) -> impl Iterator<Item = Entry> {
        let mut rest = table;
        let mut start = 0_i32;
        let mut line = first_line;
        from_fn(move || {
            let (&first, after_first) = rest.split_first()?;
            let further = after_first
                .iter()
                .position(|byte| byte & FIRST_BYTE != 0)
                .unwrap_or(after_first.len());
            let (further, next) = after_first.split_at(further);
            rest = next;

            let kind = first >> 3 & 15;
            line = line.wrapping_add(line_step(kind, further));
            let end = start.saturating_add((i32::from(first & 7) + 1) * UNIT);
            let entry = Entry::new(start, end, (kind != NO_LOCATION).then_some(line));
            start = end;
            Some(entry)
        })
        .filter(|entry| !entry.is_empty())
    }
}

/// How far an entry of `kind` with the bytes `further` moves the line.
fn line_step(kind: u8, further: &[u8]) -> i32 {
    match kind {
        ONE_LINE..=ONE_LINE_LAST => i32::from(kind - ONE_LINE),
        NO_COLUMNS | LONG => signed_number(further),
        _ => 0,
    }
}

/// The signed number that `bytes` start with. Bytes that are missing count as 0.
fn signed_number(bytes: &[u8]) -> i32 {
    let mut number = 0_u32;
    for (index, byte) in bytes.iter().take(NUMBER_BYTES).enumerate() {
        number |= u32::from(byte & 0x3F) << (6 * index);
        if byte & 0x40 == 0 {
            break;
        }
    }
    let magnitude = (number >> 1) as i32;
    if number & 1 == 0 { magnitude } else { -magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first byte of an entry of `kind` over `units` instruction units.
    fn first(kind: u8, units: u8) -> u8 {
        FIRST_BYTE | kind << 3 | (units - 1)
    }

    #[test]
    fn every_kind_of_entry() {
        let table = [
            &[first(0, 1), 0x12][..],                     // short: line 100 from 0
            &[first(9, 8), 0x7F],                         // short: line 100 from 2
            &[first(10, 1), 1, 2],                        // one line, +0: 100 from 18
            &[first(11, 1), 1, 2],                        // one line, +1: 101 from 20
            &[first(12, 1), 1, 2],                        // one line, +2: 103 from 22
            &[first(NO_COLUMNS, 2), 7],                   // -3: 100 from 24
            &[first(NO_LOCATION, 3)],                     // none from 28
            &[first(LONG, 1), 0x50, 0x13, 2, 0x41, 1, 5], // +616: 716 from 34
            &[first(0, 1), 0],                            // 716 from 36 to 38
        ]
        .concat();
        let expected = [
            (0, 2, Some(100)),
            (2, 18, Some(100)),
            (18, 20, Some(100)),
            (20, 22, Some(101)),
            (22, 24, Some(103)),
            (24, 28, Some(100)),
            (28, 34, None),
            (34, 36, Some(716)),
            (36, 38, Some(716)),
        ];
        let entries: Vec<Entry> = LocationTable::entries(&table, 100).collect();
        assert_eq!(entries, expected.map(|(start, end, line)| Entry::new(start, end, line)));
        assert_eq!(LocationTable::line(&table, 100, 27), Some(100));
        assert_eq!(LocationTable::line(&table, 100, 28), None);
        assert_eq!(LocationTable::line(&table, 100, 37), Some(716));
    }

    #[test]
    fn numbers_of_every_length() {
        assert_eq!(signed_number(&[0]), 0);
        assert_eq!(signed_number(&[2]), 1);
        assert_eq!(signed_number(&[3]), -1);
        assert_eq!(signed_number(&[0x3E]), 31);
        assert_eq!(signed_number(&[0x48, 3]), 100);
        assert_eq!(signed_number(&[0x7E, 0x7F, 0x7F, 0x7F, 0x7F, 3]), i32::MAX);
        assert_eq!(signed_number(&[0x7F, 0x7F, 0x7F, 0x7F, 0x7F, 3]), -i32::MAX);
    }

    #[test]
    fn numbers_that_are_cut_off_or_too_long() {
        assert_eq!(signed_number(&[]), 0);
        assert_eq!(signed_number(&[0x48]), 4);
        assert_eq!(signed_number(&[0x7E; 1000]), signed_number(&[0x7E; 6]));
    }

    #[test]
    fn a_module_starts_on_line_zero() {
        // CPython gives the first instruction of a module line 0.
        let table = [first(NO_COLUMNS, 1), 3, first(11, 1), 0, 1];
        assert_eq!(LocationTable::line(&table, 1, 0), Some(0));
        assert_eq!(LocationTable::line(&table, 1, 2), Some(1));
    }

    #[test]
    fn outside_the_table() {
        let table = [first(11, 2), 0, 1];
        assert_eq!(LocationTable::line(&table, 10, -1), Some(10));
        assert_eq!(LocationTable::line(&table, 10, 4), None);
        assert_eq!(LocationTable::line(&table, 10, i32::MAX), None);
        assert_eq!(LocationTable::line(&[], 10, 0), None);
    }

    #[test]
    fn lines_that_leave_the_range_of_i32_do_not_panic() {
        assert_eq!(LocationTable::line(&[first(11, 1)], i32::MAX, 0), None);
        assert_eq!(LocationTable::line(&[first(NO_COLUMNS, 1), 3], i32::MIN, 0), Some(i32::MAX));
    }
}
