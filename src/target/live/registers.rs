//! The registers of threads that are stopped.

use std::time::Duration;

use nix::libc::user_regs_struct;
use nix::sys::ptrace;
use nix::unistd::Pid;

use super::call::may_be_stopped;
use super::stop::Stopped;
use crate::target::registers::RegisterSet;

/// How long it is waited until a thread has woken up to stop, if nobody stands meanwhile.
const WAIT: Duration = Duration::from_secs(1);

impl Stopped<'_> {
    /// The registers of one of them.
    pub(crate) fn registers(&self, tid: i32) -> Option<RegisterSet> {
        let held = self.stopper.held.iter().find(|held| held.tid.as_raw() == tid)?;
        ptrace::getregs(held.tid).ok().map(|registers| RegisterSet::All(words(&registers)))
    }

    /// The registers of a thread that waits, if no stop is felt by what it waits for: it is
    /// stopped, and let go with the others.
    pub(crate) fn registers_of_waiting(&mut self, tid: i32) -> Option<RegisterSet> {
        let stopper = &mut *self.stopper;
        // Where one has not come in time, as in a frozen process, nobody waits for another.
        let is_late = !stopper.late.is_empty();
        if !stopper.is_allowed || is_late || !may_be_stopped(stopper.pid, tid) {
            return None;
        }
        let others: Vec<Pid> = stopper.held.iter().map(|held| held.tid).collect();
        if !stopper.interrupt(Pid::from_raw(tid), &others).ok()? {
            return None;
        }
        // Nobody is kept from anything by a longer wait, unless others stand meanwhile.
        let patience = stopper.patience;
        if others.is_empty() {
            stopper.patience = WAIT;
        }
        let mut waiting = vec![Pid::from_raw(tid)];
        stopper.wait_for(&mut waiting, true);
        stopper.patience = patience;
        stopper.late.append(&mut waiting);
        self.registers(tid)
    }
}

/// All of them in the order of the struct.
#[cfg(target_arch = "x86_64")]
fn words(of: &user_regs_struct) -> Vec<u64> {
    vec![
        of.r15,
        of.r14,
        of.r13,
        of.r12,
        of.rbp,
        of.rbx,
        of.r11,
        of.r10,
        of.r9,
        of.r8,
        of.rax,
        of.rcx,
        of.rdx,
        of.rsi,
        of.rdi,
        of.orig_rax,
        of.rip,
        of.cs,
        of.eflags,
        of.rsp,
        of.ss,
    ]
}

/// All of them in the order of the struct.
#[cfg(target_arch = "aarch64")]
fn words(of: &user_regs_struct) -> Vec<u64> {
    of.regs.iter().copied().chain([of.sp, of.pc, of.pstate]).collect()
}
