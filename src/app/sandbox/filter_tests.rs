//! Each filter is put over a thread of its own, which then makes the calls. A refusal is `EPERM`,
//! before the kernel looks at the arguments: what is allowed fails otherwise, or not at all.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use nix::sys::ptrace;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use seccompiler::apply_filter;

use super::*;

const RUN: Needs = Needs {
    pid: Some(1),
    stops: false,
    kernel: false,
    command: false,
    sources: false,
    writes: Writes::Nothing,
};

/// Nobody has this id.
const NOBODY: Pid = Pid::from_raw(i32::MAX);

/// What `calls` gives in a thread that is filtered as `needs` say.
fn under<T: Send + 'static>(needs: Needs, calls: impl FnOnce() -> T + Send + 'static) -> T {
    let filtered = thread::spawn(move || {
        apply_filter(&program(&needs).expect("it can be made")).expect("the kernel takes it");
        calls()
    });
    filtered.join().expect("it ends")
}

fn is_refused<T>(result: io::Result<T>) -> bool {
    result.is_err_and(|error| error.raw_os_error() == Some(libc::EPERM))
}

/// A folder that goes away with its owner, and a file in it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pyflame-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("the temporary folder takes one");
        fs::write(path.join("old"), "old").expect("it can be written");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What `--pause never` promises, whatever becomes of the profiler.
#[test]
fn who_never_stops_cannot_trace() {
    let seize = || ptrace::seize(NOBODY, ptrace::Options::empty());
    let attach = || ptrace::attach(NOBODY);
    assert_eq!(under(RUN, move || (seize(), attach())), (Err(Errno::EPERM), Err(Errno::EPERM)));
    let stops = Needs { stops: true, ..RUN };
    let (seized, attached, written) =
        under(stops, move || (seize(), attach(), ptrace::write(NOBODY, std::ptr::null_mut(), 0)));
    assert_eq!(seized, Err(Errno::ESRCH), "the kernel was asked");
    assert_eq!((attached, written), (Err(Errno::EPERM), Err(Errno::EPERM)));
}

#[test]
fn nothing_is_executed_and_nobody_is_signalled() {
    let (executed, asked, killed) = under(RUN, || {
        let executed = Command::new("/bin/true").status();
        (executed.map(drop), kill(NOBODY, None), kill(NOBODY, nix::sys::signal::Signal::SIGTERM))
    });
    assert!(is_refused(executed));
    assert_eq!((asked, killed), (Err(Errno::ESRCH), Err(Errno::EPERM)));
    let command = Needs { command: true, ..RUN };
    let killed = under(command, || kill(NOBODY, nix::sys::signal::Signal::SIGTERM));
    assert_eq!(killed, Err(Errno::ESRCH));
}

#[test]
fn no_network_is_reached() {
    let connected = || std::net::TcpStream::connect("127.0.0.1:9");
    assert!(is_refused(under(RUN, connected)));
    assert!(is_refused(under(Needs { command: true, ..RUN }, connected)));
    assert!(!is_refused(connected()), "it would have been refused by others");
}

#[test]
fn what_is_there_is_not_opened_to_be_changed() {
    let folder = Folder::new("opens");
    let path = |name: &str| folder.0.join(name);
    let try_all = |needs: Needs| {
        let [old, new, next] = ["old", "new", "next"].map(path);
        under(needs, move || {
            let write = || OpenOptions::new().write(true).clone();
            let results = [
                is_refused(fs::read(&old)),
                is_refused(write().open(&old)),
                is_refused(write().create(true).truncate(true).open(&old)),
                is_refused(write().create_new(true).open(&new)),
                is_refused(fs::rename(&new, &next)),
                is_refused(fs::remove_file(&next)),
                is_refused(write().open("/proc/self/mem")),
            ];
            results.map(u8::from)
        })
    };
    assert_eq!(try_all(RUN), [0, 1, 1, 1, 1, 1, 1]);
    let new_files = Needs { writes: Writes::NewFiles(path("new")), ..RUN };
    assert_eq!(try_all(new_files), [0, 1, 1, 0, 0, 0, 1]);
    let anew = Needs { writes: Writes::Anew(path("new")), ..RUN };
    assert_eq!(try_all(anew), [0; 7]);
}

#[test]
fn threads_are_started_and_processes_are_not() {
    let started = under(RUN, || thread::spawn(|| 7).join().expect("it ends"));
    assert_eq!(started, 7);
}

#[test]
fn memory_is_never_made_code() {
    let map = || {
        let memory = memmap2::MmapMut::map_anon(4096)?;
        memory.make_exec().map(drop)
    };
    assert!(map().is_ok(), "without a filter");
    assert!(is_refused(under(RUN, map)));
}

#[test]
fn every_filter_can_be_made() {
    let writes = || [Writes::Nothing, Writes::NewFiles("a".into()), Writes::Anew("a".into())];
    for bits in 0..32 {
        let is = |bit: u32| bits >> bit & 1 == 1;
        for writes in writes() {
            let needs = Needs {
                pid: is(0).then_some(1),
                stops: is(1),
                kernel: is(2),
                command: is(3),
                sources: is(4),
                writes,
            };
            let length = program(&needs).expect("it can be made").len();
            assert!(length < 1000, "{length}: the kernel has a limit of 4096");
        }
    }
}
