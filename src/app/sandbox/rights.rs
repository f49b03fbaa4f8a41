//! The capabilities that a run keeps of those that it has.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use caps::errors::CapsError;
use caps::{CapSet, Capability, CapsHashSet};
use nix::unistd::geteuid;

use super::needs::Needs;
use crate::target::live::{self, security};

/// What is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// There was nothing to give up.
    None,
    /// These, and no others.
    Only(CapsHashSet),
    /// All: without the others the process could not be read.
    All,
}

/// What decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Situation<'a> {
    needs: &'a Needs,
    /// Those of the process, as bits.
    its: u64,
    /// Whether the result is written where this user could not, as its user.
    elsewhere: bool,
}

/// Gives up all capabilities but those that are needed.
///
/// # Errors
/// Those of the kernel.
pub(super) fn keep(needs: &Needs) -> Result<Kept, CapsError> {
    let permitted = caps::read(None, CapSet::Permitted)?;
    let effective = caps::read(None, CapSet::Effective)?;
    if permitted.is_empty() {
        return Ok(Kept::None);
    }
    let wanted = wanted(&permitted, &situation(needs));
    let both = |set: &CapsHashSet| set.intersection(&wanted).copied().collect::<CapsHashSet>();
    // Those that are only not in effect can be had again, if the process cannot be read: a
    // security module may want more.
    caps::set(None, CapSet::Effective, &both(&effective))?;
    if needs.pid.is_some_and(live::is_denied) {
        caps::set(None, CapSet::Effective, &effective)?;
        return Ok(Kept::All);
    }
    caps::set(None, CapSet::Permitted, &both(&permitted))?;
    Ok(Kept::Only(both(&permitted)))
}

/// What [`keep`] would keep, as far as that can be told.
///
/// # Errors
/// As [`keep`].
pub(super) fn foresee(needs: &Needs) -> Result<Kept, CapsError> {
    let permitted = caps::read(None, CapSet::Permitted)?;
    if permitted.is_empty() {
        return Ok(Kept::None);
    }
    Ok(Kept::Only(wanted(&permitted, &situation(needs))))
}

fn situation(needs: &Needs) -> Situation<'_> {
    Situation {
        needs,
        its: needs.pid.map_or(0, security::permitted),
        elsewhere: needs.writes.file().is_some_and(is_of_another),
    }
}

/// Whether a file, or the folder that it will be in, is somebody else's or not to be written.
fn is_of_another(file: &Path) -> bool {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    [folder, file].into_iter().filter_map(|path| fs::metadata(path).ok()).any(|found| {
        let is_open = found.mode() & 0o200 != 0;
        found.uid() != geteuid().as_raw() || !is_open
    })
}

