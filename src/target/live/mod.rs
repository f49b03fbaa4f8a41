//! A process as `/proc` shows it: what it executes, what it has mapped, its
//! threads and children. Nothing here stops or changes it, except [`stop`].

mod access;
mod call;
mod denial;
mod detach;
mod error;
mod execution;
mod files;
mod identity;
mod left;
mod maps;
pub(crate) mod memory;
mod namespace;
mod nap;
mod presence;
mod registers;
mod release;
mod rescue;
mod run_count;
pub(crate) mod scheduling;
pub(crate) mod security;
pub(crate) mod source;
mod stat;
pub(crate) mod stop;
mod target;
pub(crate) mod turn;

pub(crate) use call::pointers_in_call;
pub(crate) use denial::Denial;
pub(crate) use error::OpenError;
use execution::AddressSpace;
pub(crate) use execution::Execution;
use identity::Identity;
pub(crate) use maps::Maps;
pub(crate) use namespace::{counts_otherwise, innermost_id};
pub(crate) use nap::nap;
pub(crate) use presence::{Presence, check_proc, has_memory, is_ending, living_thread, presence};
pub(crate) use release::release_left;
pub(crate) use run_count::RunCount;
pub(crate) use stat::Stat;

use std::cell::OnceCell;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::target::disasm::{Compatibility, compatibility};

/// The most bytes of a command line that are read.
const MAX_COMMAND_LINE: u64 = 4096;

/// A live process of this machine whose memory may be read.
#[derive(Debug)]
pub(crate) struct Process {
    pid: i32,
    stat: Stat,
    /// What it executed when it was opened; `None` where that cannot be told.
    execution: Option<Execution>,
    executable: PathBuf,
    /// `None` where the file itself may not be read (mode 0711).
    file: Option<File>,
    /// Its address space, once it has been asked for; `None` where it may not be read so.
    address_space: OnceCell<Option<AddressSpace>>,
}

impl Process {
    /// Looks at process `pid`, and checks that it can be profiled as far as
    /// that can be told without reading its memory. Touches nothing.
    pub(crate) fn open(pid: i32) -> Result<Self, OpenError> {
        check_proc()?;
        let stat = match presence(pid) {
            Presence::Shown(stat) => stat,
            Presence::Hidden(reason) => return Err(OpenError::Denied { pid, reason }),
            Presence::Absent => return Err(OpenError::NoSuchProcess { pid }),
        };
        if stat.is_kernel_thread() {
            return Err(OpenError::KernelThread { pid, name: stat.name });
        }
        let Some(tid) = living_thread(pid) else {
            return Err(OpenError::Zombie { pid, name: stat.name, parent: stat.parent });
        };
        let explain = |file: &str| {
            let path = PathBuf::from(format!("/proc/{tid}/{file}"));
            move |error| explain(pid, path, error)
        };
        access::check(tid).map_err(explain("mem"))?;
        let execution = Execution::of(pid);
        let executable = fs::read_link(format!("/proc/{tid}/exe")).map_err(explain("exe"))?;
        let file = match File::open(format!("/proc/{tid}/exe")) {
            Ok(file) => Some(file),
            Err(error) if access::is_denial(&error) => None,
            Err(error) => return Err(explain("exe")(error)),
        };
        let address_space = OnceCell::new();
        let process = Self { pid, stat, execution, executable, file, address_space };
        process.check_machine()?;
        Ok(process)
    }

    /// Looks at the same process anew.
    ///
    /// # Errors
    /// As [`Process::open`]; if another process has its id by now, there is none.
    pub(crate) fn reopen(&self) -> Result<Self, OpenError> {
        let again = Self::open(self.pid)?;
        if again.stat.start_time == self.stat.start_time {
            return Ok(again);
        }
        Err(OpenError::NoSuchProcess { pid: self.pid })
    }

    /// What tells it, and what it executes, from others with its id.
    fn identity(&self) -> Identity {
        Identity::of(self.pid, self.stat.start_time)
    }

