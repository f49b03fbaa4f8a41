//! What the kernel has, of what belongs to its engine.

#![allow(unsafe_code, reason = "nix does not have bpf(2)")]

use std::collections::BTreeSet;
use std::fs;

use nix::errno::Errno;
use nix::libc;

use crate::support::{Context, Outcome};

/// The ids that the open files of a process have, by `/proc/PID/fdinfo`.
pub(crate) fn ids(pid: u32, kind: &str) -> Outcome<BTreeSet<u32>> {
    let folder = format!("/proc/{pid}/fdinfo");
    let mut ids = BTreeSet::new();
    for entry in fs::read_dir(&folder).context(|| folder.clone())?.flatten() {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        let values = text.lines().filter_map(|l| l.strip_prefix(kind)?.strip_prefix(':'));
        ids.extend(values.filter_map(|value| value.trim().parse::<u32>().ok()));
    }
    Ok(ids)
}

/// `BPF_PROG_GET_NEXT_ID`: asks for the next one after the one before it.
pub(crate) fn has_program(id: u32) -> Outcome<bool> {
    has(11, id)
}

/// `BPF_MAP_GET_NEXT_ID`.
pub(crate) fn has_map(id: u32) -> Outcome<bool> {
    has(12, id)
}

fn has(command: libc::c_int, id: u32) -> Outcome<bool> {
    let mut attributes = [id - 1, 0, 0];
    // SAFETY: the kernel reads and writes as many bytes as are given (bpf(2)).
    let answer = unsafe {
        let size = size_of_val(&attributes);
        libc::syscall(libc::SYS_bpf, command, attributes.as_mut_ptr(), size)
    };
    match Errno::result(answer) {
        Ok(_) => Ok(attributes[1] == id),
        Err(Errno::ENOENT) => Ok(false),
        Err(errno) => Err(format!("bpf: {errno}")),
    }
}
