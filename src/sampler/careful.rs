//! Takes one snapshot of many threads, for `--dump`: stacks that existed, or the
//! admission that there are none.
//!
//! The threads that run are stopped for the moment of the reading; one that is
//! blocked in the kernel is left alone, because its stack does not change
//! while it is. To be sure of that, every stack is walked twice: two equal
//! walks mean that it stood like this all the time between them, and that the
//! code objects read in between were the ones that it ran. Two different walks
//! are torn, and thrown away.

use crate::abi::Abi;
use crate::memory::{Memory, Remote};
use crate::process::stop::Stopper;
use crate::python::code::{CodeCache, Place, Verified};
use crate::python::frames::{Broken, Walk, is_settled, walk_thread};
use crate::python::objects::Thread;
use crate::python::threads::{ProcessRoots, ThreadInfo};
use crate::stack::{FrameTable, Stack};

/// How often a torn sample is tried again before it counts as failed.
const ATTEMPTS: usize = 5;

/// Takes snapshots of one process.
pub struct Careful<A, M> {
    memory: M,
    roots: ProcessRoots,
    code: CodeCache<A>,
    threads: Vec<ThreadInfo>,
    walks: Vec<Walk>,
    again: Walk,
    stacks: Vec<Stack>,
}

/// What one sample came to.
#[derive(Debug)]
pub enum Sample<'a> {
    /// The stacks of all threads; empty for one that runs no Python code.
    Stacks(&'a [Stack]),
    /// The process changed under every attempt, or could not be read.
    Failed(Failure),
    /// The process is gone.
    Gone,
}

/// Why there is no sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Two walks differed, every time.
    #[error("the stack changed while it was read")]
    Torn,
    /// A walk led nowhere, every time.
    #[error(transparent)]
    Broken(#[from] Broken),
}

impl<A: Abi, M: Memory> Careful<A, M> {
    /// For a process whose layout has been proven.
    #[must_use]
    pub fn new(memory: M, roots: ProcessRoots, code: CodeCache<A>) -> Self {
        Self {
            memory,
            roots,
            code,
            threads: Vec::new(),
            walks: Vec::new(),
            again: Walk::default(),
            stacks: Vec::new(),
        }
    }

    /// Takes one sample, holding the process still by `stopper`.
    pub fn sample(&mut self, stopper: &mut Stopper, frames: &mut FrameTable) -> Sample<'_> {
        let mut failure = Failure::Torn;
        for _ in 0..ATTEMPTS {
            match self.attempt(stopper, frames) {
                Ok(()) => return Sample::Stacks(&self.stacks),
                Err(Failure::Broken(Broken::Fault(fault))) if fault.is_process_gone() => {
                    return Sample::Gone;
                }
                Err(error) => failure = error,
            }
        }
        Sample::Failed(failure)
    }

    fn attempt(&mut self, stopper: &mut Stopper, frames: &mut FrameTable) -> Result<(), Failure> {
        self.stacks.clear();
        let _held = stopper.hold();
        let holders = self.holders()?;
        self.threads = self.roots.threads::<A, M>(&self.memory).map_err(Broken::from)?;
        self.walks.resize_with(self.threads.len(), Walk::default);
        self.walk_all()?;
        self.name_all(&holders, frames)?;
        self.walk_all_again()?;
        if self.holders()? == holders { Ok(()) } else { Err(Failure::Torn) }
    }

    fn holders(&self) -> Result<Vec<Remote<Thread>>, Broken> {
        Ok(self.roots.gil_holders::<A, M>(&self.memory)?)
    }

    fn walk_all(&mut self) -> Result<(), Failure> {
        for (thread, walk) in self.threads.iter().zip(&mut self.walks) {
            walk_thread::<A, M>(&self.memory, thread.state, walk)?;
            if !walk.is_whole
                || !is_settled::<A, M>(&self.memory, thread.state, walk).map_err(Broken::from)?
            {
                return Err(Failure::Torn);
            }
        }
        Ok(())
    }

    fn walk_all_again(&mut self) -> Result<(), Failure> {
        for (thread, walk) in self.threads.iter().zip(&self.walks) {
            walk_thread::<A, M>(&self.memory, thread.state, &mut self.again)?;
            if self.again != *walk {
                return Err(Failure::Torn);
            }
        }
        Ok(())
    }

    /// Turns the walks into stacks.
    fn name_all(
        &mut self,
        holders: &[Remote<Thread>],
        frames: &mut FrameTable,
    ) -> Result<(), Failure> {
        let mut codes = Vec::new();
        for (thread, walk) in self.threads.iter().zip(&self.walks) {
            let mut stack = Stack {
                thread: thread.id,
                holds_gil: holders.contains(&thread.state),
                frames: Vec::with_capacity(walk.frames.len()),
                truncated: walk.truncated,
            };
            for raw in &walk.frames {
                self.code.decode(&self.memory, raw.code)?;
                codes.push(raw.code);
                match self.code.place(raw.code, raw.position) {
                    Some(Place::Incomplete(_)) if raw.may_be_incomplete => {}
                    Some(Place::Inside(_) | Place::Incomplete(_)) => {
                        stack.frames.extend(self.code.frame(raw.code, raw.position, frames));
                    }
                    Some(Place::Outside) | None => return Err(Failure::Torn),
                }
            }
            self.stacks.push(stack);
        }
        codes.sort_unstable_by_key(|code| code.address());
        codes.dedup();
        match self.code.verify(&self.memory, &codes) {
            Verified::Same => Ok(()),
            _ => Err(Failure::Torn),
        }
    }
}
