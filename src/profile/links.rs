//! Which file is meant by a name that may be a symbolic link.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

/// As many links as the kernel follows, one after the other.
const MOST_LINKS: usize = 40;

/// Who may write to a directory besides its owner.
const OTHERS_WRITE: u32 = 0o022;

/// What a name stands for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Meant {
    /// A file, or a name that is free, and no link.
    Name(PathBuf),
    /// What a process has open, which need not have a name: links into `/proc`, as
    /// `/dev/stdout` is one.
    Open(PathBuf),
}

/// Follows the symbolic links at the end of `path`: what they name is written, and they stay.
/// The kernel follows them too, but only if there is something, and whoever made them.
///
/// # Errors
/// Those of the file system, and [`io::ErrorKind::PermissionDenied`] for another user's link
/// in a directory that others may write to: whoever put it there chose what is overwritten.
pub(crate) fn follow(path: &Path) -> io::Result<Meant> {
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        let link = match fs::symlink_metadata(&path) {
            Ok(found) if found.is_symlink() => found,
            _ => return Ok(Meant::Name(path)),
        };
        let folder = match path.parent() {
            Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
            Some(folder) => folder,
            None => Path::new("/"),
        };
        // The folder itself may be a link, as `/dev/fd` is.
        let folder = fs::canonicalize(folder)?;
        if folder.starts_with("/proc") {
            return Ok(Meant::Open(folder.join(path.file_name().unwrap_or_default())));
        }
        let user = nix::unistd::geteuid().as_raw();
        if !is_trusted(&link, &fs::metadata(&folder)?, user) {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, refusal(&path, &link)));
        }
        path = folder.join(fs::read_link(&path)?);
    }
    Err(Errno::ELOOP.into())
}

/// Whether `user` may follow a link in a folder: as the kernel's `protected_symlinks` has it,
/// but not only in a folder like `/tmp`.
fn is_trusted(link: &impl Owned, folder: &impl Owned, user: u32) -> bool {
    folder.mode() & OTHERS_WRITE == 0 || [user, folder.owner()].contains(&link.owner())
}

fn refusal(path: &Path, link: &Metadata) -> String {
    format!(
        "{} is a symbolic link of user {} in a directory that others may write to. Name the \
         file itself",
        path.display(),
        link.uid()
    )
}

/// What is asked of a file.
trait Owned {
    fn owner(&self) -> u32;
    fn mode(&self) -> u32;
}

impl Owned for Metadata {
    fn owner(&self) -> u32 {
        self.uid()
    }

    fn mode(&self) -> u32 {
        MetadataExt::mode(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Owned for (u32, u32) {
        fn owner(&self) -> u32 {
            self.0
        }

        fn mode(&self) -> u32 {
            self.1
        }
    }

    #[test]
    fn another_users_link_is_trusted_where_only_the_owner_can_have_put_it() {
        let is_trusted = |link, folder| is_trusted(&(link, 0o777), &folder, 1000);
        assert!(is_trusted(1001, (0, 0o755)) && is_trusted(1001, (1000, 0o700)));
        assert!(!is_trusted(1001, (0, 0o41777)), "/tmp");
        assert!(!is_trusted(1001, (0, 0o777)) && !is_trusted(1001, (1000, 0o775)));
        assert!(is_trusted(1000, (0, 0o41777)), "the user's own");
        assert!(is_trusted(0, (0, 0o41777)), "that of the owner of the folder");
    }
}
