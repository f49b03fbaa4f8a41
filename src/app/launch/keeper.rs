//! Listens to signals while a command runs, on a thread of its own, so that they are passed
//! on at once, whatever else this program is doing.

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use nix::sys::signal::{SigSet, Signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::backend::Handle;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::iterator::exfiltrator::origin::Origin;
use signal_hook::low_level::siginfo::Cause;

use super::child::Child;
use super::policy::{Policy, Sender};
use crate::app::error::Error;
use crate::app::signals::{Signals, is_ignored};

/// The signals that are held back while this program becomes another: the four that are
/// caught here, and the one that asks for a snapshot.
const HELD: [Signal; 5] =
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGUSR1];

/// The signals, caught and not yet looked at.
pub(crate) struct Caught(SignalsInfo<WithOrigin>);

/// The thread that passes signals on.
pub(crate) struct Keeper {
    handle: Handle,
    thread: Option<JoinHandle<Caught>>,
    duty: Duty,
}

/// What the thread works with.
#[derive(Clone)]
struct Duty {
    child: Child,
    signals: Signals,
    policy: Arc<Mutex<Policy>>,
    /// The last signal that made the run end; 0: none.
    last: Arc<AtomicI32>,
}

/// Begins to catch signals. What this program ignores since its start stays ignored, here
/// and in the command.
///
/// # Errors
/// [`Error::Signals`] if the system does not let it.
pub(crate) fn catch() -> Result<Caught, Error> {
    let caught: Vec<i32> =
        [SIGINT, SIGTERM, SIGHUP, SIGQUIT].into_iter().filter(|s| !is_ignored(*s)).collect();
    SignalsInfo::new(caught).map(Caught).map_err(Error::Signals)
}

/// Lets signals come that the program before this one, in the same process, held back.
pub(crate) fn release() {
    // They are blocked or not; there is nothing that could fail.
    let _ = held().thread_unblock();
}

fn held() -> SigSet {
    HELD.into_iter().collect()
}

impl Keeper {
    /// Passes on to `child` what has been caught and what will be. `signals` are told when to
    /// end.
    pub(crate) fn begin(caught: Caught, child: Child, signals: Signals) -> Self {
        let duty = Duty { child, signals, policy: Arc::default(), last: Arc::default() };
        let (handle, thread) = duty.begin(caught);
        Self { handle, thread: Some(thread), duty }
    }

    /// The signal that made this program leave the command; `None` if none has.
    pub(crate) fn last(&self) -> Option<i32> {
        Some(self.duty.last.load(Ordering::Relaxed)).filter(|signal| *signal != 0)
    }

    /// Whether the command has been asked to end.
    pub(crate) fn has_asked(&self) -> bool {
        self.duty.lock().has_asked()
    }

    /// Holds back all further signals, also over the execution of another program, which
    /// [`release`]s them. Has to be called by the only other thread.
    pub(crate) fn pause(&mut self) -> Option<Caught> {
        let _ = held().thread_block();
        self.handle.close();
        let mut caught = self.thread.take()?.join().ok()?;
        // What came before it was told to end, and was not looked at.
        caught.0.pending().for_each(|origin| self.duty.attend(&origin));
        Some(caught)
    }

    /// Ends such a pause, when no other program could be executed.
    ///
    /// # Errors
    /// As [`catch`].
    pub(crate) fn go_on(&mut self) -> Result<(), Error> {
        let (handle, thread) = self.duty.begin(catch()?);
        self.handle = handle;
        self.thread = Some(thread);
        release();
        Ok(())
    }
}

impl Duty {
    fn begin(&self, mut caught: Caught) -> (Handle, JoinHandle<Caught>) {
        let duty = self.clone();
        let handle = caught.0.handle();
        let thread = thread::spawn(move || {
            for origin in caught.0.forever() {
                duty.attend(&origin);
            }
            caught
        });
        (handle, thread)
    }

    fn attend(&self, origin: &Origin) {
        let command = self.child.pid();
        let sender = match (&origin.cause, &origin.process) {
            (Cause::Kernel, _) => Sender::Terminal,
            (_, Some(process)) if process.pid == command => Sender::Command,
            (_, process) => Sender::Process(process.map_or(0, |process| process.pid)),
        };
        let reaction = self.lock().react(origin.signal, sender, Instant::now());
        if reaction.pass_on {
            self.child.send(origin.signal);
        }
        if let Some(moment) = reaction.leave_at {
            self.last.store(origin.signal, Ordering::Relaxed);
            self.signals.end_at(moment);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Policy> {
        self.policy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
