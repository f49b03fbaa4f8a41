//! Where the profiles of a run go: the one at its end, those that are asked for on the
//! way, and those of its windows.
//!
//! What is written while sampling goes on is written by a thread of its own, so that a
//! large result costs no samples.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::{Duration, UNIX_EPOCH};

use humantime::format_rfc3339_seconds;

use crate::app::error::Error;
use crate::app::options::Options;
use crate::app::sandbox::Writes;
use crate::app::sources::sources_of;
use crate::escape::say;
use crate::profile::filter::{FrameFilter, StackFilter};
use crate::profile::recording::Recorder;
use crate::profile::{Detail, Profile};
use crate::render::{Destination, Format, Settings, next_step, recording};
use crate::stack::FrameStyle;

/// Where a result goes, and when.
#[derive(Debug)]
enum Place {
    /// Somewhere, when it is complete.
    Late(Destination),
    /// Into a recording, while the run goes on.
    AtOnce(Box<Recorder>),
}

/// The results of one run.
#[derive(Debug)]
pub(crate) struct Sinks {
    format: Format,
    settings: Settings,
    frames: FrameFilter,
    /// The file of `-o`; `None` for stdout.
    file: Option<PathBuf>,
    rotates: bool,
    /// The place of the last result, prepared before the run.
    place: Place,
    writer: Option<JoinHandle<Result<(), Error>>>,
    /// The first window that could not be written.
    lost: Option<Error>,
}

impl Sinks {
    /// Prepares the place of the result, so that a wrong name costs no samples.
    ///
    /// # Errors
    /// [`crate::profile::SaveError::Output`] if it cannot be written, or is no place for windows.
    pub(crate) fn open(options: &Options) -> Result<Self, Error> {
        let rotates = options.rotation.is_some();
        let output = options.output.as_deref();
        let file = options.output.clone().filter(|path| path.as_os_str() != "-");
        // Those who sample the processes of a tree choose their frames themselves, but for native
        // ones: they write recordings, which keep all.
        let frames = match options.is_tree() {
            true => FrameFilter { native: options.frames.native, ..FrameFilter::default() },
            false => options.frames.clone(),
        };
        // A window is short, and written when it is over, a recording too.
        let place = if options.format == recording::FORMAT && !rotates {
            let told = FrameStyle::with_lines(options.reads_lines());
            let filter =
                frames.changes(told).then(|| StackFilter::new(frames.clone(), Detail::Timeline));
            Place::AtOnce(Box::new(Recorder::open(output, options.append, filter)?))
        } else {
            Place::Late(Destination::open(output)?)
        };
        if rotates && !matches!(place, Place::Late(Destination::File(_))) {
            return Err(Error::Windows { path: file });
        }
        let settings = Settings { title: options.title.clone(), sources: Some(sources_of) };
        Ok(Self {
            format: options.format,
            settings,
            frames,
            file,
            rotates,
            place,
            writer: None,
            lost: None,
        })
    }

    /// What is opened from now on, to be written to.
    #[must_use]
    pub(crate) fn opens(&self) -> Writes {
        match (&self.place, &self.file) {
            (Place::Late(Destination::File(_)), Some(file)) => Writes::NewFiles(file.clone()),
            _ => Writes::Nothing,
        }
    }

    /// Writes what has been sampled so far, while sampling goes on. The file is always
    /// complete: it is replaced by the next snapshot, and at last by the result.
    pub(crate) fn snapshot(&mut self, profile: &mut Profile) {
        match &mut self.place {
            Place::Late(Destination::File(_)) => self.write_beside(profile.clone()),
            Place::AtOnce(recorder) => recorder.flush(profile),
            Place::Late(_) => eprintln!(
                "SIGUSR1 writes what has been sampled so far to the file of -o; \
                            this result goes to no file."
            ),
        }
    }

    /// Whether [`Sinks::record`] is due.
    #[must_use]
    pub(crate) fn are_due(&self) -> bool {
        matches!(&self.place, Place::AtOnce(recorder) if recorder.is_due())
    }

    /// Records what has been sampled since the last time, and takes the events out of the
    /// profile. `false` if nobody reads it any more, or it cannot be written: the run ends.
    #[must_use]
    pub(crate) fn record(&mut self, profile: &mut Profile) -> bool {
        match &mut self.place {
            Place::AtOnce(recorder) => recorder.record(profile),
            Place::Late(_) => true,
        }
    }

    /// Writes the profile of a window that is over.
    pub(crate) fn window(&mut self, profile: Profile) {
        self.write_beside(profile);
    }

