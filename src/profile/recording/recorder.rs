//! Records a run while it goes on.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::file::{Place, open};
use super::writer::Writer;
use crate::profile::filter::StackFilter;
use crate::profile::{Profile, SaveError};

/// How often what is new is taken out of the profile; a reader of a pipe then sees it.
const EVERY: Duration = Duration::from_millis(100);

/// How long a sample may wait until it is in the file: what is lost if the run is killed.
const FILE_WAIT: Duration = Duration::from_secs(1);

/// Writes a run to a recording.
pub struct Recorder {
    /// The file, for messages; `None` for stdout.
    path: Option<PathBuf>,
    writer: Writer<Box<dyn Write>>,
    /// What is recorded of a profile, if not everything.
    filter: Option<StackFilter>,
    /// How long what has been taken up may wait to be written.
    wait: Duration,
    flushed: Instant,
    recorded: Instant,
    failure: Option<io::Error>,
}

impl Recorder {
    /// Prepares the place before the run, so that a wrong name costs no samples. `None` and
    /// `-` are stdout. With `append` the run is added to those of the file. Of profiles,
    /// what `filter` leaves is recorded.
    ///
    /// # Errors
    /// [`SaveError`] if it cannot be written.
    pub fn open(
        path: Option<&Path>,
        append: bool,
        filter: Option<StackFilter>,
    ) -> Result<Self, SaveError> {
        let (out, wait): (Box<dyn Write>, _) = match open(path, append)? {
            Place::Live(out) => (out, Duration::ZERO),
            Place::File(file) => (Box::new(LockedFile(file)), FILE_WAIT),
        };
        let path = path.filter(|path| path.as_os_str() != "-").map(Path::to_path_buf);
        match Writer::new(out) {
            Ok(writer) => {
                let now = Instant::now();
                Ok(Self { path, writer, filter, wait, flushed: now, recorded: now, failure: None })
            }
            Err(source) => Err(failed(path, source)),
        }
    }

    /// Whether it is time to record what is new.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.recorded.elapsed() >= EVERY
    }

    /// Records what is new in `profile`, and takes the events out of it. `false` if it
    /// cannot be written, of which [`Recorder::finish`] tells more.
    #[must_use]
    pub fn record(&mut self, profile: &mut Profile) -> bool {
        self.recorded = Instant::now();
        let is_overdue = self.flushed.elapsed() >= self.wait;
        self.write(profile, is_overdue);
        self.failure.is_none()
    }

    /// Records what is new, and writes it at once.
    pub fn flush(&mut self, profile: &mut Profile) {
        self.write(profile, true);
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// [`SaveError::Output`] or [`SaveError::Write`] if not all of the run could be written; but a
    /// reader that closed its pipe has seen enough.
    pub fn finish(mut self, profile: &Profile) -> Result<(), SaveError> {
        let written = match self.failure.take() {
            Some(failure) => Err(failure),
            None => match &mut self.filter {
                Some(filter) => self.writer.finish(filter.put(profile, profile.timeline())),
                None => self.writer.finish(profile),
            },
        };
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(failed(self.path, error))
            }
            _ => Ok(()),
        }
    }

    fn write(&mut self, profile: &mut Profile, flush: bool) {
        if self.failure.is_some() {
            return;
        }
        let profile = match &mut self.filter {
            Some(filter) => {
                let events = profile.take_timeline();
                filter.put(profile, &events)
            }
            None => profile,
        };
        let mut written = self.writer.update(profile);
        if flush {
            written = written.and_then(|()| self.writer.flush(&profile.about));
            self.flushed = Instant::now();
        }
        self.failure = written.err();
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A file that is locked as long as it is open.
struct LockedFile(nix::fcntl::Flock<std::fs::File>);

impl Write for LockedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn failed(path: Option<PathBuf>, source: io::Error) -> SaveError {
    match path {
        Some(path) => SaveError::Output { path, source },
        None => SaveError::Write(source),
    }
}
