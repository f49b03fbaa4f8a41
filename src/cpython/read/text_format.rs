//! What is read of a string object, whichever its format.

use super::objects::Text as TextObject;
use crate::cpython::memory::{Fault, Memory, Remote};

/// The longest text that is read, in code units; the rest becomes `…`.
pub(crate) const MAX_UNITS: usize = 16 * 1024;

/// A string format.
pub trait Text<A> {
    /// What is known of such an object's struct.
    type Layout: Copy + 'static;

    /// How many code units the string object at `address` says it has.
    ///
    /// # Errors
    /// If it cannot be read.
    fn length<M: Memory>(memory: &M, address: Remote<TextObject>) -> Result<i64, Fault>;

    /// The first code units of the string object at `address`, `limit` at most, and
    /// how many it has.
    ///
    /// # Errors
    /// If they cannot be read.
    fn units<M: Memory>(
        memory: &M,
        address: Remote<TextObject>,
        limit: usize,
    ) -> Result<(Vec<u32>, usize), Fault>;

    /// Reads the string object at `address`.
    fn read<M: Memory>(memory: &M, address: Remote<TextObject>) -> Result<Reading, Fault>;
}

/// A string object, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The text, escaped where it is not UTF-8.
    pub text: String,
    /// Where its characters lie in the process.
    pub data: u64,
    /// How many bytes of them there are, the terminating NUL included; fewer
    /// for a text longer than [`MAX_UNITS`].
    pub data_length: usize,
}
