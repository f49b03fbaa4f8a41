//! From a target to a sampler that may be trusted: find the interpreter,
//! refuse what this binary is not for, prove the layout.

use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::app::error::Error;
use crate::app::interpreters::{STARTING, not_python, wait_for_all};
use crate::app::programs::check_supported;
use crate::cpython::abi::{Abi, Roots, SystemLayout};
use crate::cpython::read::objects::Types;
use crate::cpython::read::proof::{
    Mismatch, Proof, Standstill, check_debug_offsets, prove, system_layout,
};
use crate::cpython::read::thread_names::ThreadNames;
use crate::cpython::read::threads::{ProcessRoots, RootSymbols};
use crate::cpython::read::types::ObjectTypes;
use crate::target::live::{Process, nap};
use crate::target::locate::Interpreter;
use crate::target::{Hold, Stop, Target};

/// How long the first frame is waited for. A program that embeds Python may
/// have none for hours; then every code object proves itself when it comes.
const FIRST_FRAME: Duration = Duration::from_millis(50);

/// How often, and for how long at least, a proof is tried: a process that is not stopped
/// changes while it is read.
const PROOFS: usize = 10;
const PROVING: Duration = Duration::from_millis(250);

/// How many programs are looked at that a process executes one after the other.
const ATTEMPTS: usize = 10;

/// The pause between two looks at a process that is starting.
const NAP: Duration = Duration::from_millis(1);

/// How many files a run opens at least.
const LEAST_FILES: u64 = 16;

/// A target whose layout has been proven, and what is needed to read it.
pub(crate) struct Attached<T: Target = Process> {
    /// The process.
    pub process: T,
    /// Its memory.
    pub memory: T::Memory,
    /// Where its interpreters are.
    pub roots: ProcessRoots,
    /// Its type objects.
    pub types: Types,
    /// What leads to its other objects.
    pub objects: Objects,
    /// Stops its threads.
    pub stopper: T::Stopper,
    /// The full version of its Python.
    pub python: String,
    /// What there is to say of its other interpreters, if it has any.
    pub companions: Option<String>,
}

/// What leads to the objects of a process.
#[derive(Clone)]
pub(crate) struct Objects {
    /// What they are told by.
    pub types: ObjectTypes,
    /// Where the first of them are.
    pub system: SystemLayout,
}

impl Objects {
    /// The names of its threads.
    #[must_use]
    pub(crate) fn names(&self) -> ThreadNames {
        ThreadNames::new(self.types.clone(), self.system)
    }
}

/// Attaches to process `pid`, waiting a while if it is starting. Unless it `may_stop`, not
/// even the proof makes a ptrace call.
///
/// # Errors
/// [`Error`] if it cannot be read, is not Python, is another Python than `A`,
/// or does not look as `A` says it must, or if this program may open too few files.
pub(crate) fn attach<A: Abi>(pid: i32, may_stop: bool) -> Result<Attached, Error> {
    check_files()?;
    let mut attempts = 1;
    loop {
        let process = Process::open(pid)?;
        // What was found in one program says nothing of the next.
        let execution = process.execution();
        log::debug!("process {pid} executes {}", process.executable().display());
        match attach_to::<A, _>(process, may_stop) {
            Err(error) if attempts < ATTEMPTS && execution.is_some_and(|e| e.is_over(pid)) => {
                attempts += 1;
                log::debug!("process {pid} executes another program by now, look again: {error}");
            }
            result => return result.map_err(|error| not_python(pid, error)),
        }
    }
}

/// Checks that enough files may be open, before what cannot be opened is taken for what is not
/// there.
fn check_files() -> Result<(), Error> {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return Ok(()) };
    if soft >= LEAST_FILES {
        return Ok(());
    }
    if hard < LEAST_FILES || setrlimit(Resource::RLIMIT_NOFILE, LEAST_FILES, hard).is_err() {
        return Err(Error::FewFiles { limit: soft, least: LEAST_FILES });
    }
    Ok(())
}

