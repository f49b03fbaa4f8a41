//! What was profiled, and how: what a report says at its head.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::stats::Rows;
use crate::stack::FrameStyle;

/// The most entries that are kept of a process's `sys.path`.
pub const LONGEST_SEARCH_PATH: usize = 1000;

/// The longest command line in the name of a process, in characters.
const LONGEST_COMMAND: usize = 200;

/// How much a profile keeps of each sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Which stack it was.
    #[default]
    Stacks,
    /// Also which thread, and what the thread was doing.
    Threads,
    /// Also when.
    Timeline,
}

/// The run that a profile comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunInfo {
    /// When it began, in microseconds since the epoch.
    pub started: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// The time between two samples that was asked for; zero for as fast as possible.
    pub interval: Duration,
    /// Moments at which a sample was due and taken up.
    pub ticks: u64,
    /// Whether all threads were sampled, and not only those that held a GIL.
    pub every_thread: bool,
    /// Whether it was a run with several processes: then stacks tell whose they are, even if
    /// only one process was seen.
    pub tells_processes: bool,
    /// What frames tell.
    pub style: FrameStyle,
    /// What became of every tick.
    pub account: Rows,
}

impl RunInfo {
    /// What one sample stands for: the interval, or where there is none the mean of what
    /// was reached.
    #[must_use]
    pub fn period(&self) -> Duration {
        if self.interval.is_zero() {
            let ticks = u32::try_from(self.ticks.max(1)).unwrap_or(u32::MAX);
            self.elapsed / ticks
        } else {
            self.interval
        }
    }

    /// Several runs, as if they were one: from the first beginning to the last end, with
    /// their ticks and accounts added up. The interval is the shortest, and frames tell what
    /// those of all runs do.
    #[must_use]
    pub fn of_all<'a>(runs: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut runs = runs.into_iter().filter(|run| run.started > 0);
        let Some(first) = runs.next() else { return Self::default() };
        runs.fold(first.clone(), |mut all, run| {
            let end = all.end().max(run.end());
            all.started = all.started.min(run.started);
            all.elapsed = Duration::from_micros(end.saturating_sub(all.started));
            all.interval = all.interval.min(run.interval);
            all.ticks = all.ticks.saturating_add(run.ticks);
            all.every_thread |= run.every_thread;
            all.tells_processes |= run.tells_processes;
            all.style = all.style.max(run.style);
            all.account.add_run(&run.account);
            all
        })
    }

    /// When the run was over, in microseconds since the epoch.
    fn end(&self) -> u64 {
        self.started.saturating_add(u64::try_from(self.elapsed.as_micros()).unwrap_or(u64::MAX))
    }
}

/// A process that was sampled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Its id, as this system counts.
    pub pid: i32,
    /// Its command line, words joined by spaces; empty if it could not be read.
    pub command: String,
    /// The full version of its Python, with the letters of its ABI, such as `3.11.7` or
    /// `3.14.2t`; empty if unknown.
    pub python: String,
    /// Where it looks for its modules: the absolute entries of `sys.path`, if they were
    /// asked for.
    pub search_path: Vec<String>,
}

impl Process {
    /// A process of which no more than this is known.
    #[must_use]
    pub fn new(pid: i32, command: impl Into<String>, python: impl Into<String>) -> Self {
        Self { pid, command: command.into(), python: python.into(), search_path: Vec::new() }
    }

    /// Whether its Python is free-threaded. Then what is called to hold the GIL is to be attached
    /// to the interpreter: many threads can be at once.
    #[must_use]
    pub fn is_free_threaded(&self) -> bool {
        self.python.ends_with('t')
    }

    /// Its name, as wherever it is shown, but with at most so many characters of the
    /// command line.
    #[must_use]
    pub fn short_name(&self, longest: usize) -> String {
        let command = if self.command.is_empty() { "process" } else { &self.command };
        format!("{} (pid {})", beginning(command, longest), self.pid)
    }

    /// Its name as the outermost frame of stacks: the id first, which tells processes apart
    /// where little of a frame is shown, as in `process 4242 (python3 app.py)`. The `;` that
    /// ends a frame becomes a `,`.
    #[must_use]
    pub fn frame_name(&self) -> String {
        let command = beginning(&self.command, LONGEST_COMMAND);
        format!("process {} ({})", self.pid, command.replace(';', ","))
    }
}

/// Its name wherever it is shown, as in `python3 app.py (pid 4242)`.
impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short_name(LONGEST_COMMAND))
    }
}

