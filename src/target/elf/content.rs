//! Whether a file is the one that was mapped.

use super::Bytes;
use super::image::Image;
use crate::cpython::memory::Memory;
use crate::target::mapped::Segment;

/// Whether a process has mapped this very content at `mapped`: the first page, which
/// holds the headers with the sizes of all parts, and the build id.
pub(crate) fn has_content<M: Memory>(image: &Image<Bytes>, memory: &M, mapped: &[Segment]) -> bool {
    const PAGE: usize = 4096;
    let Some(first) = mapped.iter().find(|segment| segment.offset == 0) else {
        return false;
    };
    let head = image.bytes();
    let head = head.get(..PAGE).unwrap_or(head);
    let is_there = |address: u64, bytes: &[u8]| {
        memory.read_bytes(address, bytes.len()).is_ok_and(|found| found == bytes)
    };
    if !is_there(first.range.start, head) {
        return false;
    }
    let Some(bias) = image.load_bias(mapped) else { return false };
    image.build_id().is_none_or(|(address, id)| is_there(address.wrapping_add(bias), id))
}
