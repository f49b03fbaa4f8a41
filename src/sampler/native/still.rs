//! Native frames of a thread that stands still: copied while it does, told when it may go on.

use super::{Machine, NativeStacks};
use crate::cpython::abi::Abi;
use crate::cpython::memory::{Memory, Remote};
use crate::cpython::read::frames::{Walk, newest_c_frame};
use crate::cpython::read::objects::{CFrame, Thread};
use crate::profile::NativeTorn;
use crate::sampler::stacks::Placed;
use crate::target::Target;
use crate::target::live::Process;
use crate::target::registers::RegisterSet;

/// Tells the native frames of the threads of one process.
pub(crate) struct StillNative {
    process: Process,
    pub(in crate::sampler) stacks: NativeStacks,
    /// Of the thread that was copied last.
    machine: Machine,
    newest: Option<Remote<CFrame>>,
}

impl StillNative {
    /// For the threads of a process.
    pub(crate) fn new(process: Process) -> Self {
        let (stacks, machine) = (NativeStacks::new(), Machine::default());
        Self { process, stacks, machine, newest: None }
    }

    /// Copies registers and stack of a thread while it stands still. If nobody has its `registers`,
    /// those that the kernel tells of a thread that waits.
    pub(in crate::sampler) fn copy<A: Abi, M: Memory>(
        &mut self,
        memory: &M,
        (thread, tid): (Remote<Thread>, Option<i32>),
        registers: Option<RegisterSet>,
    ) {
        let Self { process, stacks, machine, newest } = self;
        machine.clear();
        if let Some(registers) = registers.or_else(|| process.registers(tid?)) {
            machine.set(&registers);
            stacks.copy_stack(memory, machine);
            *newest = newest_c_frame::<A, M>(memory, thread).ok().flatten();
        }
    }

    /// Adds native frames to the stack of the thread that was copied last, which `walk` has found;
    /// `steps` are the steps of the walk that its frames are.
    ///
    /// # Errors
    /// If they do not fit, why.
    pub(in crate::sampler) fn add_to<A: Abi>(
        &mut self,
        walk: &Walk,
        steps: &[usize],
        stack: &mut Vec<Placed>,
    ) -> Result<(), NativeTorn> {
        let Self { process, stacks, machine, newest } = self;
        stacks.add_to::<A>(process, machine, (walk, *newest), (steps, stack))
    }

    /// The same for a thread of which somebody else has copied registers and stack.
    ///
    /// # Errors
    /// If they do not fit, why.
    pub(in crate::sampler) fn add_to_copied<A: Abi>(
        &mut self,
        machine: &Machine,
        walk: (&Walk, Option<Remote<CFrame>>),
        stack: (&[usize], &mut Vec<Placed>),
    ) -> Result<(), NativeTorn> {
        self.stacks.add_to::<A>(&self.process, machine, walk, stack)
    }
}
