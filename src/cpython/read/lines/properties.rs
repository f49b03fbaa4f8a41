//! Properties of the line tables, checked on random input: what a naive encoder
//! wrote comes back, and arbitrary bytes do no harm.
//!
//! The encoders know the formats from their descriptions and share nothing with
//! the decoders. Each takes the bytecode as a list of stretches.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Entry, LineTable, LocationTable, Ranges, SignedLnotab, UnsignedLnotab};

/// Bytecode of one line or of none.
#[derive(Clone, Debug)]
struct Stretch {
    /// Length in instruction units.
    units: i32,
    line: Option<i32>,
    /// For the encoder where the format gives it a choice.
    dice: u8,
}

/// Bytes in an instruction unit.
const UNIT: i32 = 2;

/// Stretches with lines that go up and down, and lengths that need several steps.
/// One in ten has no line where there may be `gaps`.
fn stretches(gaps: bool) -> impl Strategy<Value = Vec<Stretch>> {
    let units = prop_oneof![8 => 1_i32..12, 1 => 1_i32..700];
    let line = prop_oneof![4 => 1000_i32..1020, 2 => 1_i32..3000, 1 => 1_i32..50_000];
    let stretch = (units, line, 0..10, any::<u8>()).prop_map(move |(units, line, gap, dice)| {
        let line = (!gaps || gap > 0).then_some(line);
        Stretch { units, line, dice }
    });
    vec(stretch, 0..30)
}

/// Stretches with lines that never go down.
fn rising_stretches() -> impl Strategy<Value = Vec<Stretch>> {
    stretches(false).prop_map(|mut stretches| {
        let mut lines: Vec<_> = stretches.iter().map(|stretch| stretch.line).collect();
        lines.sort_unstable();
        for (stretch, line) in stretches.iter_mut().zip(lines) {
            stretch.line = line;
        }
        stretches
    })
}

/// Writes stretches, all with a line, as `co_lnotab` with line steps from `low` to
/// `high`.
fn encode_lnotab(stretches: &[Stretch], first_line: i32, low: i32, high: i32) -> Vec<u8> {
    let mut table = Vec::new();
    let mut current = first_line;
    let mut bytes_before = 0;
    for stretch in stretches {
        let line = stretch.line.expect("co_lnotab cannot say that there is no line");
        while bytes_before > 255 {
            table.extend([255, 0]);
            bytes_before -= 255;
        }
        while current != line {
            let step = (line - current).clamp(low, high);
            table.extend([bytes_before as u8, step as u8]);
            bytes_before = 0;
            current += step;
        }
        bytes_before += stretch.units * UNIT;
    }
    table
}

/// Writes stretches as the `co_linetable` of 3.10.
fn encode_ranges(stretches: &[Stretch], first_line: i32) -> Vec<u8> {
    let mut table = Vec::new();
    let mut current = first_line;
    for stretch in stretches {
        let line = stretch.line.unwrap_or(current);
        while (line - current).abs() > 127 {
            let step = (line - current).clamp(-127, 127);
            table.extend([0, step as u8]);
            current += step;
        }
        let mut bytes = stretch.units * UNIT;
        while bytes > 0 {
            let covered = bytes.min(254);
            let step = stretch.line.map_or(-128, |line| line - current);
            table.extend([covered as u8, step as u8]);
            bytes -= covered;
            current = line;
        }
    }
    table
}

/// Writes stretches as a location table. The dice choose among the kinds of entry
/// that can hold the step, and make up the columns.
fn encode_locations(stretches: &[Stretch], first_line: i32) -> Vec<u8> {
    let mut table = Vec::new();
    let mut current = first_line;
    for &Stretch { mut units, line, dice } in stretches {
        while units > 0 {
            let covered = units.min(8);
            units -= covered;
            let length = covered as u8 - 1;
            let Some(line) = line else {
                table.push(0x80 | 15 << 3 | length);
                continue;
            };
            let step = line - current;
            current = line;
            match (step, dice % 4) {
                (0, 0) => table.extend([0x80 | (dice % 10) << 3 | length, dice & 0x7F]),
                (0..=2, 0 | 1) => {
                    let kind = 10 + step as u8;
                    table.extend([0x80 | kind << 3 | length, dice & 0x7F, dice >> 1]);
                }
                (_, 2) => {
                    table.push(0x80 | 13 << 3 | length);
                    write_signed(&mut table, step);
                }
                _ => {
                    table.push(0x80 | 14 << 3 | length);
                    write_signed(&mut table, step);
                    for number in [0, dice.into(), u32::from(dice) * 77] {
                        write_number(&mut table, number);
                    }
                }
            }
        }
    }
    table
}

fn write_signed(table: &mut Vec<u8>, number: i32) {
    let sign = u32::from(number < 0);
    write_number(table, number.unsigned_abs() * 2 + sign);
}

fn write_number(table: &mut Vec<u8>, mut number: u32) {
    while number >= 64 {
        table.push(0x40 | (number % 64) as u8);
        number /= 64;
    }
    table.push(number as u8);
}

