//! The one definition of the command line, from which help, manual pages and completions
//! are made.
//!
//! The first line of an option's help is what `-h` shows; `--help` and the manual page
//! show all of it.

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, Command, value_parser};

use super::usage::{COMMANDS, abi_list};
use crate::cpython::abi::AbiTag;
use crate::render::FORMATS;

/// The command line of `program`, which profiles `abis`.
#[must_use]
pub fn definition(program: &str, abis: &[AbiTag]) -> Command {
    let abis = format!("ABIs: {}", abi_list(abis));
    Command::new("pyflame")
        .display_name(program)
        .override_usage(format!(
            "{program} [OPTIONS] -p PID...\n       {program} [OPTIONS] -t COMMAND [ARGUMENT]...\n       \
             {program} --dump [OPTIONS] --core FILE [PROGRAM]"
        ))
        .about("A sampling profiler for CPython that leaves the process alone")
        .after_help(format!(
            "{}\nExamples and more about each option: {program} --help\n{abis}",
            other_commands()
        ))
        .after_long_help(format!("{}\n{}\n{abis}", examples(program), other_commands()))
        .disable_version_flag(true)
        .disable_help_flag(true)
        .args_override_self(true)
        .next_help_heading("What to profile")
        .args(targets())
        .next_help_heading("When to sample")
        .args(times())
        .next_help_heading("What to count")
        .args(contents())
        .next_help_heading("Where the result goes")
        .args(results())
        .next_help_heading("How the process is read")
        .args(reading())
        .next_help_heading("Help")
        .args(about_itself())
}

fn flag(name: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue)
}

fn value(name: &'static str, unit: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(unit).allow_hyphen_values(true)
}

fn targets() -> Vec<Arg> {
    vec![
        value("pid", "PID")
            .short('p')
            .action(ArgAction::Append)
            .help("The process to profile; with several -p, all of them"),
        value("name", "PATTERN")
            .help("All processes of Python whose command line matches PATTERN")
            .long_help(
                "All processes of Python whose name or command line matches PATTERN, a regular \
                 expression. Those that were chosen are listed on stderr. Of this user's \
                 processes, or of all if this user is root; processes that start later are not \
                 chosen, but see --subprocesses.",
            ),
        flag("trace")
            .short('t')
            .help("Run the rest of the line as a command and profile it until it ends"),
        flag("subprocesses")
            .help("Also the processes that these start, of any Python version")
            .long_help(
                "Also the processes that these start, and those that they start, as they come: \
             forks, spawns and other programs, each by the pyflameX.Y that is for it, into one \
             result. What is not Python is passed over and counted. Ends when the processes \
             that were named have ended.",
            ),
        flag("dump").short('d').help("Print the stacks of all threads once and exit").long_help(
            "Print the stacks of all threads once and exit. Each begins with the thread's id, \
             and * marks the one that held the GIL; the innermost function comes first.",
        ),
        value("core", "FILE")
            .value_parser(value_parser!(PathBuf))
            .help("With --dump: of the core file FILE, in place of a process")
            .long_help(
                "With --dump: of the core file FILE, in place of a process. What a core file \
                 leaves out, such as code, is read from the files that the process had mapped, if \
                 they are the same still. If its program is elsewhere by now, name it after FILE. \
                 FILE may be packed by zstd or gzip; - is standard input.",
            ),
        flag("verbose")
            .help("With --dump: also thread names, what each thread does, and the process"),
        flag("json")
            .help("With --dump: all of that as one JSON object (several processes: an array)"),
        flag("locals")
            .help("With --dump: also the arguments and variables of every function")
            .long_help(
                "With --dump: also the arguments and variables of every function. Numbers, \
                 texts and the heads of containers are shown as Python would print them, of \
                 all else the type: nothing of the program is called. Variables that change \
                 while they are read are not shown.",
            ),
        value("abi", "ABI").help("The Python ABI to expect: 27, 34, 35, ... 315"),
        // Given by the supervisor of a process tree to those that sample for it.
        value("member", "PID").hide(true),
        Arg::new("legacy-pid").hide(true).num_args(0..).allow_hyphen_values(false),
    ]
}

fn times() -> Vec<Arg> {
    vec![
        value("seconds", "SECONDS")
            .short('s')
            .default_value("1")
            .help("How long to sample; 0 takes one sample. Has no effect with -t")
            .long_help(
                "How long to sample, in seconds or in a unit: 90s, 2h, 1h30m. 0 takes one \
                 sample; a negative number or inf samples until the process ends. As in the \
                 original Pyflame it has no effect with -t: --duration has.",
            ),
        value("duration", "TIME")
            .help("The same, and holds with -t too: 90s, 2h, 1h30m, inf")
            .long_help(
                "How long to sample, such as 90s, 2h, 1h30m, or inf for until the process \
                 ends. With -t, sampling ends after this time or with the command, whichever \
                 comes first; the command itself goes on to its end.",
            ),
        value("rate", "SECONDS")
            .short('r')
            .default_value("0.01")
            .help("Time between two samples; 0 is as fast as possible")
            .long_help(
                "Time between two samples: a number of seconds, a time such as 10ms or 500us, \
                 or a frequency such as 100hz. 0 is as fast as possible.",
            ),
        flag("jitter").help("Take samples at random moments, one in each interval").long_help(
            "Take samples at random moments, one in each interval. A program that does \
             something as regularly as it is sampled would otherwise always be met at the \
             same point.",
        ),
    ]
}

