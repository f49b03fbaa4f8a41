//! The profiler as a user runs it, and its output as data.

use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;

use super::process::{Finished, Running, run, status_line, wait_until};
use super::truth::{Thread, Truth, difference, parse_dump};
use super::{Context, Outcome};

/// A command that runs a profiler with nothing but the given arguments in an
/// environment of nothing but `PATH`.
pub(crate) fn command(profiler: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(profiler);
    command.args(arguments).env_clear().env("PATH", "/usr/bin:/bin");
    command
}

/// Runs a profiler on a process.
pub(crate) fn attach(profiler: &Path, pid: u32, options: &[&str]) -> Outcome<Finished> {
    run(command(profiler, options).args(["-p", &pid.to_string()]))
}

/// Whether the kernel lets this user load programs: with all of root's capabilities, and not
/// in a container that keeps some.
pub(crate) fn may_use_kernel() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let has = line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let (perfmon, bpf) = (1 << 38, 1 << 39);
    has & perfmon != 0 && has & bpf != 0 && Path::new("/sys/fs/bpf").exists()
}

/// Whether the kernel lets a thread that wakes have its turn at once: from Linux 6.12 on.
pub(crate) fn has_turns() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    let mut next = || numbers.next().and_then(Result::ok).unwrap_or(0);
    (next(), next()) >= (6, 12)
}

/// Starts a run that is far too long on a process, and returns when it is under way:
/// it catches signals, and has waited for some ticks.
pub(crate) fn start_sampling(profiler: &Path, pid: u32, options: &[&str]) -> Outcome<Running> {
    let pid = pid.to_string();
    let arguments = [&["-s", "3600", "-p", &pid], options].concat();
    let running = Running::start(&mut command(profiler, &arguments), false)?;
    wait_until_it_catches(&running, &[Signal::SIGINT, Signal::SIGTERM])?;
    wait_for_ticks(&running, 200)?;
    Ok(running)
}

/// Waits until a profiler catches these signals.
pub(crate) fn wait_until_it_catches(running: &Running, signals: &[Signal]) -> Outcome {
    wait_until("the profiler catches signals", || {
        let mask = status_line(running.pid(), "SigCgt")?;
        let mask = u64::from_str_radix(&mask, 16).context(|| mask.clone())?;
        Ok(signals.iter().all(|s| mask & (1 << (*s as i32 - 1)) != 0).then_some(()))
    })
}

/// Waits until a profiler has waited for so many ticks more.
pub(crate) fn wait_for_ticks(running: &Running, ticks: u64) -> Outcome {
    let waits = || {
        let waits = status_line(running.pid(), "voluntary_ctxt_switches")?;
        waits.parse::<u64>().context(|| waits.clone())
    };
    let before = waits()?;
    wait_until("the profiler samples", || Ok((waits()? >= before + ticks).then_some(())))
}

/// The dump of a process, by a clean run.
pub(crate) fn dump(profiler: &Path, pid: u32) -> Outcome<Vec<Thread>> {
    parse_dump(&attach(profiler, pid, &["--dump"])?.clean()?)
}

/// Looks again until a dump shows it: between two calls a program is in neither of them. Every
/// look must be a clean one.
pub(crate) fn dump_until(
    what: &str,
    look: impl Fn() -> Outcome<Vec<Thread>>,
    shows: impl Fn(&[Thread]) -> bool,
) -> Outcome<Vec<Thread>> {
    wait_until(what, || Ok(Some(look()?).filter(|threads| shows(threads))))
}

/// Fails unless these profilers see what the target says, by a dump, and change
/// nothing about it.
pub(crate) fn expect_dump(profilers: &[&Path], pid: u32, truth: &Truth) -> Outcome {
    for profiler in profilers {
        let seen = dump(profiler, pid)?;
        let words = difference(&truth.threads, &seen);
        words.map_or(Ok(()), |words| Err(format!("{}: {words}", profiler.display())))?;
    }
    Ok(())
}

/// One line of folded stacks: the frames, root first, and the count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Folded {
    /// `file:function:line` each, or `file:function`; none is `(idle)`.
    pub frames: Vec<Frame>,
    /// How many samples had this stack.
    pub count: u64,
}

