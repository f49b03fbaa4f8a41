//! Which versions of the format are read.

use std::io;

/// What a run begins with: the name, and the version of the format.
pub const MAGIC: [u8; 8] = *b"PYFLAME\x03";

/// The oldest version that is read.
const OLDEST: u8 = 2;

/// The first version in which sections have lengths, and the account is one of them.
pub(super) const WITH_LENGTHS: u8 = 3;

/// Why something cannot be read as a recording.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// It is something else.
    #[error("it is not a recording: it does not begin as one")]
    Other,
    /// It was made by another release.
    #[error(
        "it is a recording of {} release, in format {version}: this one reads formats {OLDEST} \
         to {}. Use the release that made it",
        if *version < OLDEST { "an earlier" } else { "a later" },
        MAGIC[7]
    )]
    OtherRelease {
        /// The version of its format.
        version: u8,
    },
    /// It cannot be read at all.
    #[error(transparent)]
    Input(#[from] io::Error),
}

/// The version of the run that begins with these bytes.
///
/// # Errors
/// [`RecordingError`] unless it can be read.
pub(super) fn expect_run(bytes: [u8; 8]) -> Result<u8, RecordingError> {
    let [name @ .., version] = bytes;
    if name != MAGIC[..7] {
        return Err(RecordingError::Other);
    }
    let is_read = (OLDEST..=MAGIC[7]).contains(&version);
    if is_read { Ok(version) } else { Err(RecordingError::OtherRelease { version }) }
}
