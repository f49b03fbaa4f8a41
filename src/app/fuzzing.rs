//! Folded stacks that come from elsewhere.

/// A file of folded stacks, with and without lines.
pub fn folded(bytes: &[u8]) {
    for lines in [true, false] {
        super::report::read_folded_bytes(bytes, lines);
    }
}
