//! One run: attach, sample, write.

use std::ffi::OsString;

use crate::app::attach::{Attached, attach};
use crate::app::closing_words::{NO_SUCH_THREAD, tell_account};
use crate::app::core::dump_core;
use crate::app::dump::dump_process;
use crate::app::error::Error;
use crate::app::follow::follow;
use crate::app::options::{Options, Target};
use crate::app::private::keep_private;
use crate::app::progress::Progress;
use crate::app::sandbox::{Needs, confine};
use crate::app::session::Session;
use crate::app::signals::Signals;
use crate::app::sinks::Sinks;
use crate::cpython::abi::Abi;
use crate::escape::say;
use crate::profile::stats::Account;
use crate::render::Destination;
use crate::target::live;
use crate::target::live::scheduling::be_woken_in_time;

/// Does what `options` ask for. `arguments` are those of this program. Returns the exit
/// status: that of the command, if there is one.
///
/// # Errors
/// [`Error`] with what to tell the user.
pub(crate) fn run<A: Abi>(options: &Options, arguments: &[OsString]) -> Result<u8, Error> {
    check_abi::<A>(options)?;
    for warning in &options.warnings {
        eprintln!("{warning}");
    }
    let pid = match &options.target {
        Target::Process(pid) => *pid,
        Target::Core { file, program } => {
            return dump_core::<A>(options, file, program.as_deref()).map(|()| 0);
        }
        Target::Command { words, handover } => {
            return follow::<A>(options, words, handover.as_ref(), arguments);
        }
        // Those are supervised by the launcher, which asks for one at a time.
        Target::Processes(_) | Target::Named(_) => {
            return Err(Error::NoLauncher { command: "several processes".into() });
        }
    };
    keep_private(|| vec![pid]);
    // A dump keeps nothing of what it has read: a signal ends it, however long it takes.
    if options.dump {
        let attached = attach_to::<A>(options, pid)?;
        let output = Destination::open(options.output.as_deref())?;
        if options.sandbox {
            confine(&Needs { pid: Some(pid), ..Needs::of_dump(options, &output) });
        }
        return dump_process::<A>(options, attached, output).map(|()| 0);
    }
    let signals = Signals::watch()?;
    let attached = attach_to::<A>(options, pid)?;
    let mut results = Sinks::open(options)?;
    be_woken_in_time();
    let session = Session::<A>::new(options, attached, None)?;
    if options.sandbox {
        confine(&Needs::of_run(options, pid, session.is_by_kernel(), results.opens()));
    }
    // A thread, which has to have given up what this one has.
    let progress = Progress::start(options.duration);
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
    let traced = || options.pause.is_ever().then(|| live::traced_by(pid)).flatten();
    let reason = account.last_failure.clone().or_else(traced);
    Err(Error::NothingProven { what, outcome, reason, pause: options.pause })
}

/// `--abi` on a binary must be its own.
fn check_abi<A: Abi>(options: &Options) -> Result<(), Error> {
    match options.abi {
        Some(asked) if asked != A::TAG => Err(Error::OtherAbi { own: A::TAG, asked }),
        _ => Ok(()),
    }
}
