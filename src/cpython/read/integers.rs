//! Python's integers: digits of 30 bits, or of 15 where Python was configured so.

use std::fmt;

use super::objects::Object;
use super::types::{ObjectTypes, is_exactly};
use crate::cpython::abi::{Abi, IntegerSize};
use crate::cpython::memory::{Fault, Memory, Remote};

/// The most digits that are read.
const MAX_DIGITS: usize = 64;

/// The bits of `lv_tag` that tell the sign, and how far the number of digits is shifted.
const SIGN_BITS: u64 = 3;
const SIGN_ZERO: u64 = 1;
const SIGN_NEGATIVE: u64 = 2;
const SIZE_SHIFT: u32 = 3;

/// An integer of any size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Integer {
    is_negative: bool,
    /// The lowest first.
    digits: Vec<u32>,
    /// The bits of a digit that count.
    bits: u32,
    /// How many digits there are more than were read.
    unread: usize,
    /// Whether it is a `long` of 2.7, which Python marks when it prints it.
    is_long: bool,
}

impl Integer {
    /// The 64 bits of one that a C `long` or `unsigned long` can hold.
    #[must_use]
    pub(crate) fn to_word(&self) -> Option<u64> {
        let mut word: u128 = 0;
        for digit in self.digits.iter().rev() {
            word = word.checked_shl(self.bits)? | u128::from(*digit);
            if word > u128::from(u64::MAX) {
                return None;
            }
        }
        let word = u64::try_from(word).ok().filter(|_| self.unread == 0)?;
        Some(if self.is_negative { word.wrapping_neg() } else { word })
    }
}

impl fmt::Display for Integer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.unread > 0 {
            let bits = (self.digits.len() + self.unread).saturating_mul(self.bits as usize);
            return write!(f, "<int of about {bits} bits>");
        }
        if self.is_negative {
            f.write_str("-")?;
        }
        let groups = decimal_groups(&self.digits, self.bits);
        let mut groups = groups.iter().rev();
        write!(f, "{}", groups.next().copied().unwrap_or(0))?;
        for group in groups {
            write!(f, "{group:09}")?;
        }
        f.write_str(if self.is_long { "L" } else { "" })
    }
}

/// A number as groups of nine decimal digits, the lowest first.
fn decimal_groups(digits: &[u32], bits: u32) -> Vec<u64> {
    const GROUP: u64 = 1_000_000_000;
    let mut groups: Vec<u64> = Vec::new();
    for digit in digits.iter().rev() {
        let mut carry = u64::from(*digit);
        for group in &mut groups {
            let value = (*group << bits) + carry;
            *group = value % GROUP;
            carry = value / GROUP;
        }
        while carry > 0 {
            groups.push(carry % GROUP);
            carry /= GROUP;
        }
    }
    groups
}

/// The integer that an object is; `None` if it is none, or cannot be read.
#[must_use]
pub(crate) fn integer<A: Abi, M: Memory>(
    memory: &M,
    types: &ObjectTypes,
    object: Remote<Object>,
) -> Option<Integer> {
    if is_exactly::<A, M>(memory, object, types.integer) {
        return read::<A, M>(memory, types, object).ok();
    }
    let field = A::OBJECTS.small_integer?;
    if !is_exactly::<A, M>(memory, object, types.small_integer) {
        return None;
    }
    let value = memory.field(object.cast(), field).ok()?;
    let word = value.unsigned_abs();
    Some(Integer {
        is_negative: value < 0,
        digits: vec![word as u32, (word >> 32) as u32],
        bits: u32::BITS,
        unread: 0,
        is_long: false,
    })
}

fn read<A: Abi, M: Memory>(
    memory: &M,
    types: &ObjectTypes,
    object: Remote<Object>,
) -> Result<Integer, Fault> {
    let layout = A::OBJECTS.integer;
    let (is_negative, size) = match layout.size {
        IntegerSize::Signed(field) => {
            let size = memory.field(object.cast(), field)?;
            (size < 0, usize::try_from(size.unsigned_abs()).unwrap_or(usize::MAX))
        }
        IntegerSize::Tag(field) => {
            let tag = memory.field(object.cast(), field)?;
            let size = usize::try_from(tag >> SIZE_SHIFT).unwrap_or(usize::MAX);
            let is_zero = tag & SIGN_BITS == SIGN_ZERO;
            (tag & SIGN_BITS == SIGN_NEGATIVE, if is_zero { 0 } else { size })
        }
    };
    let width = memory.field(Remote::new(types.integer), A::OBJECTS.r#type.item_size)?;
    let (width, bits) = if width == 2 { (2, 15) } else { (4, 30) };
    let number = size.min(MAX_DIGITS);
    let address = object.address().wrapping_add(layout.digits as u64);
    let bytes = memory.read_bytes(address, number * width)?;
    let digits = bytes.chunks_exact(width).map(super::text::code_point);
    Ok(Integer {
        is_negative,
        digits: digits.collect(),
        bits,
        unread: size - number,
        is_long: A::OBJECTS.small_integer.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(is_negative: bool, digits: &[u32], bits: u32) -> Integer {
        Integer { is_negative, digits: digits.to_vec(), bits, unread: 0, is_long: false }
    }

    #[test]
    fn digits_become_decimals() {
        assert_eq!(number(false, &[], 30).to_string(), "0");
        assert_eq!(number(true, &[7], 30).to_string(), "-7");
        assert_eq!(number(false, &[0, 1], 30).to_string(), (1_u64 << 30).to_string());
        assert_eq!(number(false, &[0, 0, 4], 30).to_string(), (1_u64 << 62).to_string());
        let large = (1_u128 << 90) + 5;
        assert_eq!(number(false, &[5, 0, 0, 1], 30).to_string(), large.to_string());
        assert_eq!(number(false, &[5, 0, 0, 0, 0, 0, 1], 15).to_string(), large.to_string());
        assert_eq!(number(false, &[u32::MAX, u32::MAX], 32).to_string(), u64::MAX.to_string());
    }

    #[test]
    fn only_what_fits_is_a_word() {
        assert_eq!(number(false, &[1, 2], 30).to_word(), Some((2 << 30) + 1));
        assert_eq!(number(true, &[1], 30).to_word(), Some(u64::MAX));
        assert_eq!(number(false, &[0, 0, 16], 30).to_word(), None);
        assert_eq!(number(false, &[u32::MAX; 64], 32).to_word(), None);
    }

    #[test]
    fn one_that_is_too_long_says_how_long() {
        let long = Integer { unread: 36, ..number(false, &[1; 64], 30) };
        assert_eq!(long.to_string(), "<int of about 3000 bits>");
        assert_eq!(long.to_word(), None);
    }
}
