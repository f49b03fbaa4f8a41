//! Which of a command's processes is sampled, where it is one at a time: its first Python,
//! and when that has ended, the next.

use std::collections::HashMap;
use std::ffi::OsString;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::process_set::ProcessSet;
use super::tracked::State;
use crate::app::error::Error;
use crate::app::options::Options;
use crate::cpython::abi::AbiTag;
use crate::escape::say;
use crate::target::live::{self, Execution, nap};

/// How long the processes are looked at as often as possible: most commands soon are Python.
const EAGER: Duration = Duration::from_secs(5);

/// The pause between two looks meanwhile.
const SHORTEST_NAP: Duration = Duration::from_micros(500);

/// The bounds of the pause after that.
const NAPS: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(100)];

/// The bounds of the pause while one is sampled. The looks are for the account.
const RESTS: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(2)];

/// How soon the end of a command is noticed while another process is sampled.
const WATCH: Duration = Duration::from_millis(20);

/// After the first five seconds, looks take at most one part in so many of a processor.
const NAP_PER_LOOK: u32 = 20;

/// The same while one is sampled.
const REST_PER_LOOK: u32 = 100;

/// The most processes that are remembered because they were not sampled.
const MOST_OTHERS: usize = 10_000;

/// How long what a command has started may take to end after it.
const ENDING: Duration = Duration::from_millis(200);

/// The most processes that are named in a sentence.
const MOST_NAMES: usize = 5;

/// The longest command line of one, in characters.
const LONGEST_NAME: usize = 80;

/// A process that runs Python.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Python {
    /// Its id.
    pub(crate) pid: i32,
    /// Its version.
    pub(crate) version: AbiTag,
    /// When it was started.
    started: u64,
    executed: Option<Execution>,
    is_command: bool,
}

/// The processes of a command.
pub(crate) struct Search<'a> {
    processes: ProcessSet<'a>,
    begin: Instant,
    /// Pythons that ran while another was sampled, as they were last seen, and whether they
    /// have been counted: what has just been forked may be about to execute something else.
    others: HashMap<(i32, u64), (Option<Execution>, bool)>,
    /// How many were counted.
    pub(crate) other_pythons: u64,
    /// What has been said of those that cannot be profiled, with its exit status.
    refused: Option<u8>,
    /// What may have to be said of others.
    unsaid: Vec<String>,
}

impl<'a> Search<'a> {
    /// Nothing has been looked at yet.
    pub(crate) fn new(options: &'a Options, arguments: &'a [OsString], command: i32) -> Self {
        let mut processes = ProcessSet::of_command(options, arguments, command);
        processes.unsaid = Some(Vec::new());
        Self {
            processes,
            begin: Instant::now(),
            others: HashMap::new(),
            other_pythons: 0,
            refused: None,
            unsaid: Vec::new(),
        }
    }

    /// Looks once for a Python. Says why those cannot be profiled that cannot.
    pub(crate) fn look(&mut self) -> Option<Python> {
        self.processes.look_around();
        for (status, words) in
            self.processes.unsaid.as_mut().map(std::mem::take).unwrap_or_default()
        {
            // Where it is not known to be Python, others may be what is wanted.
            if status == 1 {
                self.unsaid.push(words);
            } else {
                say(words.trim_end());
                self.refused.get_or_insert(status);
            }
        }
        let pythons = self.pythons();
        choose(&pythons, live::words)
    }

    /// How long to wait before the next look, if the last took so long.
    pub(crate) fn pause(&self, look: Duration) -> Duration {
        if self.begin.elapsed() < EAGER {
            SHORTEST_NAP
        } else {
            (look * NAP_PER_LOOK).clamp(NAPS[0], NAPS[1])
        }
    }

    /// Begins anew to look as often as possible: one has ended, and the next may come.
    pub(crate) fn begin_anew(&mut self) {
        self.begin = Instant::now();
    }

    /// Notes that a process could not be sampled. What passes is tried again.
    pub(crate) fn note_failure(&mut self, pid: i32, error: &Error) {
        if error.exit_status() != 1 {
            self.refuse(pid, error);
        } else if let Some(process) = self.processes.tracked.get_mut(&pid) {
            process.fail(error.to_string());
        }
    }

