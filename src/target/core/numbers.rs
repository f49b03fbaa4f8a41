//! Numbers out of the bytes of headers and notes.

/// The number of `size` bytes at an offset, if it is there.
pub(super) fn number(bytes: &[u8], offset: usize, size: usize) -> Option<u64> {
    let mut number = [0; 8];
    number.get_mut(..size)?.copy_from_slice(bytes.get(offset..offset.checked_add(size)?)?);
    Some(u64::from_le_bytes(number))
}
