//! Opening the very file that a process has mapped.
//!
//! The path in `/proc/PID/maps` is only a name. The process may live in another
//! mount namespace, and an upgrade may have put another file in the place of
//! the mapped one, so every file opened here is compared with the mapping.

use std::fs::{File, Metadata};
use std::os::linux::fs::MetadataExt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::Process;
use crate::target::mapped::{FileId, Identity, MappedFile, OpenedFile, open_regular};

impl Process {
    /// Opens the file behind a mapping. `None` if it cannot be had: then only
    /// the memory of the process has its content.
    #[must_use]
    pub(crate) fn open_mapped(&self, mapped: &MappedFile) -> Option<OpenedFile> {
        let same = |file| Some(OpenedFile { file, identity: Identity::Same });
        if let Some(file) = self.open_executable(mapped) {
            return same(file);
        }
        if let Some(file) = self.open_by_address(mapped) {
            return same(file);
        }
        self.open_by_path(mapped)
    }

    /// Whether a mapped file is the executable. Both paths are the kernel's own
    /// spelling of the same file, which holds on every file system.
    #[must_use]
    pub(crate) fn is_executable(&self, mapped: &MappedFile) -> bool {
        let link = self.executable.as_os_str().as_bytes();
        let path = mapped.path.as_os_str().as_bytes();
        match link.strip_suffix(b" (deleted)") {
            Some(deleted) if mapped.deleted => deleted == path,
            _ => !mapped.deleted && link == path,
        }
    }

    /// `/proc/PID/exe` leads to the file even if it has been removed.
    fn open_executable(&self, mapped: &MappedFile) -> Option<File> {
        if !self.is_executable(mapped) {
            return None;
        }
        self.file.as_ref()?.try_clone().ok()
    }

    /// `/proc/PID/map_files` leads to any mapped file, removed or not, but asks
    /// for `CAP_SYS_ADMIN` or `CAP_CHECKPOINT_RESTORE`.
    fn open_by_address(&self, mapped: &MappedFile) -> Option<File> {
        let range = &mapped.segments.first()?.range;
        let path = format!("{}/map_files/{:x}-{:x}", self.folder(), range.start, range.end);
        open_regular(Path::new(&path)).map(|(file, _)| file)
    }

    /// Looks the path up from the root directory of the process, and, for a
    /// process in a chroot, from ours.
    fn open_by_path(&self, mapped: &MappedFile) -> Option<OpenedFile> {
        let mut doubtful = None;
        for path in self.possible_paths(mapped) {
            let Some((file, metadata)) = open_regular(&path) else { continue };
            if is_same(&metadata, mapped.id) {
                return Some(OpenedFile { file, identity: Identity::Same });
            }
            doubtful = doubtful.or(Some(OpenedFile { file, identity: Identity::CompareContent }));
        }
        doubtful
    }

    fn possible_paths(&self, mapped: &MappedFile) -> Vec<PathBuf> {
        let mut names = vec![mapped.path.clone()];
        if mapped.deleted {
            // Or a file whose own name ends so.
            let mut literal = mapped.path.clone().into_os_string();
            literal.push(" (deleted)");
            names.push(literal.into());
        }
        let root = PathBuf::from(format!("{}/root", self.folder()));
        let in_its_root = names.iter().map(|name| {
            let relative = name.strip_prefix("/").unwrap_or(name);
            root.join(relative)
        });
        let absolute = names.iter().filter(|name| name.is_absolute()).cloned();
        in_its_root.chain(absolute).collect()
    }
}

fn is_same(metadata: &Metadata, id: FileId) -> bool {
    let (major, minor) = device_numbers(metadata.st_dev());
    metadata.st_ino() == id.inode && (major, minor) == (id.major, id.minor)
}

/// The two numbers inside a `dev_t`, as makedev(3) packs them.
fn device_numbers(device: u64) -> (u32, u32) {
    let major = (device >> 8 & 0xfff) | (device >> 32 & 0xffff_f000);
    let minor = (device & 0xff) | (device >> 12 & 0xffff_ff00);
    (major as u32, minor as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_numbers_are_unpacked() {
        assert_eq!(device_numbers(0x0801), (8, 1));
        assert_eq!(device_numbers(0xfd_1f), (0xfd, 0x1f));
        assert_eq!(device_numbers(0x0010_0000_0805), (8, 0x0100_0005));
    }

    #[test]
    fn every_library_of_this_process_can_be_opened() {
        let process = Process::open(std::process::id() as i32).unwrap();
        let files = process.maps().unwrap().files();
        assert!(files.iter().any(|file| process.is_executable(file)));
        for mapped in files.iter().filter(|file| file.is_executable()) {
            let opened = process.open_by_path(mapped).unwrap();
            let (by_path, opened) =
                (opened.file.metadata().unwrap(), process.open_mapped(mapped).unwrap());
            assert_eq!(by_path.st_ino(), opened.file.metadata().unwrap().st_ino());
        }
    }

    #[test]
    fn only_regular_files_are_opened() {
        assert!(open_regular(Path::new("/dev/null")).is_none());
        assert!(open_regular(Path::new("/proc")).is_none());
        assert!(open_regular(Path::new("/proc/self/exe")).is_some());
    }
}
