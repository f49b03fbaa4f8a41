//! A process whose interpreter is not there any more: it may be executing another program, or
//! have unloaded it. The interpreter is looked for anew, for a moment.

use std::time::{Duration, Instant};

use super::{Search, Session};
use crate::app::attach::{Attached, attach};
use crate::app::error::Error;
use crate::app::options::Target;
use crate::cpython::abi::Abi;
use crate::escape::say;
use crate::sampler::interrupt::Interrupts;

/// After so many failures in a row the process may have executed another
/// program, or unloaded its interpreter: it is looked at anew.
const FAILURES_OF_A_NEW_PROGRAM: u32 = 10;

/// How often it is looked whether the process has executed another program, in microseconds.
/// That need not make reading fail: programs that are not loaded at random addresses have
/// other data at the same ones.
const LOOKS_AT_THE_PROGRAM: u64 = 50_000;

/// How long an interpreter is looked for in a process that had one: it may be executing
/// another program, step by step.
const SEARCH: Duration = Duration::from_millis(500);

/// The pause between two looks for it.
const SEARCH_PAUSE: Duration = Duration::from_millis(10);

/// What a search has come to.
pub(super) enum Found {
    Interpreter,
    NothingYet,
    TheEnd,
}

impl<A: Abi> Session<'_, A> {
    /// Whether the interpreter that was found is not there any more.
    pub(super) fn has_lost_it(&mut self, now: u64) -> bool {
        let is_due = self.failures > 0 || now.abs_diff(self.looked) >= LOOKS_AT_THE_PROGRAM;
        if is_due && self.search.is_none() {
            self.looked = now;
            let is_lost = self.failures >= FAILURES_OF_A_NEW_PROGRAM;
            if is_lost || self.process.executes_another() {
                let (pid, failures) = (self.process.pid(), self.failures);
                log::debug!("process {pid} has another program, or {failures} failures: search");
                let now = Instant::now();
                self.search = Some(Search { next_look: now, end: now + SEARCH });
                self.settle(None);
            }
        }
        self.search.is_some()
    }

    /// Looks for the interpreter, if that is due. Says on stderr why there is none any more,
    /// unless the process has merely ended, or a supervisor looks after it.
    pub(super) fn search(&mut self) -> Found {
        let Some(search) = &mut self.search else { return Found::Interpreter };
        let now = Instant::now();
        if now < search.next_look {
            return Found::NothingYet;
        }
        search.next_look = now + SEARCH_PAUSE;
        let may_go_on = now < search.end;
        // A supervisor, or the next profiler, looks after what it executes now.
        let is_followed =
            self.options.is_member || matches!(self.options.target, Target::Command { .. });
        let is_for_others = is_followed && self.process.executes_another();
        if is_for_others || !self.process.is_alive() {
            return Found::TheEnd;
        }
        // Whoever takes turns next has to know where this thread may run by itself.
        self.pauses.step_aside();
        let attached = attach::<A>(self.process.pid(), self.options.pause.is_ever());
        // The id may be another process's since.
        if !self.process.is_alive() {
            return Found::TheEnd;
        }
        match attached.and_then(|attached| self.go_on(attached)) {
            Ok(()) => {
                log::info!("attached anew to process {}", self.process.pid());
                Found::Interpreter
            }
            Err(Error::Ended { .. }) => Found::TheEnd,
            Err(Error::Open(error)) if error.is_gone() => Found::TheEnd,
            Err(Error::Locate(_)) if may_go_on => Found::NothingYet,
            Err(error) => {
                say(&format!("{error}\nThe profile ends here."));
                Found::TheEnd
            }
        }
    }

    /// Goes on with the interpreter that the process has now.
    fn go_on(&mut self, attached: Attached) -> Result<(), Error> {
        let objects = attached.objects.clone();
        let mut fresh = Self::new(self.options, attached, None)?;
        self.search_path.go_on(objects);
        fresh.engine.begin_profile(self.process_id);
        if let Some(interrupts) = &mut fresh.interrupts {
            let end = self.interrupts.as_ref().and_then(Interrupts::end);
            interrupts.set_run(Instant::now(), end);
            interrupts.begin_profile(self.process_id);
        }
        fresh.memory.count_on(&self.memory);
        self.process = fresh.process;
        self.memory = fresh.memory;
        self.roots = fresh.roots;
        self.names = fresh.names;
        self.engine = fresh.engine;
        self.interrupts = fresh.interrupts;
        self.source = fresh.source;
        self.pauses = fresh.pauses;
        self.failures = 0;
        self.search = None;
        Ok(())
    }
}
