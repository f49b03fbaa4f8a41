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
use crate::profile::snapshot::{Activity, CoreFile, Snapshot, ThreadSnapshot};
use crate::render::{Destination, dump, dump_json, dump_text};
use crate::sampler::native::{Machine, NativeStacks};
use crate::sampler::snapshot::{Capture, HeldRegisters, Sample, SnapshotReader};
use crate::sampler::thread_ids::ThreadIds;
use crate::stack::{FrameTable, NativeFrames, Stack};
use crate::target::live::nap;
use crate::target::live::scheduling::be_woken_in_time;
use crate::target::live::turn::{Turn, Turns};
use crate::target::registers::RegisterSet;
use crate::target::{Stop, Target, ThreadState};

/// How often names are read until they are twice the same.
const NAME_READS: usize = 5;

/// How long a process that is never stopped is looked at, until two looks are alike.
const UNSTOPPED: Duration = Duration::from_secs(1);

/// How often the thread that holds a GIL is to wait its turn before it is read all the same,
/// and how long it runs in between.
const TURNS: usize = 10;
const NAP: Duration = Duration::from_millis(1);

/// Takes a dump of a live process and writes it.
///
/// # Errors
/// [`Error`] if the process cannot be read, or the result not be written.
pub(crate) fn dump_process<A: Abi>(
    options: &Options,
    attached: Attached,
    output: Destination,
) -> Result<(), Error> {
    let turns = (!options.pause.is_ever()).then(|| Turns::new(attached.process.pid()));
    if turns.is_some() {
        be_woken_in_time();
    }
    let wait = turns.map(|mut turns| -> Wait { Box::new(move |id| take_turn(&mut turns, id)) });
    write(options, take::<A, _>(options, attached, wait)?, output)
}

/// Takes a dump of a target that stands still, as `core` tells it was left, and writes it.
///
/// # Errors
/// As [`dump_process`].
pub(super) fn dump_kept<A: Abi, T: Target>(
    options: &Options,
    attached: Attached<T>,
    core: CoreFile,
    output: Destination,
) -> Result<(), Error> {
    let mut snapshot = take::<A, _>(options, attached, None)?;
    snapshot.core = Some(core);
    write(options, snapshot, output)
}

/// Lets the thread that has this id, and holds a GIL, stand still by itself, where nobody is
/// stopped: for the next attempt to read it.
type Wait = Box<dyn FnMut(Option<i32>)>;

fn write(options: &Options, mut snapshot: Snapshot, output: Destination) -> Result<(), Error> {
    snapshot.keep(options.native);
    let snapshot = &snapshot;
    let style = options.frames.style;
    output.write(|out| match options.dump_style {
        DumpStyle::Original => dump::write(snapshot, style, out),
        DumpStyle::Verbose => dump_text::write(snapshot, style, out),
        DumpStyle::Json => dump_json::write(snapshot, out),
    })?;
    Ok(())
}

fn take<A: Abi, T: Target>(
    options: &Options,
    attached: Attached<T>,
    mut wait: Option<Wait>,
) -> Result<Snapshot, Error> {
    let Attached { process, memory, roots, types, objects, mut stopper, python, .. } = attached;
    let pid = process.pid();
    let code = CodeCache::<A>::new(types).line_numbers(options.reads_lines());
    let mut frames = FrameTable::default();
    let careful = SnapshotReader::new(memory.clone(), roots.clone(), code);
    let mut careful = careful.partial(!T::CHANGES);
    if options.locals {
        careful = careful.with_variables(objects.types.clone());
    }
    let mut ids = ThreadIds::default();
    let mut waited = Vec::new();
    let mut native = options.native.is_any().then(|| NativeStacks::new().whole());
    // Nobody stands still while files are opened.
    native.iter_mut().for_each(|native| native.prepare(&process));
    let start = Instant::now();
    let mut stacks = loop {
        if let Some(wait) = &mut wait {
            let holders = roots.gil_holders::<A, _>(&memory).unwrap_or_default();
            let id = |thread| ids.get::<A, _>(&process, &memory, &roots, thread);
            wait(holders.into_iter().find_map(id));
        }
        let mut copy = |state, held: &mut HeldRegisters<'_>| {
            let id = ids.get::<A, _>(&process, &memory, &roots, state);
            let native = native.as_mut();
            id.zip(native).map_or_else(Machine::default, |(id, native)| {
                let mut registers = |id, waits| {
                    waited.extend(Some(id).filter(|_| waits));
                    held(id, waits)
                };
                machine_of(&process, &memory, native, id, &mut registers)
            })
        };
        let capture = options.native.is_any().then_some(&mut copy as &mut Capture<'_>);
        match careful.sample(&mut stopper, &mut frames, capture) {
            Sample::Gone => return Err(Error::Ended { pid }),
            Sample::Failed(_) if wait.is_some() && start.elapsed() < UNSTOPPED => {}
            Sample::Failed(failure) => {
                return Err(Error::Unreadable { pid, reason: failure.to_string() });
            }
            Sample::Stacks(stacks) => break stacks.to_vec(),
        }
    };
    drop(wait);
    if let Some(native) = &mut native {
        careful.add_native(native, &process, &mut stacks, &mut frames);
        stacks.iter_mut().for_each(|stack| keep(stack, options.frames.native, &frames));
    }
    let command = process.command_line();
    let is_plain = options.dump_style == DumpStyle::Original && options.threads.is_open();
    let threads = if is_plain {
        let plain = |stack| ThreadSnapshot { stack, ..ThreadSnapshot::default() };
        stacks.into_iter().map(plain).collect::<Vec<_>>()
    } else {
        let names = settled_names::<A, _>(&objects.names(), &memory, &roots);
        let stopped = careful.stopped();
        let mut look = Look { process: &process, names, stopped, stopper: &stopper, waited };
        let states = careful.states();
        let native = |state| ids.get::<A, _>(&process, &memory, &roots, state);
        let native: Vec<Option<i32>> = states.map(native).collect();
        let all = stacks.into_iter().zip(native).map(|(stack, id)| look.thread(stack, id));
        all.collect()
    };
    let process = profile::Process::new(pid, command, python);
    let threads = threads.into_iter().zip(careful.failures()).map(|(thread, failure)| {
        let unreadable = failure.map(|failure| failure.to_string());
        ThreadSnapshot { unreadable, ..thread }
    });
    let threads = chosen(&options.threads, pid, threads.collect())?;
    Ok(Snapshot { process, core: None, threads, frames })
}

