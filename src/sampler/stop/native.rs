//! Native frames of a thread that stands still by itself.

use crate::cpython::abi::Abi;
use crate::cpython::memory::{Memory, Remote};
use crate::cpython::read::frames::{Walk, newest_c_frame};
use crate::cpython::read::objects::{CFrame, Thread};
use crate::profile::NativeTorn;
use crate::sampler::native::{Machine, NativeStacks};
use crate::sampler::stacks::Placed;
use crate::sampler::stop::held::StoppedThreads;
use crate::target::Target;
use crate::target::live::Process;

/// What tells the native frames of a thread that stands still.
pub(crate) struct StillNative {
    process: Process,
    pub(in crate::sampler) stacks: NativeStacks,
    machine: Machine,
    newest: Option<Remote<CFrame>>,
}

impl StillNative {
    /// For the threads of a process.
    pub(crate) fn new(process: Process) -> Self {
        let (stacks, machine) = (NativeStacks::new(), Machine::default());
        Self { process, stacks, machine, newest: None }
    }

    /// Copies registers and stack of a thread while it stands still. It goes on sooner if this is
    /// all that is done before.
    pub(super) fn copy<A: Abi, M: Memory>(
        &mut self,
        memory: &M,
        thread: Remote<Thread>,
        held: &StoppedThreads<'_>,
    ) {
        let Self { process, stacks, machine, newest } = self;
        machine.clear();
        let stopped = |tid| held.stopped.as_ref().and_then(|stopped| stopped.registers(tid));
        let registers = held.tid(thread).and_then(|tid| stopped(tid).or(process.registers(tid)));
        if let Some(registers) = registers {
            machine.set(&registers);
            stacks.copy_stack(memory, machine);
            *newest = newest_c_frame::<A, M>(memory, thread).ok().flatten();
        }
    }

    /// Adds native frames to the stack of the thread that was copied last.
    ///
    /// # Errors
    /// If they do not fit, why.
    pub(super) fn add_to<A: Abi>(
        &mut self,
        walk: &Walk,
        steps: &[usize],
        stack: &mut Vec<Placed>,
    ) -> Result<(), NativeTorn> {
        let Self { process, stacks, machine, newest } = self;
        stacks.add_to::<A>(process, machine, (walk, *newest), (steps, stack))
    }
}
