//! The memory of a process as the walkers see it: bytes at addresses.
//!
//! Everything above this module is generic over [`Memory`], so that the same
//! walker reads a live process, a remembered snapshot, or an array in a test.

mod field;
pub(crate) mod read_set;

#[cfg(test)]
pub(crate) mod fake;

pub(crate) use field::field;
pub(crate) use field::{Field, Remote, Value, checked_field};

use std::fmt;

/// Read access to the memory of one process.
pub trait Memory {
    /// Fills `buffer` with the bytes at `address`.
    ///
    /// All or nothing: a read that is only partly possible is a [`Fault`] and
    /// leaves `buffer` in an unspecified state.
    fn read_into(&self, address: u64, buffer: &mut [u8]) -> Result<(), Fault>;

    /// Reads several spans, one behind the other into `buffer`, with as few
    /// system calls as there can be. Returns how many bytes were read: all of
    /// them, or those before the first span that cannot be read whole.
    ///
    /// # Errors
    /// If not even the first byte can be read.
    fn read_spans(&self, spans: &[Span], buffer: &mut [u8]) -> Result<usize, Fault> {
        let mut read = 0;
        for span in spans {
            let Some(part) = buffer.get_mut(read..read + span.length) else { break };
            match self.read_into(span.address, part) {
                Ok(()) => read += span.length,
                Err(fault) if read == 0 => return Err(fault),
                Err(_) => break,
            }
        }
        Ok(read)
    }

    /// Reads one value of a plain type.
    fn read<T: Value>(&self, address: u64) -> Result<T, Fault> {
        let mut bytes = [0; 8];
        let bytes = &mut bytes[..T::SIZE];
        self.read_into(address, bytes)?;
        Ok(T::from_bytes(bytes))
    }

    /// Reads one field of the struct at `object`.
    fn field<S, T: Value>(&self, object: Remote<S>, field: Field<S, T>) -> Result<T, Fault> {
        self.read(object.address().wrapping_add(field.offset() as u64))
    }

    /// Reads `length` bytes into a fresh buffer.
    ///
    /// The caller bounds `length`: it usually comes from the process itself.
    fn read_bytes(&self, address: u64, length: usize) -> Result<Vec<u8>, Fault> {
        let mut bytes = vec![0; length];
        self.read_into(address, &mut bytes)?;
        Ok(bytes)
    }
}

impl<M: Memory + ?Sized> Memory for &M {
    fn read_into(&self, address: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        (**self).read_into(address, buffer)
    }

    fn read_spans(&self, spans: &[Span], buffer: &mut [u8]) -> Result<usize, Fault> {
        (**self).read_spans(spans, buffer)
    }
}

/// A stretch of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first byte.
    pub address: u64,
    /// Its length in bytes.
    pub length: usize,
}

impl Span {
    /// One past the last byte.
    #[must_use]
    pub fn end(self) -> u64 {
        self.address.saturating_add(self.length as u64)
    }

    /// The smallest span around this one whose ends are multiples of `unit`, a
    /// power of two, or the last address that there is.
    #[must_use]
    pub fn rounded(self, unit: u64) -> Self {
        let address = self.address & !(unit - 1);
        let end = self.end().checked_add(unit - 1).map_or(u64::MAX, |end| end & !(unit - 1));
        Self { address, length: (end - address) as usize }
    }
}

/// A read that did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where the read began.
    pub address: u64,
    /// How many bytes were asked for.
    pub length: usize,
    /// The kernel's reason: `EFAULT` (not mapped), `ESRCH` (the process is
    /// gone), `EPERM` (not allowed), or another `errno`.
    pub errno: i32,
}

impl Fault {
    /// A read of memory that is not mapped.
    #[must_use]
    pub fn unmapped(address: u64, length: usize) -> Self {
        Self { address, length, errno: nix::errno::Errno::EFAULT as i32 }
    }

    /// Whether the process no longer exists.
    #[must_use]
    pub fn is_process_gone(self) -> bool {
        self.errno == nix::errno::Errno::ESRCH as i32
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = nix::errno::Errno::from_raw(self.errno).desc();
        write!(f, "cannot read {} bytes at {:#x}: {reason}", self.length, self.address)
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::Span;

    #[test]
    fn a_rounded_span_is_around_the_other_one() {
        let rounded = |address, length| Span { address, length }.rounded(64);
        assert_eq!(rounded(100, 30), Span { address: 64, length: 128 });
        assert_eq!(rounded(64, 64), Span { address: 64, length: 64 });
        let last = u64::MAX - 20;
        assert_eq!(rounded(last, 8), Span { address: last & !63, length: 63 });
    }
}
