//! Core files that have to be unpacked first, or come through a pipe: into a file without a name,
//! because what is read of them is all over them.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::path::Path;

use flate2::read::MultiGzDecoder;

/// What a path means that stands for standard input.
pub(crate) const STDIN: &str = "-";

/// The first bytes of what is packed (RFC 8878, RFC 1952, and the formats' own descriptions).
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";
const GZIP: &[u8] = b"\x1f\x8b";
const XZ: &[u8] = b"\xfd7zXZ\0";
const LZ4: &[u8] = b"\x04\x22\x4d\x18";

/// The most bytes that a core file is unpacked to. Pages of zeros among them take no space.
const LARGEST: u64 = 1 << 40;

/// How much is copied at a time; a multiple of the blocks of file systems.
const BLOCK: usize = 64 << 10;

/// Opens the file at `path`, or standard input for `-`, as one that can be read anywhere.
///
/// # Errors
/// If it cannot be read or unpacked, or there is no space for it.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let mut file = if path == Path::new(STDIN) {
        File::from(io::stdin().as_fd().try_clone_to_owned()?)
    } else {
        File::open(path)?
    };
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    let mut head = Vec::new();
    let is_regular = metadata.is_file();
    if is_regular {
        file.seek(SeekFrom::Start(0))?;
    }
    (&mut file).take(XZ.len() as u64).read_to_end(&mut head)?;
    let is = |magic: &[u8]| head.starts_with(magic);
    let is_packed = is(ZSTD) || is(GZIP);
    if is(XZ) || is(LZ4) {
        let program = if is(XZ) { "xz" } else { "lz4" };
        let words = format!("it is packed by {program}: unpack it first ({program} -d)");
        return Err(io::Error::other(words));
    }
    if is_regular && !is_packed {
        return Ok(file);
    }
    if !is_packed && !is(goblin::elf::header::ELFMAG) {
        return Err(io::Error::other("it is not an ELF file"));
    }
    let all = head.as_slice().chain(file);
    match () {
        () if is(ZSTD) => spool(&mut zstd::stream::read::Decoder::new(all)?),
        () if is(GZIP) => spool(&mut MultiGzDecoder::new(all)),
        () => spool(&mut { all }),
    }
}

/// Copies everything into a file without a name.
fn spool(from: &mut dyn Read) -> io::Result<File> {
    spool_up_to(from, LARGEST)
}

fn spool_up_to(from: &mut dyn Read, largest: u64) -> io::Result<File> {
    let mut file = unnamed()?;
    let mut block = vec![0; BLOCK];
    let mut length = 0;
    loop {
        let filled = fill(from, &mut block)?;
        let part = block.get(..filled).unwrap_or_default();
        length += filled as u64;
        if length > largest {
            return Err(io::Error::other("it is too large when it is unpacked"));
        }
        if part.iter().all(|byte| *byte == 0) {
            file.seek(SeekFrom::Start(length))?;
        } else {
            file.write_all(part)?;
        }
        if filled < block.len() {
            file.set_len(length)?;
            return Ok(file);
        }
    }
}

/// Reads until the block is full, or there is no more.
fn fill(from: &mut dyn Read, block: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// A new file in the folder for temporary files, which nobody else can open.
fn unnamed() -> io::Result<File> {
    use nix::fcntl::{OFlag, open};
    use nix::sys::stat::Mode;
    let flags = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC | OFlag::O_EXCL;
    let folder = std::env::temp_dir();
    Ok(File::from(open(&folder, flags, Mode::S_IRUSR | Mode::S_IWUSR)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::core::fixture::OnDisk;

    /// A beginning, pages of zeros, an end.
    fn bytes() -> Vec<u8> {
        let mut bytes = b"beginning".to_vec();
        bytes.resize(3 * BLOCK + 7, 0);
        bytes.extend_from_slice(b"end");
        bytes.resize(4 * BLOCK, 0);
        bytes
    }

    fn content(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let disk = OnDisk::new(bytes);
        let mut file = open(&disk.0)?;
        file.seek(SeekFrom::Start(0))?;
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        Ok(content)
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        assert!(content(&bytes()).unwrap() == bytes());
        let packed = zstd::encode_all(bytes().as_slice(), 1).unwrap();
        assert!(content(&packed).unwrap() == bytes());
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(&bytes()).unwrap();
        assert!(content(&writer.finish().unwrap()).unwrap() == bytes());
    }

    #[test]
    fn what_is_packed_otherwise_or_badly_is_refused() {
        assert!(content(XZ).unwrap_err().to_string().contains("xz -d"));
        assert!(content(LZ4).unwrap_err().to_string().contains("lz4 -d"));
        let mut packed = zstd::encode_all(bytes().as_slice(), 1).unwrap();
        packed.truncate(packed.len() / 2);
        assert!(content(&packed).is_err());
        assert!(content(ZSTD).is_err() && content(GZIP).is_err());
        assert_eq!(content(b"").unwrap(), b"");
    }

    #[test]
    fn what_grows_too_large_is_refused() {
        let mut zeros = io::repeat(0).take(10 * BLOCK as u64);
        assert!(spool_up_to(&mut zeros, 5 * BLOCK as u64).is_err());
    }
}