/// Attaches to a target, waiting a while if it is one that may yet start.
///
/// # Errors
/// As [`attach`].
pub(crate) fn attach_to<A: Abi, T: Target>(
    process: T,
    may_stop: bool,
) -> Result<Attached<T>, Error> {
    let pid = process.pid();
    let memory = process.memory();
    let mut interpreters = wait_for_all(&process, &memory)?;
    interpreters.iter().for_each(|found| tell_interpreter(pid, found));
    // The first is the one that the program is linked to; `A` may be for another.
    let own = interpreters.iter().position(|found| refuse_others::<A>(pid, found).is_ok());
    let companions = companions(pid, &interpreters, own);
    let interpreter = interpreters.swap_remove(own.unwrap_or(0));
    refuse_others::<A>(pid, &interpreter).map_err(|error| match companions.clone() {
        Some(all) => Error::NoneOfAll { error: Box::new(error), all },
        None => error,
    })?;
    let roots = resolve::<A>(pid, &interpreter)?;
    let types = types::<A>(pid, &interpreter)?;
    let objects = Objects {
        types: ObjectTypes::find::<A>(|name| interpreter.symbol(name)),
        system: system_layout::<A, _>(&memory, interpreter.runtime)
            .map_err(|mismatch| unproven(pid, &mismatch))?,
    };
    let mut stopper = process.stopper(may_stop);
    if let Some(runtime) = interpreter.runtime {
        check_debug_offsets::<A, _>(&memory, runtime)
            .map_err(|mismatch| unproven(pid, &mismatch))?;
    }
    wait_for_proof::<A, _>(&process, &memory, &roots, types, &mut stopper)?;
    stopper.wait_for_late();
    let python = interpreter.full_version();
    log::info!("attached to process {pid}, CPython {python}");
    Ok(Attached { process, memory, roots, types, objects, stopper, python, companions })
}

fn tell_interpreter(pid: i32, found: &Interpreter) {
    log::debug!(
        "process {pid} has CPython {} in {}{}",
        found.full_version(),
        found.module().path().display(),
        if found.is_linked { ", which its program is linked to" } else { "" },
    );
    log::trace!(
        "_PyRuntime {:#x?}, interp_head {:#x?}, _PyThreadState_Current {:#x?}",
        found.runtime,
        found.interpreters_head,
        found.current_thread,
    );
}

/// Lists the interpreters of a process that has several, of which number `own` is read.
fn companions(pid: i32, interpreters: &[Interpreter], own: Option<usize>) -> Option<String> {
    if interpreters.len() < 2 {
        return None;
    }
    let tag_of = |position: usize| interpreters.get(position).map(Interpreter::tag);
    let line = |(position, found): (usize, &Interpreter)| {
        let (release, tag) = (found.full_version(), found.tag());
        let link = if found.is_linked { ", which its program is linked to" } else { "" };
        let choice = if Some(position) == own {
            "this one is read".to_owned()
        } else if own.and_then(tag_of) == Some(tag) {
            "not read; none of the same version can be chosen beside it".to_owned()
        } else if !tag.is_supported() {
            "not known to this release".to_owned()
        } else {
            format!("--abi {} takes this one", tag.abi())
        };
        format!("\n  CPython {release} ({}){link}: {choice}", found.module().path().display())
    };
    let lines: String = interpreters.iter().enumerate().map(line).collect();
    Some(format!("process {pid} has {} Python interpreters:{lines}", interpreters.len()))
}

/// Refuses every Python but `A`.
fn refuse_others<A: Abi>(pid: i32, found: &Interpreter) -> Result<(), Error> {
    let (release, tag) = (found.version, found.tag());
    let found = found.full_version();
    check_supported(pid, &found, tag)?;
    if !release.is_final() {
        return Err(Error::Unsupported { pid, kind: "a pre-release of", found });
    }
    if tag != A::TAG {
        return Err(Error::OtherVersion { pid, found, version: tag, own: A::TAG });
    }
    Ok(())
}

