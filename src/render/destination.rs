//! Where a result goes: stdout, or a file that is complete or not there.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::panic;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::{AccessFlags, faccessat};

use crate::escape::Terminal;
use crate::profile::SaveError;
use crate::profile::links::{Meant, follow};

/// How many files this program has begun, so that each has a name of its own.
static FILES: AtomicUsize = AtomicUsize::new(0);

/// A place for one result.
#[derive(Debug)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// A file that takes its name when it is complete.
    File(NewFile),
    /// Something that is written to where it is: a pipe, a device.
    Stream(PathBuf, File),
}

impl Destination {
    /// Prepares the place before the run, so that a wrong name costs no samples. `None`
    /// and `-` are stdout.
    ///
    /// # Errors
    /// [`SaveError::Output`] if it cannot be written.
    pub fn open(path: Option<&Path>) -> Result<Self, SaveError> {
        let path = match path {
            None => return Ok(Self::Stdout),
            Some(path) if path.as_os_str() == "-" => return Ok(Self::Stdout),
            Some(path) => path,
        };
        let failed = |source| SaveError::Output { path: path.to_path_buf(), source };
        let name = match follow(path).map_err(failed)? {
            Meant::Name(name) => name,
            Meant::Open(link) if is_stdout(&link) => return Ok(Self::Stdout),
            Meant::Open(link) => {
                // Behind what has been written there by others.
                let file = OpenOptions::new().append(true).open(link).map_err(failed)?;
                return Ok(Self::Stream(path.to_path_buf(), file));
            }
        };
        match fs::metadata(&name) {
            Ok(found) if !found.is_file() => {
                let file = OpenOptions::new().write(true).open(name).map_err(failed)?;
                Ok(Self::Stream(path.to_path_buf(), file))
            }
            _ => Ok(Self::File(NewFile::create(&name).map_err(failed)?)),
        }
    }

    /// Writes the result. A reader that closed its pipe has seen enough.
    ///
    /// # Errors
    /// [`SaveError::Output`] or [`SaveError::Write`] if not all of it could be written.
    pub fn write(
        self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), SaveError> {
        let (path, result) = match self {
            Self::Stdout => (None, shown(io::stdout().lock(), write)),
            Self::Stream(path, file) => (Some(path), shown(file, write)),
            Self::File(mut file) => {
                let path = file.path.clone();
                let written = buffered(&mut file.file, write);
                (Some(path), written.and_then(|()| file.finish()))
            }
        };
        match (path, result) {
            (_, Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            (Some(path), Err(source)) => Err(SaveError::Output { path, source }),
            (None, result) => result.map_err(SaveError::Write),
            (_, Ok(())) => Ok(()),
        }
    }
}

/// A file under a name of its own, until it is complete. Dropped before that, it leaves
/// nothing behind.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    unfinished: PathBuf,
    /// To write to.
    pub file: File,
}

impl NewFile {
    /// Creates a file that will replace the one at `path`, if there is one. Links must have
    /// been followed.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(path: &Path) -> io::Result<Self> {
        let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
        // Whoever may not write to the file shall not replace it either.
        if path.exists() {
            faccessat(AT_FDCWD, path, AccessFlags::W_OK, AtFlags::AT_EACCESS)?;
        }
        loop {
            let mut unfinished = OsString::from(".");
            unfinished.push(name);
            let number = FILES.fetch_add(1, Ordering::Relaxed);
            unfinished.push(format!(".{}-{number}.unfinished", process::id()));
            let unfinished = path.with_file_name(unfinished);
            // Not through what another program has put there under that name.
            match OpenOptions::new().write(true).create_new(true).open(&unfinished) {
                Ok(file) => {
                    begun().push(unfinished.clone());
                    return Ok(Self { path: path.to_path_buf(), unfinished, file });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives the complete file its name.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn finish(self) -> io::Result<()> {
        if let Ok(found) = fs::metadata(&self.path) {
            fs::set_permissions(&self.unfinished, found.permissions())?;
        }
        fs::rename(&self.unfinished, &self.path)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // After a rename there is nothing under this name.
        let _ = fs::remove_file(&self.unfinished);
        begun().retain(|begun| *begun != self.unfinished);
    }
}

/// The files that are not complete.
static BEGUN: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn begun() -> MutexGuard<'static, Vec<PathBuf>> {
    BEGUN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets a panic remove the files that are not complete, and never will be: for programs that it
/// aborts, in which nothing is dropped. It never waits.
pub fn remove_unfinished_at_a_panic() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if let Ok(mut begun) = BEGUN.try_lock() {
            for unfinished in begun.drain(..) {
                let _ = fs::remove_file(unfinished);
            }
        }
        before(panic);
    }));
}

/// Whether a link into `/proc` is that of this program's standard output.
fn is_stdout(link: &Path) -> bool {
    link == Path::new(&format!("/proc/{}/fd/1", process::id()))
}

/// Writes to a stream; if that is a terminal, so that it acts on nothing.
fn shown(
    to: impl Write + IsTerminal,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    if to.is_terminal() { buffered(Terminal::new(to), write) } else { buffered(to, write) }
}

