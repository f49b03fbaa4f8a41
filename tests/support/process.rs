//! Child processes that cannot outlive or outwait a test.

use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Context, Outcome, PATIENCE};

/// Asks until the answer is there.
pub(crate) fn wait_until<T>(what: &str, mut ask: impl FnMut() -> Outcome<Option<T>>) -> Outcome<T> {
    let deadline = Instant::now() + PATIENCE;
    let mut pause = Duration::from_micros(50);
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if Instant::now() > deadline {
            return Err(format!("waited {} s in vain until {what}", PATIENCE.as_secs()));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(5));
    }
}

/// A line of `/proc/PID/status`, without its name.
pub(crate) fn status_line(pid: u32, name: &str) -> Outcome<String> {
    let path = format!("/proc/{pid}/status");
    let text = std::fs::read_to_string(&path).context(|| path.clone())?;
    let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
    line.map(|l| l.trim().to_owned()).context(|| format!("{path} has no {name}"))
}

/// What a process and all those that it has started are doing, a line each: for messages.
pub(crate) fn family_states(pid: u32) -> String {
    let read = |file: &str| {
        let bytes = std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', " ").trim().to_owned()
    };
    let line = |name| status_line(pid, name).unwrap_or_default();
    let (state, tracer) = (line("State"), line("TracerPid"));
    let (call, words) = (read("syscall"), read("cmdline"));
    let own = format!("\n{pid} {state}, tracer {tracer}, in {call}: {words}");
    let children = read(&format!("task/{pid}/children"));
    let children = children.split_whitespace().filter_map(|pid| pid.parse().ok());
    own + &children.map(family_states).collect::<String>()
}

/// Fails if a process is stopped or traced.
pub(crate) fn expect_left_alone(pid: u32) -> Outcome {
    let (state, tracer) = (status_line(pid, "State")?, status_line(pid, "TracerPid")?);
    if tracer != "0" || state.starts_with(['t', 'T']) {
        return Err(format!("the profiler left process {pid} in state {state}, tracer {tracer}"));
    }
    Ok(())
}

/// Waits until a target that has told its truth is at rest: every thread sleeps,
/// and one waits in the kernel for a byte on standard input. Before that it may
/// still hold the GIL for a moment.
pub(crate) fn wait_at_rest(pid: u32) -> Outcome {
    let read = if cfg!(target_arch = "x86_64") { "0 0x0 " } else { "63 0x0 " };
    wait_until(&format!("process {pid} is at rest"), || {
        let mut reading = false;
        let tasks = format!("/proc/{pid}/task");
        for task in std::fs::read_dir(&tasks).context(|| tasks.clone())? {
            let task = task.context(|| tasks.clone())?.path();
            // A thread may end while the list is read.
            let Ok(stat) = std::fs::read_to_string(task.join("stat")) else { continue };
            if !is_asleep(&stat) {
                return Ok(None);
            }
            let call = task.join("syscall");
            let call = std::fs::read_to_string(&call).context(|| call.display().to_string())?;
            reading |= call.starts_with(read);
        }
        Ok(reading.then_some(()))
    })
}

/// Waits until so many threads of a process sleep, of so many that it has: what a thread
/// says before it waits for something, it says while it runs.
pub(crate) fn wait_until_asleep(pid: u32, sleepers: usize, threads: usize) -> Outcome {
    wait_until(&format!("{sleepers} of {threads} threads of process {pid} sleep"), || {
        let tasks = format!("/proc/{pid}/task");
        let tasks: Vec<_> =
            std::fs::read_dir(&tasks).context(|| tasks.clone())?.flatten().collect();
        let sleep = tasks.iter().filter(|task| {
            is_asleep(&std::fs::read_to_string(task.path().join("stat")).unwrap_or_default())
        });
        Ok((tasks.len() == threads && sleep.count() == sleepers).then_some(()))
    })
}

/// Waits until the main thread of a process has run for 20 ms from now on: what a program says
/// before it begins to work, it says while it does not hold the GIL.
pub(crate) fn wait_until_it_works(pid: u32) -> Outcome {
    let path = format!("/proc/{pid}/schedstat");
    let has_run = || -> Outcome<u64> {
        let text = std::fs::read_to_string(&path).context(|| path.clone())?;
        let nanoseconds = text.split_whitespace().next().and_then(|word| word.parse().ok());
        nanoseconds.context(|| format!("{path}: {text:?}"))
    };
    let before = has_run()?;
    wait_until(&format!("process {pid} works"), || {
        Ok((has_run()? > before + 20_000_000).then_some(()))
    })
}

/// Whether a thread sleeps, by its `stat`.
fn is_asleep(stat: &str) -> bool {
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'))
}

