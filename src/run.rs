//! One run: attach, sample, write.

use std::io::{self, IsTerminal};

use crate::abi::Abi;
use crate::attach::attach;
use crate::cli::{Options, Target};
use crate::dump::dump_once;
use crate::error::Error;
use crate::output::Destination;
use crate::progress::Progress;
use crate::promptness::be_woken_in_time;
use crate::results::Results;
use crate::session::Session;
use crate::signals::Signals;
use crate::trace::Child;

/// Said after a run of which nothing was counted because of its choice of threads.
const NO_SUCH_THREAD: &str = "no thread that could have been sampled is one of those asked for.\n\
     pyflame --dump --verbose shows the names and ids of all; --threads also samples those \
     that wait.";

/// Does what `options` ask for.
///
/// # Errors
/// [`Error`] with what to tell the user.
pub fn run<A: Abi>(options: &Options) -> Result<(), Error> {
    check_abi::<A>(options)?;
    for warning in &options.warnings {
        eprintln!("{warning}");
    }
    let signals = Signals::watch()?;
    let Some(mut found) = find(&options.target, &signals)? else { return Ok(()) };
    let attached = attach::<A>(found.pid)?;
    if options.dump {
        let output = Destination::open(options.output.as_deref())?;
        return dump_once::<A>(options, attached, output);
    }
    let mut results = Results::open(options)?;
    // The terminal of a command that was started is the command's.
    let progress =
        if found.child.is_some() { Progress::hidden() } else { Progress::start(options.duration) };
    // The command has been started, and is scheduled like any other.
    be_woken_in_time();
    let session = Session::<A>::new(options, attached);
    let (profile, account) = session.run(&signals, &mut results, &progress);
    drop(progress);
    // On stdout the profile comes after the output of the command. A file need not wait
    // for a command that goes on after --duration.
    if options.output.is_none() {
        found.wait(&signals);
    }
    if options.stats || io::stderr().is_terminal() {
        eprintln!("{account}");
    }
    // Of several processes some may have no such thread.
    if account.lacks_threads && !options.is_member {
        eprintln!("WARNING: {NO_SUCH_THREAD}");
    }
    let written = results.finish(profile);
    found.wait(&signals);
    written
}

/// The process to profile, and the command that it belongs to under `-t`.
struct Found {
    pid: i32,
    child: Option<Child>,
}

impl Found {
    /// Waits for the end of the command, if there is one.
    fn wait(&mut self, signals: &Signals) {
        if let Some(child) = &mut self.child {
            child.wait(|| signals.ask_for_end());
        }
    }
}

/// Finds the process, which under `-t` has to be started first. `None` if a
/// signal ends the search.
fn find(target: &Target, signals: &Signals) -> Result<Option<Found>, Error> {
    let (words, started) = match target {
        Target::Process(pid) => return Ok(Some(Found { pid: *pid, child: None })),
        // Those are supervised by the launcher, which asks for one at a time.
        Target::Processes(_) | Target::Named(_) => {
            return Err(Error::NoLauncher { command: "several processes".into() });
        }
        Target::Command { words, started } => (words, started),
    };
    let mut child = match started {
        Some(pid) => Child::adopt(*pid, words),
        None => Child::start(words)?,
    };
    let python = child.find_python(|| signals.ask_for_end())?;
    Ok(python.map(|(process, _)| Found { pid: process.pid(), child: Some(child) }))
}

/// `--abi` on a binary must be its own.
fn check_abi<A: Abi>(options: &Options) -> Result<(), Error> {
    match options.abi {
        Some(asked) if asked != A::VERSION => Err(Error::OtherAbi { own: A::VERSION, asked }),
        _ => Ok(()),
    }
}
