//! Reading the Python source that a process names, as that process would find it.
//!
//! The name comes out of the memory of another process, which may be another user's and
//! may lie. What is read ends up in a report that is passed on, so only what is Python
//! source, and what that process may read itself, is read.

use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::linux::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::sys::stat::Mode;
use nix::unistd::geteuid;

use super::Process;
use crate::target::mapped::open_regular;

/// The longest source that is read, in bytes.
const LONGEST: u64 = 8 << 20;

/// Where the sources of a process are.
#[derive(Debug)]
pub(crate) struct Sources {
    /// The process, if it is still there.
    process: Option<Process>,
}

impl Sources {
    /// The sources of the process `pid`. If it has ended, or the id is that of a process
    /// with another command line, names are those of this system.
    #[must_use]
    pub(crate) fn of(pid: i32, command: &str) -> Self {
        let process = Process::open(pid).ok();
        Self { process: process.filter(|process| process.command_line() == command) }
    }

    /// When the process was started, if it is still there.
    #[must_use]
    pub(crate) fn started(&self) -> Option<SystemTime> {
        SystemTime::now().checked_sub(self.process.as_ref()?.age()?)
    }

    /// The text of the file that the process calls `name`, and when that was last written. Bytes
    /// that are not UTF-8 are shown as such. `None` if there is no such file, it is not Python
    /// source, or the process could not read it.
    #[must_use]
    pub(crate) fn read(&self, name: &str) -> Option<(String, SystemTime)> {
        let (opened, user) = match &self.process {
            Some(process) => (open_within(process.pid, name)?, user_of(process.pid)),
            None => (open_regular(Path::new(name))?, None),
        };
        let (file, metadata) = opened;
        if metadata.len() > LONGEST || !is_theirs(&metadata, user) {
            return None;
        }
        let mut bytes = Vec::new();
        file.take(LONGEST).read_to_end(&mut bytes).ok()?;
        if !is_python(name, &bytes) {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Some((text, metadata.modified().ok()?))
    }
}

/// Opens a file by a name in the file system of a process. No link leads out of it.
pub(super) fn open_within(pid: i32, name: &str) -> Option<(File, Metadata)> {
    let (folder, resolve) = if Path::new(name).is_absolute() {
        ("root", ResolveFlag::RESOLVE_IN_ROOT)
    } else {
        ("cwd", ResolveFlag::RESOLVE_BENEATH)
    };
    let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
    let folder = format!("{}/{folder}", super::folder(pid));
    let folder = open(Path::new(&folder), flags, Mode::empty()).ok()?;
    let how = OpenHow::new().flags(flags).resolve(resolve | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let found = openat2(folder, Path::new(name), how).ok()?;
    open_regular(Path::new(&format!("/proc/self/fd/{}", found.as_raw_fd())))
}

/// The user that a process belongs to.
fn user_of(pid: i32) -> Option<u32> {
    fs::metadata(format!("/proc/{pid}")).ok().map(|metadata| metadata.st_uid())
}

/// Whether the user that is profiled may read a file that we can. Where we are no more
/// than a user ourselves, the kernel has seen to that.
fn is_theirs(metadata: &Metadata, user: Option<u32>) -> bool {
    let for_everyone = metadata.st_mode() & 0o004 != 0;
    for_everyone || user == Some(metadata.st_uid()) || !geteuid().is_root()
}

/// Whether a file is Python source, by its name, or as a script by its first line.
fn is_python(name: &str, bytes: &[u8]) -> bool {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let is_script = first.starts_with(b"#!") && String::from_utf8_lossy(first).contains("python");
    matches!(extension, Some("py" | "pyw" | "pyx" | "pyi")) || is_script
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;

    /// A folder that goes away with its owner.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("pyflame-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).expect("the temporary folder takes one");
            Self(path)
        }

        fn file(&self, name: &str, text: &str) -> String {
            let path = self.0.join(name);
            fs::write(&path, text).expect("it can be written");
            path.display().to_string()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// The sources of this process, alive, and those of one that has ended.
    fn both() -> [Sources; 2] {
        let pid = std::process::id() as i32;
        let command = Process::open(pid).expect("this process").command_line();
        let alive = Sources::of(pid, &command);
        assert!(alive.process.is_some() && alive.started().is_some());
        let other = Sources::of(pid, "another command");
        assert!(other.process.is_none());
        [alive, other]
    }

    #[test]
    fn python_is_read_and_nothing_else() {
        let folder = Folder::new("source");
        let module = folder.file("a.py", "x = 1\n");
        let script = folder.file("script", "#!/usr/bin/env python3\n");
        let secret = folder.file("secret", "password\n");
        for sources in both() {
            assert_eq!(sources.read(&module).map(|(text, _)| text), Some("x = 1\n".into()));
            assert!(sources.read(&script).is_some());
            assert_eq!(sources.read(&secret), None);
            assert_eq!(sources.read("/dev/zero"), None);
            assert_eq!(sources.read("/no/such.py"), None);
            assert_eq!(sources.read("a\0.py"), None);
            assert_eq!(sources.read(""), None);
        }
    }

    #[test]
    fn a_relative_name_does_not_leave_the_working_folder() {
        let [alive, _] = both();
        assert!(alive.read("../../../../../../../etc/hostname.py").is_none());
        let folder = Folder::new("link");
        folder.file("real.py", "y = 2\n");
        symlink("real.py", folder.0.join("link.py")).expect("a link");
        let link = folder.0.join("link.py").display().to_string();
        assert_eq!(alive.read(&link).map(|(text, _)| text), Some("y = 2\n".into()));
    }

    #[test]
    fn a_process_cannot_have_others_files_read_by_root() {
        let folder = Folder::new("private");
        let path = folder.file("a.py", "x = 1\n");
        let metadata = |mode| {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
            fs::metadata(&path).expect("it is there")
        };
        let (own, other) = (Some(geteuid().as_raw()), Some(geteuid().as_raw() + 1));
        assert!(is_theirs(&metadata(0o644), other));
        assert!(is_theirs(&metadata(0o600), own));
        assert_eq!(is_theirs(&metadata(0o600), other), !geteuid().is_root());
    }
}