fn contents() -> Vec<Arg> {
    vec![
        flag("gil").help("Sample the threads that hold the GIL: the default"),
        flag("threads").short('L').help("Sample all threads, not only those that hold the GIL"),
        flag("cpu").help("Sample the threads that are on a processor").long_help(
            "Sample the threads that are on a processor, whether they hold the GIL or not. The \
             kernel tells which: a thread is not given more samples than fit into the time \
             that it got.",
        ),
        flag("idle").help("Sample all threads, and tell those that wait").long_help(
            "Sample all threads as --threads does, those that wait included, and keep of each \
             sample whether the thread was on a processor, for the formats that show it. What \
             py-spy calls so samples the same threads.",
        ),
        flag("exclude-idle").short('x').help("Leave out samples in which nobody held the GIL"),
    ]
    .into_iter()
    .chain(thread_choice())
    .chain([native_choice()])
    .chain(frame_choice())
    .collect()
}

/// Which threads are sampled, or of a recording kept.
pub(super) fn thread_choice() -> [Arg; 2] {
    [
        value("thread", "THREAD")
            .action(ArgAction::Append)
            .help("Sample only this thread: its name or id; may be given several times")
            .long_help(
                "Sample only this thread, named as in Python, or by the id that Python or the \
                 kernel has for it; --dump --verbose shows all three. May be given several \
                 times. A moment at which none of them was to be sampled counts as idle.",
            ),
        flag("main-thread").help("Sample only the main thread (and those of --thread)"),
    ]
}

/// Which native frames are wanted; `top` passes it on.
pub(super) fn native_choice() -> Arg {
    value("native", "WHICH")
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("yes")
        .value_parser(["none", "yes", "all"])
        .help("Also the native frames of libraries; =all: and of the interpreter")
        .long_help(
            "Also the frames of native code (C, C++, Rust) between those of Python: yes, as \
             without a value, for those of libraries and extensions, all for those of the \
             interpreter too, none for no others than Python's. A recording keeps all.",
        )
}

/// Which frames are kept, and how they are named.
pub(super) fn frame_choice() -> [Arg; 8] {
    [
        value("include", "GLOB")
            .action(ArgAction::Append)
            .help("Keep only stacks with a frame of this module or path")
            .long_help(
                "Keep only stacks with a frame whose file or module GLOB names, and leave out \
                 other samples: requests, requests.*, */site-packages/*. GLOB is held against \
                 the path as the program has it, the path below an entry of sys.path, and the \
                 module that this makes; * stands for anything, and what lies below a match \
                 matches. May be given several times.",
            ),
        value("exclude", "GLOB")
            .action(ArgAction::Append)
            .help("Take frames of this module or path out of every stack"),
        value("depth", "N").help("Keep the N outermost frames of a stack").long_help(
            "Keep the N outermost frames of a stack, those next to its root; the rest becomes \
             one (truncated).",
        ),
        flag("function-only").help("Tell frames apart by their function only"),
        flag("file-only").help("Tell frames apart by their file only"),
        value("strip-prefix", "PATH")
            .action(ArgAction::Append)
            .help("Leave this out where a file's path begins with it"),
        flag("relative").help("Write paths relative to the entry of sys.path they are below"),
        flag("no-line-numbers").short('n').help("Write file:function without the line"),
    ]
}

fn results() -> Vec<Arg> {
    vec![
        value("output", "FILE")
            .short('o')
            .value_parser(value_parser!(PathBuf))
            .help("Write the result to FILE instead of stdout")
            .long_help(
                "Write the result to FILE instead of stdout. FILE is complete or not there: it \
                 takes its name when all of it has been written, unless it is a recording. SIGUSR1 writes what has been \
                 sampled so far to FILE while sampling goes on.",
            ),
        Arg::new("format")
            .long("format")
            .value_name("FORMAT")
            .value_parser(formats())
            .help("How to write the result; by default as FILE ends, otherwise folded"),
        flag("append").help("Add to the recording in FILE instead of writing over it").long_help(
            "Add this run to those of the recording in FILE instead of writing over it. \
             pyflame report renders the runs of a recording as one.",
        ),
        flag("flamechart").help("The same as --format flamechart; with -o FILE.svg, svg-chart"),
        value("title", "TEXT")
            .help("Title of a picture or report; by default the command and its PID"),
        value("rotate", "TIME")
            .help("Write one file for each window of so much time, named after its start")
            .long_help(
                "Write one file for each window of so much time, such as 60s or 1h. Each is a \
                 profile of its own, named after its start in UTC: with -o out.folded, \
                 out.2026-11-24T16-50-00Z.folded.",
            ),
        flag("stats").help("Print the account of the run on stderr").long_help(
            "Print the account of the run on stderr: what became of every moment at which a \
             sample was due. Always printed if stderr is a terminal.",
        ),
    ]
}

