//! `pyflame report` and `pyflame diff`: what is made of recordings afterwards.

mod compare;
mod load;

use std::io::{self, IsTerminal, Write};

pub use self::compare::diff;
use self::load::load;
use crate::cli::ReportOptions;
use crate::error::Error;
use crate::output::{Destination, Settings, recording};
use crate::profile::Profile;

/// Renders recordings in another format.
///
/// # Errors
/// [`Error`] if one cannot be read, or the result not be written.
pub fn report(options: &ReportOptions) -> Result<(), Error> {
    let to_stdout = options.output.as_ref().is_none_or(|path| path.as_os_str() == "-");
    if to_stdout && options.format == recording::FORMAT && io::stdout().is_terminal() {
        return Err(Error::RecordingToTerminal);
    }
    let mut profile = Profile::new(options.format.detail);
    load(&options.files, &mut profile)?;
    let settings = Settings { title: options.title.clone() };
    let place = Destination::open(options.output.as_deref())?;
    place.write(|out| (options.format.write)(&profile, &settings, out))
}

/// Writes text to stdout. A reader that closed its pipe has seen enough.
fn print(text: &str) -> Result<(), Error> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Write(error)),
        _ => Ok(()),
    }
}
