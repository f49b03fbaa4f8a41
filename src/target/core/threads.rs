//! What a core file keeps of a thread: its id, and by its registers whether it waited.

#[cfg(target_arch = "aarch64")]
use goblin::elf::header::EM_AARCH64;
use goblin::elf::header::EM_X86_64;

use super::numbers::number;
use crate::target::interface::ThreadState;
use crate::target::registers::places;

/// What is kept of the registers of a thread (`struct elf_prstatus` of
/// `include/linux/elfcore.h`, and `gdb`'s same).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Registers {
    /// The id by which the process knew it.
    pub id: i32,
    /// What it did, if its registers tell.
    pub state: Option<ThreadState>,
    /// All of them, if they are those of this program's processor.
    pub words: Option<Vec<u64>>,
}

/// Where the id and the registers are.
const ID: usize = 32;
const REGISTERS: usize = 112;

/// The processor that this program is for; of others the registers are not unwound.
#[cfg(target_arch = "aarch64")]
const OWN_MACHINE: u16 = EM_AARCH64;
#[cfg(not(target_arch = "aarch64"))]
const OWN_MACHINE: u16 = EM_X86_64;

/// Where among the registers of x86-64 are the number of the system call, or -1 outside of
/// one, and what it returned (`struct user_regs_struct` of `arch/x86/include/asm/user_64.h`).
const X86_64_CALL: usize = REGISTERS + 15 * 8;
const X86_64_RESULT: usize = REGISTERS + 10 * 8;

/// What a system call returns, to nobody, when a signal has ended its wait: `EINTR` of
/// `include/uapi/asm-generic/errno-base.h`; `ERESTARTSYS`, `ERESTARTNOINTR`, `ERESTARTNOHAND` and
/// `ERESTART_RESTARTBLOCK` of `include/linux/errno.h`.
const ENDED_WAITS: [i64; 5] = [-4, -512, -513, -514, -516];

impl Registers {
    /// Those in the status of a thread of `machine`.
    pub(super) fn parse(status: &[u8], machine: u16) -> Option<Self> {
        let id = number(status, ID, 4)? as u32 as i32;
        let word = |offset: usize| Some(number(status, offset, 8)? as i64);
        let state = match (machine, word(X86_64_CALL), word(X86_64_RESULT)) {
            (EM_X86_64, Some(call), Some(result)) => Some(state(call, result)),
            _ => None,
        };
        let words = (machine == OWN_MACHINE).then(|| {
            let bytes = status.get(REGISTERS..).unwrap_or_default().chunks_exact(8);
            bytes.take(places::COUNT).map(|word| number(word, 0, 8).unwrap_or(0)).collect()
        });
        (id > 0).then_some(Self { id, state, words })
    }
}

/// What a thread did that was in this system call when it was made to stop.
fn state(call: i64, result: i64) -> ThreadState {
    if call >= 0 && ENDED_WAITS.contains(&result) {
        ThreadState::Sleeping
    } else {
        ThreadState::Running
    }
}

#[cfg(test)]
mod tests {
    use goblin::elf::header::EM_AARCH64;

    use super::*;

    fn status(call: i64, result: i64) -> Vec<u8> {
        let mut status = vec![0; 336];
        status[ID..ID + 4].copy_from_slice(&77_u32.to_le_bytes());
        status[X86_64_CALL..X86_64_CALL + 8].copy_from_slice(&call.to_le_bytes());
        status[X86_64_RESULT..X86_64_RESULT + 8].copy_from_slice(&result.to_le_bytes());
        status
    }

    /// As a thread in `read`, `clock_nanosleep` and `futex` was found by the kernel and by gdb,
    /// and one in a loop, one that had sent itself a signal, and one that had read from a null
    /// pointer.
    #[test]
    fn a_thread_waited_if_a_signal_has_ended_its_wait() {
        let of = |call, result| {
            let found = Registers::parse(&status(call, result), EM_X86_64);
            found.and_then(|registers| registers.state)
        };
        for (call, result) in [(0, -512), (230, -514), (230, -516), (202, -516), (232, -4)] {
            assert_eq!(of(call, result), Some(ThreadState::Sleeping), "{call} {result}");
        }
        for (call, result) in [(-1, 17), (-1, -512), (234, 0), (0, -9)] {
            assert_eq!(of(call, result), Some(ThreadState::Running), "{call} {result}");
        }
    }

    #[test]
    fn of_other_machines_nothing_is_said() {
        let found = Registers::parse(&status(0, -512), EM_AARCH64);
        assert_eq!(found.map(|found| (found.id, found.state)), Some((77, None)));
        assert_eq!(Registers::parse(&status(0, 0)[..35], EM_X86_64), None);
        assert_eq!(Registers::parse(&[0; 336], EM_X86_64), None, "no thread has id 0");
    }
}
