//! Native frames of what interrupts bring and looks find.

use super::engine::{Interrupts, Run};
use super::record::Partial;
use crate::cpython::abi::Abi;
use crate::cpython::memory::{Memory, Remote};
use crate::cpython::read::frames::newest_c_frame;
use crate::cpython::read::objects::Thread;

impl<A: Abi> Interrupts<A> {
    /// Adds native frames to the stack under proof, of a sample that was copied.
    pub(super) fn add_native_of_copied(&mut self, partial: &Partial, run: &mut Run<'_>) {
        let Self { native, copied, walk, steps, stack, loaded, .. } = self;
        let Some(native) = native else { return };
        let newest = newest_c_frame::<A, _>(copied, Remote::new(partial.thread)).ok().flatten();
        let found = native.add_to_copied::<A>(&partial.machine, (walk, newest), (steps, stack));
        run.account.note_native(found, 1);
        loaded.set_stack_pages(native.stacks.pages());
    }

    /// Copies registers and stack of a thread, if native frames are asked for. `still` is the memory
    /// as it is since the thread was seen not to run.
    pub(super) fn copy_still<M: Memory>(&mut self, still: &M, thread: Remote<Thread>, tid: i32) {
        let Self { native, events, .. } = self;
        if let Some(native) = native {
            native.copy::<A, M>(still, (thread, Some(tid)), events.registers(tid));
        }
    }

    /// Adds native frames to the stack under proof, of the thread that was copied last and has not
    /// run until that was done.
    pub(super) fn add_native_of_still(&mut self, run: &mut Run<'_>) {
        let Self { native, walk, steps, stack, .. } = self;
        if let Some(native) = native.as_mut().filter(|_| !stack.is_empty()) {
            run.account.note_native(native.add_to::<A>(walk, steps, stack), 1);
        }
    }
}
