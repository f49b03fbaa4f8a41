//! What the C library of a process says of its own records, to debuggers and so to us.

use super::module::Module;
use crate::cpython::memory::Memory;
use crate::target::interface::Target;
use crate::target::mapped::MappedFile;

/// The description of a field of glibc's `struct pthread`, made for libthread_db: how many
/// bits it has, how many elements, and where it is (`nptl_db/db_info.c`, `DESC`).
const THREAD_ID: &str = "_thread_db_pthread_tid";

/// No `struct pthread` is larger.
const LARGEST: u32 = 1 << 16;

/// Where in the record that a `pthread_t` points to the kernel's id of the thread is.
/// `None` if the C library does not tell, as musl does not.
pub(crate) fn thread_id_offset<M: Memory>(target: &impl Target, memory: &M) -> Option<u64> {
    let files = target.files().ok()?;
    let libraries = files.iter().filter(|file| is_c_library(file));
    libraries.filter_map(|file| Module::open(target, memory, file)).find_map(|module| {
        // Up to 2.33 it was in a library of its own, and not exported.
        let symbol = module.symbol(THREAD_ID).or_else(|| module.local_symbols([THREAD_ID])[0])?;
        parse(&memory.read_bytes(symbol.address, 12).ok()?)
    })
}

fn is_c_library(file: &MappedFile) -> bool {
    let is_called = |name: &&[u8]| file.name().starts_with(name);
    [&b"libc.so"[..], b"libc-", b"libpthread.so", b"libpthread-"].iter().any(is_called)
}

fn parse(bytes: &[u8]) -> Option<u64> {
    let mut words = bytes.chunks_exact(4).map(|word| word.try_into().map(u32::from_ne_bytes));
    let (bits, count, offset) = (words.next()?.ok()?, words.next()?.ok()?, words.next()?.ok()?);
    let is_credible = bits == 32 && count == 1 && offset < LARGEST && offset % 4 == 0;
    is_credible.then_some(offset.into())
}

#[cfg(test)]
mod tests {
    #[cfg(target_env = "gnu")]
    use std::os::unix::thread::JoinHandleExt;

    use super::*;
    #[cfg(target_env = "gnu")]
    use crate::target::live::{Process, memory::LiveMemory};

    #[test]
    fn a_description_that_is_none_is_not_believed() {
        let parsed = |words: [u32; 3]| parse(&words.map(u32::to_ne_bytes).concat());
        assert_eq!(parsed([32, 1, 720]), Some(720));
        for words in [[64, 1, 720], [32, 2, 720], [32, 1, LARGEST], [32, 1, 721], [0, 0, 0]] {
            assert_eq!(parsed(words), None, "{words:?}");
        }
        assert_eq!(parse(&[32, 0, 0, 0, 1, 0, 0, 0]), None);
    }

    /// By the library that this program runs on.
    #[cfg(target_env = "gnu")]
    #[test]
    fn the_record_of_a_thread_holds_its_id() {
        let pid = std::process::id() as i32;
        let memory = LiveMemory::new(pid);
        let offset = thread_id_offset(&Process::open(pid).unwrap(), &memory).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            tell.send(nix::unistd::gettid().as_raw()).unwrap();
            // Until the other end is gone.
            let _ = held.recv();
        });
        let id = told.recv().unwrap();
        // The C library's type is a number or a pointer.
        let record = thread.as_pthread_t() as u64;
        assert_eq!(memory.read::<i32>(record + offset), Ok(id));
        drop(hold);
        thread.join().unwrap();
    }
}
