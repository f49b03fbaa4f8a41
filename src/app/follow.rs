//! `-t`, one process at a time: the first Python of a command is sampled, and when it has
//! ended, or executed something else, and the command goes on, the next one, into the same
//! profile.
//!
//! This program becomes the profiler for each ([`crate::app::launch::handover`]): the launcher for
//! the first, a profiler for the one after.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::app::attach::{Attached, attach};
use crate::app::closing_words::{NO_SUCH_THREAD, tell_account};
use crate::app::error::Error;
use crate::app::launch::Launch;
use crate::app::launch::handover::{Begun, Carried, Handover, keep_open, read_profile};
use crate::app::options::Options;
use crate::app::programs;
use crate::app::progress::Progress;
use crate::app::sandbox::{Needs, confine};
use crate::app::session::{Over, Session};
use crate::app::sinks::Sinks;
use crate::app::tree::search::{Python, Search};
use crate::cpython::abi::Abi;
use crate::escape::say;
use crate::profile::stats::{Account, Key, Outcome, SampledProcess, Value};
use crate::profile::{self, Profile};
use crate::render::recording;
use crate::target::live::scheduling::be_woken_in_time;
use crate::target::live::{nap, release_left};

/// The most processes of which the account tells the command lines.
const MOST_ROWS: usize = 16;

/// How long a command may run before it is said that it has not run Python.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest command line in the account, in characters.
const LONGEST_LINE: usize = 200;

/// Starts a command, and becomes the profiler for its first Python. Returns the exit status,
/// if that did not come to be.
///
/// # Errors
/// [`Error`] if the command cannot be started.
pub(crate) fn start(
    options: &Options,
    words: &[OsString],
    arguments: &[OsString],
) -> Result<u8, Error> {
    let mut run = Run::new(options, arguments, Launch::start(words)?);
    while let Some(python) = run.next_python(None, || {}) {
        if let Some(program) = run.profiler_for(python) {
            let handover = Handover { pid: run.launch.pid(), begun: None };
            let error = run.launch.hand_over(&program, arguments, &handover);
            run.search.refuse(python.pid, &error);
        }
    }
    Ok(run.give_up(None))
}

/// Starts a command and samples it, or goes on with one that the launcher or another profiler
/// has started. Returns the exit status.
///
/// # Errors
/// [`Error`] if the command cannot be started, or the profile not be written.
pub(crate) fn follow<A: Abi>(
    options: &Options,
    words: &[OsString],
    handover: Option<&Handover>,
    arguments: &[OsString],
) -> Result<u8, Error> {
    let launch = match handover {
        Some(handover) => Launch::adopt(handover.pid, words)?,
        None => Launch::start(words)?,
    };
    let mut run = Run::new(options, arguments, launch);
    match run.sample::<A>(handover) {
        Ok(Some(sampled)) => run.finish(sampled),
        Ok(None) => Ok(run.give_up(None)),
        Err(error) => Ok(run.give_up(Some(error))),
    }
}

/// A run with a command.
struct Run<'a> {
    options: &'a Options,
    arguments: &'a [OsString],
    launch: Launch,
    search: Search<'a>,
    /// When it is said that there has been no Python so far.
    patience: Option<Instant>,
    /// Whether this program, or the one before it, has given up what it does not need.
    is_confined: bool,
}

/// What has been sampled, and where it goes.
struct Sampled {
    results: Sinks,
    /// `None` if it has all been written.
    profile: Option<Profile>,
    /// Threads were asked for, and none was met.
    lacks_threads: bool,
    /// Something could not be written by the profilers before this one.
    is_incomplete: bool,
}

impl<'a> Run<'a> {
    fn new(options: &'a Options, arguments: &'a [OsString], launch: Launch) -> Self {
        let search = Search::new(options, arguments, launch.pid());
        let patience = Some(Instant::now() + PATIENCE);
        Self { options, arguments, launch, search, patience, is_confined: false }
    }

    /// Waits for the next Python of the command. `None` if it ends first, is asked to end or
    /// left, or the time is over. Does `meanwhile` what else there is to do.
    fn next_python(
        &mut self,
        until: Option<Instant>,
        mut meanwhile: impl FnMut(),
    ) -> Option<Python> {
        loop {
            if self.launch.has_ended()
                || self.launch.has_asked()
                || self.launch.signals().ask_for_end()
                || until.is_some_and(|until| Instant::now() >= until)
            {
                return None;
            }
            let begin = Instant::now();
            let python = self.search.look();
            if let Some(Python { pid, version, .. }) = &python {
                log::debug!("process {pid} of the command runs CPython {version}");
                self.patience = None;
                return python;
            }
            if self.patience.take_if(|end| begin >= *end).is_some() {
                let program = self.launch.program();
                say(&format!("{program} has not run Python so far. Looking for it until it ends."));
            }
            meanwhile();
            release_left();
            nap(self.search.pause(begin.elapsed()));
        }
    }