    /// Lets a process be, as long as it executes what it does, and says why.
    pub(crate) fn refuse(&mut self, pid: i32, error: &Error) {
        if let Some(process) = self.processes.tracked.get_mut(&pid) {
            process.state = State::Refused;
        }
        say(&error.to_string());
        self.refused.get_or_insert(error.exit_status());
    }

    /// The exit status of what has been said of those that cannot be profiled. Says the rest
    /// too, if nothing has been said yet.
    pub(crate) fn conclude(&mut self) -> Option<u8> {
        self.processes.conclude();
        let last = self.processes.unsaid.as_mut().map(std::mem::take).unwrap_or_default();
        self.unsaid.extend(last.into_iter().map(|(_, words)| words));
        if self.refused.is_none() && !self.unsaid.is_empty() {
            self.unsaid.drain(..).for_each(|words| say(words.trim_end()));
            self.refused = Some(1);
        }
        self.refused
    }

    /// Looks now and then while `python` is sampled, until `over`, and counts the others.
    /// Calls `leave` when it only waits for another Python that it has started, and when the
    /// command has ended, and this is what it has left behind.
    pub(crate) fn watch(&mut self, python: Python, over: &Receiver<()>, leave: impl Fn()) {
        loop {
            let begin = Instant::now();
            self.processes.look_around();
            let pythons = self.pythons();
            self.count_others(&pythons, python);
            if is_wrapper(&python, &pythons, &live::words) {
                leave();
            }
            let rest = (begin.elapsed() * REST_PER_LOOK).clamp(RESTS[0], RESTS[1]);
            let end = Instant::now() + rest;
            while Instant::now() < end {
                // The end of the command itself is seen by who samples it.
                let nap = if python.is_command { rest } else { WATCH.min(rest) };
                if over.recv_timeout(nap) != Err(RecvTimeoutError::Timeout) {
                    return;
                } else if !python.is_command && !self.processes.has_command() {
                    leave();
                }
            }
        }
    }

    /// The processes that are left when the command has ended, in words.
    pub(crate) fn survivors(&mut self) -> Option<String> {
        self.processes.survivors()
    }

    fn pythons(&self) -> Vec<Python> {
        self.processes.pythons()
    }

    /// Counts those that were there at the last look already, and execute the same still.
    fn count_others(&mut self, pythons: &[Python], sampled: Python) {
        for other in pythons.iter().filter(|other| other.pid != sampled.pid) {
            if self.others.len() >= MOST_OTHERS {
                self.others.retain(|(pid, _), _| pythons.iter().any(|python| python.pid == *pid));
            }
            let known = self.others.entry((other.pid, other.started));
            let seen = known.or_insert((None, false));
            if seen.0.is_some() && seen.0 == other.executed && !seen.1 {
                seen.1 = true;
                self.other_pythons += 1;
            }
            seen.0 = other.executed;
        }
    }
}

impl ProcessSet<'_> {
    /// Those that run Python and are not sampled.
    fn pythons(&self) -> Vec<Python> {
        let tracked = self.tracked.values();
        let pythons = tracked.filter_map(|process| match process.state {
            State::Python(version) => Some(Python {
                pid: process.pid,
                version,
                started: process.started()?,
                executed: process.execution(),
                is_command: process.is_root,
            }),
            _ => None,
        });
        pythons.collect()
    }

    /// Whether the command runs still.
    fn has_command(&self) -> bool {
        self.tracked.values().any(|process| process.is_root && process.is_alive())
    }

    /// The processes that a command has left behind, in words.
    pub(super) fn survivors(&mut self) -> Option<String> {
        let begin = Instant::now();
        loop {
            self.look_around();
            let alive = self.tracked.values().filter(|process| process.is_alive());
            let alive: Vec<i32> = alive.map(|process| process.pid).collect();
            // Helpers end when they notice that their program has.
            if alive.is_empty() || begin.elapsed() > ENDING {
                return in_words(alive);
            }
            nap(NAPS[0]);
        }
    }
}