fn resolve<A: Abi>(pid: i32, found: &Interpreter) -> Result<ProcessRoots, Error> {
    let symbols = RootSymbols {
        current_thread: found.current_thread,
        interpreters_head: found.interpreters_head,
        runtime: found.runtime,
    };
    let roots = A::roots(found.version.micro);
    let resolved =
        ProcessRoots::resolve(&roots, symbols).map_err(|missing| unproven(pid, &missing))?;
    check_decoded_head(pid, found, &roots, &resolved)?;
    Ok(resolved)
}

/// From 3.7 on, the code of `PyInterpreterState_Head` is a second witness of
/// where the list of interpreters begins.
fn check_decoded_head(
    pid: i32,
    found: &Interpreter,
    roots: &Roots,
    resolved: &ProcessRoots,
) -> Result<(), Error> {
    let agree = match (roots, found.interpreters_head) {
        (Roots::Runtime { .. }, Some(decoded)) => resolved.interpreters_head() == Some(decoded),
        _ => true,
    };
    if agree { Ok(()) } else { Err(unproven(pid, &"PyInterpreterState_Head reads elsewhere")) }
}

fn types<A: Abi>(pid: i32, found: &Interpreter) -> Result<Types, Error> {
    let need = |address: Option<u64>, name: &str| {
        address.ok_or_else(|| unproven(pid, &format!("it has no symbol {name}")))
    };
    let types = &found.types;
    let (text, bytes) = if A::NAMES_ARE_BYTES {
        let string = need(types.string, "PyString_Type")?;
        (string, string)
    } else {
        (need(types.unicode, "PyUnicode_Type")?, need(types.bytes, "PyBytes_Type")?)
    };
    Ok(Types { code: need(types.code, "PyCode_Type")?, text, bytes })
}

fn wait_for_proof<A: Abi, T: Target>(
    process: &T,
    memory: &T::Memory,
    roots: &ProcessRoots,
    types: Types,
    stopper: &mut T::Stopper,
) -> Result<(), Error> {
    let pid = process.pid();
    let start = Instant::now();
    let mut mismatches = 0;
    loop {
        let (standstill, proof) = {
            let held = stopper.hold();
            let standstill = match held.as_ref().is_some_and(Hold::is_complete) {
                true if T::CHANGES => Standstill::Held,
                true => Standstill::Kept,
                false => Standstill::None,
            };
            (standstill, prove::<A, _>(memory, roots, types, standstill))
        };
        // Who reads the log may be slow: nobody waits for that while stopped.
        tell_proof(pid, standstill, &proof);
        let waited = start.elapsed();
        match proof {
            Ok(Proof::Proven) => return Ok(()),
            Ok(Proof::NoFrames) if !T::CHANGES || waited > FIRST_FRAME => return Ok(()),
            Ok(Proof::NotStarted) if !T::CHANGES || waited > STARTING => {
                return Err(Error::NotStarted { pid });
            }
            Err(mismatch) => {
                mismatches += 1;
                if !process.is_alive() {
                    return Err(Error::Ended { pid });
                } else if !T::CHANGES || mismatches >= PROOFS && waited > PROVING {
                    return Err(unproven(pid, &mismatch));
                }
            }
            Ok(_) => {}
        }
        nap(NAP);
    }
}

fn tell_proof(pid: i32, standstill: Standstill, proof: &Result<Proof, Mismatch>) {
    let stood = match standstill {
        Standstill::None => "while it ran",
        Standstill::Held => "while it was stopped",
        Standstill::Kept => "as it was left",
    };
    match proof {
        Ok(Proof::Proven) => log::debug!("the layout of process {pid} is proven, read {stood}"),
        Ok(Proof::NoFrames) => log::debug!("process {pid} has no frame to prove the layout by"),
        Ok(Proof::NotStarted) => log::debug!("the interpreter of process {pid} has not started"),
        Err(mismatch) => log::debug!("no proof of process {pid}, read {stood}: {mismatch}"),
    }
}

fn unproven(pid: i32, reason: &dyn std::fmt::Display) -> Error {
    Error::Unproven { pid, reason: reason.to_string() }
}
