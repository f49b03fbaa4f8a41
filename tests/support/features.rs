//! What the live tests show of each ABI: a test program declares which of its tests show which
//! feature, and with `PYFLAME_RECORD=FILE` what came of them is appended to that file.
//! `make abi-table` makes `docs/ABIS.md` of it.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use super::interpreters::{Build, Interpreter};
use super::{Context, Outcome};

/// The file to which records are appended. While it is set, tests that show no feature are left
/// out, and where some versions stand for all, all are tested.
const VARIABLE: &str = "PYFLAME_RECORD";

/// How words begin that a test returns instead of trying anything.
const NOT_TRIED: &str = "not tried: ";

/// Makes [`Feature`] of the table: a name, and the title of its row.
macro_rules! features {
    ($($feature:ident = $title:literal,)*) => {
        /// What there is to show, in the order of the table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Feature {
            $(#[doc = $title] $feature,)*
        }

        impl Feature {
            pub(crate) const ALL: &[Self] = &[$(Self::$feature,)*];

            /// The title of its row.
            pub(crate) fn title(self) -> &'static str {
                match self { $(Self::$feature => $title,)* }
            }
        }
    };
}

features! {
    Kernel = "sampled with `--engine kernel`",
    Stops = "sampled with `--pause always`",
    Turns = "sampled with `--engine read`, in turns",
    Reading = "sampled with `--engine read -r 0`",
    NoPtrace = "no ptrace call with `--pause never`",
    Idle = "idle ticks, `-x`",
    AllThreads = "all threads, `--threads`",
    Selection = "`--cpu`, `--idle`, `--thread`, `--main-thread`",
    FrameFilters = "`--relative`, `--include`, `--depth`",
    WithoutGil = "threads that compute without the GIL",
    SideBySideKernel = "threads attached side by side, by the kernel",
    SideBySideStops = "threads attached side by side, in stops",
    SideBySideRead = "threads attached side by side, read",
    GilSwitchedOn = "a GIL that was switched on, `PYTHON_GIL=1`",
    Pauses = "stop-the-world pauses",
    ManyThreads = "1,000 threads",
    DeepStacks = "10,000 frames",
    Dump = "`--dump`, each frame and line",
    Generators = "generators in a dump",
    Coroutines = "coroutines in a dump",
    AsyncGenerators = "asynchronous generators in a dump",
    EventLoop = "coroutines that asyncio runs in a dump",
    ThroughC = "calls through C and ctypes in a dump",
    Traced = "traced and profiled functions in a dump",
    Monitored = "`sys.monitoring` in a dump",
    ManyInterpreters = "subinterpreters in a dump",
    ThreadNames = "names of threads",
    Locals = "variables, `--locals`",
    Cores = "core files, `--dump --core`",
    CoreLocals = "variables in core files",
    Subinterpreters = "threads in subinterpreters",
    FirstThreadGone = "a first thread that has ended",
    ForkedByC = "a process that C code forked",
    NewCode = "new code in the memory of old code",
    MachineCode = "frames of machine code, as Nuitka makes them",
    Native = "native frames, `--native`",
    SystemCalls = "system calls that are left alone",
    Command = "a command, `-t`",
    Wrapper = "a command that starts Python, `-t`",
    Forks = "children that were forked, `--subprocesses`",
    Spawns = "children that were spawned, `--subprocesses`",
    Versions = "children of another version, `--subprocesses`",
    DumpOfTree = "a dump of a process and its children",
    Formats = "each output format",
    FlameChart = "`--flamechart`",
    Recordings = "recordings and `pyflame report`",
    Comparison = "`pyflame diff`",
    Windows = "a file for each window, `--rotate`",
    LiveView = "`pyflame top`",
    Check = "`pyflame check`",
    Launcher = "found by the launcher",
    Refused = "refused by the executables of other ABIs",
    Replaced = "an executable that was replaced on disk",
    Containers = "another mount namespace",
    TracedByAnother = "a process that another traces",
    Frozen = "a process that a cgroup has frozen",
    Limits = "few open files, little memory, the lowest priority",
    LostOutput = "a full disk, a folder that is removed, a closed pipe",
}

