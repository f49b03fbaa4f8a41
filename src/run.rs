//! One run: attach, sample, write.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::abi::Abi;
use crate::attach::{Attached, attach};
use crate::cli::{Options, Target};
use crate::error::Error;
use crate::output::{Destination, FrameStyle, Settings, dump};
use crate::python::code::CodeCache;
use crate::sampler::careful::{Careful, Sample};
use crate::session::Session;
use crate::stack::FrameTable;
use crate::trace::Child;

/// Does what `options` ask for.
///
/// # Errors
/// [`Error`] with what to tell the user.
pub fn run<A: Abi>(options: &Options) -> Result<(), Error> {
    check_abi::<A>(options)?;
    for warning in &options.warnings {
        eprintln!("{warning}");
    }
    let interrupted = Interrupted::watch()?;
    let Some(mut found) = find(&options.target, &interrupted)? else { return Ok(()) };
    let attached = attach::<A>(found.pid)?;
    let output = Destination::open(options.output.as_deref())?;
    if options.dump {
        return dump_once::<A>(options, attached, output);
    }
    let (profile, account) = Session::<A>::new(options, attached).run(|| interrupted.is_set());
    if let Some(child) = &mut found.child {
        child.wait(|| interrupted.is_set());
    }
    let settings = Settings { style: style(options) };
    output.write(|out| (options.format.write)(&profile, &settings, out))?;
    if options.stats || io::stderr().is_terminal() {
        eprintln!("{account}");
    }
    Ok(())
}

/// The process to profile, and the command that it belongs to under `-t`.
struct Found {
    pid: i32,
    child: Option<Child>,
}

/// Finds the process, which under `-t` has to be started first. `None` if a
/// signal ends the search.
fn find(target: &Target, interrupted: &Interrupted) -> Result<Option<Found>, Error> {
    let (words, started) = match target {
        Target::Process(pid) => return Ok(Some(Found { pid: *pid, child: None })),
        Target::Command { words, started } => (words, started),
    };
    let mut child = match started {
        Some(pid) => Child::adopt(*pid, words),
        None => Child::start(words)?,
    };
    let python = child.find_python(|| interrupted.is_set())?;
    Ok(python.map(|(process, _)| Found { pid: process.pid(), child: Some(child) }))
}

fn dump_once<A: Abi>(
    options: &Options,
    attached: Attached,
    output: Destination,
) -> Result<(), Error> {
    let pid = attached.process.pid();
    let Attached { memory, roots, types, mut stopper, .. } = attached;
    let code = CodeCache::<A>::new(types).line_numbers(!options.no_line_numbers);
    let mut frames = FrameTable::default();
    match Careful::new(memory, roots, code).sample(&mut stopper, &mut frames) {
        Sample::Gone => Err(Error::Ended { pid }),
        Sample::Failed(failure) => Err(Error::Unreadable { pid, reason: failure.to_string() }),
        Sample::Stacks(stacks) => {
            let stacks = stacks.to_vec();
            output.write(|out| dump::write(&stacks, &frames, style(options), out))
        }
    }
}

fn style(options: &Options) -> FrameStyle {
    if options.no_line_numbers { FrameStyle::WithoutLines } else { FrameStyle::WithLines }
}

/// `--abi` on a binary must be its own.
fn check_abi<A: Abi>(options: &Options) -> Result<(), Error> {
    match options.abi {
        Some(asked) if asked != A::VERSION => Err(Error::OtherAbi { own: A::VERSION, asked }),
        _ => Ok(()),
    }
}

/// Whether `SIGINT` or `SIGTERM` has come: the run then ends early, and what
/// was sampled is written.
struct Interrupted(Arc<AtomicBool>);

impl Interrupted {
    fn watch() -> Result<Self, Error> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&flag)).map_err(Error::Signals)?;
        }
        Ok(Self(flag))
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
