//! What this system lets one process do to another: the settings of the kernel and the rights of
//! this program, for who wants to know why something is refused.

use std::fs;

use super::access::{Rights, TRACE, YAMA_SCOPE, line, status};

/// `CAP_SYS_ADMIN`, `CAP_PERFMON` and `CAP_BPF` (include/uapi/linux/capability.h).
const ADMINISTER: u32 = 21;
const MONITOR: u32 = 38;
const BPF: u32 = 39;

/// The capabilities of this program that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capabilities(u64);

impl Capabilities {
    /// The effective ones of this program.
    #[must_use]
    pub(crate) fn own() -> Self {
        Self(Rights::of("self").effective)
    }

    fn has(self, capability: u32) -> bool {
        self.0 >> capability & 1 == 1
    }

    /// The names of those that it has.
    #[must_use]
    pub(crate) fn names(self) -> Vec<&'static str> {
        let all = [
            (TRACE, "CAP_SYS_PTRACE"),
            (ADMINISTER, "CAP_SYS_ADMIN"),
            (MONITOR, "CAP_PERFMON"),
            (BPF, "CAP_BPF"),
        ];
        all.into_iter().filter(|(number, _)| self.has(*number)).map(|(_, name)| name).collect()
    }
}

/// A setting of the kernel, and what it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// What it is called.
    pub name: &'static str,
    /// Its value.
    pub value: String,
}

/// The settings that decide who may read, stop or measure whom, of those that this kernel has.
#[must_use]
pub(crate) fn settings() -> Vec<Setting> {
    let of = |name, value: Option<String>| value.map(|value| Setting { name, value });
    let all = [
        of("kernel.yama.ptrace_scope", word(YAMA_SCOPE)),
        of("kernel.perf_event_paranoid", word("/proc/sys/kernel/perf_event_paranoid")),
        of("kernel.unprivileged_bpf_disabled", word("/proc/sys/kernel/unprivileged_bpf_disabled")),
        of("lockdown", word("/sys/kernel/security/lockdown").and_then(|line| chosen(&line))),
        of("SELinux", word("/sys/fs/selinux/enforce").map(|mode| selinux(&mode).to_owned())),
        of("hidepid", hidepid()),
        of("seccomp", seccomp()),
    ];
    all.into_iter().flatten().collect()
}

/// The kinds of namespaces in which a process is not where this program is: `user`, `mnt`,
/// `pid`. `None` if it cannot be told.
#[must_use]
pub(crate) fn other_namespaces(pid: i32) -> Option<Vec<&'static str>> {
    let link = |whose: &str, kind: &str| fs::read_link(format!("/proc/{whose}/ns/{kind}")).ok();
    let mut others = Vec::new();
    for kind in ["user", "mnt", "pid"] {
        if link(&pid.to_string(), kind)? != link("self", kind)? {
            others.push(kind);
        }
    }
    Some(others)
}

/// The effective user of a process.
#[must_use]
pub(crate) fn user(pid: i32) -> Option<u32> {
    Rights::of(&pid.to_string()).users.map(|[_, effective, _]| effective)
}

/// The permitted capabilities of a process, as bits.
#[must_use]
pub(crate) fn permitted(pid: i32) -> u64 {
    Rights::of(&pid.to_string()).permitted
}

/// What a security module calls a process (`/proc/PID/attr/current`), if there is one that does.
#[must_use]
pub(crate) fn label(pid: i32) -> Option<String> {
    let text = word(&format!("/proc/{pid}/attr/current"))?;
    let text = text.trim_end_matches('\0').trim();
    (!text.is_empty() && text != "unconfined").then(|| text.to_owned())
}

/// The first line of a small file of the kernel.
fn word(path: &str) -> Option<String> {
    let text = fs::read(path).ok()?;
    let text = String::from_utf8_lossy(&text);
    text.lines().next().map(|line| line.trim().to_owned())
}

/// The word in brackets: `none [integrity] confidentiality`.
fn chosen(line: &str) -> Option<String> {
    let (_, rest) = line.split_once('[')?;
    rest.split_once(']').map(|(chosen, _)| chosen.to_owned())
}

fn selinux(mode: &str) -> &'static str {
    if mode == "1" { "enforcing" } else { "permissive" }
}

/// How `/proc` hides the processes of others, if it does (proc(5)).
fn hidepid() -> Option<String> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    hidepid_of(&mounts)
}

fn hidepid_of(mounts: &str) -> Option<String> {
    let options = mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let is_proc = fields.nth(1) == Some("/proc") && fields.next() == Some("proc");
        if is_proc { fields.next() } else { None }
    })?;
    options.split(',').find_map(|option| option.strip_prefix("hidepid=")).map(str::to_owned)
}

/// Whether this program runs under a filter of system calls, as in many containers.
fn seccomp() -> Option<String> {
    match line(&status("self"), "Seccomp:")?.trim() {
        "0" => None,
        "1" => Some("strict".to_owned()),
        _ => Some("a filter".to_owned()),
    }
}

/// Reads settings and mounts of any content.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn read_text(text: &str) {
    let _ = (chosen(text), hidepid_of(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_where_it_is() {
        let own = std::process::id() as i32;
        assert_eq!(other_namespaces(own), Some(Vec::new()));
        assert_eq!(user(own), Some(nix::unistd::geteuid().as_raw()));
        assert_eq!(other_namespaces(-1), None);
    }

    #[test]
    fn capabilities_are_bits() {
        let of = |set: u64| Capabilities(set);
        assert_eq!(of(1 << 19 | 1 << 39).names(), ["CAP_SYS_PTRACE", "CAP_BPF"]);
        assert!(of(0).names().is_empty());
    }

    #[test]
    fn settings_are_read_out_of_their_files() {
        assert_eq!(chosen("none [integrity] confidentiality"), Some("integrity".into()));
        assert_eq!(chosen("none"), None);
        let mounts = "sysfs /sys sysfs rw 0 0\nproc /proc proc rw,hidepid=invisible 0 0\n";
        assert_eq!(hidepid_of(mounts), Some("invisible".into()));
        assert_eq!(hidepid_of("proc /proc proc rw,nosuid 0 0\n"), None);
        assert_eq!(hidepid_of("tmpfs /proc tmpfs hidepid=2 0 0\n"), None);
    }
}
