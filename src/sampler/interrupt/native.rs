//! Native frames of what interrupts bring and looks find.

use super::engine::{Interrupts, Run};
use super::record::Partial;
use crate::cpython::abi::Abi;
use crate::cpython::memory::{Memory, Remote};
use crate::cpython::read::frames::newest_c_frame;
use crate::cpython::read::objects::Thread;
use crate::profile::stats::Account;
use crate::target::Target;

impl<A: Abi> Interrupts<A> {
    /// Adds native frames to the stack under proof, of a sample that was copied.
    pub(super) fn add_native_of_copied(&mut self, partial: &Partial, run: &mut Run<'_>) {
        let Self { native, process, copied, walk, steps, stack, loaded, .. } = self;
        let Some(native) = native else { return };
        let newest = newest_c_frame::<A, _>(copied, Remote::new(partial.thread)).ok().flatten();
        let found = native.add_to::<A>(process, &partial.machine, (walk, newest), (steps, stack));
        run.account.note_native(found, 1);
        loaded.set_stack_pages(native.pages());
    }

    /// Adds native frames to the stack under proof, of a thread that does not run. `still` is the
    /// memory as it is since the thread was seen not to run.
    pub(super) fn add_native_of_still<M: Memory>(
        &mut self,
        still: &M,
        (thread, tid): (Remote<Thread>, i32),
        account: &mut Account,
    ) {
        let Self { native, machine, memory, process, events, walk, steps, stack, .. } = self;
        let Some(native) = native else { return };
        machine.clear();
        if let Some(registers) = events.registers(tid).or_else(|| process.registers(tid)) {
            machine.set(&registers);
            native.copy_stack(memory, machine);
        }
        let newest = newest_c_frame::<A, _>(still, thread).ok().flatten();
        let found = native.add_to::<A>(process, machine, (walk, newest), (steps, stack));
        account.note_native(found, 1);
    }
}
