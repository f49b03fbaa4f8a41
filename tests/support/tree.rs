//! Profiles of several processes as data, and the account of a run.

use std::collections::BTreeMap;
use std::{fmt, fs};

use crate::support::process::Finished;
use crate::support::{Context, Outcome};

/// A stack of one process.
struct Stack {
    /// The command line of the process.
    command: String,
    /// `file:function:line` each, root first.
    frames: Vec<String>,
    samples: u64,
}

/// Folded stacks whose outermost frames are processes.
#[derive(Default)]
pub(crate) struct Profile {
    processes: BTreeMap<u32, Vec<Stack>>,
}

impl Profile {
    /// Reads a file of folded stacks.
    pub(crate) fn read(file: &str) -> Outcome<Self> {
        let text = fs::read(file).context(|| file.to_owned())?;
        Self::parse(&text)
    }

    /// Reads folded stacks, each of which must be of a process.
    pub(crate) fn parse(text: &[u8]) -> Outcome<Self> {
        let mut profile = Self::default();
        let text = std::str::from_utf8(text).context(|| "not UTF-8".into())?;
        for line in text.lines().filter(|line| !line.starts_with('(')) {
            let bad = || format!("not a stack of a process: {line:?}");
            let (stack, samples) = line.rsplit_once(' ').context(bad)?;
            let samples = samples.parse().context(bad)?;
            let (process, frames) = stack.split_once(";").context(bad)?;
            let words = process.strip_prefix("process ").context(bad)?;
            let (pid, command) = words.split_once(" (").context(bad)?;
            let pid = pid.parse().context(bad)?;
            let command = command.strip_suffix(')').context(bad)?.to_owned();
            let frames = frames.split(';').map(str::to_owned).collect();
            profile.processes.entry(pid).or_default().push(Stack { command, frames, samples });
        }
        Ok(profile)
    }

    /// The processes.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.processes.keys().copied().collect()
    }

    /// All samples.
    pub(crate) fn total(&self) -> u64 {
        self.processes.values().flatten().map(|stack| stack.samples).sum()
    }

    /// The processes that have at least so many samples in a function.
    pub(crate) fn with(&self, function: &str, least: u64) -> Vec<u32> {
        let samples = |pid| self.samples(|process, stack| process == pid && stack.has(function));
        self.pids().into_iter().filter(|pid| samples(*pid) >= least).collect()
    }

    /// How many samples a program had in a function, in whichever processes.
    pub(crate) fn of_program(&self, executable: &str, function: &str) -> u64 {
        self.samples(|_, stack| stack.command.starts_with(executable) && stack.has(function))
    }

    /// How many samples had this frame.
    pub(crate) fn with_frame(&self, frame: &str) -> u64 {
        self.samples(|_, stack| stack.frames.iter().any(|seen| seen == frame))
    }

    fn samples(&self, is_wanted: impl Fn(u32, &Stack) -> bool) -> u64 {
        let stacks = self
            .processes
            .iter()
            .flat_map(|(pid, stacks)| stacks.iter().map(|stack| (*pid, stack)));
        stacks.filter(|(pid, stack)| is_wanted(*pid, stack)).map(|(_, s)| s.samples).sum()
    }
}

/// For messages: not every stack, but how many samples each program had in which function.
impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.total();
        write!(f, "{all} samples of {} processes", self.processes.len())?;
        for (pid, stacks) in &self.processes {
            let mut leaves: BTreeMap<(&str, &str), u64> = BTreeMap::new();
            for Stack { command, frames, samples } in stacks {
                let leaf = frames.last().map_or("", String::as_str);
                *leaves.entry((command, leaf)).or_default() += samples;
            }
            for ((command, leaf), samples) in
                leaves.iter().filter(|(_, samples)| **samples * 50 > all)
            {
                write!(f, "\n{pid} {command}: {samples} in {leaf}")?;
            }
        }
        Ok(())
    }
}

impl Stack {
    fn has(&self, function: &str) -> bool {
        self.frames.iter().any(|frame| frame.rsplit(':').nth(1) == Some(function))
    }
}

/// A number of the account on stderr.
pub(crate) fn account(finished: &Finished, name: &str) -> Outcome<u64> {
    let mut lines = finished.stderr.lines();
    let row = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let row = row.context(|| format!("no {name} in {}", finished.words()))?;
    row.parse().context(|| format!("{name}: {row}"))
}

/// Fails if anything but the account is on stderr, or a process could not be profiled. What would
/// give more stops is said where the kernel takes no samples, and no complaint.
pub(crate) fn expect_no_complaint(finished: &Finished) -> Outcome {
    let is_row = |line: &str| {
        line.starts_with("One for each tick needs --max-pause ")
            || line.split_once(": ").is_some_and(|(name, _)| !name.contains("PID"))
    };
    if let Some(line) = finished.stderr.lines().find(|line| !is_row(line)) {
        return Err(format!("not of the account: {line:?}: {}", finished.words()));
    }
    match account(finished, "processes that cannot be profiled")? {
        0 => Ok(()),
        number => Err(format!("{number} could not be profiled: {}", finished.words())),
    }
}
