//! Takes one snapshot of many threads, for `--dump`: stacks that existed, or the
//! admission that there are none.
//!
//! The threads that run are stopped for the moment of the reading; one that is
//! blocked in the kernel is left alone, because its stack does not change
//! while it is. To be sure of that, every stack is walked twice: two equal
//! walks mean that it stood like this all the time between them, and that the
//! code objects read in between were the ones that it ran. Two different walks
//! are torn, and thrown away.

use crate::cpython::abi::{Abi, Standing};
use crate::cpython::memory::{Memory, Remote};
use crate::cpython::read::code::{CodeCache, Named, Place, Verified};
use crate::cpython::read::frames::{
    Broken, RawFrame, Walk, is_settled, newest_c_frame, walk_thread,
};
use crate::cpython::read::objects::{CFrame, Thread};
use crate::cpython::read::threads::{ProcessRoots, ThreadInfo};
use crate::cpython::read::types::ObjectTypes;
use crate::cpython::read::values::Values;
use crate::cpython::read::variables::variables;
use crate::profile::{Modules, NativeTorn};
use crate::sampler::native::{Machine, Merged, NativeStacks};
use crate::stack::{FrameTable, Stack, Variable};
use crate::target::registers::RegisterSet;
use crate::target::{Hold, Stop, Target};

/// How often a torn sample is tried again before it counts as failed.
const ATTEMPTS: usize = 5;

/// Takes snapshots of one process.
pub(crate) struct SnapshotReader<A, M> {
    memory: M,
    roots: ProcessRoots,
    code: CodeCache<A>,
    threads: Vec<ThreadInfo>,
    walks: Vec<Walk>,
    again: Walk,
    stacks: Vec<Stack>,
    /// Whether to read variables, and what values are told by.
    variables: Option<ObjectTypes>,
    /// The frames of all stacks, one behind the other.
    shown: Vec<RawFrame>,
    /// The threads that were stopped for the last attempt.
    stopped: Vec<i32>,
    /// Whether threads may be missing that cannot be read.
    is_partial: bool,
    /// Of each thread, why it could not be read.
    failures: Vec<Option<Failure>>,
    /// Of each thread, the steps of its walk that are the frames of its stack, innermost first.
    steps: Vec<Vec<usize>>,
    /// Of each thread its newest C frame, where there are such, and its registers and stack, if
    /// they are asked for.
    machines: Vec<(Option<Remote<CFrame>>, Machine)>,
}

/// Gives the registers of a thread: of one that is stopped; or if it is true of one that waits.
pub(crate) type HeldRegisters<'a> = dyn FnMut(i32, bool) -> Option<RegisterSet> + 'a;

/// What copies the registers and the stack of a thread, given its state.
pub(crate) type Capture<'a> = dyn FnMut(Remote<Thread>, &mut HeldRegisters<'_>) -> Machine + 'a;

/// What one sample came to.
#[derive(Debug)]
pub(crate) enum Sample<'a> {
    /// The stacks of all threads; empty for one that runs no Python code.
    Stacks(&'a [Stack]),
    /// No attempt came to stacks that existed.
    Failed(Failure),
    /// The process is gone.
    Gone,
}

/// Why there is no sample, by what was seen at the last attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// Two reads of the same differed.
    #[error("the stack changed while it was read")]
    Changed,
    /// A chain of frames ended where none of its version does.
    #[error("a stack ends in the middle of a call")]
    Cut,
    /// The words that lead to the innermost frame led to one that is not innermost.
    #[error("a thread was about to enter or to leave the evaluation loop")]
    Unsettled,
    /// A frame stood on an instruction that its code object does not have.
    #[error("a frame stands outside of its code")]
    Outside,
    /// A walk led nowhere.
    #[error(transparent)]
    Broken(#[from] Broken),
}

impl<A: Abi, M: Memory> SnapshotReader<A, M> {
    /// For a process whose layout has been proven.
    #[must_use]
    pub(crate) fn new(memory: M, roots: ProcessRoots, code: CodeCache<A>) -> Self {
        Self {
            memory,
            roots,
            code,
            threads: Vec::new(),
            walks: Vec::new(),
            again: Walk::default(),
            stacks: Vec::new(),
            variables: None,
            shown: Vec::new(),
            stopped: Vec::new(),
            is_partial: false,
            failures: Vec::new(),
            steps: Vec::new(),
            machines: Vec::new(),
        }
    }

    /// Of a target that is `kept` as it was left, threads that cannot be read have an empty
    /// stack, and [`Self::failures`] tells why: another attempt would find the same.
    #[must_use]
    pub(crate) fn partial(mut self, kept: bool) -> Self {
        self.is_partial = kept;
        self
    }

    /// Why threads of the last sample have no stack, in the order of the stacks.
    pub(crate) fn failures(&self) -> impl Iterator<Item = Option<Failure>> {
        self.failures.iter().copied()
    }

