//! Tests on this process and on children of it.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use super::*;
use crate::target::interface::ThreadState;
use crate::target::mapped::MappedFile;

fn me() -> i32 {
    std::process::id() as i32
}

/// A child that waits on its standard input until it is dropped.
struct Waiting(Child);

impl Waiting {
    fn start(program: impl AsRef<std::ffi::OsStr>) -> Self {
        Self(Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap())
    }

    fn pid(&self) -> i32 {
        self.0.id() as i32
    }

    /// Has `cat` copy a byte: by then it runs.
    fn answer(&mut self) {
        self.0.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        self.0.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn error(pid: i32) -> OpenError {
    Process::open(pid).map(drop).unwrap_err()
}

#[test]
fn this_process() {
    let process = Process::open(me()).unwrap();
    assert_eq!(process.pid(), me());
    assert_eq!(process.executable(), std::env::current_exe().unwrap());
    assert!(process.is_alive());
    assert!(process.age().unwrap() < Duration::from_secs(3600));
    let threads = process.threads().unwrap();
    assert!(threads.contains(&me()) && threads.contains(&nix::unistd::gettid().as_raw()));
    let own = process.thread_stat(nix::unistd::gettid().as_raw()).unwrap();
    assert_eq!(own.state, ThreadState::Running);
    let own_code = this_process as fn() as usize as u64;
    let maps = process.maps().unwrap();
    let is_own = |file: &MappedFile| file.path == process.executable();
    let files = maps.files();
    let segments = files.iter().filter(|file| is_own(file)).flat_map(|file| &file.segments);
    let own = segments.clone().find(|segment| segment.range.contains(&own_code)).unwrap();
    assert!(own.permissions.execute);
}

#[test]
fn children_are_listed() {
    let child = Waiting::start("cat");
    assert!(children(me()).unwrap().contains(&child.pid()));
    assert!(children(child.pid()).unwrap().is_empty());
}

/// The count of a process that has gone to sleep for good.
pub(super) fn settled(pid: i32) -> RunCount {
    loop {
        let count = RunCount::read(pid, pid).unwrap();
        let state = stat(pid).unwrap().state;
        std::thread::sleep(Duration::from_millis(1));
        if state == ThreadState::Sleeping && RunCount::read(pid, pid) == Some(count) {
            return count;
        }
    }
}

#[test]
fn a_run_of_a_thread_is_witnessed() {
    let mut child = Waiting::start("cat");
    let mut counts = Vec::new();
    for _ in 0..3 {
        child.0.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        let mut echo = [0];
        child.0.stdout.as_mut().unwrap().read_exact(&mut echo).unwrap();
        counts.push(settled(child.pid()));
    }
    assert!(counts.windows(2).all(|pair| pair[0].times < pair[1].times), "{counts:?}");
}

#[test]
fn what_is_not_there() {
    for pid in [0, -1, i32::MIN, i32::MAX] {
        let error = error(pid);
        assert!(matches!(error, OpenError::NoSuchProcess { .. }), "{error}");
        assert_eq!(error.to_string(), format!("Failed to seize PID {pid}: No such process"));
    }
}

#[test]
fn a_zombie_is_told_apart() {
    let mut child = Waiting::start("true");
    let pid = child.pid();
    while read_stat(&format!("/proc/{pid}/stat")).unwrap().state != ThreadState::Zombie {
        std::thread::yield_now();
    }
    let error = error(pid);
    assert!(matches!(error, OpenError::Zombie { parent, .. } if parent == me()), "{error}");
    assert!(error.to_string().starts_with(&format!("Failed to seize PID {pid}: ")));
    child.0.wait().unwrap();
    assert!(matches!(self::error(pid), OpenError::NoSuchProcess { .. }));
}

#[test]
fn the_end_of_a_process_is_noticed() {
    let mut child = Waiting::start("cat");
    // It is said to have been started a moment before the kernel has set up its stack.
    child.answer();
    let process = Process::open(child.pid()).unwrap();
    assert!(process.is_alive() && !is_ending(process.pid()) && !process.executes_another());
    drop(child.0.stdin.take());
    child.0.wait().unwrap();
    assert!(!process.is_alive() && is_ending(process.pid()));
    assert!(process.maps().is_err());
}

/// A 32-bit executable that waits for ever: `mov eax,29; int 0x80` (`pause`), again and again.
fn waiting_32_bit_program() -> Vec<u8> {
    let mut file = b"\x7fELF\x01\x01\x01".to_vec();
    file.resize(16, 0);
    // e_type, e_machine: EM_386; e_version, e_entry, e_phoff, e_shoff, e_flags
    for number in [2 | 3 << 16, 1_u32, 0x0804_8054, 52, 0, 0] {
        file.extend(number.to_le_bytes());
    }
    for number in [52, 32, 1, 0, 0, 0_u16] {
        file.extend(number.to_le_bytes());
    }
    for number in [1, 0, 0x0804_8000, 0x0804_8000, 0x60, 0x60, 5, 0x1000_u32] {
        file.extend(number.to_le_bytes());
    }
    file.extend([0xb8, 29, 0, 0, 0, 0xcd, 0x80, 0xeb, 0xf7]);
    file.resize(0x60, 0);
    file
}

/// Kernels that execute 32-bit programs are common, but not certain; a file
/// that is only held open serves where this one cannot be executed.
#[test]
fn a_32_bit_program_is_refused() {
    let path = std::env::temp_dir().join(format!("pyflame-32-bit-{}", me()));
    let mut file = File::create(&path).unwrap();
    file.write_all(&waiting_32_bit_program()).unwrap();
    file.set_permissions(std::fs::Permissions::from_mode(0o755)).unwrap();
    drop(file);
    let started = Command::new(&path).spawn().map(Waiting);
    let file = File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let error = match &started {
        Ok(child) => error(child.pid()),
        Err(_) => {
            let executable = path.clone();
            let process = Process { executable, file: Some(file), ..Process::open(me()).unwrap() };
            process.check_machine().unwrap_err()
        }
    };
    assert!(matches!(error, OpenError::ThirtyTwoBit { .. }), "{error}");
    assert!(error.to_string().starts_with("Failed to locate libpython: process "), "{error}");
}

/// Only root is sure to find one; elsewhere (a container) there may be none.
#[test]
fn a_kernel_thread_is_told_apart() {
    let is_kernel_thread = |pid: &i32| {
        read_stat(&format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.is_kernel_thread())
    };
    let all = numbered_entries("/proc").unwrap();
    match all.into_iter().find(is_kernel_thread) {
        Some(pid) => assert!(matches!(error(pid), OpenError::KernelThread { .. })),
        None => assert!(!is_kernel_thread(&me())),
    }
}

#[test]
fn denials_say_what_to_do() {
    let text = |reason| OpenError::Denied { pid: 7, reason }.to_string();
    let reasons = [
        Denial::OtherUser { owner: Some(0) },
        Denial::OtherUser { owner: None },
        Denial::OtherGroup { group: 5 },
        Denial::NotDumpable,
        Denial::MoreCapabilities,
        Denial::Hidden { of_other_user: true },
        Denial::Hidden { of_other_user: false },
        Denial::Yama { scope: 1 },
        Denial::Yama { scope: 2 },
        Denial::Yama { scope: 3 },
        Denial::NoCapability,
        Denial::Other,
    ];
    for reason in reasons {
        let text = text(reason);
        assert!(text.starts_with("Failed to seize PID 7: Operation not permitted\n"), "{text}");
        assert!(text.ends_with('.'), "{text}");
        assert!(text.ends_with(reason.remedy()) && !reason.in_short().is_empty(), "{text}");
    }
    assert!(text(Denial::Yama { scope: 1 }).contains("-t"));
}
