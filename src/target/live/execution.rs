//! Which program a process executes: a look at it now is compared with a later one.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};

use super::{folder, read_stat};

/// The execution of a program, told from the next one in the same process.
///
/// Beside the file this is the place of the stack, because a process can execute the same
/// file again. The kernel puts the stack elsewhere nearly every time; where it has been told
/// not to (`setarch --addr-no-randomize`), such an execution may not be noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Execution {
    file: (u64, u64),
    stack: u64,
}

impl Execution {
    /// What process `pid` executes. `None` if it has ended, is about to end, is of the
    /// kernel, or may not be looked at.
    #[must_use]
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let folder = folder(pid);
        let file = fs::metadata(format!("{folder}/exe")).ok()?;
        let stack = read_stat(&format!("{folder}/stat")).ok()?.stack;
        (stack != 0).then_some(Self { file: (file.dev(), file.ino()), stack })
    }

    /// Whether process `pid` executes another program by now, or the same one anew. That
    /// one has ended is not this.
    #[must_use]
    pub(crate) fn is_over(self, pid: i32) -> bool {
        Self::of(pid).is_some_and(|now| now != self)
    }

    /// The file, as device and inode.
    #[must_use]
    pub(crate) fn file(self) -> (u64, u64) {
        self.file
    }
}

/// An address space. What executes a program has a new one from then on.
#[derive(Debug)]
pub(super) struct AddressSpace(File);

/// No process has anything there, nor a mapping that would grow if it were read.
pub(super) const NOWHERE: u64 = (i64::MAX as u64) & !0xffff;

impl AddressSpace {
    /// That of the process whose folder in `/proc` this is. `None` if it may not be read.
    pub(super) fn of(folder: &str) -> Option<Self> {
        File::open(format!("{folder}/mem")).ok().map(Self)
    }

    /// Whether anybody has it still: one system call, where [`Execution::of`] takes seven. The
    /// file ends at once when nobody does (`mem_rw`, fs/proc/base.c); until then reading it at
    /// an address where nothing is fails.
    pub(super) fn is_there(&self) -> bool {
        !matches!(self.0.read_at(&mut [0], NOWHERE), Ok(0))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn an_execution_is_told_from_the_next_even_of_the_same_file() {
        let shell = "echo; read line; exec \"$0\" -c \"$1\"";
        let again = "echo; read line; exec cat";
        let mut child = Command::new("sh")
            .args(["-c", shell, "sh", again])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let (mut input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut output = BufReader::new(output);
        let mut after = |words: &[u8]| {
            input.write_all(words).unwrap();
            output.read_line(&mut String::new()).unwrap();
            let execution = Execution::of(pid);
            let space = AddressSpace::of(&folder(pid)).unwrap();
            assert_eq!(Execution::of(pid), execution, "nothing has happened");
            assert!(space.is_there());
            (execution.unwrap(), space)
        };
        // `cat` writes what follows the line that the shell reads.
        let (first, first_space) = after(b"");
        let (second, second_space) = after(b"\n");
        assert!(!first_space.is_there() && second_space.is_there());
        let (third, third_space) = after(b"\n\n");
        assert!(!second_space.is_there());
        assert_eq!(first.file(), second.file());
        assert_ne!(first, second);
        assert_ne!(second.file(), third.file());
        assert!(second.is_over(pid) && !third.is_over(pid));
        drop(input);
        child.wait().unwrap();
        assert_eq!(Execution::of(pid), None);
        assert!(!third_space.is_there());
    }

    #[test]
    fn the_kernel_executes_nothing() {
        assert_eq!(Execution::of(2), None); // kthreadd, or nobody in a container
    }
}