    /// The profiler for a process. Says why there is none.
    fn profiler_for(&mut self, python: Python) -> Option<PathBuf> {
        let Python { pid, version, .. } = python;
        let program = programs::profiler_for(pid, &version, version);
        program.inspect_err(|error| self.search.refuse(pid, error)).ok()
    }

    /// Samples one Python, and becomes the profiler for the next as long as there is one.
    /// Returns what there is at the end; `None` if nothing has been sampled.
    fn sample<A: Abi>(&mut self, handover: Option<&Handover>) -> Result<Option<Sampled>, Error> {
        let begun = handover.and_then(|handover| handover.begun.as_ref());
        let mut results = self.open_results(begun.is_some())?;
        let mut profile = None;
        if let Some(number) = begun.and_then(|begun| begun.profile) {
            let mut past = Profile::new(self.options.format.detail);
            read_profile(number, &mut past).map_err(Error::Handover)?;
            profile = Some(past);
        }
        self.search.other_pythons = begun.map_or(0, |begun| begun.others);
        let is_incomplete = begun.is_some_and(|begun| begun.is_incomplete);
        self.is_confined = begun.is_some_and(|begun| begun.is_confined);
        if begun.is_some() {
            self.patience = None;
        }
        let mut began = begun.and_then(|begun| Instant::now().checked_sub(begun.elapsed));
        let mut lacks_threads = false;
        let mut has_sampled = false;
        let signals = self.launch.signals().clone();
        loop {
            let until = began.zip(self.options.duration).map(|(began, time)| began + time);
            let next = self.next_python(until, || {
                if let (true, Some(profile)) = (signals.ask_for_snapshot(), &mut profile) {
                    results.snapshot(profile);
                }
            });
            let Some(python) = next else { break };
            // Who was called by its own name begins with a Python of its version.
            let is_for_others = handover.is_some() && python.version != A::TAG;
            if has_sampled || is_for_others {
                let Some(program) = self.profiler_for(python) else { continue };
                let (error, kept) =
                    self.hand_over(&program, results, profile, began, is_incomplete)?;
                self.search.refuse(python.pid, &error);
                results = self.open_results(began.is_some())?;
                profile = kept;
                continue;
            }
            match attach::<A>(python.pid, self.options.pause.is_ever()) {
                Ok(attached) => {
                    let begin = *began.get_or_insert_with(Instant::now);
                    let (seen, account, over) =
                        self.stint::<A>(python, attached, profile.take(), begin, &mut results)?;
                    profile = Some(seen);
                    lacks_threads = account.lacks_threads && begun.is_none();
                    has_sampled = true;
                    if over == Over::Run {
                        break;
                    }
                    self.search.begin_anew();
                }
                Err(error) => self.search.note_failure(python.pid, &error),
            }
        }
        if began.is_none() {
            return Ok(None);
        }
        if let Some(profile) = &mut profile {
            self.tell_processes(profile);
        }
        Ok(Some(Sampled { results, profile, lacks_threads, is_incomplete }))
    }

    /// The place of the result. A recording that has begun is added to.
    fn open_results(&self, has_begun: bool) -> Result<Sinks, Error> {
        let append = self.options.append || has_begun && self.options.format == recording::FORMAT;
        Sinks::open(&Options { append, ..self.options.clone() })
    }

    /// Samples a process until it has ended, or something else has.
    fn stint<A: Abi>(
        &mut self,
        python: Python,
        attached: Attached,
        past: Option<Profile>,
        begin: Instant,
        results: &mut Sinks,
    ) -> Result<(Profile, Account, Over), Error> {
        let left = |duration: Duration| duration.saturating_sub(begin.elapsed());
        let options = Options { duration: self.options.duration.map(left), ..self.options.clone() };
        // The command has been started, and is scheduled like any other.
        be_woken_in_time();
        let signals = self.launch.signals().clone();
        let session = Session::<A>::new(&options, attached, past)?;
        if options.sandbox && !self.is_confined {
            self.is_confined = true;
            self.launch.while_alone(|| confine(&Needs::of_command(&options, python.pid)))?;
        }
        let (over, is_over) = channel();
        Ok(thread::scope(|scope| {
            let (search, next) = (&mut self.search, signals.clone());
            let watch = move || search.watch(python, &is_over, || next.go_on_with_next());
            // Without it nobody is counted, and no wrapper noticed.
            let _ = thread::Builder::new().name("watch".into()).spawn_scoped(scope, watch);
            // The terminal is the command's.
            let seen = session.run(&signals, results, &Progress::hidden());
            drop(over);
            seen
        }))
    }