/// At most so many characters of `text`, with an ellipsis where some are missing.
fn beginning(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A process of a [`Profile`](super::Profile).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub(super) u32);

impl ProcessId {
    /// Its position among those of its profile, in the order they were added.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A thread that was sampled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// The process that it belongs to.
    pub process: ProcessId,
    /// `threading.get_ident()`.
    pub id: u64,
    /// The kernel's id, where it is known.
    pub native_id: Option<i32>,
    /// Its name, where it is known.
    pub name: Option<Arc<str>>,
}

/// Its name wherever it is shown, as in `MainThread (4242)` or, if it has none, `Thread 4242`:
/// several threads may be called the same. The number is the kernel's id; where that is not
/// known, it is Python's, in hexadecimal digits.
impl fmt::Display for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = match self.native_id {
            Some(native_id) => native_id.to_string(),
            None => format!("{:#x}", self.id),
        };
        match &self.name {
            Some(name) => write!(f, "{name} ({number})"),
            None => write!(f, "Thread {number}"),
        }
    }
}

/// A thread of a [`Profile`](super::Profile).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ThreadId(pub(super) u32);

impl ThreadId {
    /// Its position among the profile's threads, from 0.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a thread was doing when it was sampled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    /// Whether it held a GIL, or was attached where there is none.
    pub holds_gil: bool,
    /// Whether it waited until its interpreter lets all threads go on again: a stop-the-world
    /// pause of a free-threaded one.
    pub is_suspended: bool,
    /// Whether it ran on a processor; `None` where that was not looked at.
    pub on_cpu: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::stats::{Key, Value};

    #[test]
    fn a_run_without_an_interval_has_the_period_that_it_reached() {
        let elapsed = Duration::from_secs(2);
        let fast = RunInfo { elapsed, ticks: 1000, ..RunInfo::default() };
        assert_eq!(fast.period(), Duration::from_millis(2));
        let steady = RunInfo { interval: Duration::from_millis(10), ..fast };
        assert_eq!(steady.period(), Duration::from_millis(10));
    }

    #[test]
    fn a_process_is_named_by_its_command_and_its_id() {
        let process =
            |command: &str| Process { pid: 7, command: command.into(), ..Process::default() };
        assert_eq!(process("python3 a;b").to_string(), "python3 a;b (pid 7)");
        assert_eq!(process("python3 a;b").frame_name(), "process 7 (python3 a,b)");
        assert_eq!(process("").to_string(), "process (pid 7)");
        assert_eq!(process("").frame_name(), "process 7 ()");
        assert_eq!(process("äöü").short_name(2), "äö… (pid 7)");
        let long = process(&"ä".repeat(300));
        assert_eq!(long.to_string(), format!("{}… (pid 7)", "ä".repeat(200)));
    }

    #[test]
    fn a_thread_is_named_by_its_name_and_its_id() {
        let thread = |native_id, name: Option<&str>| {
            let name = name.map(Arc::from);
            Thread { process: ProcessId(0), id: 0x7f01, native_id, name }.to_string()
        };
        assert_eq!(thread(Some(4243), Some("pool-7")), "pool-7 (4243)");
        assert_eq!(thread(None, Some("pool-7")), "pool-7 (0x7f01)");
        assert_eq!(thread(Some(4243), None), "Thread 4243");
        assert_eq!(thread(None, None), "Thread 0x7f01");
    }

    #[test]
    fn several_runs_reach_from_the_first_beginning_to_the_last_end() {
        let account = |torn| Rows::from([(Key::Torn, torn)]);
        let run = |started, account| RunInfo {
            started,
            elapsed: Duration::from_micros(10),
            interval: Duration::from_millis(1),
            ticks: 5,
            account,
            ..RunInfo::default()
        };
        let all = RunInfo::of_all(&[run(107, account(2)), run(100, account(40))]);
        assert_eq!((all.started, all.elapsed), (100, Duration::from_micros(17)));
        assert_eq!(all.ticks, 10);
        assert_eq!(all.account, account(42));
    }

    #[test]
    fn one_run_stays_as_it_is_and_one_that_never_began_is_none() {
        let mut run = RunInfo { started: 1, ..RunInfo::default() };
        run.account.put(Key::Cpu, Value::Time(Duration::from_micros(3)));
        assert_eq!(RunInfo::of_all([&RunInfo::default(), &run]), run);
        assert_eq!(RunInfo::of_all([]), RunInfo::default());
    }
}
