//! A format: its name, what a profile has to keep for it, and how it is written.

use std::fmt;
use std::io::{self, Write};

use super::SourcesOf;
use crate::profile::{Detail, Profile};

/// A way to write a profile.
#[derive(Clone, Copy)]
pub struct Format {
    /// What `--format` calls it.
    pub name: &'static str,
    /// How the names of its files end, without the dot before it.
    pub extensions: &'static [&'static str],
    /// What it is and who reads it, for `--help`.
    pub about: &'static str,
    /// What a profile has to keep for it.
    pub detail: Detail,
    /// Writes a profile.
    pub write: fn(&Profile, &Settings, &mut dyn Write) -> io::Result<()>,
}

/// What a result is written with.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The title of a picture or a report; `None` for the command line and process id.
    pub title: Option<String>,
    /// Where the source of the hottest lines is read; `None`: nowhere.
    pub sources: Option<SourcesOf>,
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
