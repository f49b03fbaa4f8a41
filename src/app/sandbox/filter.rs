//! The system calls that a run may still make (seccomp(2)).
//!
//! What is not in the list fails with `EPERM`, and the kernel's log names it. It does not kill: a
//! C library that makes another call tomorrow costs what that call was for, not the run of
//! somebody who has to know what his program does now.

use std::collections::BTreeMap;

use nix::errno::Errno;
use nix::libc::{self, c_long};
use seccompiler::SeccompCmpArgLen::Dword;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use super::install::install;
use super::needs::{Needs, Writes};

/// Memory, time, this thread and others of this program, and what is read.
const ALWAYS: &[c_long] = &[
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_clone3, // Answered with ENOSYS: see `install_for`.
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_get_robust_list,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_rseq,
    libc::SYS_membarrier,
    libc::SYS_getcpu,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_getattr,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_yield,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_restart_syscall,
    libc::SYS_sigaltstack,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    libc::SYS_close,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_fcntl,
    libc::SYS_flock, // Recordings are locked, and let go when they are closed.
    libc::SYS_pipe2,
    libc::SYS_ppoll,
    libc::SYS_lseek,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pwrite64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_newfstatat,
    libc::SYS_readlinkat,
    libc::SYS_statfs,
    libc::SYS_statx,
    libc::SYS_wait4,
    libc::SYS_waitid,
];

/// The same by their earlier names, which only this processor has.
#[cfg(target_arch = "x86_64")]
const OF_PROCESSOR: &[c_long] = &[
    libc::SYS_access,
    libc::SYS_arch_prctl,
    libc::SYS_dup2,
    libc::SYS_lstat,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_stat,
    libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const OF_PROCESSOR: &[c_long] = &[];

/// What lets a new file take its name, or leaves nothing behind.
const NAMES: &[c_long] = &[
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_ftruncate,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_unlinkat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rename,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
];

/// What the next profiler of a command begins with.
const BECOMES: &[c_long] = &[
    libc::SYS_capget,
    libc::SYS_execve,
    libc::SYS_kill,
    libc::SYS_memfd_create,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_prctl,
    libc::SYS_prlimit64,
    libc::SYS_recvfrom,
    libc::SYS_sendto,
    libc::SYS_umask,
];

/// Requests of `ptrace`: no other is made, above all none that writes.
const TRACES: [u64; 6] = [
    libc::PTRACE_SEIZE as u64,
    libc::PTRACE_INTERRUPT as u64,
    libc::PTRACE_GETSIGINFO as u64,
    GET_REGISTERS,
    GET_REGISTER_SET,
    libc::PTRACE_DETACH as u64,
];

/// `PTRACE_GETREGS` of x86-64, for which arm64 has `PTRACE_GETREGSET` (ptrace(2)).
const GET_REGISTERS: u64 = 12;
const GET_REGISTER_SET: u64 = 0x4204;

/// Commands of `bpf` (include/uapi/linux/bpf.h): to make a map, to read and write its entries, to
/// load a program, to be told of what one has, to make a map constant. None that leaves
/// something behind (6, to give it a name), that leads to what others have loaded (11 to 14), or
/// that puts a program elsewhere than into a timer of a thread.
const BPF: [u64; 9] = [0, 1, 2, 3, 4, 5, 15, 18, 22];

/// What is asked of terminals (whether a file is one, how wide it is), and of timers (to begin,
/// and to run a program).
const OF_TERMINALS: [u64; 3] = [0x5401, 0x5413, 0x802c_542a];
const OF_TIMERS: [u64; 2] = [0x2400, 0x4004_2408];

/// `prctl`: the name of a thread, how it is woken, the name of memory.
const OF_THREADS: [u64; 4] = [15, 29, 30, 0x5356_4d41];

/// Bits of `open` that say that a file may be changed.
const CHANGES: u64 = (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC) as u64;

/// A new file, and one of that name never.
const NEW: u64 = (libc::O_CREAT | libc::O_EXCL) as u64;

/// Where a call has its flags: to open something, to say what memory is for.
const OPENS: &[(c_long, u8)] = &[
    (libc::SYS_openat, 2),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, 1),
];

/// What each call may be asked for. No rule: for anything.
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Lets this program make those calls only that `needs` ask for.
///
/// # Errors
/// That of the kernel.
pub(super) fn install_for(needs: &Needs) -> Result<(), Errno> {
    // What is in a struct cannot be looked at, so `clone3` could start a process. The C library
    // takes `clone` then. It is not in the log: it happens with each thread.
    let rules = Rules::from([(libc::SYS_clone3, Vec::new())]);
    let absent = answer(Errno::ENOSYS);
    install(&compile(rules, SeccompAction::Allow, absent).map_err(|_| Errno::EINVAL)?, false)?;
    install(&program(needs).map_err(|_| Errno::EINVAL)?, true)
}