    /// Reads the variables of every frame too.
    #[must_use]
    pub(crate) fn with_variables(mut self, types: ObjectTypes) -> Self {
        self.variables = Some(types);
        self
    }

    /// The thread states of the last sample, in the order of its stacks.
    pub(crate) fn states(&self) -> impl Iterator<Item = Remote<Thread>> {
        self.threads.iter().map(|thread| thread.state)
    }

    /// The kernel's ids of the threads that ran, and were stopped for the last sample.
    #[must_use]
    pub(crate) fn stopped(&self) -> &[i32] {
        &self.stopped
    }

    /// Takes one sample, holding the target still by `stopper`; with what `capture` copies of each
    /// thread, for [`Self::add_native`].
    pub(crate) fn sample(
        &mut self,
        stopper: &mut impl Stop,
        frames: &mut FrameTable,
        mut capture: Option<&mut Capture<'_>>,
    ) -> Sample<'_> {
        let mut failure = Failure::Changed;
        for _ in 0..ATTEMPTS {
            match self.attempt(stopper, frames, capture.as_deref_mut()) {
                Ok(()) => return Sample::Stacks(&self.stacks),
                Err(Failure::Broken(Broken::Fault(fault))) if fault.is_process_gone() => {
                    return Sample::Gone;
                }
                Err(error) => failure = error,
            }
        }
        Sample::Failed(failure)
    }

    fn attempt(
        &mut self,
        stopper: &mut impl Stop,
        frames: &mut FrameTable,
        capture: Option<&mut Capture<'_>>,
    ) -> Result<(), Failure> {
        self.stacks.clear();
        let mut held = stopper.hold();
        self.stopped.clear();
        self.stopped.extend(held.iter().flat_map(|held| held.stopped()));
        let holders = self.holders()?;
        self.threads = self.roots.threads::<A, M>(&self.memory).map_err(Broken::from)?;
        self.walks.resize_with(self.threads.len(), Walk::default);
        self.failures.clear();
        self.failures.resize(self.threads.len(), None);
        self.walk_all()?;
        self.machines.clear();
        if let Some(capture) = capture {
            let mut registers = |tid, waits| match (&mut held, waits) {
                (Some(held), true) => held.registers_of_waiting(tid),
                (Some(held), false) => held.registers(tid),
                (None, _) => None,
            };
            for thread in &self.threads {
                let newest = newest_c_frame::<A, M>(&self.memory, thread.state).ok().flatten();
                self.machines.push((newest, capture(thread.state, &mut registers)));
            }
        }
        self.name_all(&holders, frames)?;
        self.compare_variables();
        self.walk_all_again()?;
        if self.holders()? == holders { Ok(()) } else { Err(Failure::Changed) }
    }

    /// Adds native frames to the `stacks` of the last sample, of `target`. Of each thread, whether
    /// they fit.
    pub(crate) fn add_native(
        &self,
        native: &mut NativeStacks,
        target: &impl Target,
        stacks: &mut [Stack],
        frames: &mut FrameTable,
    ) -> Vec<Result<(), NativeTorn>> {
        let each = self.walks.iter().zip(&self.steps).zip(&self.machines).zip(stacks);
        let add =
            |(((walk, steps), (newest, machine)), stack): (((_, &Vec<usize>), &(_, _)), _)| {
                let outwards: Vec<usize> = steps.iter().rev().copied().collect();
                let merged = native.merge::<A>(target, machine, (walk, *newest), &outwards)?;
                add_frames(stack, &merged, native, frames);
                Ok(())
            };
        each.map(add).collect()
    }

    fn holders(&self) -> Result<Vec<Remote<Thread>>, Broken> {
        match self.roots.gil_holders::<A, M>(&self.memory) {
            Err(_) if self.is_partial => Ok(Vec::new()),
            holders => Ok(holders?),
        }
    }

    fn walk_all(&mut self) -> Result<(), Failure> {
        let walks = self.threads.iter().zip(&mut self.walks).zip(&mut self.failures);
        for ((thread, walk), failure) in walks {
            match walk_whole::<A, M>(&self.memory, thread.state, walk) {
                Err(reason) if self.is_partial => {
                    *failure = Some(reason);
                    *walk = Walk::default();
                }
                result => result?,
            }
        }
        Ok(())
    }

    fn walk_all_again(&mut self) -> Result<(), Failure> {
        for ((thread, walk), failure) in self.threads.iter().zip(&self.walks).zip(&self.failures) {
            if failure.is_some() {
                continue;
            }
            walk_thread::<A, M>(&self.memory, thread.state, &mut self.again)?;
            if self.again != *walk {
                return Err(Failure::Changed);
            }
        }
        Ok(())
    }

    /// The variables of a frame, if they are asked for; `Some(None)` if they cannot be
    /// read.
    fn read_variables(&self, raw: &RawFrame) -> Option<Option<Vec<Variable>>> {
        let values = Values { memory: &self.memory, types: self.variables.as_ref()? };
        Some(variables::<A, M>(&values, raw).ok())
    }

    /// Reads all variables again, and takes back those that have changed: the threads
    /// that are not stopped may have woken up.
    fn compare_variables(&mut self) {
        let again: Vec<_> = self.shown.iter().map(|raw| self.read_variables(raw)).collect();
        let first = self.stacks.iter_mut().flat_map(|stack| &mut stack.variables);
        for (first, again) in first.zip(again.into_iter().flatten()) {
            if *first != again {
                *first = None;
            }
        }
    }

    /// Turns the walks into stacks.
    fn name_all(
        &mut self,
        holders: &[Remote<Thread>],
        frames: &mut FrameTable,
    ) -> Result<(), Failure> {
        let mut codes = Vec::new();
        self.shown.clear();
        self.steps.clear();
        for position in 0..self.threads.len() {
            let (named, shown) = (codes.len(), self.shown.len());
            self.steps.push(Vec::new());
            let stack = match self.name_one(position, holders, frames, &mut codes) {
                Err(reason) if self.is_partial => {
                    codes.truncate(named);
                    self.shown.truncate(shown);
                    self.failures[position] = Some(reason);
                    Stack { thread: self.threads[position].id, ..Stack::default() }
                }
                stack => stack?,
            };
            self.stacks.push(stack);
        }
        codes.sort_unstable_by_key(|named: &Named| named.address);
        codes.dedup();
        match self.code.verify(&self.memory, &codes) {
            Verified::Same => Ok(()),
            _ => Err(Failure::Changed),
        }
    }

    /// Turns the walk of the thread at `position` into a stack, and adds what was read of it.
    fn name_one(
        &mut self,
        position: usize,
        holders: &[Remote<Thread>],
        frames: &mut FrameTable,
        codes: &mut Vec<Named>,
    ) -> Result<Stack, Failure> {
        let (thread, walk) = (&self.threads[position], &self.walks[position]);
        let standing = self.roots.standing(&self.memory, thread.state).map_err(Broken::from)?;
        let mut stack = Stack {
            thread: thread.id,
            holds_gil: holders.contains(&thread.state),
            is_suspended: standing == Some(Standing::Suspended),
            frames: Vec::with_capacity(walk.frames.len()),
            truncated: walk.truncated,
            variables: Vec::new(),
        };
        let steps = walk.path.iter().enumerate().filter(|(_, step)| !step.is_shim);
        for (raw, (step, _)) in walk.frames.iter().zip(steps) {
            let id = self.code.decode_of(&self.memory, raw)?;
            let named = Named { address: raw.code.address(), id };
            codes.push(named);
            match self.code.place(raw) {
                Some(Place::Incomplete) => {}
                Some(Place::Inside(_)) => {
                    stack.frames.extend(self.code.frame(named, raw.position, frames));
                    self.steps[position].push(step);
                    stack.variables.extend(self.read_variables(raw));
                    self.shown.push(*raw);
                }
                Some(Place::Outside) | None => return Err(Failure::Outside),
            }
        }
        Ok(stack)
    }
}

