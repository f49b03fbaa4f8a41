//! What the JSON formats share: arrays that are written while they are made, and what is
//! said of the run.

use std::borrow::Cow;
use std::io;

use serde::{Serialize, Serializer};

use super::labels;
use crate::profile::stats::Shown;
use crate::profile::{Process, Profile};
use crate::stack::Frame;

/// What a frame is of, if not of Python code.
pub(super) fn native_kind(frame: &Frame) -> Option<&'static str> {
    frame.kind.is_native().then(|| frame.kind.word())
}

/// An array of what an iterator yields, made anew for each writing.
pub(super) struct Items<Make>(pub Make);

impl<Make, I> Serialize for Items<Make>
where
    Make: Fn() -> I,
    I: IntoIterator<Item: Serialize>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// The run that a profile comes from.
#[derive(Serialize)]
pub(super) struct Run<'a> {
    /// The program and its release.
    pub program: &'static str,
    /// When it began, in microseconds since the epoch.
    pub started_us: u64,
    /// How long it took.
    pub elapsed_s: f64,
    /// What one sample stands for.
    pub period_s: f64,
    /// Whether all threads were sampled, and not only those that held a GIL.
    pub every_thread: bool,
    /// What was sampled.
    pub processes: Vec<ProcessWords<'a>>,
}

/// A process.
#[derive(Serialize)]
pub(super) struct ProcessWords<'a> {
    pid: i32,
    command: &'a str,
    python: &'a str,
}

impl<'a> ProcessWords<'a> {
    /// Those of `process`.
    pub(super) fn of(process: &'a Process) -> Self {
        Self { pid: process.pid, command: &process.command, python: &process.python }
    }
}

impl<'a> Run<'a> {
    /// The run of `profile`.
    pub(super) fn of(profile: &'a Profile) -> Self {
        let about = &profile.about;
        Self {
            program: labels::PROGRAM,
            started_us: about.started,
            elapsed_s: about.elapsed.as_secs_f64(),
            period_s: about.period().as_secs_f64(),
            every_thread: about.every_thread,
            processes: profile.processes().map(|(_, process)| ProcessWords::of(process)).collect(),
        }
    }
}

/// What became of every tick: an object of numbers, and words where a value is none.
pub(super) struct Account<'a>(pub &'a Profile);

impl Serialize for Account<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let lines = self.0.about.account.lines();
        serializer.collect_map(lines.map(|line| (line.name, Value::of(line.value))))
    }
}

/// The value of a row of the account.
#[derive(Serialize)]
#[serde(untagged)]
enum Value<'a> {
    Count(u64),
    Number(f64),
    Words(Cow<'a, str>),
}

impl<'a> Value<'a> {
    fn of(shown: Shown<'a>) -> Self {
        match shown {
            Shown::Number { scaled, decimals: 0 } => Self::Count(scaled),
            Shown::Number { scaled, decimals } => {
                Self::Number(scaled as f64 / 10_u64.pow(decimals) as f64)
            }
            Shown::Words(words) => Self::Words(words),
        }
    }
}

/// A run and its account, for formats that have one place for both.
#[derive(Serialize)]
pub(super) struct RunInfo<'a> {
    #[serde(flatten)]
    run: Run<'a>,
    account: Account<'a>,
}

impl<'a> RunInfo<'a> {
    /// Those of `profile`.
    pub(super) fn of(profile: &'a Profile) -> Self {
        Self { run: Run::of(profile), account: Account(profile) }
    }
}

/// Writes `document` in one line.
///
/// # Errors
/// Those of `out`.
pub(super) fn write(document: &impl Serialize, out: &mut dyn io::Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, document)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::profile::stats::{self, Key, Refusal};

    #[test]
    fn the_account_has_numbers_where_it_can() {
        let mut profile = Profile::default();
        let refusal = Refusal { words: "inf \"\n".to_owned(), wants_rights: false };
        let account = &mut profile.about.account;
        account.add(Key::Ticks, 18);
        account.put(Key::Elapsed, stats::Value::Time(Duration::from_millis(250)));
        account.put(Key::NotByKernel, stats::Value::Refusal(refusal));
        let text = serde_json::to_string(&Account(&profile)).expect("a String takes everything");
        assert_eq!(text, r#"{"ticks":18,"not by the kernel":"inf \"\n","elapsed s":0.25}"#);
    }
}
