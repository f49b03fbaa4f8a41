//! How a recording came to its end.

/// How a recording came to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// Runs that were read.
    pub runs: u32,
    /// Runs that were broken off: pyflame was killed, or the machine went down.
    pub broken_off: u32,
    /// Bytes at the end that are not whole blocks, and were not read.
    pub lost: u64,
    /// The version of the format of these bytes, if another release has written them.
    pub other_version: Option<u8>,
    /// Whether something was left out that this release does not know.
    pub is_partial: bool,
}

impl Ending {
    /// What to tell the user, if not all is there.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        let broken_off = match (self.broken_off, self.runs) {
            (0, _) => None,
            (_, 1) => Some("the run was broken off".to_owned()),
            (some, all) => Some(format!("{some} of {all} runs were broken off")),
        };
        let lost = (self.lost > 0).then(|| match self.other_version {
            None => format!("the last {} bytes are damaged and were not read", self.lost),
            Some(version) => format!(
                "the last {} bytes are runs of another release, in format {version}, and were \
                 not read",
                self.lost
            ),
        });
        let partial = self
            .is_partial
            .then(|| "what only another release knows of it was left out".to_owned());
        let words: Vec<String> = broken_off.into_iter().chain(lost).chain(partial).collect();
        (!words.is_empty()).then(|| words.join("; "))
    }
}
