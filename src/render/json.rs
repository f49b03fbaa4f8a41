//! What the JSON formats share: arrays that are written while they are made, and what is
//! said of the run.

use std::io;

use serde::{Serialize, Serializer};

use super::labels;
use crate::profile::{Process, Profile};

/// An array of what an iterator yields, made anew for each writing.
pub struct Items<Make>(pub Make);

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
pub struct Run<'a> {
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
pub struct ProcessWords<'a> {
    pid: i32,
    command: &'a str,
    python: &'a str,
}

impl<'a> ProcessWords<'a> {
    /// Those of `process`.
    pub fn of(process: &'a Process) -> Self {
        Self { pid: process.pid, command: &process.command, python: &process.python }
    }
}

impl<'a> Run<'a> {
    /// The run of `profile`.
    pub fn of(profile: &'a Profile) -> Self {
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
pub struct Account<'a>(pub &'a Profile);

impl Serialize for Account<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rows = &self.0.about.account;
        serializer.collect_map(rows.iter().map(|(name, value)| (name, Value::of(value))))
    }
}

/// The value of a row of the account.
#[derive(Serialize)]
#[serde(untagged)]
enum Value<'a> {
    Count(u64),
    Number(f64),
    Words(&'a str),
}

impl<'a> Value<'a> {
    fn of(text: &'a str) -> Self {
        let count = text.parse().map(Self::Count);
        let number = || text.parse().ok().filter(|number: &f64| number.is_finite());
        count.unwrap_or_else(|_| number().map_or(Self::Words(text), Self::Number))
    }
}

/// A run and its account, for formats that have one place for both.
#[derive(Serialize)]
pub struct RunInfo<'a> {
    #[serde(flatten)]
    run: Run<'a>,
    account: Account<'a>,
}

impl<'a> RunInfo<'a> {
    /// Those of `profile`.
    pub fn of(profile: &'a Profile) -> Self {
        Self { run: Run::of(profile), account: Account(profile) }
    }
}

/// Writes `document` in one line.
///
/// # Errors
/// Those of `out`.
pub fn write(document: &impl Serialize, out: &mut dyn io::Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, document)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_has_numbers_where_it_can() {
        let row = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut profile = Profile::default();
        profile.about.account =
            vec![row("ticks", "18"), row("elapsed s", "0.25"), row("odd", "inf \"\n")];
        let text = serde_json::to_string(&Account(&profile)).expect("a String takes everything");
        assert_eq!(text, r#"{"ticks":18,"elapsed s":0.25,"odd":"inf \"\n"}"#);
    }
}
