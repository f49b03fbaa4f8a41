//! The program's own format, which `pyflame report` turns into any other.

use std::io::{self, Write};

use super::{Format, Settings};
use crate::profile::recording::Writer;
use crate::profile::{Detail, Profile};

/// `recording`.
pub const FORMAT: Format = Format {
    name: "recording",
    extensions: &["pyflame"],
    about: "everything, compressed, written as it comes: what pyflame report reads",
    detail: Detail::Timeline,
    write,
};

/// Writes `profile` as one run. A run that is under way is written by
/// [`Recorder`](crate::profile::recording::Recorder) instead.
///
/// # Errors
/// Those of `out`.
pub fn write(profile: &Profile, _: &Settings, out: &mut dyn Write) -> io::Result<()> {
    Writer::new(out)?.finish(profile)
}