/// These processes in a sentence.
fn in_words(pids: Vec<i32>) -> Option<String> {
    let name = |pid: &i32| {
        let line: String = live::command_line(*pid).chars().take(LONGEST_NAME).collect();
        let line = line.replace(char::is_control, " ");
        format!("process {pid} ({line})")
    };
    let names: Vec<String> = pids.iter().take(MOST_NAMES).map(name).collect();
    let more = match pids.len().saturating_sub(MOST_NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let still = if pids.len() == 1 { "still runs" } else { "still run" };
    (!names.is_empty())
        .then(|| format!("Started by the command, {}{more} {still}.", names.join(", ")))
}

/// The one to sample: the command itself, or else the oldest; but not one that has only
/// started another as what it was asked to run.
fn choose(pythons: &[Python], words: impl Fn(i32) -> Vec<Vec<u8>>) -> Option<Python> {
    let programs = pythons.iter().filter(|python| !is_wrapper(python, pythons, &words));
    programs.min_by_key(|python| (!python.is_command, python.started, python.pid)).copied()
}

/// Whether a Python has executed another one whose arguments are the last of its own: so do
/// `conda run python app.py`, and the reloaders of web servers. A fork executes nothing.
fn is_wrapper(python: &Python, pythons: &[Python], words: &impl Fn(i32) -> Vec<Vec<u8>>) -> bool {
    let is_younger = |other: &&Python| {
        (other.started, other.pid) > (python.started, python.pid)
            && other.executed.is_some()
            && other.executed != python.executed
    };
    let mut younger = pythons.iter().filter(is_younger).peekable();
    if younger.peek().is_none() {
        return false;
    }
    let own = words(python.pid);
    younger.any(|other| passes_on(&own, &words(other.pid)))
}

/// Whether a command line ends with the arguments of another.
fn passes_on(own: &[Vec<u8>], other: &[Vec<u8>]) -> bool {
    other.get(1..).is_some_and(|arguments| !arguments.is_empty() && own.ends_with(arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Vec<u8>> {
        line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
    }

    #[test]
    fn a_wrapper_passes_its_last_words_on() {
        let passes = |own: &str, other: &str| passes_on(&words(own), &words(other));
        assert!(passes("python conda run -n x python app.py -v", "/x/python app.py -v"));
        assert!(passes("python manage.py runserver", "python manage.py runserver"));
        assert!(!passes("python app.py", "python -c import-spawn --multiprocessing-fork"));
        assert!(!passes("python app.py", "python"));
        assert!(!passes("python app.py -v", "python app.py"));
        assert!(!passes_on(&words("python app.py"), &[]));
    }

    #[test]
    fn the_program_is_chosen_and_not_what_started_it() {
        let version = AbiTag::new(3, 11);
        let child = std::process::Command::new("sleep").arg("60").spawn().expect("a process");
        let mut child = child;
        let executed = loop {
            let pid = i32::try_from(child.id()).expect("a pid");
            if let Some(execution) = Execution::of(pid) {
                break Some(execution);
            }
        };
        let own = Execution::of(std::process::id() as i32);
        let python = |pid, executed, is_command| Python {
            pid,
            version,
            started: pid as u64,
            executed,
            is_command,
        };
        let lines = |pid: i32| match pid {
            1 => words("python conda run python app.py"),
            3 => words("python app.py"),
            _ => words("python other.py"),
        };
        let chosen = |pythons: &[Python]| choose(pythons, lines).map(|python| python.pid);
        let [one, two, three] =
            [python(1, own, true), python(2, executed, false), python(3, executed, false)];
        assert_eq!(chosen(&[one, two]), Some(1));
        assert_eq!(chosen(&[one, three]), Some(3));
        assert_eq!(chosen(&[three, two]), Some(2));
        // What has been forked executes what its parent does.
        assert_eq!(chosen(&[one, python(3, own, false)]), Some(1));
        assert_eq!(chosen(&[]), None);
        child.kill().expect("it runs");
        child.wait().expect("it has ended");
    }

    #[test]
    fn a_few_are_named() {
        assert_eq!(in_words(Vec::new()), None);
        let own = std::process::id() as i32;
        let words = in_words(vec![own]).expect("a sentence");
        assert!(words.starts_with(&format!("Started by the command, process {own} (")));
        assert!(words.ends_with(") still runs."));
        assert!(in_words(vec![own; 7]).expect("a sentence").ends_with(" and 2 more still run."));
    }
}