fn buffered(
    to: impl Write,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(64 * 1024, to);
    write(&mut out)?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// A folder that goes away with its owner.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("pyflame-{}-{name}", process::id()));
            fs::create_dir_all(&path).expect("the temporary folder takes one");
            Self(path)
        }

        fn names(&self) -> Vec<OsString> {
            let entries = fs::read_dir(&self.0).expect("it is there");
            entries.map(|entry| entry.expect("it can be read").file_name()).collect()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_file_has_its_name_when_it_is_complete_and_not_before() {
        let folder = Folder::new("complete");
        let path = folder.0.join("out.folded");
        fs::write(&path, "old").expect("written");
        let place = Destination::open(Some(&path)).expect("opened");
        assert_eq!(fs::read(&path).expect("read"), b"old");
        place.write(|out| out.write_all(b"new")).expect("written");
        assert_eq!(fs::read(&path).expect("read"), b"new");
        assert_eq!(folder.names(), ["out.folded"]);
    }

    #[test]
    fn a_panic_leaves_the_old_file_and_nothing_else() {
        let folder = Folder::new("panic");
        let path = folder.0.join("out.folded");
        fs::write(&path, "old").expect("written");
        let place = Destination::open(Some(&path)).expect("opened");
        let panicked = std::thread::spawn(|| {
            place.write(|out| {
                out.write_all(b"half")?;
                panic::resume_unwind(Box::new("injected"))
            })
        });
        assert!(panicked.join().is_err());
        assert_eq!(fs::read(&path).expect("read"), b"old");
        assert_eq!(folder.names(), ["out.folded"]);
    }

    const FOLDER: &str = "PYFLAME_TEST_FOLDER";

    /// As a panic in a release build is, after which nothing is dropped.
    #[test]
    #[ignore = "runs in a child of another test"]
    fn child_that_aborts() {
        let path = PathBuf::from(std::env::var_os(FOLDER).expect("a folder")).join("out.folded");
        remove_unfinished_at_a_panic();
        let mut file = NewFile::create(&path).expect("created");
        file.file.write_all(b"half").expect("written");
        assert_eq!(fs::read_dir(path.with_file_name("")).expect("a folder").count(), 1);
        std::mem::forget(file);
        panic!("injected");
    }

    #[test]
    fn a_panic_that_aborts_leaves_no_half_a_file() {
        let folder = Folder::new("abort");
        let mut child = process::Command::new("/proc/self/exe");
        child.args(["--exact", "--ignored", "render::destination::tests::child_that_aborts"]);
        let output = child.env(FOLDER, &folder.0).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("injected"), "{said}");
        assert_eq!(folder.names(), [""; 0]);
    }

    #[test]
    fn a_failure_leaves_the_old_file_and_nothing_else() {
        let folder = Folder::new("failure");
        let path = folder.0.join("out.folded");
        fs::write(&path, "old").expect("written");
        let place = Destination::open(Some(&path)).expect("opened");
        let failed = place.write(|out| {
            out.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert!(matches!(failed, Err(SaveError::Output { .. })));
        assert_eq!(fs::read(&path).expect("read"), b"old");
        assert_eq!(folder.names(), ["out.folded"]);
    }

    /// Writes a word to a place, and says what became of the names in its folder.
    fn write_through(folder: &Folder, name: &str) -> Vec<OsString> {
        let place = Destination::open(Some(&folder.0.join(name))).expect("opened");
        assert!(matches!(place, Destination::File(_)));
        place.write(|out| out.write_all(b"new")).expect("written");
        let mut names = folder.names();
        names.sort();
        names
    }

    #[test]
    fn a_link_stays_and_the_file_that_it_names_is_written() {
        let folder = Folder::new("links");
        let [file, link, chain] = ["file", "link", "chain"].map(|name| folder.0.join(name));
        fs::write(&file, "old").expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("set");
        symlink("file", &link).expect("linked");
        symlink(&link, &chain).expect("linked");
        assert_eq!(write_through(&folder, "chain"), ["chain", "file", "link"]);
        assert!(link.is_symlink() && chain.is_symlink());
        assert_eq!(fs::read(&file).expect("read"), b"new");
        let mode = fs::metadata(&file).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
    }

    #[test]
    fn a_link_to_nothing_is_where_the_file_will_be() {
        let folder = Folder::new("dangling");
        symlink("file", folder.0.join("link")).expect("linked");
        assert_eq!(write_through(&folder, "link"), ["file", "link"]);
        assert!(folder.0.join("link").is_symlink());
        symlink("no/such/folder", folder.0.join("lost")).expect("linked");
        symlink("round", folder.0.join("round")).expect("linked");
        for name in ["lost", "round"] {
            let place = Destination::open(Some(&folder.0.join(name)));
            assert!(matches!(place, Err(SaveError::Output { .. })), "{name}");
        }
    }

    #[test]
    fn standard_output_by_name_is_standard_output() {
        for name in ["/dev/stdout", "/proc/self/fd/1", "/dev/fd/1"] {
            let place = Destination::open(Some(Path::new(name))).expect("opened");
            assert!(matches!(place, Destination::Stdout), "{name}");
        }
    }

    #[test]
    fn an_unfinished_file_is_not_written_through_a_link() {
        let folder = Folder::new("planted");
        let other = folder.0.join("other");
        fs::write(&other, "safe").expect("written");
        let next = FILES.load(Ordering::Relaxed);
        for number in next..next + 50 {
            let name = format!(".out.{}-{number}.unfinished", process::id());
            symlink("other", folder.0.join(name)).expect("linked");
        }
        let place = Destination::open(Some(&folder.0.join("out"))).expect("opened");
        place.write(|out| out.write_all(b"new")).expect("written");
        assert_eq!(fs::read(&other).expect("read"), b"safe");
        assert_eq!(fs::read(folder.0.join("out")).expect("read"), b"new");
    }

    #[test]
    fn a_device_is_written_where_it_is() {
        let place = Destination::open(Some(Path::new("/dev/null"))).expect("opened");
        assert!(matches!(place, Destination::Stream(..)));
        place.write(|out| out.write_all(b"gone")).expect("written");
    }

    #[test]
    fn a_name_in_a_folder_that_is_not_there_is_refused_at_once() {
        let place = Destination::open(Some(Path::new("/no/such/folder/out.folded")));
        assert!(matches!(place, Err(SaveError::Output { .. })));
    }
}