/// Copies the registers and the stack of thread `id`. One that waits is stopped only if it cannot
/// be unwound with what is known of its registers otherwise.
fn machine_of<T: Target>(
    process: &T,
    memory: &T::Memory,
    native: &mut NativeStacks,
    id: i32,
    held: &mut HeldRegisters<'_>,
) -> Machine {
    let mut machine = Machine::default();
    let Some(registers) = held(id, false).or_else(|| process.registers(id)) else { return machine };
    machine.set(&registers);
    native.copy_stack(memory, &mut machine);
    if matches!(registers, RegisterSet::Pointers { .. })
        && native.lacks_registers(process, &machine)
    {
        held(id, true).iter().for_each(|registers| machine.set(registers));
    }
    machine
}

/// Leaves out of a stack what is not wanted.
fn keep(stack: &mut Stack, wanted: NativeFrames, frames: &FrameTable) {
    let kept: Vec<bool> =
        stack.frames.iter().map(|frame| wanted.accept(frames.frame(*frame).kind)).collect();
    let mut of_frames = kept.iter();
    stack.frames.retain(|_| of_frames.next().copied().unwrap_or(true));
    let mut of_variables = kept.iter();
    stack.variables.retain(|_| of_variables.next().copied().unwrap_or(true));
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
struct Look<'a, T: Target> {
    process: &'a T,
    names: Names,
    /// The threads that were stopped, and so had run.
    stopped: &'a [i32],
    /// What stops them, some perhaps only now.
    stopper: &'a T::Stopper,
    /// Those that waited, and were to stop all the same.
    waited: Vec<i32>,
}

impl<T: Target> Look<'_, T> {
    fn thread(&mut self, stack: Stack, native_id: Option<i32>) -> ThreadSnapshot {
        let native = native_id.and_then(|id| self.process.thread(id));
        let is_in = |ids: &[i32]| native_id.is_some_and(|id| ids.contains(&id));
        let had_run = is_in(self.stopped) || native_id.is_some_and(|id| self.stopper.awaits(id));
        let activity = if is_in(&self.waited) {
            Some(Activity::Waiting)
        } else if had_run {
            Some(Activity::Running)
        } else {
            native.as_ref().and_then(|native| native.state).map(|state| match state {
                ThreadState::Running => Activity::Running,
                ThreadState::Stopped | ThreadState::Traced => Activity::Stopped,
                ThreadState::Zombie | ThreadState::Dead => Activity::Ended,
                _ => Activity::Waiting,
            })
        };
        let kernels = || native.and_then(|native| native.name).map(Arc::from);
        let name = self.names.get(&stack.thread).cloned().or_else(kernels);
        ThreadSnapshot { stack, native_id, name, activity, unreadable: None }
    }
}