fn answer(errno: Errno) -> SeccompAction {
    SeccompAction::Errno(errno as i32 as u32)
}

fn program(needs: &Needs) -> Result<BpfProgram, BackendError> {
    compile(rules(needs)?, answer(Errno::EPERM), SeccompAction::Allow)
}

fn compile(
    rules: Rules,
    others: SeccompAction,
    these: SeccompAction,
) -> Result<BpfProgram, BackendError> {
    let processor = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, others, these, processor)?.try_into()
}

fn rules(needs: &Needs) -> Result<Rules, BackendError> {
    let mut rules = Rules::new();
    let mut allow = |calls: &[c_long]| {
        rules.extend(calls.iter().map(|call| (*call, Vec::new())));
    };
    allow(ALWAYS);
    allow(OF_PROCESSOR);
    if needs.writes != Writes::Nothing {
        allow(NAMES);
    }
    if needs.command {
        allow(BECOMES);
    }
    if needs.pid.is_some() {
        allow(&[libc::SYS_process_vm_readv]);
    }
    if needs.sources {
        allow(&[libc::SYS_openat2]);
    }
    for (call, flags) in OPENS {
        rules.insert(*call, opens(&needs.writes, *flags)?);
    }
    limit(&mut rules, needs)?;
    Ok(rules)
}

/// What calls may be asked for that are not allowed as they are.
fn limit(rules: &mut Rules, needs: &Needs) -> Result<(), BackendError> {
    let own = u64::from(std::process::id());
    let mut add = |call: c_long, allowed: Vec<SeccompRule>| {
        rules.entry(call).or_insert(allowed);
    };
    add(libc::SYS_clone, vec![rule(0, has(libc::CLONE_THREAD as u64))?]);
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        // No new code.
        add(call, vec![rule(2, has_not(libc::PROT_EXEC as u64))?]);
    }
    for call in [libc::SYS_prlimit64, libc::SYS_sched_setaffinity, libc::SYS_sched_setattr] {
        // Of this thread.
        add(call, one_of(0, &[0])?);
    }
    add(libc::SYS_prctl, one_of(0, &OF_THREADS)?);
    add(libc::SYS_tgkill, one_of(0, &[own])?);
    // Whether a process is there.
    add(libc::SYS_kill, one_of(1, &[0])?);
    let terminals = one_of(1, &OF_TERMINALS)?;
    let timers = if needs.kernel { one_of(1, &OF_TIMERS)? } else { Vec::new() };
    add(libc::SYS_ioctl, [terminals, timers].concat());
    if needs.stops && needs.pid.is_some() {
        add(libc::SYS_ptrace, one_of(0, &TRACES)?);
    }
    if needs.kernel {
        add(libc::SYS_bpf, one_of(0, &BPF)?);
        // Of a thread, on whatever processor it is: none of a whole processor.
        add(libc::SYS_perf_event_open, one_of(2, &[u64::from(u32::MAX)])?);
    }
    if needs.command {
        add(libc::SYS_socketpair, one_of(0, &[libc::AF_UNIX as u64])?);
    }
    Ok(())
}

/// To read, and what may be written to. So nothing that is there is ever opened to be changed,
/// `/proc/PID/mem` least of all.
fn opens(writes: &Writes, flags: u8) -> Result<Vec<SeccompRule>, BackendError> {
    let reads = rule(flags, has_not(CHANGES))?;
    Ok(match writes {
        Writes::Nothing => vec![reads],
        Writes::NewFiles(_) => vec![reads, rule(flags, has(NEW))?],
        Writes::Anew(_) => Vec::new(),
    })
}

type Test = (SeccompCmpOp, u64);

fn has(bits: u64) -> Test {
    (SeccompCmpOp::MaskedEq(bits), bits)
}

fn has_not(bits: u64) -> Test {
    (SeccompCmpOp::MaskedEq(bits), 0)
}

/// That an argument passes a test. All that are tested have 32 bits.
fn rule(argument: u8, (how, value): Test) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(argument, Dword, how, value)?])
}

/// That an argument is one of these.
fn one_of(argument: u8, values: &[u64]) -> Result<Vec<SeccompRule>, BackendError> {
    values.iter().map(|value| rule(argument, (SeccompCmpOp::Eq, *value))).collect()
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
