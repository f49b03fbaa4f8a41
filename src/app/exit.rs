//! How a program of this project ends: what it says, and its exit status.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::app::error::Error;
use crate::app::sandbox::borrowed;
use crate::escape::say;
use crate::profile::SaveError;
use crate::target::live::OpenError;

/// Prints help or version on stdout.
///
/// # Errors
/// [`SaveError::Write`] if stdout does not take it.
pub(super) fn show(text: &str) -> Result<(), Error> {
    Ok(io::stdout().write_all(text.as_bytes()).map_err(SaveError::Write)?)
}

/// Says what went wrong, if anything did, and turns it into an exit status.
pub(super) fn conclude(result: Result<u8, Error>) -> ExitCode {
    match result {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            let text = error.to_string();
            match &error {
                // It may be in colour, and quotes the command line only.
                Error::Usage(_) => eprintln!("{}", text.trim_end()),
                _ => say(text.trim_end()),
            }
            if matches!(&error, Error::Open(OpenError::Denied { .. })) && borrowed::are_left() {
                say(borrowed::HINT);
            }
            ExitCode::from(error.exit_status())
        }
    }
}