/// The child that is killed and waited for when it goes out of scope, by the
/// handle of the one who started it.
pub(crate) struct Guard(pub Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // It may have ended by itself, which is no error here.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Guard {
    /// Starts a command.
    pub(crate) fn spawn(command: &mut Command) -> Outcome<Self> {
        let child = command.spawn().context(|| format!("start {command:?}"))?;
        Ok(Self(child))
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self, what: &str) -> Outcome<ExitStatus> {
        wait_until(&format!("{what} ends"), || self.0.try_wait().context(|| "wait".into()))
    }
}

/// What a finished process left.
#[derive(Debug)]
pub(crate) struct Finished {
    /// The command, for messages.
    pub command: String,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: String,
    /// How it ended.
    pub status: ExitStatus,
}

impl Finished {
    /// Everything about it, to be shown when a test fails.
    pub(crate) fn words(&self) -> String {
        let ending = match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exit {code}"),
            (_, signal) => format!("signal {signal:?}"),
        };
        let head: String = String::from_utf8_lossy(&self.stdout).chars().take(2000).collect();
        format!("{}\n{ending}\nstderr: {}\nstdout: {head}", self.command, self.stderr)
    }

    /// The folded lines or the dump, if the run was clean: exit 0 and not a
    /// word on standard error.
    pub(crate) fn clean(self) -> Outcome<Vec<u8>> {
        if self.status.success() && self.stderr.is_empty() {
            Ok(self.stdout)
        } else {
            Err(format!("not a clean run: {}", self.words()))
        }
    }

    /// The result of a clean run on several processes; `None` if it was over before one of
    /// them was sampled: what samples them has to start first.
    pub(crate) fn clean_if_sampled(self) -> Outcome<Option<Vec<u8>>> {
        let words = "no process could be sampled: ";
        if self.status.code() == Some(1) && self.stderr.contains(words) {
            return Ok(None);
        }
        self.clean().map(Some)
    }

    /// Fails unless it ended with this code and said this on standard error.
    pub(crate) fn expect_error(&self, code: i32, parts: &[&str]) -> Outcome {
        let said = |part: &&&str| !self.stderr.contains(**part);
        if let Some(part) = parts.iter().find(said) {
            return Err(format!("stderr should contain {part:?}: {}", self.words()));
        }
        if self.status.code() != Some(code) {
            return Err(format!("should exit with {code}: {}", self.words()));
        }
        Ok(())
    }
}

/// A process whose output is collected while it runs.
pub(crate) struct Running {
    guard: Guard,
    command: String,
    stdin: Option<ChildStdin>,
    stdout: Collected,
    stderr: Collected,
}

/// What is read from a pipe by a thread.
struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    /// Closed at the end.
    end: Receiver<()>,
}

impl Running {
    /// Starts a command with pipes for its output; standard input is empty
    /// unless `with_input`.
    pub(crate) fn start(command: &mut Command, with_input: bool) -> Outcome<Self> {
        command.stdin(if with_input { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut guard = Guard::spawn(command)?;
        let stdin = guard.0.stdin.take();
        let stdout = Collected::begin(guard.0.stdout.take());
        let stderr = Collected::begin(guard.0.stderr.take());
        Ok(Self { guard, command: format!("{command:?}"), stdin, stdout, stderr })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.guard.pid()
    }

    /// Its standard input, once.
    pub(crate) fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.stdin.take()
    }

    /// What it has said on standard error by now.
    pub(crate) fn stderr_so_far(&self) -> String {
        String::from_utf8_lossy(&self.stderr.so_far()).into_owned()
    }

    /// What it has said on standard output by now.
    pub(crate) fn stdout_so_far(&self) -> String {
        String::from_utf8_lossy(&self.stdout.so_far()).into_owned()
    }

    /// Waits for its end and the end of its output.
    pub(crate) fn finish(mut self) -> Outcome<Finished> {
        drop(self.stdin.take());
        let late = || format!("waited in vain for the end of the output of {}", self.command);
        let stdout = self.stdout.all().context(late)?;
        let stderr = self.stderr.all().context(late)?;
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        let status = self.guard.wait(&self.command)?;
        Ok(Finished { command: self.command.clone(), stdout, stderr, status })
    }
}

impl Collected {
    fn begin(pipe: Option<impl Read + Send + 'static>) -> Self {
        let (sender, end) = channel();
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&bytes);
        std::thread::spawn(move || {
            let _until_the_end: Sender<()> = sender;
            if let Some(mut pipe) = pipe {
                // What was read before an error is still worth showing.
                let _ = io::copy(&mut pipe, &mut Sink(shared));
            }
        });
        Self { bytes, end }
    }

    /// What has been read by now.
    fn so_far(&self) -> Vec<u8> {
        lock(&self.bytes).clone()
    }

    /// What has been read at the end.
    fn all(&self) -> Option<Vec<u8>> {
        let ended = self.end.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Disconnected);
        ended.then(|| self.so_far())
    }
}

/// Takes what is read.
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        lock(&self.0).write(piece)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lock(bytes: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    bytes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Outcome<Finished> {
    Running::start(command, false)?.finish()
}
