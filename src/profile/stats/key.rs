//! What an account can say: each row's name, unit and meaning, in one table.

/// How a value is measured, and whether those of several runs add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// How often something happened. Adds up.
    Count,
    /// A time.
    Time {
        /// What it is shown in, in nanoseconds.
        one: u64,
        /// With so many digits after the point.
        decimals: u32,
        /// Whether those of several runs add up: a rate does not, nor does an order.
        adds_up: bool,
    },
    /// How many to a sample, in hundredths. Does not add up.
    PerSample,
    /// Why the kernel took no samples. Kept where all runs agree.
    Refusal,
    /// How samples were taken. Of several runs all are told.
    Sources,
    /// Processes, in a row each. Kept where all runs agree.
    Processes,
}

const SECONDS: Unit = Unit::Time { one: 1_000_000_000, decimals: 2, adds_up: true };
const MILLISECONDS: Unit = Unit::Time { one: 1_000_000, decimals: 1, adds_up: true };
const MICROSECONDS_OF_99: Unit = Unit::Time { one: 1000, decimals: 0, adds_up: false };
const MICROSECONDS_EACH: Unit = Unit::Time { one: 1000, decimals: 2, adds_up: false };

/// Makes [`Key`] of the table: a key and its number in recordings, the name that is shown, the
/// unit, and what it means.
macro_rules! keys {
    ($($key:ident = $number:literal, $name:literal, $unit:expr, $meaning:literal;)*) => {
        /// What a row of the account is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Key {
            $(#[doc = $meaning] $key = $number,)*
        }

        impl Key {
            /// All of them, in the order in which they are shown.
            pub const ALL: &[Self] = &[$(Self::$key),*];

            /// What it is called wherever it is shown, with the unit.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$key => $name,)* }
            }

            /// How its value is measured.
            #[must_use]
            pub fn unit(self) -> Unit {
                match self { $(Self::$key => $unit,)* }
            }

            /// What it means, in a few words.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$key => $meaning,)* }
            }
        }
    };
}

