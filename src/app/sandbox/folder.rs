//! With a core file: files are written in the folder of the result and nowhere else (Landlock).

use std::fmt;
use std::path::Path;

use landlock::{
    ABI, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, RestrictionStatus, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus,
};

/// What is asked for, as far as the kernel knows it: up to Linux 6.2.
const VERSION: ABI = ABI::V3;

/// Whether it is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Folder {
    /// It is.
    Confined,
    /// This kernel has no Landlock, or it is switched off.
    Free,
}

/// Lets this thread, and those that it starts, write to files beside `file` only.
pub(super) fn confine(file: Option<&Path>) -> Folder {
    match restrict(file) {
        Ok(status) if status.ruleset != RulesetStatus::NotEnforced => Folder::Confined,
        _ => Folder::Free,
    }
}

/// What [`confine`] would come to.
pub(super) fn foresee() -> Folder {
    let is_known = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_write(ABI::V1))
        .and_then(Ruleset::create);
    if is_known.is_ok() { Folder::Confined } else { Folder::Free }
}

fn restrict(file: Option<&Path>) -> Result<RestrictionStatus, RulesetError> {
    let writes = AccessFs::from_write(VERSION);
    let mut rules = Ruleset::default().handle_access(writes)?.create()?;
    if let Some(file) = file {
        let folder = match file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        if let Ok(folder) = PathFd::new(folder) {
            rules = rules.add_rule(PathBeneath::new(folder, writes))?;
        }
    }
    rules.restrict_self()
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Confined => "files are written beside the result only (Landlock)",
            Self::Free => "this kernel has no Landlock",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::thread;

    use super::*;

    #[test]
    fn nothing_is_written_beyond_the_folder() {
        if foresee() == Folder::Free {
            return; // The live tests say so.
        }
        let base = std::env::temp_dir().join(format!("pyflame-{}-confined", std::process::id()));
        let (inside, outside) = (base.join("inside"), base.join("outside"));
        fs::create_dir_all(&inside).expect("the temporary folder takes one");
        fs::create_dir_all(&outside).expect("the temporary folder takes one");
        fs::write(outside.join("old"), "old").expect("nobody is confined yet");
        let (own, other) = (inside.clone(), outside.clone());
        let confined = thread::spawn(move || {
            assert_eq!(confine(Some(&own.join("out"))), Folder::Confined);
            assert!(fs::write(own.join("a"), "a").is_ok());
            assert!(fs::rename(own.join("a"), own.join("out")).is_ok());
            assert!(fs::write(other.join("new"), "new").is_err());
            assert!(fs::write(other.join("old"), "new").is_err());
            assert!(fs::rename(own.join("out"), other.join("out")).is_err());
            fs::read_to_string(other.join("old")).expect("it may be read")
        });
        assert_eq!(confined.join().expect("it ends"), "old");
        assert!(fs::write(outside.join("new"), "new").is_ok(), "only that thread is confined");
        fs::remove_dir_all(base).expect("it is ours");
    }
}
