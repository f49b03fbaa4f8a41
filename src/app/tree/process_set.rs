//! The processes of a tree: those that were named, and those that they start, found by
//! asking the kernel again and again for the children of each.
//!
//! A process that begins and ends between two looks is not seen. All numbers are bounded,
//! whatever the program does: how many processes are known and sampled at a time, and how
//! many samplers are started in a second.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::time::{Duration, Instant};

use super::merged::Shared;
use super::sampler::{Ended, Sampler};
use super::tracked::{Look, State, Tracked};
use super::tree_stats::{Denials, TreeStats};
use crate::app::error::Error;
use crate::app::options::Options;
use crate::app::{launch, programs};
use crate::cpython::abi::AbiTag;
use crate::escape::say;
use crate::target::ThreadState;
use crate::target::live;

/// The most processes that are known at a time.
const MOST_TRACKED: usize = 10_000;

/// The most processes that are sampled at a time.
const MOST_SAMPLERS: usize = 100;

/// How many samplers are started in a second, in the long run: to start one takes some
/// milliseconds of a processor, and thousands of short-lived processes are not worth that.
const STARTS_PER_SECOND: f64 = 20.0;

/// The most executables that are remembered to be Python.
const MOST_FILES: usize = 1000;

/// How long one moment is waited for of processes that are starting.
const STARTING: Duration = Duration::from_secs(5);

/// So many messages about processes that cannot be profiled are shown.
const MOST_COMPLAINTS: usize = 5;

/// The processes of a tree.
pub(super) struct ProcessSet<'a> {
    options: &'a Options,
    arguments: &'a [OsString],
    pub(super) tracked: BTreeMap<i32, Tracked>,
    /// The command that this program has started: what it leaves behind comes to this program.
    command: Option<i32>,
    /// Those that have ended.
    past: TreeStats,
    /// Of these, those that are still listed as children, because nobody has waited for them
    /// yet: when they were started, by their ids.
    counted: HashMap<i32, u64>,
    /// Files that were seen to be Python: a process that executes one needs no long look.
    python: HashMap<(u64, u64), AbiTag>,
    starts: Starts,
    complaints: usize,
    /// Those that could not be read, as far as that has been said.
    told: Denials,
    /// Why processes cannot be profiled, with the exit status for that, where it is not said
    /// at once.
    pub(super) unsaid: Option<Vec<(u8, String)>>,
    begin: Instant,
    looked: bool,
}

/// How many samplers may be started now.
struct Starts {
    left: f64,
    since: Instant,
}

impl<'a> ProcessSet<'a> {
    /// The processes `roots`.
    pub(super) fn new(options: &'a Options, arguments: &'a [OsString], roots: &[i32]) -> Self {
        let tracked = roots.iter().filter_map(|pid| Some((*pid, Tracked::new(*pid, true)?)));
        let tracked: BTreeMap<i32, Tracked> = tracked.collect();
        let too_short = (roots.len() - tracked.len()) as u64;
        Self {
            options,
            arguments,
            tracked,
            command: None,
            past: TreeStats { too_short, ..TreeStats::default() },
            counted: HashMap::new(),
            python: HashMap::new(),
            starts: Starts::new(),
            complaints: 0,
            told: Denials::default(),
            unsaid: None,
            begin: Instant::now(),
            looked: false,
        }
    }

    /// The processes of a command that this program has started.
    pub(super) fn of_command(
        options: &'a Options,
        arguments: &'a [OsString],
        command: i32,
    ) -> Self {
        Self { command: Some(command), ..Self::new(options, arguments, &[command]) }
    }

    /// Looks for processes that are new, and does for each what is to be done. Returns how
    /// long the search took.
    pub(super) fn look(&mut self, merged: &Shared) -> Duration {
        let begin = Instant::now();
        // One moment is wanted of those that are there at the beginning.
        if self.options.subprocesses && !(self.is_moment() && self.looked) {
            self.find_children();
        }
        self.looked = true;
        let search = begin.elapsed();
        let pids: Vec<i32> = self.tracked.keys().copied().collect();
        for pid in pids {
            self.attend(pid);
            self.start_sampler(pid, merged);
        }
        search
    }

    /// Looks for processes that are new, and finds out what they all are. Nobody samples them.
    pub(super) fn look_around(&mut self) {
        self.find_children();
        let pids: Vec<i32> = self.tracked.keys().copied().collect();
        pids.into_iter().for_each(|pid| self.attend(pid));
    }

    /// Whether there is nothing left to do: all who were named have ended, or the one
    /// moment that was wanted has been sampled.
    pub(super) fn has_ended(&self) -> bool {
        let mut tracked = self.tracked.values();
        if self.is_moment() {
            let is_late = self.begin.elapsed() > STARTING;
            let is_sampled = |process: &Tracked| matches!(process.state, State::Sampled(..));
            return tracked.all(|process| process.is_done() || is_late && !is_sampled(process));
        }
        !tracked.any(|process| process.is_root)
    }

    fn is_moment(&self) -> bool {
        self.options.duration.is_some_and(|duration| duration.is_zero())
    }

