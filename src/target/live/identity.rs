//! What is to be stopped: one process, for as long as it executes one program. A process id may
//! be another's as soon as its process has been waited for.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::execution::AddressSpace;
use super::{Stat, folder};

/// A process that executes a program.
#[derive(Debug)]
pub(super) struct Identity {
    start_time: u64,
    /// The `stat` of its first thread, open since then: the kernel reads it of that very process,
    /// and not at all when that is gone (`ESRCH`). `None` if it was gone then. For that of the
    /// whole process the kernel adds up all threads while they may not begin or end
    /// (`do_task_stat`, fs/proc/array.c, v6.12).
    stat: Option<File>,
    /// `None` where it may not be looked at.
    space: Option<AddressSpace>,
}

impl Identity {
    /// That of process `pid`, which was started at this time. Whether that is so is looked at
    /// with everything else.
    pub(super) fn of(pid: i32, start_time: u64) -> Self {
        let stat = File::open(format!("/proc/{pid}/task/{pid}/stat")).ok();
        Self { start_time, stat, space: AddressSpace::of(&folder(pid)) }
    }

    /// Whether the process is still there and executes the same: two system calls.
    pub(super) fn holds(&self) -> bool {
        let is_same = self
            .stat
            .as_ref()
            .map(started)
            .is_some_and(|time| time.is_ok_and(|time| time == Some(self.start_time)));
        is_same && self.space.as_ref().is_none_or(AddressSpace::is_there)
    }
}

fn started(stat: &File) -> io::Result<Option<u64>> {
    let mut line = [0; 1024];
    let length = stat.read_at(&mut line, 0)?;
    Ok(Stat::parse(line.get(..length).unwrap_or_default()).map(|stat| stat.start_time))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};

    use super::*;
    use crate::target::live::stat;

    #[test]
    fn an_identity_ends_with_the_program_and_with_the_process() {
        let script = "echo; read line; exec cat";
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = shell.spawn().unwrap();
        let (mut input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut output = BufReader::new(output);
        let mut answer = || output.read_line(&mut String::new()).unwrap();
        answer();
        let pid = i32::try_from(child.id()).unwrap();
        let started = stat(pid).unwrap().start_time;
        let first = Identity::of(pid, started);
        assert!(first.holds() && first.holds());
        assert!(!Identity::of(pid, started + 1).holds(), "another process with this id");
        input.write_all(b"\n\n").unwrap();
        answer();
        assert!(!first.holds(), "it executes cat");
        let second = Identity::of(pid, started);
        assert!(second.holds());
        drop(input);
        child.wait().unwrap();
        assert!(!second.holds() && !Identity::of(pid, started).holds());
    }
}
