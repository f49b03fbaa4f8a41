//! `pyflame report` and `pyflame diff`: what is made of recordings afterwards.

mod compare;
pub(crate) mod error;
mod load;
#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal, Write};

pub(crate) use self::compare::diff;
use self::error::ReportError;
use self::load::load;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use self::load::read_folded_bytes;
use crate::app::error::Error;
use crate::app::options::ReportOptions;
use crate::app::sources::sources_of;
use crate::escape::in_lines;
use crate::profile::filter::Lacking;
use crate::profile::{Detail, Profile, SaveError};
use crate::render::{Destination, Format, Settings, recording};

/// Renders recordings in another format.
///
/// # Errors
/// [`Error`] if one cannot be read, or the result not be written.
pub(crate) fn report(options: &ReportOptions) -> Result<(), Error> {
    let to_stdout = options.output.as_ref().is_none_or(|path| path.as_os_str() == "-");
    if to_stdout && options.format == recording::FORMAT && io::stdout().is_terminal() {
        return Err(SaveError::RecordingToTerminal.into());
    }
    let (detail, whole) = details(options.format, options);
    let mut profile = Profile::new(whole);
    let has_tree = load(&options.files, &mut profile)?;
    let mut profile = choose(options, profile, detail).map_err(|source| ReportError::Lacking {
        path: options.files.first().cloned().unwrap_or_default(),
        others: options.files.len().saturating_sub(1),
        source,
    })?;
    // Where each file is of one process, equal stacks of several files add up.
    if !has_tree {
        profile.reduce(options.format.detail);
    }
    let settings = Settings { title: options.title.clone(), sources: Some(sources_of) };
    let place = Destination::open(options.output.as_deref())?;
    Ok(place.write(|out| (options.format.write)(&profile, &settings, out))?)
}

/// How much detail a format needs, and how much is read to choose from: processes are told
/// apart by their threads, and moments by the timeline.
fn details(format: Format, options: &ReportOptions) -> (Detail, Detail) {
    let detail = format.detail.max(Detail::Threads);
    (detail, if options.samples.is_open() { detail } else { Detail::Timeline })
}

/// What the user wants to see of a profile.
fn choose(options: &ReportOptions, profile: Profile, detail: Detail) -> Result<Profile, Lacking> {
    let mut profile =
        if options.samples.is_open() { profile } else { options.samples.apply(profile, detail)? };
    options.frames.check(profile.about.style)?;
    // Frames of several recordings may tell more or less: what all of them do is told.
    let told = std::mem::take(&mut profile.about.style);
    let mut frames = options.frames.clone();
    frames.style = frames.style.max(told);
    Ok(frames.apply(profile))
}

/// Writes text to stdout. A reader that closed its pipe has seen enough.
fn print(text: &str) -> Result<(), Error> {
    // The names of files are in it.
    match io::stdout().write_all(in_lines(text).as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(SaveError::Write(error).into())
        }
        _ => Ok(()),
    }
}
