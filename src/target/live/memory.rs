//! The memory of a running process, read with `process_vm_readv(2)`, or through
//! `/proc/PID/mem` where that call is not allowed.

use std::cell::{Cell, OnceCell};
use std::fs::File;
use std::io::IoSliceMut;
use std::os::unix::fs::FileExt;
use std::rc::Rc;

use nix::errno::Errno;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

use crate::cpython::memory::{Fault, Memory, Span};
use crate::target::live::living_thread;

/// The kernel's limit on the spans of one call (`UIO_MAXIOV`).
const MAX_SPANS: usize = 1024;

/// Reads a live process. One call is one system call; the process is not
/// stopped by it and does not notice.
#[derive(Clone, Debug)]
pub(crate) struct LiveMemory {
    pid: i32,
    /// The thread by whose id it is read: the first, until that has ended while others run.
    thread: Rc<Cell<Pid>>,
    /// `/proc/PID/mem`, once it was needed: a container's seccomp filter may
    /// forbid `process_vm_readv` and allow this.
    file: Rc<OnceCell<Option<File>>>,
    calls: Rc<Cell<u64>>,
}

impl LiveMemory {
    /// The memory of process `pid`. Nothing is read or checked yet.
    #[must_use]
    pub(crate) fn new(pid: i32) -> Self {
        let thread = Rc::new(Cell::new(Pid::from_raw(pid)));
        Self { pid, thread, file: Rc::default(), calls: Rc::default() }
    }

    /// How often the process was read, in system calls, by this and its clones.
    #[must_use]
    pub(crate) fn calls(&self) -> u64 {
        self.calls.get()
    }

    /// Takes the calls of `earlier` as its own: it reads another program of the same process.
    pub(crate) fn count_on(&self, earlier: &Self) {
        self.calls.set(self.calls.get() + earlier.calls.get());
    }

    /// The call on the thread by which the process is read, or if that has ended, on another
    /// that runs.
    fn read_by_call(&self, remote: &[RemoteIoVec], buffer: &mut [u8]) -> Result<usize, Errno> {
        let thread = self.thread.get();
        let mut buffer = [IoSliceMut::new(buffer)];
        let read = process_vm_readv(thread, &mut buffer, remote);
        if read != Err(Errno::ESRCH) {
            return read;
        }
        match living_thread(self.pid).map(Pid::from_raw) {
            Some(other) if other != thread => {
                self.thread.set(other);
                process_vm_readv(other, &mut buffer, remote)
            }
            _ => read,
        }
    }

    /// Reads `remote` spans of `length` bytes in all by the one call, or the file.
    fn read_remote(&self, remote: &[RemoteIoVec], buffer: &mut [u8]) -> Result<usize, Errno> {
        self.calls.set(self.calls.get() + 1);
        if self.file.get().is_none() {
            match self.read_by_call(remote, buffer) {
                Err(Errno::EPERM | Errno::ENOSYS) => {}
                result => return result,
            }
        }
        let open = || File::open(format!("/proc/{}/mem", self.thread.get())).ok();
        let Some(file) = self.file.get_or_init(open) else { return Err(Errno::EPERM) };
        read_file(file, remote, buffer)
    }
}

/// Reads spans from `/proc/PID/mem`, up to the first that cannot be read whole.
fn read_file(file: &File, remote: &[RemoteIoVec], buffer: &mut [u8]) -> Result<usize, Errno> {
    let mut read = 0;
    for span in remote {
        let Some(part) = buffer.get_mut(read..read + span.len) else { break };
        match file.read_at(part, span.base as u64) {
            Ok(length) if length == span.len => read += length,
            // A process that has ended has no memory left: the end of the file.
            Ok(0) if read == 0 && span.len > 0 => return Err(Errno::ESRCH),
            Err(_) if read == 0 => return Err(Errno::EFAULT),
            _ => break,
        }
    }
    Ok(read)
}

impl Memory for LiveMemory {
    fn read_into(&self, address: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        let length = buffer.len();
        let fault = |errno: Errno| Fault { address, length, errno: errno as i32 };
        let base = usize::try_from(address).map_err(|_| Fault::unmapped(address, length))?;
        let read = self.read_remote(&[RemoteIoVec { base, len: length }], buffer).map_err(fault)?;
        if read == length { Ok(()) } else { Err(fault(Errno::EFAULT)) }
    }

    fn read_spans(&self, spans: &[Span], buffer: &mut [u8]) -> Result<usize, Fault> {
        let mut read = 0;
        for spans in spans.chunks(MAX_SPANS) {
            let wanted: usize = spans.iter().map(|span| span.length).sum();
            let Some(part) = buffer.get_mut(read..read + wanted) else { break };
            let remote: Vec<RemoteIoVec> = spans
                .iter()
                .map(|span| RemoteIoVec { base: span.address as usize, len: span.length })
                .collect();
            match self.read_remote(&remote, part) {
                Ok(got) => {
                    read += got;
                    if got < wanted {
                        break;
                    }
                }
                Err(_) if read > 0 => break,
                Err(errno) => {
                    let address = spans.first().map_or(0, |span| span.address);
                    return Err(Fault { address, length: wanted, errno: errno as i32 });
                }
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_this_process() {
        let words = [0x1122_3344_u32, 0x5566_7788];
        let memory = LiveMemory::new(std::process::id() as i32);
        let address = words.as_ptr() as u64;
        assert_eq!(memory.read::<u32>(address + 4), Ok(0x5566_7788));
    }

    #[test]
    fn a_null_read_is_a_fault() {
        let memory = LiveMemory::new(std::process::id() as i32);
        assert_eq!(memory.read::<u64>(0), Err(Fault::unmapped(0, 8)));
    }

    #[test]
    fn spans_are_read_behind_each_other_until_one_cannot_be() {
        let words = [1_u32, 2, 3];
        let memory = LiveMemory::new(std::process::id() as i32);
        let span = |index: usize| Span { address: &raw const words[index] as u64, length: 4 };
        let mut bytes = [0; 12];
        assert_eq!(memory.read_spans(&[span(2), span(0)], &mut bytes), Ok(8));
        assert_eq!(bytes[..8], [3_u32.to_ne_bytes(), 1_u32.to_ne_bytes()].concat());
        let bad = Span { address: 0, length: 4 };
        assert_eq!(memory.read_spans(&[span(1), bad, span(0)], &mut bytes), Ok(4));
        assert!(memory.read_spans(&[bad, span(0)], &mut bytes).is_err());
    }

    #[test]
    fn the_file_gives_the_same_as_the_call() {
        let words = [7_u64, 8];
        let memory = LiveMemory::new(std::process::id() as i32);
        let file = File::open("/proc/self/mem").ok();
        memory.file.set(file).expect("it was not needed yet");
        let address = &raw const words[1] as u64;
        assert_eq!(memory.read::<u64>(address), Ok(8));
        assert_eq!(memory.read::<u64>(0), Err(Fault::unmapped(0, 8)));
        let spans = [Span { address, length: 8 }, Span { address: 0, length: 8 }];
        assert_eq!(memory.read_spans(&spans, &mut [0; 16]), Ok(8));
    }
}