    fn find_children(&mut self) {
        self.adopt();
        let mut parents: Vec<i32> = self.tracked.keys().copied().collect();
        while let Some(parent) = parents.pop() {
            for pid in live::children(parent).unwrap_or_default() {
                if !self.tracked.contains_key(&pid) && self.meet(pid) {
                    parents.push(pid);
                }
            }
        }
        self.counted.retain(|pid, started| {
            live::stat(*pid).is_some_and(|stat| stat.start_time == *started)
        });
    }

    /// Takes up the processes whose parents have ended, and collects those that have ended
    /// themselves: this program is their parent now.
    fn adopt(&mut self) {
        let Some(command) = self.command else { return };
        let own = i32::try_from(std::process::id()).unwrap_or_default();
        let samplers: Vec<i32> = self.tracked.values().filter_map(Tracked::sampler).collect();
        for pid in live::children(own).unwrap_or_default() {
            if pid == command || samplers.contains(&pid) {
                continue;
            }
            if !self.tracked.contains_key(&pid) {
                self.meet(pid);
            }
            if live::stat(pid).is_some_and(|stat| stat.state == ThreadState::Zombie) {
                launch::collect(pid);
            }
        }
    }

    /// Takes up a process that a known one has started. `false` if it has ended, or there is
    /// no room for it.
    fn meet(&mut self, pid: i32) -> bool {
        let Some(process) = Tracked::new(pid, false) else {
            // It is not there any more. If it has not been counted, it was not sampled.
            self.past.too_short += u64::from(self.counted.remove(&pid).is_none());
            return false;
        };
        let started = process.started();
        let is_counted = started.is_some() && self.counted.get(&pid).copied() == started;
        if is_counted || !process.is_alive() {
            self.past.too_short += u64::from(!is_counted);
            self.counted.extend(started.map(|started| (pid, started)));
            return false;
        }
        let is_room = self.tracked.len() < MOST_TRACKED;
        if is_room {
            log::debug!("found process {pid}");
            self.tracked.insert(pid, process);
        }
        is_room
    }

    /// Does for one process what is to be done.
    fn attend(&mut self, pid: i32) {
        let is_moment = self.is_moment();
        let Some(process) = self.tracked.get_mut(&pid) else { return };
        if let State::Sampled(_, sampler) = &mut process.state {
            let Some(ended) = sampler.ended() else { return };
            self.sampler_ended(pid, ended);
        }
        let Some(process) = self.tracked.get_mut(&pid) else { return };
        if !process.is_alive() {
            process.count(&mut self.past);
            self.counted.extend(process.started().map(|started| (pid, started)));
            self.tracked.remove(&pid);
            return;
        }
        if is_moment && matches!(process.state, State::Done) {
            return;
        }
        process.notice_exec();
        if let Some(words) = process.take_failure(false) {
            self.complain(&words);
        }
        self.identify(pid);
    }

    fn sampler_ended(&mut self, pid: i32, ended: Ended) {
        let is_moment = self.is_moment();
        let Some(process) = self.tracked.get_mut(&pid) else { return };
        let Ended { status, sampled, words } = ended;
        log::debug!(
            "the profiler of process {pid} has ended: status {status:?}, sampled: {sampled}"
        );
        if status == Some(Error::STATUS_OTHER_BINARY.into()) {
            // The file is Python, but not always of this version.
            process.executed_file().map(|file| self.python.remove(&file));
        }
        process.after_sampler(status, sampled, words);
        if is_moment && sampled {
            process.state = State::Done;
        }
    }

    /// Finds out whether a process of which nothing is known runs Python, if that is due.
    fn identify(&mut self, pid: i32) {
        let Some(process) = self.tracked.get_mut(&pid) else { return };
        if !process.is_due() {
            return;
        }
        let file = process.executed_file();
        let known = file.filter(|_| !process.has_failed());
        let known = known.and_then(|file| self.python.get(&file)).copied();
        let known = known.map(|version| Look::Python(version, true));
        match known.unwrap_or_else(|| process.look()) {
            Look::Python(version, is_of_file) => {
                log::debug!("process {pid} runs CPython {version}");
                process.state = State::Python(version);
                if self.python.len() >= MOST_FILES {
                    self.python.clear();
                }
                // The loader of a bundled program executes the same file as the program.
                let file = file.filter(|_| is_of_file);
                self.python.extend(file.map(|file| (file, version)));
            }
            // One that is about to end may not be looked at either.
            Look::Refused(_) | Look::Denied(..) if !process.is_alive() => {}
            Look::Denied(denial, error) => {
                process.state = State::Denied(denial);
                // Of those with the same reason, one is enough.
                if self.told.note(denial) {
                    self.complain_with(error.exit_status(), &error.to_string());
                }
            }
            Look::Failed(words) => process.fail(words),
            Look::Refused(error) => self.refuse(pid, error),
            Look::NotYet => {}
        }
    }

