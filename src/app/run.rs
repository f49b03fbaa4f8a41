//! One run: attach, sample, write.

use std::ffi::OsString;
use std::io::{self, IsTerminal};

use crate::app::attach::{Attached, attach};
use crate::app::cli::{Options, Target};
use crate::app::dump::dump_once;
use crate::app::error::Error;
use crate::app::follow::follow;
use crate::app::progress::Progress;
use crate::app::results::Results;
use crate::app::session::Session;
use crate::app::signals::Signals;
use crate::cpython::abi::Abi;
use crate::escape::say;
use crate::profile::stats::{Account, words_on_limit};
use crate::render::Destination;
use crate::target::live::scheduling::be_woken_in_time;

/// Said after a run of which nothing was counted because of its choice of threads.
pub(crate) const NO_SUCH_THREAD: &str = "no thread that could have been sampled is one of those asked for.\n\
     pyflame --dump --verbose shows the names and ids of all; --threads also samples those \
     that wait.";

/// Does what `options` ask for. `arguments` are those of this program. Returns the exit
/// status: that of the command, if there is one.
///
/// # Errors
/// [`Error`] with what to tell the user.
pub fn run<A: Abi>(options: &Options, arguments: &[OsString]) -> Result<u8, Error> {
    check_abi::<A>(options)?;
    for warning in &options.warnings {
        eprintln!("{warning}");
    }
    let pid = match &options.target {
        Target::Process(pid) => *pid,
        Target::Command { words, handover } => {
            return follow::<A>(options, words, handover.as_ref(), arguments);
        }
        // Those are supervised by the launcher, which asks for one at a time.
        Target::Processes(_) | Target::Named(_) => {
            return Err(Error::NoLauncher { command: "several processes".into() });
        }
    };
    // A dump keeps nothing of what it has read: a signal ends it, however long it takes.
    if options.dump {
        let attached = attach_to::<A>(options, pid)?;
        let output = Destination::open(options.output.as_deref())?;
        return dump_once::<A>(options, attached, output).map(|()| 0);
    }
    let signals = Signals::watch()?;
    let attached = attach_to::<A>(options, pid)?;
    let mut results = Results::open(options)?;
    let progress = Progress::start(options.duration);
    be_woken_in_time();
    let session = Session::<A>::new(options, attached, None)?;
    let (profile, account, _) = session.run(&signals, &mut results, &progress);
    drop(progress);
    tell_account(options, &account.rows());
    // Of several processes some may have no such thread.
    if account.lacks_threads && !options.is_member {
        eprintln!("WARNING: {NO_SUCH_THREAD}");
    }
    results.finish(profile)?;
    expect_outcome(options, pid, &account)?;
    Ok(0)
}

/// Says what became of every tick, where somebody reads it, and what would give more samples.
pub(crate) fn tell_account(options: &Options, rows: &[(String, String)]) {
    if options.stats || io::stderr().is_terminal() {
        rows.iter().for_each(|(name, value)| say(&format!("{name}: {value}")));
        let words = options.pause.limit().and_then(|limit| words_on_limit(rows, limit));
        words.iter().for_each(|words| say(words));
    }
}

/// Attaches to a process, and says which other interpreters it has.
fn attach_to<A: Abi>(options: &Options, pid: i32) -> Result<Attached, Error> {
    let attached = attach::<A>(pid, options.pause.is_ever())?;
    attached.companions.iter().for_each(|words| say(words));
    Ok(attached)
}

/// A run that has come to nothing is no success. Of several processes some may.
fn expect_outcome(options: &Options, pid: i32, account: &Account) -> Result<(), Error> {
    let outcome = account.outcome();
    if !outcome.is_nothing() || options.is_member {
        return Ok(());
    }
    let what = format!("process {pid}");
    let reason = account.last_failure.clone();
    Err(Error::NothingProven { what, outcome, reason, pause: options.pause })
}

/// `--abi` on a binary must be its own.
fn check_abi<A: Abi>(options: &Options) -> Result<(), Error> {
    match options.abi {
        Some(asked) if asked != A::VERSION => Err(Error::OtherAbi { own: A::VERSION, asked }),
        _ => Ok(()),
    }
}