    /// Refuses programs that this build of the profiler cannot read.
    fn check_machine(&self) -> Result<(), OpenError> {
        let mut header = [0; 20];
        let Some(file) = &self.file else { return Ok(()) };
        if file.read_exact_at(&mut header, 0).is_err() || !header.starts_with(b"\x7fELF") {
            return Ok(()); // Not for us to judge: whoever reads it as ELF will say so.
        }
        let (pid, executable) = (self.pid, self.executable.clone());
        let [.., low, high] = header;
        let machine = u16::from_le_bytes([low, high]);
        match compatibility(header[4], header[5], machine) {
            Compatibility::Native => Ok(()),
            Compatibility::ThirtyTwoBit => Err(OpenError::ThirtyTwoBit { pid, executable }),
            Compatibility::Foreign => Err(OpenError::ForeignMachine { pid, executable, machine }),
        }
    }

    /// Its id.
    #[must_use]
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// Its command line as one text, words parted by spaces; empty if there is none. A
    /// process may write over its own, so it is bounded.
    #[must_use]
    pub(crate) fn command_line(&self) -> String {
        command_line(self.pid)
    }

    /// What it executes: the path as the kernel writes it, which ends in
    /// ` (deleted)` if nothing is there any more. For messages.
    #[must_use]
    pub(crate) fn executable(&self) -> &Path {
        &self.executable
    }

    /// Whether the same process (not a later one with the same id) is still there.
    #[must_use]
    pub(crate) fn is_alive(&self) -> bool {
        let stat = read_stat(&format!("/proc/{}/stat", self.pid));
        stat.is_ok_and(|now| now.start_time == self.stat.start_time)
            && living_thread(self.pid).is_some()
    }

    /// Where the kernel shows its memory, its mappings and its program now.
    fn folder(&self) -> String {
        folder(self.pid)
    }

    /// Whether it executes another program than when it was opened, or the same one anew:
    /// then what was found in it is not there any more.
    #[must_use]
    pub(crate) fn executes_another(&self) -> bool {
        let Some(execution) = self.execution else { return false };
        // Opened before the first of these looks: the address space is of this execution, or
        // that look tells of another.
        let is_known = self.address_space.get().is_some();
        let space = self.address_space.get_or_init(|| AddressSpace::of(&self.folder()));
        let is_there = space.as_ref().is_some_and(AddressSpace::is_there);
        !(is_known && is_there) && execution.is_over(self.pid)
    }

    /// What it executed when it was opened; `None` where that cannot be told.
    #[must_use]
    pub(crate) fn execution(&self) -> Option<Execution> {
        self.execution
    }

    /// How long ago it was started. That a process has executed another program
    /// since does not make it younger.
    #[must_use]
    pub(crate) fn age(&self) -> Option<Duration> {
        /// The unit of times in `/proc`, on every processor this runs on.
        const TICKS_PER_SECOND: u64 = 100;
        let uptime = fs::read_to_string("/proc/uptime").ok()?;
        let now: f64 = uptime.split_ascii_whitespace().next()?.parse().ok()?;
        let started =
            Duration::from_millis(self.stat.start_time.checked_mul(1000 / TICKS_PER_SECOND)?);
        Duration::try_from_secs_f64(now).ok()?.checked_sub(started)
    }

    /// What it has mapped now.
    pub(crate) fn maps(&self) -> io::Result<Maps> {
        const LIMIT: u64 = 256 << 20;
        let mut text = Vec::with_capacity(32 << 10);
        File::open(format!("{}/maps", self.folder()))?.take(LIMIT).read_to_end(&mut text)?;
        Ok(Maps::parse(text))
    }

    /// The ids of its threads now, the main thread first.
    pub(crate) fn threads(&self) -> io::Result<Vec<i32>> {
        numbered_entries(&format!("/proc/{}/task", self.pid))
    }

    /// The `stat` line of thread `tid`: its name and state.
    pub(crate) fn thread_stat(&self, tid: i32) -> io::Result<Stat> {
        read_stat(&format!("/proc/{}/task/{tid}/stat", self.pid))
    }
}

/// Where the kernel shows the memory of process `pid`: below its id, or below that of a
/// thread that still runs if the first has ended.
fn folder(pid: i32) -> String {
    format!("/proc/{}", living_thread(pid).unwrap_or(pid))
}

