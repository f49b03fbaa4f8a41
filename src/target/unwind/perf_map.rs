//! Names of code that a program has made while it ran: `/tmp/perf-PID.map`, which runtimes write
//! for profilers (`tools/perf/Documentation/jit-interface.txt` of Linux).

use std::io::Read;
use std::path::Path;

use crate::target::interface::Target;

/// No more of the file is read, in bytes.
const MAX_SIZE: u64 = 64 << 20;

/// The names of one process.
#[derive(Debug, Default)]
pub(super) struct PerfMap {
    /// The id of the process: ours, and its own.
    pid: Option<(i32, u64)>,
    /// The length of the file when it was read: it only grows.
    length: u64,
    /// First address, size, name; in order of address. Of two at one address the later one.
    entries: Vec<(u64, u64, Box<str>)>,
}

impl PerfMap {
    /// Reads the file of a process, if there is one that is not known yet. Returns whether
    /// something is new.
    pub(super) fn learn<T: Target>(&mut self, target: &T) -> bool {
        let (outside, pid) = match self.pid.filter(|(outside, _)| *outside == target.pid()) {
            Some(known) => known,
            None => (target.pid(), own_id(target)),
        };
        let file = target.open_path(Path::new(&format!("/tmp/perf-{pid}.map")));
        let length =
            file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |file| file.len());
        let known = self.pid.replace((outside, pid));
        if length == self.length && known == self.pid {
            return false;
        }
        let mut bytes = Vec::new();
        // What could be read until something went wrong is good.
        let _ = file.map(|file| file.take(MAX_SIZE).read_to_end(&mut bytes));
        *self = Self { length, entries: parse(&bytes), ..*self };
        true
    }

    /// The name of the code at an address, and where that begins.
    pub(super) fn at(&self, address: u64) -> Option<(&str, u64)> {
        let after = self.entries.partition_point(|(start, ..)| *start <= address);
        let (start, size, name) = self.entries.get(after.checked_sub(1)?)?;
        (address - start < *size).then_some((name, *start))
    }
}

/// What a process itself is known by, which differs in a container.
fn own_id<T: Target>(target: &T) -> u64 {
    let threads = target.thread_ids().unwrap_or_default();
    let first = threads.iter().find(|thread| thread.outside == target.pid());
    first.map_or(u64::from(target.pid().unsigned_abs()), |thread| thread.inside)
}

/// Reads lines of the form `START SIZE name`, both numbers hexadecimal. Others are left out.
fn parse(bytes: &[u8]) -> Vec<(u64, u64, Box<str>)> {
    let lines = bytes.split(|byte| *byte == b'\n');
    let mut entries: Vec<_> = lines.filter_map(parse_line).collect();
    // Code is freed and made again at one address; the sort keeps the order of lines.
    entries.reverse();
    entries.sort_by_key(|(start, ..)| *start);
    entries.dedup_by_key(|(start, ..)| *start);
    entries
}

fn parse_line(line: &[u8]) -> Option<(u64, u64, Box<str>)> {
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.splitn(3, ' ');
    let mut number = || {
        let digits = words.next()?;
        u64::from_str_radix(digits.strip_prefix("0x").unwrap_or(digits), 16).ok()
    };
    let (start, size) = (number()?, number()?);
    let name = words.next().map(str::trim).filter(|name| !name.is_empty())?;
    Some((start, size, name.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(text: &str) -> PerfMap {
        PerfMap { entries: parse(text.as_bytes()), ..PerfMap::default() }
    }

    #[test]
    fn code_is_found_by_its_address() {
        let map = map("7f10 20 py::f:/a b.py\n0x7f00 10 py::g\n");
        assert_eq!(map.at(0x7f0f), Some(("py::g", 0x7f00)));
        assert_eq!(map.at(0x7f10), Some(("py::f:/a b.py", 0x7f10)));
        assert_eq!(map.at(0x7f2f), Some(("py::f:/a b.py", 0x7f10)));
        assert_eq!((map.at(0x7f30), map.at(0x7eff)), (None, None));
    }

    #[test]
    fn what_was_made_last_is_what_is_there() {
        assert_eq!(map("100 10 old\n100 8 new\n").at(0x100), Some(("new", 0x100)));
    }

    #[test]
    fn other_lines_are_left_out() {
        let map = map("\n100\n100 zz x\n100 10\n100 10 \n-1 10 x\nffffffffffffffff 10 last");
        assert_eq!(map.at(u64::MAX), Some(("last", u64::MAX)));
        assert_eq!(map.entries.len(), 1);
    }
}