/// How samples are taken; `top` passes it on.
pub(super) fn engine_choice() -> Arg {
    value("engine", "ENGINE")
        .value_parser(["auto", "kernel", "stop", "read"])
        .default_value("auto")
        .help("How samples are taken: by the kernel, in stops, or while the process runs")
        .long_help(
            "How samples are taken. kernel: the kernel copies the stack in a timer interrupt \
             of the thread itself, which cannot move meanwhile; exact, and nobody is stopped. \
             It needs root, or CAP_BPF and CAP_PERFMON, and Linux 5.8 or later. stop: the \
             thread that runs waits its turn on its processor while it is read, or is \
             stopped; exact, within --max-pause. read: \
             no stop and no ptrace call. From Linux 6.12 on the thread waits its turn to be read, \
             for at most 3 % of its time; with -r 0, or before, the process is read while it \
             runs: each stack existed, but shares are estimates. auto: kernel where it may, else stop, or read with --pause never.",
        )
}

fn reading() -> Vec<Arg> {
    vec![
        engine_choice(),
        value("pause", "WHEN")
            .value_parser(["auto", "never", "always"])
            .default_value("auto")
            .help("When the process may be stopped for a sample"),
        flag("nonblocking").help("The same as --pause never"),
        flag("blocking").help("The same as --pause always"),
        value("max-pause", "PERCENT")
            .default_value("1")
            .help("How much of its time the process may stand still for samples")
            .long_help(
                "How much of its time the process may stand still for samples. If that allows \
                 fewer stops than there are ticks, a sample counts for the ticks before it that \
                 had none.",
            ),
    ]
    .into_iter()
    .chain(rights())
    .collect()
}

/// Which rights are used, and kept; `top` passes it on.
pub(super) fn rights() -> [Arg; 2] {
    [
        as_capable(),
        flag("no-sandbox").help("Keep all rights that pyflame was started with").long_help(
            "Keep all rights that pyflame was started with. Without this it gives up, before \
                 the first sample, capabilities that it does not need, and system calls that it \
                 does not make: with --pause never it cannot call ptrace. pyflame check says what \
                 a run gives up.",
        ),
    ]
}

/// Whether rights of the program's file are used; commands have it too.
pub(super) fn as_capable() -> Arg {
    flag("as-capable")
        .help("Use the rights of pyflame's file (setcap), which its caller need not have")
        .long_help(
            "Use the rights that pyflame has from its file (setcap cap_sys_ptrace+ep), which \
             its caller need not have. Without this it gives them up at its start, all but \
             CAP_BPF and CAP_PERFMON, and reads the processes that its caller could read by \
             himself.",
        )
}

fn about_itself() -> Vec<Arg> {
    vec![
        Arg::new("help")
            .short('h')
            .long("help")
            .action(ArgAction::Help)
            .help("Print this help; --help tells more than -h"),
        flag("version").short('v').help("Print the version and the ABIs"),
    ]
}

/// What `--format` takes.
pub(super) fn formats() -> Vec<PossibleValue> {
    FORMATS.iter().map(|format| PossibleValue::new(format.name).help(format.about)).collect()
}

/// What else there is, which nobody would look for under the options.
fn other_commands() -> String {
    let lines = COMMANDS.iter().map(|(name, about)| format!("  pyflame {name:8}{about}\n"));
    format!("Commands, each with --help of its own:\n{}", lines.collect::<String>())
}

fn examples(program: &str) -> String {
    let examples = [
        ("-p 4242 -s 30 -o out.folded", "sample a process for 30 seconds"),
        ("-t python3 app.py --fast", "run a program and sample it"),
        ("-p 4242 -o out.svg", "draw a flame graph"),
        ("-p 4242 --threads -o out.html", "a report with every thread, to explore"),
        ("--subprocesses -t ./serve", "with all processes that it starts"),
        ("--dump -p 4242", "what is it doing right now?"),
        ("--dump --locals -p 4242", "and with which values?"),
        ("--dump --locals --core core.4242", "what was it doing when it crashed?"),
        ("-L -r 1ms --duration 5m -p 4242", "all threads, 1000 times a second"),
        ("--duration inf --rotate 1h -o out.folded -p 4242", "a file for each hour"),
    ];
    let widest = examples.iter().map(|(line, _)| line.len()).max().unwrap_or(0);
    let line = |(line, about): &(&str, &str)| format!("  {program} {line:widest$}  {about}\n");
    format!(
        "Examples:\n{}  {program} -p 4242 | flamegraph.pl > out.svg\n",
        examples.iter().map(line).collect::<String>()
    )
}