/// Those of `have` that are needed.
fn wanted(have: &CapsHashSet, situation: &Situation<'_>) -> CapsHashSet {
    use Capability as C;
    let Situation { needs, its, elsewhere } = situation;
    let mut wanted = CapsHashSet::new();
    // The right, or what includes it where a kernel or a container does not have it.
    let mut keep = |right: C, instead: C| {
        wanted.extend([right, instead].into_iter().find(|right| have.contains(right)));
    };
    // Core files and what they were made of, `/proc/PID` and sources are others' files.
    keep(C::CAP_DAC_READ_SEARCH, C::CAP_DAC_OVERRIDE);
    if needs.pid.is_some() {
        keep(C::CAP_SYS_PTRACE, C::CAP_SYS_PTRACE);
        // Mapped files that have been removed, when the process executes another program.
        keep(C::CAP_CHECKPOINT_RESTORE, C::CAP_CHECKPOINT_RESTORE);
    }
    if needs.kernel {
        keep(C::CAP_BPF, C::CAP_SYS_ADMIN);
        keep(C::CAP_PERFMON, C::CAP_SYS_ADMIN);
    }
    if needs.command {
        // The command may run as somebody else, and is passed signals.
        keep(C::CAP_KILL, C::CAP_KILL);
    }
    if *elsewhere {
        keep(C::CAP_DAC_OVERRIDE, C::CAP_DAC_OVERRIDE);
        keep(C::CAP_FOWNER, C::CAP_FOWNER);
    }
    if needs.pid.is_some() && !wanted.contains(&C::CAP_SYS_PTRACE) {
        // Without that right, who reads a process must have all that it has
        // (`cap_ptrace_access_check`, security/commoncap.c).
        // What a command starts later may have all that the command was started with.
        let is_its = |right: &&C| needs.command || its & right.bitmask() != 0;
        wanted.extend(have.iter().filter(is_its));
    }
    wanted
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("no capabilities"),
            Self::Only(set) if set.is_empty() => f.write_str("gives up all capabilities"),
            Self::Only(set) => {
                let mut names: Vec<String> = set.iter().map(ToString::to_string).collect();
                names.sort();
                write!(f, "keeps {} of its capabilities", names.join(", "))
            }
            Self::All => f.write_str("keeps all capabilities, which this process asks for"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::needs::Writes;
    use super::*;
    use Capability as C;

    const RUN: Needs = Needs {
        pid: Some(1),
        stops: true,
        kernel: false,
        command: false,
        sources: false,
        writes: Writes::Nothing,
    };

    fn kept(have: &[C], needs: &Needs, its: &[C], elsewhere: bool) -> Vec<C> {
        let its = its.iter().fold(0, |set, right| set | right.bitmask());
        let have = have.iter().copied().collect();
        let mut kept: Vec<C> =
            wanted(&have, &Situation { needs, its, elsewhere }).into_iter().collect();
        kept.sort_by_key(C::index);
        kept
    }

    #[test]
    fn root_keeps_what_reading_needs() {
        let all: Vec<C> = caps::all().into_iter().collect();
        let reads = [C::CAP_DAC_READ_SEARCH, C::CAP_SYS_PTRACE];
        let removed = [C::CAP_CHECKPOINT_RESTORE];
        let both = [&reads[..], &removed].concat();
        assert_eq!(kept(&all, &RUN, &all, false), both);
        let kernel = Needs { kernel: true, ..RUN };
        let both = [&reads[..], &[C::CAP_PERFMON, C::CAP_BPF], &removed].concat();
        assert_eq!(kept(&all, &kernel, &[], false), both);
        assert_eq!(kept(&all, &Needs { pid: None, ..RUN }, &[], false), reads[..1]);
        let writes = [C::CAP_DAC_OVERRIDE, C::CAP_FOWNER];
        let elsewhere = kept(&all, &RUN, &[], true);
        assert!(elsewhere.len() == 5 && writes.iter().all(|right| elsewhere.contains(right)));
        let command = Needs { command: true, ..RUN };
        assert!(kept(&all, &command, &[], false).contains(&C::CAP_KILL));
    }

    #[test]
    fn a_container_without_the_right_keeps_what_the_process_has() {
        let docker = [C::CAP_CHOWN, C::CAP_DAC_OVERRIDE, C::CAP_KILL, C::CAP_NET_RAW];
        assert_eq!(kept(&docker, &RUN, &[], false), [C::CAP_DAC_OVERRIDE]);
        assert_eq!(kept(&docker, &RUN, &docker, false), docker);
        assert_eq!(kept(&docker, &Needs { command: true, ..RUN }, &[], false), docker);
        let old = [C::CAP_SYS_PTRACE, C::CAP_SYS_ADMIN];
        let kernel = Needs { kernel: true, ..RUN };
        assert_eq!(kept(&old, &kernel, &[], false), old);
        assert_eq!(kept(&old, &RUN, &[C::CAP_SYS_ADMIN], false), old[..1]);
    }

    #[test]
    fn a_folder_of_somebody_else_is_told() {
        assert!(is_of_another(Path::new("/proc/self/new")), "nobody writes there");
        let own = std::env::temp_dir().join(format!("pyflame-{}-own", std::process::id()));
        fs::create_dir_all(&own).expect("the temporary folder takes one");
        assert!(!is_of_another(&own.join("new")));
        fs::remove_dir(&own).expect("it is empty");
    }
}
