//! Whether the kernel lets us read a process, and if not, why.

use std::fs::{self, File};
use std::io::{self, IoSliceMut};
use std::os::linux::fs::MetadataExt;

use nix::errno::Errno;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

use super::denial::Denial;
use super::execution::NOWHERE;

/// Where the kernel says whom Yama lets a process trace.
pub(super) const YAMA_SCOPE: &str = "/proc/sys/kernel/yama/ptrace_scope";

/// `CAP_SYS_PTRACE` of `include/uapi/linux/capability.h`.
pub(super) const TRACE: u32 = 19;

/// What decides about access, of us and of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Situation {
    ours: Rights,
    its: Rights,
    /// Whether it lets itself be read; `None` where that cannot be told.
    is_dumpable: Option<bool>,
    yama_scope: u8,
}

/// What `status` says of the rights of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rights {
    /// Real, effective and saved.
    pub(super) users: Option<[u32; 3]>,
    /// Real, effective and saved.
    groups: Option<[u32; 3]>,
    pub(super) permitted: u64,
    pub(super) effective: u64,
}

/// Asks the kernel, without touching the process.
///
/// Opening `/proc/PID/mem` for reading makes the same check as
/// `process_vm_readv` and `PTRACE_SEIZE` (`PTRACE_MODE_ATTACH`; the other files
/// below `/proc/PID` only ask for `PTRACE_MODE_READ`, which Yama does not see).
///
/// The file is the other user's as well, so who has `CAP_SYS_PTRACE` and nothing else may make
/// those calls and not open it.
pub(super) fn check(pid: i32) -> io::Result<()> {
    match File::open(format!("/proc/{pid}/mem")) {
        Err(error) if is_denial(&error) && may_read(pid) => Ok(()),
        result => result.map(drop),
    }
}

/// Whether the kernel would read the memory of a process: it looks for the right first, and for
/// the address after that.
fn may_read(pid: i32) -> bool {
    let nowhere = RemoteIoVec { base: NOWHERE as usize, len: 1 };
    let read = process_vm_readv(Pid::from_raw(pid), &mut [IoSliceMut::new(&mut [0])], &[nowhere]);
    read == Err(Errno::EFAULT)
}

/// Whether an error is about permission.
pub(super) fn is_denial(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

/// Finds the reason of a refusal.
pub(super) fn reason(pid: i32) -> Denial {
    let its = Rights::of(&pid.to_string());
    let scope = fs::read_to_string(YAMA_SCOPE).unwrap_or_default();
    judge(Situation {
        ours: Rights::of("self"),
        its,
        is_dumpable: is_dumpable(pid, its),
        yama_scope: scope.trim().parse().unwrap_or(0),
    })
}

/// Whether a process lets itself be read: the files of one that does not are root's in
/// `/proc` (proc(5)). `None` if it is root's anyway.
fn is_dumpable(pid: i32, its: Rights) -> Option<bool> {
    let [_, user, _] = its.users?;
    let owner = fs::metadata(format!("/proc/{pid}/status")).ok()?.st_uid();
    (user != 0).then_some(owner == user)
}

fn judge(situation: Situation) -> Denial {
    let Situation { ours, its, is_dumpable, yama_scope } = situation;
    let user = ours.users.map(|[real, ..]| real);
    let group = ours.groups.map(|[real, ..]| real);
    let differs = |ids: Option<[u32; 3]>, own: Option<u32>| {
        let [real, effective, saved] = ids?;
        [effective, real, saved].into_iter().find(|id| Some(*id) != own)
    };
    if yama_scope == 3 {
        return Denial::Yama { scope: 3 };
    }
    if ours.may_trace_all() {
        return Denial::Other;
    }
    if ours.users.is_some_and(|[_, effective, _]| effective == 0) {
        return Denial::NoCapability;
    }
    if its.users.is_none() {
        return Denial::OtherUser { owner: None };
    }
    if let Some(owner) = differs(its.users, user) {
        return Denial::OtherUser { owner: Some(owner) };
    }
    if let Some(group) = differs(its.groups, group) {
        return Denial::OtherGroup { group };
    }
    // A program that gets capabilities from its file is not dumpable either.
    if its.permitted & !ours.permitted != 0 {
        return Denial::MoreCapabilities;
    }
    match (is_dumpable, yama_scope) {
        (Some(false), _) => Denial::NotDumpable,
        (_, 0) => Denial::Other,
        (_, scope) => Denial::Yama { scope },
    }
}

/// What `/proc` says of the state of a process: its id, or `self`. Empty if it cannot be read. The
/// name of the process is in it, which may be any bytes.
pub(super) fn status(whose: &str) -> String {
    let status = fs::read(format!("/proc/{whose}/status")).unwrap_or_default();
    String::from_utf8_lossy(&status).into_owned()
}

/// What follows a label in that.
pub(super) fn line<'a>(status: &'a str, label: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(label))
}

impl Rights {
    /// Those of a process, by its id or as `self`.
    pub(super) fn of(whose: &str) -> Self {
        Self::parse(&status(whose))
    }

