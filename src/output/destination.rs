//! Where a result goes: stdout, or a file that is complete or not there.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::Error;

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
    /// [`Error::Output`] if it cannot be written.
    pub fn open(path: Option<&Path>) -> Result<Self, Error> {
        let path = match path {
            None => return Ok(Self::Stdout),
            Some(path) if path.as_os_str() == "-" => return Ok(Self::Stdout),
            Some(path) => path,
        };
        let failed = |source| Error::Output { path: path.to_path_buf(), source };
        match fs::metadata(path) {
            Ok(found) if !found.is_file() => {
                let file = OpenOptions::new().write(true).open(path).map_err(failed)?;
                Ok(Self::Stream(path.to_path_buf(), file))
            }
            _ => Ok(Self::File(NewFile::create(path).map_err(failed)?)),
        }
    }

    /// Writes the result. A reader that closed its pipe has seen enough.
    ///
    /// # Errors
    /// [`Error::Output`] or [`Error::Write`] if not all of it could be written.
    pub fn write(self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
        let (path, result) = match self {
            Self::Stdout => (None, buffered(io::stdout().lock(), write)),
            Self::Stream(path, file) => (Some(path), buffered(file, write)),
            Self::File(mut file) => {
                let path = file.path.clone();
                let written = buffered(&mut file.file, write);
                (Some(path), written.and_then(|()| file.finish()))
            }
        };
        match (path, result) {
            (_, Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            (Some(path), Err(source)) => Err(Error::Output { path, source }),
            (None, result) => result.map_err(Error::Write),
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
    /// Creates a file that will replace the one at `path`, if there is one.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(path: &Path) -> io::Result<Self> {
        // A link stays what it is: the file that it names is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
        let mut unfinished = OsString::from(".");
        unfinished.push(name);
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        unfinished.push(format!(".{}-{number}.unfinished", process::id()));
        let unfinished = path.with_file_name(unfinished);
        // Whoever may not write to the file shall not replace it either.
        if path.exists() {
            OpenOptions::new().write(true).open(&path)?;
        }
        let file = File::create(&unfinished)?;
        Ok(Self { path, unfinished, file })
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
    }
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
    fn a_failure_leaves_the_old_file_and_nothing_else() {
        let folder = Folder::new("failure");
        let path = folder.0.join("out.folded");
        fs::write(&path, "old").expect("written");
        let place = Destination::open(Some(&path)).expect("opened");
        let failed = place.write(|out| {
            out.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert!(matches!(failed, Err(Error::Output { .. })));
        assert_eq!(fs::read(&path).expect("read"), b"old");
        assert_eq!(folder.names(), ["out.folded"]);
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
        assert!(matches!(place, Err(Error::Output { .. })));
    }
}