/// The command line of process `pid` as one text, as [`Process::command_line`] gives it.
#[must_use]
pub(crate) fn command_line(pid: i32) -> String {
    let bytes = command_line_bytes(pid);
    let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    words.map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ")
}

/// The words of the command line of process `pid`; none if it cannot be read, or is too long.
#[must_use]
pub(crate) fn words(pid: i32) -> Vec<Vec<u8>> {
    let bytes = command_line_bytes(pid);
    match bytes.strip_suffix(&[0]) {
        Some(bytes) => bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect(),
        None => Vec::new(),
    }
}

fn command_line_bytes(pid: i32) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(file) = File::open(format!("{}/cmdline", folder(pid))) {
        // What could be read of it is enough.
        let _ = file.take(MAX_COMMAND_LINE).read_to_end(&mut bytes);
    }
    bytes
}

/// The processes that threads of process `pid` have started and that still have it as
/// parent. Empty on kernels without `CONFIG_PROC_CHILDREN`.
pub(crate) fn children(pid: i32) -> io::Result<Vec<i32>> {
    let mut children = Vec::new();
    for tid in numbered_entries(&format!("/proc/{pid}/task"))? {
        let list = fs::read_to_string(format!("/proc/{pid}/task/{tid}/children"));
        let list = list.unwrap_or_default();
        children.extend(list.split_ascii_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
    }
    Ok(children)
}

/// Whether this kernel tells the children of a process.
#[must_use]
pub(crate) fn tells_children() -> bool {
    Path::new("/proc/thread-self/children").exists()
}

/// All processes that `/proc` shows.
pub(crate) fn all() -> io::Result<Vec<i32>> {
    numbered_entries("/proc")
}

/// What the kernel says of process `pid`. `None` if there is none.
#[must_use]
pub(crate) fn stat(pid: i32) -> Option<Stat> {
    read_stat(&format!("/proc/{pid}/stat")).ok()
}

/// The process that traces process `pid` (a debugger, `strace`), if there is one.
#[must_use]
pub(crate) fn tracer(pid: i32) -> Option<i32> {
    access::tracer(pid)
}

/// Who traces process `pid`, in words; `None` if nobody does. A process has one tracer at most.
#[must_use]
pub(crate) fn traced_by(pid: i32) -> Option<String> {
    let tracer = tracer(pid)?;
    let name = stat(tracer).map(|stat| format!(" ({})", stat.name)).unwrap_or_default();
    Some(format!("process {tracer}{name} traces it, so it cannot be stopped for a sample"))
}

/// Whether the kernel refuses to let the memory of process `pid` be read; not if there is none.
#[must_use]
pub(crate) fn is_denied(pid: i32) -> bool {
    access::check(living_thread(pid).unwrap_or(pid)).is_err_and(|error| access::is_denial(&error))
}

fn explain(pid: i32, path: PathBuf, source: io::Error) -> OpenError {
    if access::is_denial(&source) {
        let reason = access::reason(living_thread(pid).unwrap_or(pid));
        OpenError::Denied { pid, reason }
    } else if is_gone(&source) {
        OpenError::NoSuchProcess { pid }
    } else {
        OpenError::Unreadable { pid, path, source }
    }
}

/// `/proc` answers `ENOENT` for a pid that is not there, and `ESRCH` for a file
/// of a process that ended after the file was opened.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound
        || error.raw_os_error() == Some(nix::errno::Errno::ESRCH as i32)
}

/// Reads a `stat` file with one system call for its text: the kernel gives the
/// whole line to a buffer this large.
fn read_stat(path: &str) -> io::Result<Stat> {
    let mut line = [0; 1024];
    let length = File::open(path)?.read(&mut line)?;
    let line = line.get(..length).unwrap_or_default();
    Stat::parse(line).ok_or_else(|| io::Error::from(ErrorKind::InvalidData))
}

/// Reads texts of the kernel that tell of rights, for those who look for bytes that do harm.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn read_texts(text: &str) {
    access::read_text(text);
    security::read_text(text);
}

fn numbered_entries(directory: &str) -> io::Result<Vec<i32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        numbers.extend(entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests;