    fn parse(status: &str) -> Self {
        let set = |label| {
            let set = line(status, label).and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
            set.unwrap_or(0)
        };
        Self {
            users: ids(status, "Uid:"),
            groups: ids(status, "Gid:"),
            permitted: set("CapPrm:"),
            effective: set("CapEff:"),
        }
    }

    fn may_trace_all(self) -> bool {
        self.effective >> TRACE & 1 == 1
    }
}

/// The first three of the four numbers: real, effective, saved, file system.
fn ids(status: &str, label: &str) -> Option<[u32; 3]> {
    let mut numbers = line(status, label)?.split_ascii_whitespace();
    let mut next = || numbers.next()?.parse().ok();
    Some([next()?, next()?, next()?])
}

/// Reads a `status` file of any content.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn read_text(status: &str) {
    let _ = Rights::parse(status).may_trace_all();
}

/// The process that traces `pid`, by its line in `/proc/PID/status`.
pub(super) fn tracer(pid: i32) -> Option<i32> {
    line(&status(&pid.to_string()), "TracerPid:")?.trim().parse().ok().filter(|tracer| *tracer != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: Rights =
        Rights { users: Some([1000; 3]), groups: Some([100; 3]), permitted: 0, effective: 0 };

    const ROOT: Rights =
        Rights { users: Some([0; 3]), groups: Some([0; 3]), permitted: 0xff, effective: 0xff };

    const SAME: Situation =
        Situation { ours: ALICE, its: ALICE, is_dumpable: Some(true), yama_scope: 0 };

    #[test]
    fn the_reason_that_can_be_acted_on_is_named() {
        let tracer = Rights { effective: 1 << 19, ..ALICE };
        let of = |users| Rights { users: Some(users), ..ALICE };
        let cases = [
            (SAME, Denial::Other),
            (Situation { yama_scope: 1, ..SAME }, Denial::Yama { scope: 1 }),
            (Situation { yama_scope: 3, ours: tracer, ..SAME }, Denial::Yama { scope: 3 }),
            (Situation { is_dumpable: Some(false), ..SAME }, Denial::NotDumpable),
            // Not even a child of this program could be read.
            (Situation { is_dumpable: Some(false), yama_scope: 1, ..SAME }, Denial::NotDumpable),
            (
                Situation { its: Rights { permitted: 1 << 10, ..ALICE }, ..SAME },
                Denial::MoreCapabilities,
            ),
            (
                Situation { its: ROOT, is_dumpable: None, yama_scope: 1, ..SAME },
                Denial::OtherUser { owner: Some(0) },
            ),
            // One that has not given up everything that it was.
            (Situation { its: of([1000, 1000, 0]), ..SAME }, Denial::OtherUser { owner: Some(0) }),
            (Situation { its: of([0, 1000, 1000]), ..SAME }, Denial::OtherUser { owner: Some(0) }),
            (
                Situation { its: Rights { groups: Some([100, 5, 100]), ..ALICE }, ..SAME },
                Denial::OtherGroup { group: 5 },
            ),
            (Situation { its: Rights::default(), ..SAME }, Denial::OtherUser { owner: None }),
            (Situation { ours: ROOT, ..SAME }, Denial::NoCapability),
            (Situation { ours: tracer, ..SAME }, Denial::Other),
        ];
        for (situation, reason) in cases {
            assert_eq!(judge(situation), reason, "{situation:?}");
        }
    }

    #[test]
    fn status_lines_are_found() {
        let status = "Name:\tUid:\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\n\
                      CapPrm:\t0000000000000003\nCapEff:\t0000000000080000\n";
        let rights = Rights::parse(status);
        assert_eq!((rights.users, rights.groups), (Some([1, 2, 3]), Some([5, 6, 7])));
        assert_eq!(rights.permitted, 3);
        assert!(rights.may_trace_all());
        assert!(!Rights::parse("CapEff:\t000001fffff7ffff\n").may_trace_all());
        assert_eq!(Rights::parse("Uid:\t1\t2\n"), Rights::default());
    }

    #[test]
    fn the_name_of_a_process_may_be_any_bytes() {
        use std::os::unix::ffi::OsStrExt;
        let name = std::ffi::OsStr::from_bytes(b"pyflame-\xff\xfe");
        let file = std::env::temp_dir().join(name);
        fs::copy("/bin/sleep", &file).unwrap();
        let mut child = std::process::Command::new(&file).arg("60").spawn().unwrap();
        let rights = Rights::of(&child.id().to_string());
        child.kill().and_then(|()| child.wait()).unwrap();
        fs::remove_file(&file).unwrap();
        assert_eq!(rights.users, Rights::of("self").users);
        assert!(rights.users.is_some());
    }

    #[test]
    fn this_process_may_read_itself() {
        let own = std::process::id() as i32;
        check(own).unwrap();
        assert!(may_read(own) && !may_read(i32::MAX));
        let rights = Rights::of("self");
        assert_ne!(is_dumpable(own, rights), Some(false));
    }
}