    fn write_beside(&mut self, profile: Profile) {
        self.wait();
        let path = self.path(&profile);
        let (format, settings) = (self.format, self.settings.clone());
        let frames = self.frames.clone();
        self.writer = Some(thread::spawn(move || {
            let profile = frames.apply(profile);
            let place = Destination::open(path.as_deref())?;
            place.write(|out| (format.write)(&profile, &settings, out))?;
            tell_written(format, path.as_deref());
            Ok(())
        }));
    }

    /// Waits until what is being written is complete, and says if it failed.
    fn wait(&mut self) {
        let Some(writer) = self.writer.take() else { return };
        // A thread that panicked has said so, and wrote nothing.
        if let Ok(Err(error)) = writer.join() {
            say(&error.to_string());
            self.lost.get_or_insert(error);
        }
    }

    /// The file of a profile.
    fn path(&self, profile: &Profile) -> Option<PathBuf> {
        let file = self.file.as_deref()?;
        Some(if self.rotates {
            window(file, self.format, profile.about.started)
        } else {
            file.into()
        })
    }

    /// Puts by what has been sampled so far, for another program that goes on. Returns the
    /// profile if that has to be given it, and whether everything could be written that had to
    /// be.
    ///
    /// # Errors
    /// As [`Sinks::finish`].
    pub(crate) fn put_by(
        mut self,
        profile: Option<Profile>,
    ) -> Result<(Option<Profile>, bool), Error> {
        let kept = match (profile, self.rotates) {
            (Some(profile), true) => {
                self.window(profile);
                None
            }
            (profile, _) => profile,
        };
        self.wait();
        let is_complete = self.lost.is_none();
        match (self.place, kept) {
            (Place::AtOnce(recorder), kept) => {
                recorder.finish(&kept.unwrap_or_default())?;
                Ok((None, is_complete))
            }
            (Place::Late(_), kept) => Ok((kept, is_complete)),
        }
    }

    /// As [`Sinks::finish`]; without a profile, all has been written but the end of a
    /// recording.
    ///
    /// # Errors
    /// As [`Sinks::finish`].
    pub(crate) fn conclude(self, profile: Option<Profile>) -> Result<(), Error> {
        match profile {
            Some(profile) => self.finish(profile),
            None => self.put_by(None).map(|_| ()),
        }
    }

    /// Writes the last profile, and says on a terminal what can be done with it.
    ///
    /// # Errors
    /// [`crate::profile::SaveError`] if it, or a window, could not be written.
    pub(crate) fn finish(mut self, profile: Profile) -> Result<(), Error> {
        self.wait();
        let path = self.path(&profile);
        let place = match self.place {
            _ if self.rotates => Place::Late(Destination::open(path.as_deref())?),
            place => place,
        };
        match place {
            Place::Late(place) => {
                let profile = self.frames.apply(profile);
                place.write(|out| (self.format.write)(&profile, &self.settings, out))?;
            }
            Place::AtOnce(recorder) => recorder.finish(&profile)?,
        }
        tell_written(self.format, path.as_deref());
        if let Some(path) = path.filter(|_| io::stderr().is_terminal()) {
            say(&next_step(self.format, &path));
        }
        self.lost.map_or(Ok(()), Err)
    }
}

fn tell_written(format: Format, path: Option<&Path>) {
    let place = path.map_or("standard output".into(), Path::to_string_lossy);
    log::debug!("{} written to {place}", format.name);
}

/// The file of a window that began so many microseconds after the epoch: the time stands
/// before the ending that tells the format.
fn window(file: &Path, format: Format, started: u64) -> PathBuf {
    let time = format_rfc3339_seconds(UNIX_EPOCH + Duration::from_micros(started)).to_string();
    let time = time.replace(':', "-");
    let name = file.file_name().unwrap_or_default().as_bytes();
    let lower = name.to_ascii_lowercase();
    let known = format.extensions.iter().map(|ending| format!(".{ending}"));
    let known = known.filter(|ending| lower.ends_with(ending.as_bytes())).map(|e| e.len()).max();
    let other = || file.extension().map_or(0, |ending| ending.len() + 1);
    let (stem, ending) = name.split_at(name.len() - known.unwrap_or_else(other).min(name.len()));
    let name = [stem, b".", time.as_bytes(), ending].concat();
    file.with_file_name(OsString::from_vec(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_named_after_its_start() {
        let started = 1_795_539_000_999_999;
        let name = |file: &str| {
            let path = window(Path::new(file), Format::default(), started);
            path.display().to_string()
        };
        assert_eq!(name("out.folded"), "out.2026-11-24T16-50-00Z.folded");
        assert_eq!(name("a.b/out.x.TXT"), "a.b/out.x.2026-11-24T16-50-00Z.TXT");
        assert_eq!(name("a.b/out"), "a.b/out.2026-11-24T16-50-00Z");
        assert_eq!(name("a.b/out.data"), "a.b/out.2026-11-24T16-50-00Z.data");
    }
}