/// A frame of a folded stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The name of the file.
    pub file: String,
    /// The name of the function.
    pub function: String,
    /// The line; `None` under `-n`.
    pub line: Option<u32>,
}

/// A profile in folded lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Profile {
    /// Samples that found nobody holding the GIL.
    pub idle: u64,
    /// Samples at which the process could not be read.
    pub failed: u64,
    /// The other lines, in order.
    pub stacks: Vec<Folded>,
}

impl Profile {
    /// Reads folded lines; every line must have the form.
    pub(crate) fn parse(output: &[u8], with_lines: bool) -> Outcome<Self> {
        let text = std::str::from_utf8(output).context(|| "the profile is not UTF-8".into())?;
        let mut profile = Profile::default();
        for (index, line) in text.lines().enumerate() {
            let bad = || format!("line {} of the profile: {line:?}", index + 1);
            let (stack, count) = line.rsplit_once(' ').context(bad)?;
            let count: u64 = count.parse().context(bad)?;
            if count == 0 {
                return Err(format!("{} counts nothing", bad()));
            }
            // These come first, in this order.
            let special = match stack {
                "(idle)" if index == 0 => Some(&mut profile.idle),
                "(failed)" if profile.stacks.is_empty() => Some(&mut profile.failed),
                _ => None,
            };
            if let Some(special) = special {
                *special = count;
                continue;
            }
            let frames: Outcome<_> =
                stack.split(';').map(|f| Frame::parse(f, with_lines)).collect();
            profile.stacks.push(Folded { frames: frames.context(bad)?, count });
        }
        Ok(profile)
    }

    /// All samples, idle and failed ones included.
    pub(crate) fn total(&self) -> u64 {
        self.idle + self.failed + self.stacks.iter().map(|s| s.count).sum::<u64>()
    }

    /// The samples that have a function of this name on top.
    pub(crate) fn samples_in(&self, function: &str) -> u64 {
        let on_top = |s: &&Folded| s.frames.last().is_some_and(|f| f.function == function);
        self.stacks.iter().filter(on_top).map(|s| s.count).sum()
    }

    /// The samples that have a function of this name somewhere in the stack.
    pub(crate) fn samples_with(&self, function: &str) -> u64 {
        let with = |s: &&Folded| s.frames.iter().any(|f| f.function == function);
        self.stacks.iter().filter(with).map(|s| s.count).sum()
    }
}

impl Frame {
    /// Reads `file:function:line`, or without the line `file:function`.
    pub(crate) fn parse(text: &str, with_line: bool) -> Outcome<Self> {
        let bad = || format!("not a frame: {text:?}");
        let (rest, line) = if with_line {
            let (rest, line) = text.rsplit_once(':').context(bad)?;
            (rest, Some(line.parse().context(bad)?))
        } else {
            (text, None)
        };
        let (file, function) = rest.rsplit_once(':').context(bad)?;
        if file.is_empty() || function.is_empty() {
            return Err(bad());
        }
        Ok(Frame { file: file.to_owned(), function: function.to_owned(), line })
    }
}

impl std::fmt::Display for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.function)?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

/// One sample of a flame chart.
pub(crate) struct Moment {
    /// When, in microseconds.
    pub microseconds: u64,
    /// The stack, root first; empty when idle or failed.
    pub frames: Vec<Frame>,
}

/// Reads a flame chart: a line with the time, then one with the stack, in which
/// every frame ends with `;`, or `(idle)`.
pub(crate) fn parse_flamechart(output: &[u8]) -> Outcome<Vec<Moment>> {
    let text = std::str::from_utf8(output).context(|| "the chart is not UTF-8".into())?;
    let lines: Vec<&str> = text.lines().collect();
    let mut moments = Vec::new();
    for pair in lines.chunks(2) {
        let bad = || format!("not a time and a stack: {pair:?}");
        let [stamp, stack] = pair else { return Err(bad()) };
        let frames = match *stack {
            "(idle)" | "(failed)" => Vec::new(),
            stack => {
                let frames = stack.strip_suffix(';').context(bad)?.split(';');
                frames.map(|f| Frame::parse(f, true)).collect::<Outcome<_>>().context(bad)?
            }
        };
        moments.push(Moment { microseconds: stamp.parse().context(bad)?, frames });
    }
    Ok(moments)
}
