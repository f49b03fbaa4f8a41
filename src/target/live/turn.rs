//! Reading a thread while this one has its processor: as exact as a stop, and none.
//!
//! Whoever wants to read a thread sleeps on the processor that this runs on. When the timer
//! wakes the reader, the kernel takes the processor from the thread in that very interrupt,
//! wherever it is. A stop that another processor asks for takes effect some microseconds
//! later, or before that when the thread leaves the kernel: so it finds system calls and page
//! faults more often than they last.
//!
//! What proves that the thread has not run meanwhile: it is ready to run, and on the
//! processor that the reader may not leave, so it waits; and the kernel has not given it a
//! processor again until all was read.

use std::fs::File;
use std::os::unix::fs::FileExt;

use nix::sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;

use super::{RunCount, Stat};
use crate::target::interface::ThreadState;
use crate::target::live::scheduling::make_way;

/// The thread that calls.
const THIS: Pid = Pid::from_raw(0);

/// This thread's stay on the processors of the threads of one process.
#[derive(Debug)]
pub(crate) struct Turns {
    pid: i32,
    /// Where this thread may run by itself; `None` if that cannot be told.
    all: Option<CpuSet>,
    /// Whether it goes to a processor beyond these, if the kernel allows it.
    reaches_everywhere: bool,
    /// The only processor on which it may run now, if there is one.
    bound: Option<usize>,
    /// Where the thread was when it was looked at last.
    last: Option<usize>,
    /// The files of the thread that was looked at last, kept open.
    files: Option<Files>,
    /// How often that had run when it was looked at.
    count: Option<RunCount>,
    /// Whether it is where this thread cannot take its processor.
    is_barred: bool,
}

/// What a thread does that was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It is ready to run, and waits for the processor to which the reader is bound.
    Waits,
    /// It is blocked in the kernel, or stopped.
    Rests,
    /// It runs, or nobody can tell.
    Runs,
}

#[derive(Debug)]
struct Files {
    tid: i32,
    stat: File,
    schedule: File,
    call: File,
}

impl Turns {
    /// For the threads of process `pid`. Does nothing yet.
    #[must_use]
    pub(crate) fn new(pid: i32) -> Self {
        let all = sched_getaffinity(THIS).ok();
        Self {
            pid,
            all,
            reaches_everywhere: false,
            bound: None,
            last: None,
            files: None,
            count: None,
            is_barred: false,
        }
    }

    /// The same, where this thread goes wherever the other runs, for the time of a turn: where
    /// it was told to run (`taskset`) is where it does the rest of its work.
    #[must_use]
    pub(crate) fn everywhere(pid: i32) -> Self {
        let mut turns = Self::new(pid);
        turns.reaches_everywhere = true;
        turns
    }

    /// Whether thread `tid` stands still. If it runs on a processor that this thread does not
    /// have, this thread goes there first: it comes some microseconds late then, as a stop does.
    pub(crate) fn take(&mut self, tid: i32) -> Turn {
        let bound = self.bound;
        let turn = self.look(tid);
        if turn == Turn::Runs && self.follow() && self.bound != bound {
            return self.look(tid);
        }
        turn
    }

    /// The same, from where this thread is.
    pub(crate) fn look(&mut self, tid: i32) -> Turn {
        if self.files.as_ref().is_none_or(|files| files.tid != tid) {
            self.files = Files::open(self.pid, tid);
        }
        let Some((count, stat)) = self.files.as_ref().and_then(Files::look) else {
            (self.files, self.last) = (None, None);
            return Turn::Runs;
        };
        // Else this thread would wait there until the other sleeps.
        self.last = Some(stat.processor).filter(|_| stat.shares_its_processor());
        self.count = Some(count);
        let is_here = self.bound == Some(stat.processor) && sched_getcpu() == Ok(stat.processor);
        if stat.state == ThreadState::Running && is_here {
            return Turn::Waits;
        }
        let rests = self.files.as_ref().is_some_and(|files| files.rests(&stat));
        if rests { Turn::Rests } else { Turn::Runs }
    }

    /// Whether it was where this thread cannot take its processor: this may not run there, or
    /// the other has a real-time policy.
    #[must_use]
    pub(crate) fn is_barred(&self) -> bool {
        self.is_barred
    }

    /// Whether the thread that was looked at has waited until now.
    #[must_use]
    pub(crate) fn has_waited(&self) -> bool {
        self.count.is_some() && self.count == self.files.as_ref().and_then(Files::count)
    }

    /// Binds this thread to the processor where the other was last, if it may run there: it
    /// is to sleep now, and to be woken there. Whether it is bound.
    pub(crate) fn follow(&mut self) -> bool {
        let Some((all, last)) = self.all.zip(self.last) else {
            self.is_barred = self.files.is_some();
            self.leave();
            return false;
        };
        let may_go = self.reaches_everywhere || all.is_set(last) == Ok(true);
        self.is_barred = !may_go;
        if self.bound != Some(last) && may_go {
            let mut one = CpuSet::new();
            let is_bound = one.set(last).is_ok() && sched_setaffinity(THIS, &one).is_ok();
            self.is_barred = !is_bound;
            self.bound = if is_bound { Some(last) } else { self.bound };
        }
        self.bound.is_some()
    }

    /// Lets this thread run where it may, and the other where it is.
    pub(crate) fn make_way(&mut self) {
        let Some(bound) = self.bound else { return };
        self.leave();
        make_way(bound);
    }

