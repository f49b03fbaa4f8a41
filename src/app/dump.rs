//! `--dump`: one moment of a process, with what is known of its threads.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::app::attach::Attached;
use crate::app::error::Error;
use crate::app::options::{DumpStyle, Options};
use crate::cpython::abi::Abi;
use crate::cpython::memory::Memory;
use crate::cpython::read::code::CodeCache;
use crate::cpython::read::thread_names::{Names, ThreadNames};
use crate::cpython::read::threads::ProcessRoots;
use crate::profile;
use crate::profile::filter::{ThreadFilter, in_words};
use crate::profile::snapshot::{Activity, Snapshot, ThreadSnapshot};
use crate::render::{Destination, dump, dump_json, dump_text};
use crate::sampler::snapshot::{Sample, SnapshotReader};
use crate::sampler::thread_ids::ThreadIds;
use crate::stack::{FrameTable, Stack};
use crate::target::live::scheduling::be_woken_in_time;
use crate::target::live::stop::Stopper;
use crate::target::live::turn::{Turn, Turns};
use crate::target::live::{Process, ThreadState, nap};

/// How often names are read until they are twice the same.
const NAME_READS: usize = 5;

/// How long a process that is never stopped is looked at, until two looks are alike.
const UNSTOPPED: Duration = Duration::from_secs(1);

/// How often the thread that holds a GIL is to wait its turn before it is read all the same,
/// and how long it runs in between.
const TURNS: usize = 10;
const NAP: Duration = Duration::from_millis(1);

/// Takes a dump and writes it.
///
/// # Errors
/// [`Error`] if the process cannot be read, or the result not be written.
pub(crate) fn dump_once<A: Abi>(
    options: &Options,
    attached: Attached,
    output: Destination,
) -> Result<(), Error> {
    let snapshot = take::<A>(options, attached)?;
    let style = options.frames.style;
    output.write(|out| match options.dump_style {
        DumpStyle::Original => dump::write(&snapshot, style, out),
        DumpStyle::Verbose => dump_text::write(&snapshot, style, out),
        DumpStyle::Json => dump_json::write(&snapshot, out),
    })?;
    Ok(())
}

fn take<A: Abi>(options: &Options, attached: Attached) -> Result<Snapshot, Error> {
    let Attached { process, memory, roots, types, objects, mut stopper, python, .. } = attached;
    let pid = process.pid();
    let code = CodeCache::<A>::new(types).line_numbers(options.reads_lines());
    let mut frames = FrameTable::default();
    let mut careful = SnapshotReader::new(memory.clone(), roots.clone(), code);
    if options.locals {
        careful = careful.with_variables(objects.types.clone());
    }
    let mut ids = ThreadIds::default();
    let mut turns = (!options.pause.is_ever()).then(|| Turns::new(pid));
    if turns.is_some() {
        be_woken_in_time();
    }
    let start = Instant::now();
    let stacks = loop {
        if let Some(turns) = &mut turns {
            let holders = roots.gil_holders::<A, _>(&memory).unwrap_or_default();
            let id = |thread| ids.get::<A, _>(&process, &memory, &roots, thread);
            take_turn(turns, holders.into_iter().find_map(id));
        }
        match careful.sample(&mut stopper, &mut frames) {
            Sample::Gone => return Err(Error::Ended { pid }),
            Sample::Failed(_) if turns.is_some() && start.elapsed() < UNSTOPPED => {}
            Sample::Failed(failure) => {
                return Err(Error::Unreadable { pid, reason: failure.to_string() });
            }
            Sample::Stacks(stacks) => break stacks.to_vec(),
        }
    };
    drop(turns);
    let command = process.command_line();
    let is_plain = options.dump_style == DumpStyle::Original && options.threads.is_open();
    let threads = if is_plain {
        let plain = |stack| ThreadSnapshot { stack, ..ThreadSnapshot::default() };
        stacks.into_iter().map(plain).collect()
    } else {
        let names = settled_names::<A, _>(&objects.names(), &memory, &roots);
        let stopped = careful.stopped();
        let mut look = Look { process: &process, names, stopped, stopper: &stopper };
        let states = careful.states();
        let native = |state| ids.get::<A, _>(&process, &memory, &roots, state);
        let native: Vec<Option<i32>> = states.map(native).collect();
        let all = stacks.into_iter().zip(native).map(|(stack, id)| look.thread(stack, id));
        chosen(&options.threads, pid, all.collect())?
    };
    Ok(Snapshot { process: profile::Process::new(pid, command, python), threads, frames })
}

/// Lets the thread that holds a GIL wait for its processor while it is read, as far as it can
/// be had: it is never stopped, and a look at one that runs is seldom like the one before.
fn take_turn(turns: &mut Turns, holder: Option<i32>) {
    for _ in 0..TURNS {
        if holder.is_none_or(|id| turns.take(id) != Turn::Runs) {
            break;
        }
        turns.follow();
        nap(NAP);
    }
}

/// Those of a process's threads that were asked for.
fn chosen(
    filter: &ThreadFilter,
    pid: i32,
    mut threads: Vec<ThreadSnapshot>,
) -> Result<Vec<ThreadSnapshot>, Error> {
    if filter.is_open() {
        return Ok(threads);
    }
    let known = threads.iter().map(|thread| (thread.stack.thread, thread.name.as_deref()));
    let known = in_words(known);
    threads.retain(|thread| {
        filter.accepts(pid, thread.stack.thread, thread.native_id, thread.name.as_deref())
    });
    if threads.is_empty() { Err(Error::NoThread { pid, threads: known }) } else { Ok(threads) }
}

/// Names that were the same twice: the process runs on while they are read.
fn settled_names<A: Abi, M: Memory>(
    names: &ThreadNames,
    memory: &M,
    roots: &ProcessRoots,
) -> Names {
    let mut last = names.read::<A, M>(memory, roots);
    for _ in 0..NAME_READS {
        let next = names.read::<A, M>(memory, roots);
        if next == last {
            return next;
        }
        last = next;
    }
    Names::new()
}

/// What is looked up of each thread.
struct Look<'a> {
    process: &'a Process,
    names: Names,
    /// The threads that were stopped, and so had run.
    stopped: &'a [i32],
    /// What stops them, some perhaps only now.
    stopper: &'a Stopper,
}

impl Look<'_> {
    fn thread(&mut self, stack: Stack, native_id: Option<i32>) -> ThreadSnapshot {
        let stat = native_id.and_then(|id| self.process.thread_stat(id).ok());
        let had_run = |id: &i32| self.stopped.contains(id) || self.stopper.awaits(*id);
        let activity = if native_id.as_ref().is_some_and(had_run) {
            Some(Activity::Running)
        } else {
            stat.as_ref().map(|stat| match stat.state {
                ThreadState::Running => Activity::Running,
                ThreadState::Stopped | ThreadState::Traced => Activity::Stopped,
                ThreadState::Zombie | ThreadState::Dead => Activity::Ended,
                _ => Activity::Waiting,
            })
        };
        let kernels = || stat.map(|stat| Arc::from(stat.name));
        let name = self.names.get(&stack.thread).cloned().or_else(kernels);
        ThreadSnapshot { stack, native_id, name, activity }
    }
}
