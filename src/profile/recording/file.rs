//! Where a recording is written to: a pipe, or a file that has its final name from the
//! beginning and may hold runs already.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use super::block::{Part, Parts, read_up_to};
use super::version::{RecordingError, expect_run};
use crate::escape::say;
use crate::profile::SaveError;
use crate::profile::links::{Meant, follow};

/// A place for one run of a recording.
pub(super) enum Place {
    /// Someone reads while it is written.
    Live(Box<dyn Write>),
    /// A file, which nobody else may write to meanwhile.
    File(Flock<File>),
}

/// Opens the place for a run; `None` and `-` are stdout. A file that is there is written
/// over, or with `append` gets one run more.
///
/// # Errors
/// [`SaveError`] if it cannot be written, or is not what a run can be added to.
pub(super) fn open(path: Option<&Path>, append: bool) -> Result<Place, SaveError> {
    let path = match path {
        Some(path) if path.as_os_str() != "-" => path,
        _ if io::stdout().is_terminal() => return Err(SaveError::RecordingToTerminal),
        _ => return Ok(Place::Live(Box::new(io::stdout()))),
    };
    let failed = |source| SaveError::Output { path: path.to_path_buf(), source };
    let meant = follow(path).map_err(failed)?;
    let (Meant::Name(name) | Meant::Open(name)) = &meant;
    if name.metadata().is_ok_and(|found| !found.is_file()) {
        let file = OpenOptions::new().write(true).open(name).map_err(failed)?;
        return Ok(Place::Live(Box::new(file)));
    }
    let mut options = OpenOptions::new();
    // Its content is done away with when nobody else writes to it.
    options.read(append).write(true).create(true).truncate(false);
    let file = options.open(name).map_err(failed)?;
    let mut file = Flock::lock(file, FlockArg::LockExclusiveNonblock)
        .map_err(|_| SaveError::RecordingInUse { path: path.to_path_buf() })?;
    let kept = if append { end_of_runs(path, &mut *file)? } else { 0 };
    file.set_len(kept).map_err(failed)?;
    file.seek(SeekFrom::Start(kept)).map_err(failed)?;
    Ok(Place::File(file))
}

/// Where the runs of a recording end that are there. What comes after is the half of a
/// block, which was being written when its run was killed.
fn end_of_runs(path: &Path, file: &mut impl Read) -> Result<u64, SaveError> {
    let refused = |source| SaveError::NoRecording { path: PathBuf::from(path), source };
    let unreadable = |source: io::Error| refused(source.into());
    let mut input = io::BufReader::new(file);
    let mut start = [0; 8];
    let length = read_up_to(&mut input, &mut start).map_err(unreadable)?;
    if length == 0 {
        return Ok(0);
    }
    expect_run(start).map_err(refused)?;
    let mut parts = Parts::new(start.as_slice().chain(input));
    loop {
        match parts.next().map_err(unreadable)? {
            Part::Run(_) | Part::Block => {}
            Part::End => return Ok(parts.whole()),
            Part::OtherRelease(version) => {
                return Err(refused(RecordingError::OtherRelease { version }));
            }
            Part::Broken => {
                say(&format!(
                    "WARNING: The last {} bytes of {} are of a run that was broken off, and are \
                     replaced.",
                    parts.lost(),
                    path.display()
                ));
                return Ok(parts.whole());
            }
        }
    }
}
