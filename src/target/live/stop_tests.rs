//! Tests of stopping, on children that run, sleep, are stopped, or die.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use nix::sys::signal::{Signal, kill};

use super::super::RunCount;
use super::*;

/// A child that is killed at the end of a test.
struct Program(Child);

impl Program {
    /// Starts a shell script, and waits for the line that it prints first.
    fn start(script: &str) -> Self {
        let mut command = Command::new("bash");
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut program = Self(command.spawn().unwrap());
        program.line();
        program
    }

    /// Starts this very program to run one of its ignored tests.
    fn again(test: &str) -> Self {
        let mut command = Command::new("/proc/self/exe");
        let (_, module) = module_path!().split_once("::").unwrap();
        let test = format!("{module}::{test}");
        command.args(["--exact", "--ignored", "--nocapture", &test]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut program = Self(command.spawn().unwrap());
        loop {
            match program.line().as_str() {
                "ready\n" => return program,
                line => assert!(!line.is_empty(), "{test} has not begun"),
            }
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        // One byte at a time: nothing may be left in a buffer.
        BufReader::with_capacity(1, self.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        line
    }

    fn pid(&self) -> i32 {
        self.0.id() as i32
    }

    fn state(&self) -> ThreadState {
        read_stat(&format!("/proc/{0}/stat", self.pid())).unwrap().state
    }

    fn wait_for_state(&self, state: ThreadState) {
        wait_until(|| self.state() == state);
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_until(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "waited for too long");
        thread::sleep(Duration::from_micros(100));
    }
}

const BUSY: &str = "echo; while :; do :; done";
/// Sleeps in a read of its standard input.
const ASLEEP: &str = "echo; read; echo";

/// Stops until all that runs has stopped: on a busy machine one stop may not be enough.
fn stop(stopper: &mut Stopper, tid: i32) {
    let start = Instant::now();
    while stopper.stop_running().is_ok_and(|guard| !guard.holds(tid)) {
        assert!(start.elapsed() < Duration::from_secs(20), "does not stop");
    }
}

#[test]
fn a_running_thread_is_stopped_and_runs_again() {
    let program = Program::start(BUSY);
    let mut stopper = Stopper::new(program.pid()).patience(Duration::from_secs(20));
    for _ in 0..20 {
        program.wait_for_state(ThreadState::Running);
        let guard = stopper.stop_running().unwrap();
        assert_eq!(guard.threads().collect::<Vec<_>>(), [program.pid()]);
        assert_eq!(guard.missing(), 0);
        assert_eq!(program.state(), ThreadState::Traced);
        drop(guard);
        assert_eq!(tracer(program.pid()), None);
        let before = RunCount::read(program.pid(), program.pid()).unwrap();
        wait_until(|| RunCount::read(program.pid(), program.pid()) != Some(before));
    }
}

#[test]
fn a_panic_lets_the_thread_go() {
    let program = Program::start(BUSY);
    let pid = program.pid();
    let panicking = thread::spawn(move || {
        let mut stopper = Stopper::new(pid).patience(Duration::from_secs(20));
        let guard = stopper.stop_running().unwrap();
        let state = read_stat(&format!("/proc/{pid}/stat")).unwrap().state;
        let word = if guard.holds(pid) && state == ThreadState::Traced { "held" } else { "free" };
        std::panic::resume_unwind(Box::new(word)); // A panic, but for the words.
    });
    let word = panicking.join().unwrap_err().downcast::<&str>().unwrap();
    assert_eq!(*word, "held");
    assert_eq!(tracer(pid), None);
    program.wait_for_state(ThreadState::Running);
}

/// A panic in a release build (`panic = "abort"`): stops the process whose id it reads.
#[test]
#[ignore = "runs in a child of other tests"]
fn child_that_aborts() {
    let mut line = String::new();
    println!("\nready");
    std::io::stdin().read_line(&mut line).unwrap();
    let pid = line.trim().parse().unwrap();
    let mut stopper = Stopper::new(pid).patience(Duration::from_secs(20));
    let guard = stopper.stop_running().unwrap();
    println!("{}", guard.threads().count());
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0).unwrap();
    std::process::abort();
}

#[test]
fn a_panic_that_aborts_lets_the_thread_go() {
    use std::io::Write;
    let program = Program::start(BUSY);
    let mut child = Program::again("child_that_aborts");
    let stdin = child.0.stdin.as_mut().unwrap();
    stdin.write_all(format!("{}\n", program.pid()).as_bytes()).unwrap();
    assert_eq!(child.line(), "1\n");
    assert_eq!(child.0.wait().unwrap().signal(), Some(Signal::SIGABRT as i32));
    wait_until(|| tracer(program.pid()).is_none());
    program.wait_for_state(ThreadState::Running);
}

#[test]
fn a_sleeping_thread_is_left_alone() {
    let program = Program::start(ASLEEP);
    let count = super::super::tests::settled(program.pid());
    let mut stopper = Stopper::new(program.pid());
    let guard = stopper.stop_running().unwrap();
    assert_eq!((guard.threads().count(), guard.missing()), (0, 0));
    assert_eq!(tracer(program.pid()), None);
    drop(guard);
    assert_eq!(RunCount::read(program.pid(), program.pid()), Some(count), "it has not run");
}

#[test]
fn a_job_that_is_stopped_stays_stopped() {
    let program = Program::start(BUSY);
    let mut stopper = Stopper::new(program.pid());
    for round in 0..30 {
        // While it runs, while it stops, and after it has stopped.
        stop(&mut stopper, program.pid());
        if round % 3 == 0 {
            let guard = stopper.stop_running();
            program.signal(Signal::SIGSTOP);
            drop(guard);
        } else {
            program.signal(Signal::SIGSTOP);
        }
        for _ in 0..3 {
            drop(stopper.stop_running().unwrap());
        }
        wait_until(|| stopper.release_late() == 0);
        program.wait_for_state(ThreadState::Stopped);
        let guard = stopper.stop_running().unwrap();
        assert_eq!(guard.threads().count(), 0);
        drop(guard);
        program.signal(Signal::SIGCONT);
        program.wait_for_state(ThreadState::Running);
    }
}

/// The part of [`signals_that_arrive_at_a_stop_are_passed_on`] that runs in a
/// child: answers every `SIGUSR1`, and never sleeps.
#[test]
#[ignore = "runs in a child of other tests"]
fn child_that_answers_signals() {
    let flag = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGUSR1, Arc::clone(&flag)).unwrap();
    println!("\nready");
    loop {
        if flag.swap(false, Ordering::SeqCst) {
            println!("got");
        }
    }
}

#[test]
fn signals_that_arrive_at_a_stop_are_passed_on() {
    let mut program = Program::again("child_that_answers_signals");
    let pid = program.pid();
    let (send, receive) = mpsc::channel();
    let stopping = thread::spawn(move || {
        let mut stopper = Stopper::new(pid);
        while receive.try_recv().is_err() {
            drop(stopper.stop_running());
        }
    });
    for _ in 0..1000 {
        program.signal(Signal::SIGUSR1);
        assert_eq!(program.line(), "got\n");
    }
    send.send(()).unwrap();
    stopping.join().unwrap();
    assert_eq!(tracer(pid), None);
}

/// The race between seizing and interrupting, made certain: the thread stops
/// because a real-time signal is delivered.
#[test]
fn real_time_signals_are_passed_on() {
    let mut program = Program::start("trap 'echo got' RTMIN+3; echo; while :; do :; done");
    let tid = Pid::from_raw(program.pid());
    ptrace::seize(tid, ptrace::Options::empty()).unwrap();
    let sent = Command::new("bash").args(["-c", &format!("kill -RTMIN+3 {tid}")]).status();
    assert!(sent.unwrap().success());
    wait_until(|| stop_of(tid).is_some());
    let mut stopper = Stopper::new(program.pid());
    stopper.held.push(Held { tid, signal: stop_of(tid).unwrap() });
    assert!(stopper.held[0].signal > 32);
    stopper.release_all();
    assert_eq!(program.line(), "got\n");
    assert_eq!(tracer(program.pid()), None);
}

#[test]
fn a_thread_that_does_not_stop_in_time_is_let_go_later() {
    let program = Program::start(BUSY);
    let mut stopper = Stopper::new(program.pid()).patience(Duration::ZERO);
    let mut late = 0;
    for _ in 0..200 {
        let guard = stopper.stop_running().unwrap();
        let missing = guard.missing();
        late += missing;
        drop(guard);
        assert_eq!(stopper.awaits(program.pid()), missing == 1);
        wait_until(|| stopper.release_late() == 0);
        assert!(!stopper.awaits(program.pid()));
        assert_eq!(tracer(program.pid()), None);
    }
    assert!(late > 0, "no stop was late");
    drop(stopper.stop_running());
    drop(stopper);
    assert_eq!(tracer(program.pid()), None);
}

#[test]
fn the_exit_of_a_child_is_left_to_its_owner() {
    for while_held in [true, false] {
        let mut program = Program::start(BUSY);
        let mut stopper = Stopper::new(program.pid());
        stop(&mut stopper, program.pid());
        let guard = stopper.stop_running().unwrap();
        if while_held {
            program.signal(Signal::SIGKILL);
            program.wait_for_state(ThreadState::Zombie);
            drop(guard);
        } else {
            drop(guard);
            program.signal(Signal::SIGKILL);
        }
        program.wait_for_state(ThreadState::Zombie);
        drop(stopper.stop_running());
        assert_eq!(stopper.release_late(), 0);
        assert_eq!(program.0.wait().unwrap().signal(), Some(9));
        assert_eq!(stopper.stop_running().map(drop), Err(StopError::Gone { pid: program.pid() }));
    }
}

#[test]
fn the_tracer_in_the_way_is_named() {
    let program = Program::start(BUSY);
    let pid = program.pid();
    let (ready, is_ready) = mpsc::channel();
    let (done, is_done) = mpsc::channel::<()>();
    let other = thread::spawn(move || {
        ptrace::seize(Pid::from_raw(pid), ptrace::Options::empty()).unwrap();
        ready.send(gettid().as_raw()).unwrap();
        let _ = is_done.recv();
    });
    let tracer = is_ready.recv().unwrap();
    program.wait_for_state(ThreadState::Running);
    let mut stopper = Stopper::new(pid);
    let error = stopper.stop_running().map(drop).unwrap_err();
    assert!(matches!(error, StopError::Traced { tracer: found, .. } if found == tracer), "{error}");
    assert!(error.to_string().contains("is traced by"));
    assert!(stopper.hold().is_none());
    drop(done);
    other.join().unwrap();
    // The tracer has ended, so the kernel has let go.
    wait_until(|| super::tracer(pid).is_none());
    stop(&mut stopper, pid);
}

/// The part of [`every_thread_that_runs_is_stopped`] and of
/// [`a_thread_that_executes_a_program_is_let_go`] that runs in a child.
#[test]
#[ignore = "runs in a child of other tests"]
fn child_with_threads() {
    for _ in 0..3 {
        thread::spawn(|| {
            loop {
                hint::spin_loop();
            }
        });
    }
    let mut line = String::new();
    println!("\nready");
    std::io::stdin().read_line(&mut line).unwrap();
    if line.starts_with("exec") {
        let executing = thread::spawn(|| {
            use std::os::unix::process::CommandExt;
            Command::new("bash").args(["-c", "echo; echo executed; while :; do :; done"]).exec()
        });
        executing.join().unwrap();
    }
}

#[test]
fn every_thread_that_runs_is_stopped() {
    let program = Program::again("child_with_threads");
    let runs = |tid: &i32| {
        let stat = read_stat(&format!("/proc/{}/task/{tid}/stat", program.pid())).unwrap();
        stat.state == ThreadState::Running
    };
    let tids = numbered_entries(&format!("/proc/{}/task", program.pid())).unwrap();
    wait_until(|| tids.iter().filter(|tid| runs(tid)).count() == 3);
    let mut stopper = Stopper::new(program.pid()).patience(Duration::from_secs(20));
    let guard = stopper.stop_running().unwrap();
    let stopped: Vec<_> = guard.threads().collect();
    assert_eq!(stopped.len(), 3, "{stopped:?}");
    assert!(!guard.holds(program.pid()), "the main thread reads");
    for tid in stopped {
        let stat = read_stat(&format!("/proc/{}/task/{tid}/stat", program.pid())).unwrap();
        assert_eq!(stat.state, ThreadState::Traced);
    }
}

#[test]
fn a_thread_that_executes_a_program_is_let_go() {
    use std::io::Write;
    for _ in 0..20 {
        let mut program = Program::again("child_with_threads");
        let mut stopper = Stopper::new(program.pid());
        // There is no such link for a moment, while the threads are being ended.
        let link = format!("/proc/{}/exe", program.pid());
        let executable = || std::fs::read_link(&link).ok();
        let before = executable();
        program.0.stdin.as_mut().unwrap().write_all(b"exec\n").unwrap();
        while executable().is_none_or(|now| Some(now) == before) {
            drop(stopper.stop_running());
        }
        wait_until(|| stopper.release_late() == 0);
        while program.line() != "executed\n" {}
        assert_eq!(tracer(program.pid()), None);
    }
}

#[test]
fn who_had_not_stopped_when_its_stopper_went_is_let_go_later() {
    let program = Program::start(BUSY);
    let tid = Pid::from_raw(program.pid());
    program.wait_for_state(ThreadState::Running);
    ptrace::seize(tid, ptrace::Options::empty()).unwrap();
    ptrace::interrupt(tid).unwrap();
    leave(program.pid(), vec![tid]);
    program.wait_for_state(ThreadState::Traced);
    super::super::release_left();
    program.wait_for_state(ThreadState::Running);
    assert_eq!(tracer(program.pid()), None);
}