    fn start_sampler(&mut self, pid: i32, merged: &Shared) {
        let is_sampled = |process: &&Tracked| matches!(process.state, State::Sampled(..));
        let Some(State::Python(version)) = self.tracked.get(&pid).map(|process| &process.state)
        else {
            return;
        };
        let version = *version;
        if self.tracked.values().filter(is_sampled).count() >= MOST_SAMPLERS
            || !self.starts.take_one()
        {
            return;
        }
        let started = programs::profiler_for(pid, &version, version)
            .and_then(|program| Sampler::start(&program, pid, self.arguments, merged));
        let state = match started {
            Ok(sampler) => {
                log::debug!("process {} samples process {pid}", sampler.pid());
                State::Sampled(version, sampler)
            }
            Err(error) => return self.refuse(pid, error),
        };
        if let Some(process) = self.tracked.get_mut(&pid) {
            process.state = state;
        }
    }

    /// Lets a process be as long as it executes what it does, for this reason.
    pub(super) fn refuse(&mut self, pid: i32, error: Error) {
        log::debug!("process {pid} is not sampled: {error}");
        if let Some(process) = self.tracked.get_mut(&pid) {
            process.state = State::Refused;
        }
        self.complain_with(error.exit_status(), &error.to_string());
    }

    /// Says why a process cannot be profiled, if that has not been said too often.
    fn complain(&mut self, words: &str) {
        self.complain_with(1, words);
    }

    fn complain_with(&mut self, status: u8, words: &str) {
        self.complaints += 1;
        if let Some(unsaid) = &mut self.unsaid {
            if unsaid.len() < MOST_COMPLAINTS {
                unsaid.push((status, words.to_owned()));
            }
            return;
        }
        if self.complaints <= MOST_COMPLAINTS {
            say(words);
        } else if self.complaints == MOST_COMPLAINTS + 1 {
            eprintln!("Further processes that cannot be profiled are only counted.");
        }
    }

    /// Ends all samplers, which may be started again afterwards.
    pub(super) fn end_samplers(&mut self) {
        for process in self.tracked.values() {
            if let State::Sampled(_, sampler) = &process.state {
                sampler.tell_to_end();
            }
        }
        for process in self.tracked.values_mut() {
            let State::Sampled(version, sampler) = &mut process.state else { continue };
            let (version, ended) = (*version, sampler.wait());
            process.after_sampler(ended.status, ended.sampled, ended.words);
            if ended.status == Some(0) {
                process.state = State::Python(version);
            }
        }
        self.starts = Starts::new();
    }

    /// Says of the processes that are there at the end which ones could not be profiled, and
    /// how many could not be read.
    pub(super) fn conclude(&mut self) {
        let alive = self.tracked.values_mut().filter(|process| process.is_alive());
        let failures: Vec<String> =
            alive.filter_map(|process| process.take_failure(true)).collect();
        failures.iter().for_each(|words| self.complain(words));
        self.stats().denied.summary().iter().for_each(|words| say(words));
    }

    /// What has become of the processes by now.
    pub(super) fn stats(&self) -> TreeStats {
        let mut stats = self.past.clone();
        self.tracked.values().for_each(|process| process.count(&mut stats));
        stats
    }
}

impl Starts {
    fn new() -> Self {
        Self { left: MOST_SAMPLERS as f64, since: Instant::now() }
    }

    /// Whether one more may be started.
    fn take_one(&mut self) -> bool {
        let now = Instant::now();
        let more = now.duration_since(self.since).as_secs_f64() * STARTS_PER_SECOND;
        self.left = (self.left + more).min(MOST_SAMPLERS as f64);
        self.since = now;
        let is_left = self.left >= 1.0;
        if is_left {
            self.left -= 1.0;
        }
        is_left
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::app::cli::{Request, parse};
    use crate::target::ThreadState;

    #[test]
    fn a_child_that_has_ended_is_counted_once_however_often_it_is_met() {
        let arguments = ["pyflame", "--subprocesses", "-p", "1"].map(OsString::from);
        let Ok(Request::Profile(options)) = parse(&arguments, &[]) else { panic!("options") };
        let mut processes = ProcessSet::new(&options, &[], &[]);
        let mut child = Command::new("true").spawn().expect("a child");
        let pid = i32::try_from(child.id()).expect("a pid");
        while live::stat(pid).is_some_and(|stat| stat.state != ThreadState::Zombie) {
            std::thread::yield_now();
        }
        for _ in 0..2 {
            assert!(!processes.meet(pid));
            assert_eq!(processes.stats().too_short, 1);
        }
        // It was still listed when its parent collected it.
        child.wait().expect("it has ended");
        assert!(!processes.meet(pid));
        assert_eq!(processes.stats().too_short, 1);
        // Another one that is gone before it is looked at.
        assert!(!processes.meet(pid));
        assert_eq!(processes.stats().too_short, 2);
    }

    #[test]
    fn samplers_are_not_started_without_bounds() {
        let mut starts = Starts::new();
        let begin = Instant::now();
        let taken = (0..1000).filter(|_| starts.take_one()).count();
        let allowed = 100 + (begin.elapsed().as_secs_f64() * STARTS_PER_SECOND) as usize + 1;
        assert!((100..=allowed).contains(&taken), "{taken}");
    }
}
