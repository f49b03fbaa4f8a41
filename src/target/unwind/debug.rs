//! The symbols that were taken out of a file: in another file, where distributions put them (GDB
//! manual, "Debugging Information in Separate Files"), or packed into a section (the same,
//! "Debugging information in a special section").

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use goblin::elf::section_header::SHT_SYMTAB;

use lzma_rust2::XzReader;

use crate::target::elf::{Bytes, Image, map_file};
use crate::target::interface::Target;

/// Where they are.
const FOLDER: &str = "/usr/lib/debug";

/// A longer file is not read to be compared, in bytes.
const MAX_SIZE: usize = 512 << 20;

/// The file with the symbols of an image, if that has none itself and the file is found to be its
/// own: by the build id, else by the checksum that the image has of it.
pub(super) fn debug_image<T: Target>(
    target: &T,
    image: &Image<Bytes>,
    path: &Path,
) -> Option<Image<Bytes>> {
    if image.symbol_table(SHT_SYMTAB).is_some() {
        return None;
    }
    let open = |path: &Path| Image::parse(map_file(&target.open_path(path)?).ok()?).ok();
    let id = image.build_id().map(|(_, id)| id);
    if let Some(path) = id.and_then(path_by_id) {
        let found = open(&path).filter(|found| found.build_id().map(|(_, id)| id) == id);
        if found.is_some() {
            return found;
        }
    }
    let (name, sum) = link(image)?;
    let is_its_own = |found: &Image<Bytes>| match (found.build_id(), id) {
        (Some((_, theirs)), Some(ours)) => theirs == ours,
        _ => found.bytes().len() <= MAX_SIZE && crc32fast::hash(found.bytes()) == sum,
    };
    paths_by_name(path, &name).iter().find_map(|path| open(path).filter(is_its_own))
}

/// The image that is packed into `.gnu_debugdata`: of functions that are not exported.
pub(super) fn packed_image(image: &Image<Bytes>) -> Option<Image<Bytes>> {
    /// Of the whole image, in bytes.
    const MAX_UNPACKED: u64 = 64 << 20;
    /// Of what the unpacker keeps, in KiB.
    const MAX_MEMORY: u32 = 32 << 10;
    let packed = image.section(".gnu_debugdata")?.bytes;
    let mut bytes = Vec::new();
    let reader = XzReader::new_mem_limit(packed, false, MAX_MEMORY);
    reader.take(MAX_UNPACKED + 1).read_to_end(&mut bytes).ok()?;
    let is_whole = bytes.len() as u64 <= MAX_UNPACKED;
    is_whole.then_some(())?;
    Image::parse(Bytes::Copied(bytes)).ok()
}

fn path_by_id(id: &[u8]) -> Option<PathBuf> {
    let digits: String = id.iter().take(64).map(|byte| format!("{byte:02x}")).collect();
    let (first, rest) = digits.split_at_checked(2).filter(|(_, rest)| !rest.is_empty())?;
    Some(format!("{FOLDER}/.build-id/{first}/{rest}.debug").into())
}

/// What `.gnu_debuglink` says: the name of a file, padded to a multiple of four bytes, and the
/// checksum of the file.
fn link(image: &Image<Bytes>) -> Option<(PathBuf, u32)> {
    let content = image.section(".gnu_debuglink")?.bytes;
    let length = content.iter().take(256).position(|byte| *byte == 0)?;
    let sum = content.get((length + 1).next_multiple_of(4)..)?.first_chunk()?;
    let name = Path::new(OsStr::from_bytes(content.get(..length)?));
    // A name and no way to some other folder.
    let is_plain = name.file_name().is_some_and(|last| last == name.as_os_str());
    is_plain.then(|| (name.to_path_buf(), u32::from_le_bytes(*sum)))
}

fn paths_by_name(path: &Path, name: &Path) -> Vec<PathBuf> {
    let Some(folder) = path.parent().filter(|folder| folder.is_absolute()) else {
        return Vec::new();
    };
    let below = folder.strip_prefix("/").unwrap_or(folder);
    let places = [folder.to_path_buf(), folder.join(".debug"), Path::new(FOLDER).join(below)];
    let own = |place: &PathBuf| place != path;
    places.iter().map(|place| place.join(name)).filter(own).collect()
}
