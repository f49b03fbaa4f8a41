//! The ids by which a process itself knows its threads: in a container they are others.

use std::fs;

/// Whether process `pid` knows its threads by other ids than this program does.
pub(crate) fn counts_otherwise(pid: i32) -> bool {
    let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    namespace(&pid.to_string()) != namespace("self")
}

/// The last number of `NSpid` in `status`: the id in the innermost namespace.
pub(crate) fn innermost_id(pid: i32, tid: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/task/{tid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    line.split_ascii_whitespace().last()?.parse().ok()
}