    /// Becomes `program`, which goes on with what has been sampled so far. Comes back only
    /// with an error, and the profile if it has not been written.
    fn hand_over(
        &mut self,
        program: &Path,
        results: Sinks,
        profile: Option<Profile>,
        began: Option<Instant>,
        is_incomplete: bool,
    ) -> Result<(Error, Option<Profile>), Error> {
        log::debug!("executes {}, which goes on with the run", program.display());
        keep_open(self.options.output.as_deref());
        let (kept, is_complete) = results.put_by(profile)?;
        let carried = kept.as_ref().map(Carried::write).transpose().map_err(Error::Handover)?;
        let begun = began.map(|began| Begun {
            elapsed: began.elapsed(),
            others: self.search.other_pythons,
            is_incomplete: is_incomplete || !is_complete,
            is_confined: self.is_confined,
            profile: carried.as_ref().map(Carried::number),
        });
        let handover = Handover { pid: self.launch.pid(), begun };
        Ok((self.launch.hand_over(program, self.arguments, &handover), kept))
    }

    /// Puts into the account which processes were sampled, and how many were not.
    fn tell_processes(&self, profile: &mut Profile) {
        let row = |process: &profile::Process| {
            let line: String = process.command.chars().take(LONGEST_LINE).collect();
            let line = line.replace(char::is_control, " ");
            let words = format!("{line}, CPython {}", process.python);
            SampledProcess { pid: process.pid, words }
        };
        let processes = profile.processes().map(|(_, process)| row(process));
        let processes: Vec<_> = processes.take(MOST_ROWS).collect();
        let more = profile.processes().count().saturating_sub(MOST_ROWS);
        let account = &mut profile.about.account;
        account.put(Key::SampledProcesses, Value::Processes(processes));
        let others = self.search.other_pythons;
        for (key, count) in [(Key::FurtherProcesses, more as u64), (Key::OtherPythons, others)] {
            if count > 0 {
                account.add(key, count);
            }
        }
    }

    /// Writes the profile. The exit status is that of the command.
    fn finish(mut self, sampled: Sampled) -> Result<u8, Error> {
        let Sampled { results, profile, lacks_threads, is_incomplete } = sampled;
        // On stdout the profile comes after the output of the command. A file need not wait
        // for a command that goes on after --duration.
        if self.options.output.is_none() {
            self.launch.wait();
        }
        if let Some(profile) = &profile {
            tell_account(self.options, &profile.about.account);
        }
        if lacks_threads {
            eprintln!("WARNING: {NO_SUCH_THREAD}");
        }
        let outcome = profile.as_ref().map(|profile| Outcome::of_rows(&profile.about.account));
        let written = results.conclude(profile);
        self.conclude();
        written?;
        if let Some(outcome) = outcome.filter(Outcome::is_nothing) {
            let what = self.launch.program().to_owned();
            let pause = self.options.pause;
            return Err(Error::NothingProven { what, outcome, reason: None, pause });
        }
        Ok(if is_incomplete { 1 } else { self.launch.status() })
    }

    /// Says why there is no profile, and waits for the command all the same.
    fn give_up(mut self, error: Option<Error>) -> u8 {
        let mut status = error.as_ref().map(Error::exit_status);
        match &error {
            Some(error) => say(error.to_string().trim_end()),
            None => self.launch.wait(),
        }
        status = status.or_else(|| self.search.conclude());
        if status.is_none() {
            let what = if self.launch.has_ended() {
                "ended before it ran Python that could be sampled"
            } else {
                "has not run Python"
            };
            let program = self.launch.program().to_owned();
            say(&Error::NeverPython { program, what }.to_string());
        }
        self.conclude();
        status.unwrap_or(1)
    }

    /// Waits for the command, and names what it leaves behind.
    fn conclude(&mut self) {
        self.launch.wait();
        // Those of a command that goes on are its own.
        if self.launch.has_ended() {
            self.search.survivors().iter().for_each(|words| say(words));
        }
    }
}