impl Feature {
    /// By its name in records.
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|feature| format!("{feature:?}") == name)
    }
}

/// What a test program declares: a feature, and a test that shows it, by what follows the label
/// in its name.
pub(crate) type Shows = &'static [(Feature, &'static str)];

/// Whether tests are run for the table.
pub(crate) fn is_recording() -> bool {
    std::env::var_os(VARIABLE).is_some_and(|file| !file.is_empty())
}

/// Whether an ABI is tested where these stand for all: the table has each.
pub(crate) fn stands(chosen: &[&str], abi: &str) -> bool {
    is_recording() || chosen.contains(&abi)
}

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// It has passed.
    Yes,
    /// It does not apply here, and why.
    Not(String),
    /// It has failed.
    Failed,
}

impl Shown {
    /// By what the test returns.
    pub(crate) fn of(outcome: &Outcome<String>) -> Self {
        match outcome {
            Ok(words) => {
                words.strip_prefix(NOT_TRIED).map_or(Self::Yes, |why| Self::Not(why.to_owned()))
            }
            Err(_) => Self::Failed,
        }
    }
}

/// What one test says of a feature: a line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// The ABI.
    pub abi: String,
    /// The interpreter and how it was built; empty if none was started.
    pub interpreter: String,
    /// What follows the label in the name of the test.
    pub test: String,
    /// The feature.
    pub feature: Feature,
    /// What came of it.
    pub shown: Shown,
}

impl Record {
    /// One line, without its end.
    pub(crate) fn line(&self) -> String {
        let Self { abi, interpreter, test, feature, shown } = self;
        let (shown, why) = match shown {
            Shown::Yes => ("yes", ""),
            Shown::Not(why) => ("not", why.as_str()),
            Shown::Failed => ("failed", ""),
        };
        format!("{abi}\t{interpreter}\t{test}\t{feature:?}\t{shown}\t{why}")
    }

    /// What [`Self::line`] has written.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let [abi, interpreter, test, feature, shown, why] =
            line.split('\t').collect::<Vec<_>>().try_into().ok()?;
        let shown = match shown {
            "yes" => Shown::Yes,
            "not" => Shown::Not(why.to_owned()),
            "failed" => Shown::Failed,
            _ => return None,
        };
        let feature = Feature::by_name(feature)?;
        let [abi, interpreter, test] = [abi, interpreter, test].map(str::to_owned);
        Some(Self { abi, interpreter, test, feature, shown })
    }

    /// Appends it in one piece: other programs may append to the file at the same time.
    fn append(&self) -> Outcome {
        let Some(name) = std::env::var_os(VARIABLE).filter(|name| !name.is_empty()) else {
            return Ok(());
        };
        let name = PathBuf::from(name);
        let words = || format!("{VARIABLE}={}", name.display());
        let mut file = File::options().create(true).append(true).open(&name).context(words)?;
        file.write_all(format!("{}\n", self.line()).as_bytes()).context(words)
    }
}

/// Records what a test of an interpreter says of a feature, if anything is recorded.
pub(crate) fn record(
    interpreter: &Interpreter,
    test: &str,
    feature: Feature,
    shown: Shown,
) -> Outcome {
    let build = match interpreter.build() {
        Build::Shared => "shared",
        Build::Static => "static",
        Build::Debug if interpreter.shared => "shared, debug",
        Build::Debug => "static, debug",
    };
    let (abi, test) = (interpreter.abi.to_owned(), test.to_owned());
    let interpreter = format!("{} ({build})", interpreter.label);
    Record { abi, interpreter, test, feature, shown }.append()
}

/// Records that an ABI has no such thing, if anything is recorded. For what is not even a test
/// of that ABI.
///
/// # Panics
///
/// If that cannot be written down.
pub(crate) fn not_here(abi: &str, feature: Feature, why: &str) {
    let (abi, shown) = (abi.to_owned(), Shown::Not(why.to_owned()));
    let (interpreter, test) = (String::new(), String::new());
    let record = Record { abi, interpreter, test, feature, shown };
    record.append().unwrap_or_else(|words| panic!("{words}"));
}
