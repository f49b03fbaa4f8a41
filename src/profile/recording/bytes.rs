//! Numbers and texts as bytes: numbers in groups of seven bits, the lowest first; texts
//! after their length.

use super::LONGEST_TEXT;

/// Appends a number.
pub(super) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a number that may be negative: small ones of either sign are short.
pub(super) fn put_signed(out: &mut Vec<u8>, number: i64) {
    put_number(out, ((number << 1) ^ (number >> 63)) as u64);
}

/// Appends a text; of one that is too long only the beginning.
pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    let mut length = text.len().min(LONGEST_TEXT);
    while !text.is_char_boundary(length) {
        length -= 1;
    }
    put_bytes(out, &text.as_bytes()[..length]);
}

/// Appends bytes after their number.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends what may be missing: 0, or 1 and what it is.
pub(super) fn put_option<T>(
    out: &mut Vec<u8>,
    value: Option<T>,
    put: impl FnOnce(&mut Vec<u8>, T),
) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put(out, value);
    }
}

/// Bytes that are being read. They may be anything: what does not fit is `None`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A number.
    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let group = u64::from(byte & 0x7f);
            if (group << shift) >> shift != group {
                return None;
            }
            number |= group << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// A number that may be negative.
    pub(super) fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// How many entries follow, each of at least one byte: never more than bytes are left.
    pub(super) fn count(&mut self) -> Option<usize> {
        self.position(self.0.len().saturating_add(1))
    }

    /// A number below `limit`.
    pub(super) fn position(&mut self, limit: usize) -> Option<usize> {
        let number = usize::try_from(self.number()?).ok()?;
        (number < limit).then_some(number)
    }

    /// Bytes after their number: never more than are left.
    pub(super) fn part(&mut self) -> Option<Self> {
        let length = usize::try_from(self.number()?).ok()?;
        let (part, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(Self(part))
    }

    /// A text.
    pub(super) fn text(&mut self) -> Option<&'a str> {
        let Self(text) = self.part().filter(|text| text.0.len() <= LONGEST_TEXT)?;
        std::str::from_utf8(text).ok()
    }

    /// What may be missing.
    pub(super) fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.byte()? {
            0 => Some(None),
            1 => Some(Some(read(self)?)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_put_is_read(number: u64, signed: i64, text: String, option: Option<u64>) {
            let mut out = Vec::new();
            put_number(&mut out, number);
            put_signed(&mut out, signed);
            put_text(&mut out, &text);
            put_option(&mut out, option, put_number);
            let mut bytes = Bytes(&out);
            prop_assert_eq!(bytes.number(), Some(number));
            prop_assert_eq!(bytes.signed(), Some(signed));
            prop_assert_eq!(bytes.text(), Some(text.as_str()));
            prop_assert_eq!(bytes.option(Bytes::number), Some(option));
            prop_assert!(bytes.is_empty());
        }

        #[test]
        fn any_bytes_are_a_number_or_none(bytes: Vec<u8>) {
            let mut read = Bytes(&bytes);
            while read.number().is_some() {}
            let _ = (Bytes(&bytes).text(), Bytes(&bytes).count());
        }
    }

    #[test]
    fn a_number_of_more_than_64_bits_is_none() {
        assert_eq!(Bytes(&[0xff; 12]).number(), None);
        let mut most = vec![0xff; 9];
        most.push(1);
        assert_eq!(Bytes(&most).number(), Some(u64::MAX));
        most[9] = 2;
        assert_eq!(Bytes(&most).number(), None);
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_between_characters() {
        let text = "é".repeat(LONGEST_TEXT);
        let mut out = Vec::new();
        put_text(&mut out, &text[..LONGEST_TEXT * 2 - 2]);
        put_text(&mut out, &format!("x{text}"));
        let mut bytes = Bytes(&out);
        assert_eq!(bytes.text().map(str::len), Some(LONGEST_TEXT));
        assert_eq!(bytes.text().map(str::len), Some(LONGEST_TEXT - 1));
    }
}