#[cfg(all(test, feature = "py27", feature = "py36", feature = "py310"))]
#[cfg(all(feature = "py311", feature = "py312", feature = "py314"))]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::app::attach::attach_to;
    use crate::app::cli::{Request, parse};
    use crate::cpython::abi::{AbiTag, Python36, TopFrame};
    use crate::cpython::memory::Remote;
    use crate::cpython::read::fixtures::{FakePython, TYPES};
    use crate::cpython::read::objects::Thread;
    use crate::target::elf::fixture::{DATA, ElfFile};
    use crate::target::simulated::Simulated;
    use crate::target::{NativeThread, ThreadId};

    /// Where the two roots of a made-up process are.
    const ROOTS: [u64; 2] = [0x100, 0x108];

    /// A program that holds CPython 3.6, for address 0.
    fn program() -> ElfFile {
        let distance = (ROOTS[0] as u32).wrapping_sub(DATA as u32 + 7);
        ElfFile {
            kind: goblin::elf::header::ET_EXEC,
            exported: vec![
                ("PyInterpreterState_Head", DATA, 8),
                ("_PyThreadState_Current", ROOTS[1], 8),
                ("Py_GetVersion", DATA + 0x100, 64),
                ("PyType_Type", DATA + 0x300, 400),
                ("PyCode_Type", TYPES.code, 400),
                ("PyUnicode_Type", TYPES.text, 400),
                ("PyBytes_Type", TYPES.bytes, 400),
            ],
            data: vec![
                // mov rax,[rip+d]; ret
                (DATA, [&[0x48, 0x8b, 0x05][..], &distance.to_le_bytes(), &[0xc3]].concat()),
                // lea rax,[rip+0xf9]: the text at DATA + 0x200
                (DATA + 0x100, vec![0x48, 0x8d, 0x05, 0xf9, 0, 0, 0, 0xc3]),
                (DATA + 0x200, b"3.6.15\0".to_vec()),
                (DATA + 0x308, (DATA + 0x300).to_le_bytes().to_vec()),
            ],
            ..ElfFile::default()
        }
    }

    /// A process with one thread in one function.
    fn target() -> Simulated {
        let mut python = FakePython::<Python36>::new();
        let (name, file) = (python.ascii("work"), python.ascii("app.py"));
        let code = python.code(name, file, 7, &[]);
        let frame = python.heap_frame(code, Remote::new(0), 0);
        let (thread, _) = python.process(frame);
        python.set(thread, Python36::THREAD.id, 140);
        let roots = ROOTS.map(|address| python.memory.read::<u64>(address).expect("a root"));
        let mut target = Simulated { memory: python.memory, ..Simulated::default() };
        target.load(Simulated::PROGRAM, &program(), 0);
        for (address, root) in ROOTS.into_iter().zip(roots) {
            target.memory.write_word(address, root);
        }
        let id = ThreadId { inside: 4242, outside: 4242 };
        let native = NativeThread { name: Some("made".into()), state: Some(ThreadState::Sleeping) };
        target.threads.push((id, native));
        target
    }

    fn options() -> Options {
        let words = ["pyflame", "--dump", "--verbose", "-p", "4242"].map(OsString::from);
        match parse(&words, &[AbiTag::new(3, 6)]) {
            Ok(Request::Profile(options)) => *options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_no_live_process_is_dumped_as_one_is() {
        let attached = attach_to::<Python36, _>(target(), true).expect("it is proven");
        assert_eq!(attached.python, "3.6.15");
        let snapshot = take::<Python36, _>(&options(), attached, None).expect("it stands still");
        let mut out = Vec::new();
        dump_text::write(&snapshot, crate::stack::FrameStyle::WithLines, &mut out).expect("a Vec");
        let expected = "\
Process 4242: program --made (Python 3.6.15)

Thread 140 \"made\" (native 4242): idle, holds the GIL
  app.py:work:7
";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    /// A target that cannot be read again is shown without the thread that cannot be read.
    #[test]
    fn a_broken_thread_does_not_hide_the_others() {
        let mut target = target();
        let state = Remote::<Thread>::new(target.memory.read(ROOTS[1]).expect("a root"));
        let broken = 0x2000_0000;
        let bytes = target.memory.read_bytes(state.address(), 0x800).expect("a thread state");
        target.memory.write(broken, &bytes);
        let TopFrame::Direct(top) = Python36::THREAD.top else { panic!("it is in the state") };
        target.memory.write_word(broken + top.offset() as u64, 0xdead_0000);
        target.memory.write_word(broken + Python36::THREAD.id.offset() as u64, 141);
        let next = state.address() + Python36::THREAD.next.offset() as u64;
        target.memory.write_word(next, broken);
        let attached = attach_to::<Python36, _>(target, true).expect("one thread proves it");
        let snapshot = take::<Python36, _>(&options(), attached, None).expect("it stands still");
        let [whole, broken] = snapshot.threads.as_slice() else { panic!("{snapshot:?}") };
        assert_eq!((whole.stack.frames.len(), whole.unreadable.as_deref()), (1, None));
        assert_eq!((broken.stack.thread, broken.stack.frames.len()), (141, 0));
        let reason = broken.unreadable.as_deref().expect("it says why");
        assert!(reason.contains("cannot read"), "{reason}");
    }

    #[test]
    fn a_layout_that_does_not_fit_is_refused_at_once() {
        let mut target = target();
        let state = target.memory.read::<u64>(ROOTS[1]).expect("a root");
        let interpreter = state + Python36::THREAD.interpreter.offset() as u64;
        target.memory.write_word(interpreter, 0x1234);
        let start = Instant::now();
        let error = attach_to::<Python36, _>(target, true).map(drop).expect_err("it is not so");
        assert!(error.to_string().contains("is not its interpreter's"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(1), "nothing can change");
    }
}