/// Puts native frames between those of a stack.
fn add_frames(
    stack: &mut Stack,
    merged: &[Merged],
    native: &mut NativeStacks,
    table: &mut FrameTable,
) {
    let (frames, variables) = (&stack.frames, &stack.variables);
    let (mut all, mut all_variables) = (Vec::new(), Vec::new());
    for part in merged.iter().rev() {
        match part {
            Merged::Python(number) => {
                let Some(place) = frames.len().checked_sub(number + 1) else { continue };
                all.extend(frames.get(place));
                all_variables.extend(variables.get(place).cloned());
            }
            Merged::Native(id) => {
                let Some(frame) = native.frame(*id, table, &mut Modules::default()) else {
                    continue;
                };
                all.push(frame);
                if !variables.is_empty() {
                    all_variables.push(Some(Vec::new()));
                }
            }
        }
    }
    (stack.frames, stack.variables) = (all, all_variables);
}

/// Walks a thread, which must be found with all its frames and not be about to enter one.
fn walk_whole<A: Abi, M: Memory>(
    memory: &M,
    thread: Remote<Thread>,
    walk: &mut Walk,
) -> Result<(), Failure> {
    walk_thread::<A, M>(memory, thread, walk)?;
    if !walk.is_whole {
        return Err(Failure::Cut);
    }
    if !is_settled::<A, M>(memory, thread, walk).map_err(Broken::from)? {
        return Err(Failure::Unsettled);
    }
    Ok(())
}