    /// Lets this thread run where it may.
    pub(crate) fn leave(&mut self) {
        if let (Some(all), Some(_)) = (self.all, self.bound.take()) {
            let _ = sched_setaffinity(THIS, &all);
        }
    }
}

/// A thread that is blocked in the kernel, or stopped by others.
#[derive(Debug)]
pub(crate) struct Resting {
    files: Files,
    count: RunCount,
}

impl Resting {
    /// Thread `tid` of process `pid`, if it rests.
    #[must_use]
    pub(crate) fn look(pid: i32, tid: i32) -> Option<Self> {
        let files = Files::open(pid, tid)?;
        let (count, stat) = files.look()?;
        files.rests(&stat).then_some(Self { files, count })
    }

    /// The kernel's id of the thread.
    #[must_use]
    pub(crate) fn tid(&self) -> i32 {
        self.files.tid
    }

    /// Whether it has rested until now.
    #[must_use]
    pub(crate) fn has_rested(&self) -> bool {
        self.files.count() == Some(self.count)
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Files {
    fn open(pid: i32, tid: i32) -> Option<Self> {
        let open = |name| File::open(format!("/proc/{pid}/task/{tid}/{name}")).ok();
        let (stat, schedule, call) = (open("stat")?, open("schedstat")?, open("syscall")?);
        Some(Self { tid, stat, schedule, call })
    }

    fn count(&self) -> Option<RunCount> {
        RunCount::of(&self.schedule)
    }

    /// Whether it is blocked, by what it was a moment ago. One that is about to sleep says so
    /// before it does, and may yet go on.
    fn rests(&self, stat: &Stat) -> bool {
        stat.state != ThreadState::Running && !stat.state.has_ended() && self.is_off()
    }

    /// Whether it is off every processor: the kernel waits until it is before it tells the
    /// system call that it is in (`task_current_syscall` in `lib/syscall.c`).
    fn is_off(&self) -> bool {
        let mut text = [0; 256];
        let length = self.call.read_at(&mut text, 0).unwrap_or(0);
        length > 0 && !text.starts_with(b"running")
    }

    /// The count before the state, so that whoever waits then has waited as long as the count
    /// stays the same.
    fn look(&self) -> Option<(RunCount, Stat)> {
        let count = self.count()?;
        let mut line = [0; 1024];
        let length = self.stat.read_at(&mut line, 0).ok()?;
        Some((count, Stat::parse(line.get(..length)?)?))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    /// A child that is killed at the end of a test.
    struct Program(Child);

    impl Program {
        /// Starts a shell script, and waits for the line that it prints.
        fn start(script: &str) -> Self {
            let mut command = Command::new("bash");
            command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut program = Self(command.spawn().expect("bash starts"));
            let stdout = program.0.stdout.as_mut().expect("a pipe");
            stdout.read_exact(&mut [0]).expect("it says a line");
            program
        }

        fn pid(&self) -> i32 {
            i32::try_from(self.0.id()).expect("an id")
        }
    }

    impl Drop for Program {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// Sleeps where the thread was last, and looks whether that waits. A busy machine may
    /// have moved one of the two.
    fn meet(turns: &mut Turns, tid: i32) -> bool {
        let start = Instant::now();
        loop {
            turns.follow();
            std::thread::sleep(Duration::from_millis(1));
            if turns.take(tid) == Turn::Waits {
                return true;
            } else if start.elapsed() > Duration::from_secs(5) {
                return false;
            }
        }
    }

    #[test]
    fn a_thread_that_runs_waits_while_this_one_has_its_processor() {
        let program = Program::start("echo; while :; do :; done");
        let mut turns = Turns::new(program.pid());
        assert!(meet(&mut turns, program.pid()));
        // It has run when this thread has slept, unless others had the processor.
        let start = Instant::now();
        while turns.has_waited() && start.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(!turns.has_waited());
        // With other work on the machine it may be given another processor at once.
        let stays = (0..100).any(|_| meet(&mut turns, program.pid()) && turns.has_waited());
        assert!(stays);
    }

    #[test]
    fn a_thread_that_sleeps_rests() {
        let program = Program::start("echo; read");
        // What it says, it says before it sleeps.
        super::super::tests::settled(program.pid());
        let mut turns = Turns::new(program.pid());
        for _ in 0..10 {
            turns.follow();
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(turns.take(program.pid()), Turn::Rests);
        assert!(turns.has_waited(), "it has not run since");
        assert_eq!(turns.take(i32::MAX), Turn::Runs, "there is no such thread");
        assert!(!turns.has_waited());
    }

    #[test]
    fn a_real_time_thread_is_not_waited_for() {
        let program = Program::start("echo; while :; do sleep 0.0001; done");
        let pid = program.pid().to_string();
        let mut change = Command::new("chrt");
        change.args(["-f", "-p", "1", &pid]).stdout(Stdio::null()).stderr(Stdio::null());
        if !change.status().is_ok_and(|status| status.success()) {
            return; // This user may not do that.
        }
        let mut turns = Turns::new(program.pid());
        assert!(turns.take(program.pid()) != Turn::Waits && !turns.follow());
    }

    #[test]
    fn who_leaves_may_run_where_it_might_before() {
        let before = sched_getaffinity(THIS).expect("it tells");
        let program = Program::start("echo; while :; do :; done");
        let mut turns = Turns::new(program.pid());
        assert!(meet(&mut turns, program.pid()));
        drop(turns);
        assert_eq!(sched_getaffinity(THIS), Ok(before));
    }
}