/// Checks that `table` gives every instruction its line, and returns the offset
/// past the last one.
fn check_lines<T: LineTable>(
    table: &[u8],
    first_line: i32,
    stretches: &[Stretch],
) -> Result<i32, TestCaseError> {
    let mut offset = 0;
    for stretch in stretches {
        let end = offset + stretch.units * UNIT;
        for inside in [offset, offset + (end - offset) / 2, end - 1] {
            prop_assert_eq!(T::line(table, first_line, inside), stretch.line, "at {}", inside);
        }
        offset = end;
    }
    prop_assert_eq!(T::line(table, first_line, -1), Some(first_line));
    Ok(offset)
}

/// What every format says before the first instruction.
fn first_line_of(first_line: i32) -> Option<i32> {
    (first_line >= 0).then_some(first_line)
}

/// Checks what `LineTable` promises of any bytes.
fn check_promises<T: LineTable>(
    table: &[u8],
    first_line: i32,
    offset: i32,
) -> Result<(), TestCaseError> {
    let entries: Vec<Entry> = T::entries(table, first_line).collect();
    prop_assert!(entries.len() <= table.len() + 1);
    let mut end = 0;
    for entry in &entries {
        prop_assert_eq!(entry.start, end);
        prop_assert!(entry.start < entry.end);
        prop_assert!(entry.line.is_none_or(|line| line >= 0));
        end = entry.end;
    }
    let some = entries.iter().step_by(entries.len() / 20 + 1);
    for entry in some {
        for inside in [entry.start, entry.end - 1] {
            prop_assert_eq!(T::line(table, first_line, inside), entry.line, "at {}", inside);
        }
    }
    for offset in [offset, i32::MAX] {
        let holder = entries.iter().find(|entry| (entry.start..entry.end).contains(&offset));
        if let Some(holder) = holder {
            prop_assert_eq!(T::line(table, first_line, offset), holder.line, "at {}", offset);
        }
    }
    for before in [-1, i32::MIN] {
        prop_assert_eq!(T::line(table, first_line, before), first_line_of(first_line));
    }
    Ok(())
}

proptest! {
    #[test]
    fn unsigned_lnotab_comes_back(stretches in rising_stretches(), back in 0_i32..1000) {
        let lowest = stretches.first().and_then(|first| first.line).unwrap_or(1);
        let first_line = (lowest - back).max(1);
        let table = encode_lnotab(&stretches, first_line, 0, 255);
        check_lines::<UnsignedLnotab>(&table, first_line, &stretches)?;
    }

    #[test]
    fn signed_lnotab_comes_back(stretches in stretches(false), first_line in 1_i32..3000) {
        let table = encode_lnotab(&stretches, first_line, -128, 127);
        check_lines::<SignedLnotab>(&table, first_line, &stretches)?;
    }

    #[test]
    fn ranges_come_back(stretches in stretches(true), first_line in 1_i32..3000) {
        let table = encode_ranges(&stretches, first_line);
        let end = check_lines::<Ranges>(&table, first_line, &stretches)?;
        prop_assert_eq!(Ranges::line(&table, first_line, end), None);
    }

    #[test]
    fn locations_come_back(stretches in stretches(true), first_line in 1_i32..3000) {
        let table = encode_locations(&stretches, first_line);
        let end = check_lines::<LocationTable>(&table, first_line, &stretches)?;
        prop_assert_eq!(LocationTable::line(&table, first_line, end), None);
    }

    #[test]
    fn locations_far_apart_come_back(lines in vec(0..=i32::MAX, 1..20), first_line in 0..=i32::MAX) {
        let stretches: Vec<_> =
            lines.into_iter().map(|line| Stretch { units: 1, line: Some(line), dice: 2 }).collect();
        let table = encode_locations(&stretches, first_line);
        check_lines::<LocationTable>(&table, first_line, &stretches)?;
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(
        table in vec(any::<u8>(), 0..400),
        first_line: i32,
        offset: i32,
    ) {
        check_promises::<UnsignedLnotab>(&table, first_line, offset)?;
        check_promises::<SignedLnotab>(&table, first_line, offset)?;
        check_promises::<Ranges>(&table, first_line, offset)?;
        check_promises::<LocationTable>(&table, first_line, offset)?;
    }

    #[test]
    fn cut_off_tables_do_no_harm(stretches in stretches(true), cut in any::<prop::sample::Index>()) {
        for table in [encode_ranges(&stretches, 1), encode_locations(&stretches, 1)] {
            let cut = &table[..cut.index(table.len() + 1)];
            check_promises::<SignedLnotab>(cut, 1, 0)?;
            check_promises::<Ranges>(cut, 1, 0)?;
            check_promises::<LocationTable>(cut, 1, 0)?;
        }
    }
}

/// Offsets stop at the greatest number instead of wrapping to negative ones.
#[test]
fn more_bytecode_than_offsets_can_count() {
    let table = [255, 1].repeat(8_500_000);
    let last = Ranges::entries(&table, 1).last();
    assert_eq!(last.map(|entry| entry.end), Some(i32::MAX));
    let last = SignedLnotab::entries(&table, 1).last();
    assert_eq!(last.map(|entry| entry.end), Some(i32::MAX));
}
