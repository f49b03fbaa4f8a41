//! Mapping an ELF file.

#![allow(unsafe_code, reason = "memmap2 marks the mapping of any file unsafe; see map_file")]

use std::fs::File;
use std::io;

use memmap2::Mmap;

use super::Bytes;

/// Maps a regular file, private and read-only.
///
/// Reading it by `read` would copy a whole library, 30 MB with debug
/// information, to look at a few pages of it.
pub(crate) fn map_file(file: &File) -> io::Result<Bytes> {
    if !file.metadata()?.is_file() {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    // SAFETY: the contract of `Mmap::map` is that the file does not change while
    // it is mapped, because a `&[u8]` must not. The file is one that the target
    // executes, or has executed when its core file was written: the kernel refuses to write to a running executable, and no
    // package manager or linker writes to a library in place, since every
    // process that uses it would crash. If somebody does it all the same, these
    // bytes are only ever parsed by code that trusts none of them, copies what
    // it keeps, and relies on no byte staying what it was; what is found is
    // proven against the memory of the target before it is used. If the file is
    // truncated, a read past its new end raises SIGBUS in this process, as it
    // does in the target. Nothing of the target is changed by that.
    let map = unsafe { Mmap::map(file) }?;
    Ok(Bytes::Mapped(map))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_regular_file_is_mapped() {
        let bytes = map_file(&File::open("/proc/self/exe").unwrap()).unwrap();
        assert!(bytes.starts_with(b"\x7fELF"));
    }

    #[test]
    fn nothing_else_is() {
        assert!(map_file(&File::open("/dev/zero").unwrap()).is_err());
        assert!(map_file(&File::open("/").unwrap()).is_err());
    }
}