// Recordings have the numbers: one is never used for something else. A new key gets the next,
// wherever it stands. Names are what scripts look for.
keys! {
    Engine = 1, "engine", Unit::Sources,
        "how samples were taken: by the kernel, in stops, or while the program ran";
    Ticks = 2, "ticks", Unit::Count, "moments at which a sample was due and taken up";
    Samples = 3, "samples", Unit::Count, "stacks that were proven and counted";
    Idle = 4, "idle", Unit::Count, "ticks at which nobody ran Python code";
    AtOnce = 5, "proven at once", Unit::Count, "ticks that needed one fetch";
    Retried = 6, "retried", Unit::Count, "ticks that needed more than one fetch";
    Stopped = 7, "stopped", Unit::Count, "samples for which the process was stopped";
    Skipped = 8, "skipped", Unit::Count,
        "ticks at which the limit of stops allowed none: the next sample counts for them";
    StoppedTotal = 9, "stopped total ms", MILLISECONDS, "how long it stood still for them, in all";
    StoppedP99 = 10, "stopped p99 us", MICROSECONDS_OF_99,
        "99 of 100 stops were no longer than this";
    Torn = 11, "torn", Unit::Count, "ticks whose stack could not be proven: left out";
    Dropped = 12, "dropped", Unit::Count, "samples with code that was gone soon after: left out";
    LostThreads = 13, "lost threads", Unit::Count,
        "single threads whose stack was torn: left out";
    Suspended = 51, "suspended", Unit::Count,
        "ticks at which a stop-the-world pause of the interpreter had a thread wait";
    Failed = 14, "failed", Unit::Count, "ticks at which the process could not be read";
    Late = 15, "late", Unit::Count, "moments that were missed because the profiler was late";
    NotByKernel = 16, "not by the kernel", Unit::Refusal, "why the kernel took no samples";
    TornNotFetched = 17, "torn (not fetched)", Unit::Count,
        "of the torn: something that the walk needed had not been fetched";
    TornMoved = 18, "torn (moved meanwhile)", Unit::Count,
        "of the torn: what was copied was of more than one moment";
    TornUnknownCall = 19, "torn (unknown call)", Unit::Count,
        "of the torn: a call was never seen while the thread stood still";
    TornLinking = 20, "torn (in a call or return)", Unit::Count,
        "of the torn: a frame was being linked or unlinked";
    TornCode = 21, "torn (code changed)", Unit::Count,
        "of the torn: a code object changed before it had been compared";
    TornDisturbed = 22, "torn (ran too early)", Unit::Count,
        "of the torn: the thread ran before it had been read";
    TornOver = 23, "torn (call was over)", Unit::Count,
        "of the torn: what was called was over, and was not met again";
    Turns = 24, "turns", Unit::Count, "samples for which the thread waited its turn";
    TurnsTotal = 25, "turns total ms", MILLISECONDS, "how long it waited for them, in all";
    TurnsP99 = 26, "turns p99 us", MICROSECONDS_OF_99, "99 of 100 turns were no longer than this";
    Interrupts = 27, "interrupts", Unit::Count, "ticks that an interrupt of the thread took";
    Looks = 28, "looks", Unit::Count, "ticks that a look at a thread took that did not run";
    Missed = 29, "missed", Unit::Count, "ticks for which no interrupt came to a thread that ran";
    Native = 53, "native stacks", Unit::Count, "stacks into which native frames fit";
    NativeAbsent = 54, "no native frames (no registers)", Unit::Count,
        "stacks of Python frames only: registers or stack could not be had";
    NativeCut = 55, "no native frames (stack too large)", Unit::Count,
        "stacks of Python frames only: more is needed than was copied, at most 1 MiB";
    NativeUnknown = 56, "no native frames (unknown code)", Unit::Count,
        "stacks of Python frames only: nothing told how to unwind a function";
    NativeMismatch = 57, "no native frames (did not fit)", Unit::Count,
        "stacks of Python frames only: native frames did not fit between them";
    Reads = 30, "remote reads per sample", Unit::PerSample, "system calls that read the process";
    Cpu = 31, "cpu us per sample", MICROSECONDS_EACH, "the profiler's own time on a processor";
    ProcessesSampled = 32, "processes sampled", Unit::Count,
        "processes in which at least one sample was due";
    ProcessesNotPython = 33, "processes not Python", Unit::Count, "processes that were passed over";
    ProcessesTooShort = 34, "processes too short to be sampled", Unit::Count,
        "processes that ended before the first sample";
    ProcessesLeftOut = 35, "processes left out, too many at once", Unit::Count,
        "processes that ended while too many others were sampled or began";
    ProcessesRefused = 36, "processes that cannot be profiled", Unit::Count,
        "processes of which a message said why";
    DeniedUnknown = 37, "processes not read, for an unknown reason", Unit::Count,
        "the kernel did not say why";
    DeniedCapability = 38, "processes not read, for want of CAP_SYS_PTRACE", Unit::Count,
        "the profiler does not have it";
    DeniedHidden = 39, "processes not read, hidden by /proc", Unit::Count,
        "/proc is mounted so that they are hidden";
    DeniedDump = 40, "processes not read, not dumpable", Unit::Count,
        "they have changed their user, or said so themselves";
    DeniedGroup = 41, "processes not read, of another group", Unit::Count,
        "they have another group than the profiler";
    DeniedUser = 42, "processes not read, of another user", Unit::Count,
        "they have another user than the profiler";
    DeniedYama = 43, "processes not read, protected by ptrace_scope", Unit::Count,
        "kernel.yama.ptrace_scope leaves that to others";
    DeniedCapabilities = 44, "processes not read, with more capabilities", Unit::Count,
        "they may do what the profiler may not";
    Elapsed = 45, "elapsed s", SECONDS, "from the first tick to the last";
    SampledProcesses = 46, "sampled process", Unit::Processes,
        "one of the Pythons of the command, each after the other";
    FurtherProcesses = 47, "further processes sampled", Unit::Count, "those without a row";
    OtherPythons = 48,
        "other Pythons at the same time, not sampled (--subprocesses samples all)", Unit::Count,
        "one of the command's was sampled at a time";
    LeftOutByFrames = 49, "left out by --include and --exclude", Unit::Count,
        "samples that the choice of frames left nothing of";
    WithoutPython = 52, "without Python frames", Unit::Count,
        "samples of native code alone that the choice of native frames left nothing of";
    LeftOutByThreads = 50, "left out by the choice of threads", Unit::Count,
        "samples of other threads, or in another state";
}

impl Key {
    /// The key with this number in recordings; `None` if only a later release knows it.
    #[must_use]
    pub fn with_number(number: u64) -> Option<Self> {
        Self::ALL.iter().copied().find(|key| key.number() == number)
    }

    /// Its number in recordings.
    #[must_use]
    pub fn number(self) -> u64 {
        (self as u8).into()
    }

    /// Its place among all, in the order in which they are shown.
    pub(super) fn place(self) -> usize {
        Self::ALL.iter().take_while(|other| **other != self).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_a_name_of_its_own_and_is_found_by_its_number() {
        let mut names: Vec<&str> = Key::ALL.iter().map(|key| key.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Key::ALL.len());
        for (place, key) in Key::ALL.iter().enumerate() {
            assert_eq!(Key::with_number(key.number()), Some(*key));
            assert_eq!(key.place(), place);
            assert!(!key.meaning().is_empty());
        }
        assert_eq!(Key::with_number(0), None);
        assert_eq!(Key::with_number(u64::MAX), None);
    }
}
