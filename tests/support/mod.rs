//! What the live tests share: the list of real interpreters, targets that tell
//! their own truth, the profiler as a user runs it, and a runner whose output
//! names what ran.
//!
//! A test returns `Outcome`: on failure, the words to show. Nothing here waits
//! by sleeping a while and hoping: targets say over a pipe where they are, and
//! what has no pipe is asked until the answer is there or `PATIENCE` is over.

use std::time::Duration;

pub(crate) mod binaries;
pub(crate) mod copies;
pub(crate) mod features;
pub(crate) mod interpreters;
pub(crate) mod missing;
pub(crate) mod native;
pub(crate) mod process;
pub(crate) mod profiler;
pub(crate) mod runner;
pub(crate) mod shape;
pub(crate) mod shares;
pub(crate) mod target;
pub(crate) mod terminal;
pub(crate) mod tree;
pub(crate) mod truth;

/// The result of a test or of a step of one; the error is what the user reads.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// How long anything may take before the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Turns an error or an absence into words that say what was being done.
pub(crate) trait Context<T> {
    /// The value, or an error that begins with `what`.
    fn context(self, what: impl FnOnce() -> String) -> Outcome<T>;
}

impl<T, E: std::fmt::Display> Context<T> for Result<T, E> {
    fn context(self, what: impl FnOnce() -> String) -> Outcome<T> {
        self.map_err(|error| format!("{}: {error}", what()))
    }
}

impl<T> Context<T> for Option<T> {
    fn context(self, what: impl FnOnce() -> String) -> Outcome<T> {
        self.ok_or_else(what)
    }
}

/// Fails with `words` unless `condition` holds.
pub(crate) fn expect(condition: bool, words: impl FnOnce() -> String) -> Outcome {
    if condition { Ok(()) } else { Err(words()) }
}

/// Measures what is out of its bounds once more: another program may have had the machine.
/// A bias is there both times. An error of the measurement, such as a stack that cannot have
/// existed, fails at once. `measure` tells whether its figures are within their bounds, and
/// what they are.
pub(crate) fn measured(measure: impl Fn() -> Outcome<(bool, String)>) -> Outcome<String> {
    let (is_within, first) = measure()?;
    if is_within {
        return Ok(first);
    }
    let (is_within, second) = measure()?;
    expect(is_within, || format!("{first}\nmeasured again: {second}"))?;
    Ok(format!("{second}; measured before: {first}"))
}

/// The same for a test all of whose errors are figures out of their bounds.
pub(crate) fn twice<C>(case: &C, test: impl Fn(&C) -> Outcome<String>) -> Outcome<String> {
    measured(|| {
        let measured = test(case);
        Ok((measured.is_ok(), measured.unwrap_or_else(|words| words)))
    })
}

/// The same run, longer each time, until it shows enough: how much a program gets to do in so
/// many seconds depends on what else the machine does. What was seen in too short a time is an
/// inner error; an outer one, such as a stack that cannot have existed, fails at once.
pub(crate) fn with_more_time<T>(
    times: &[&str],
    run: impl Fn(&str) -> Outcome<Outcome<T>>,
) -> Outcome<T> {
    let mut words = String::from("too little:");
    for time in times {
        match run(time)? {
            Ok(shown) => return Ok(shown),
            Err(seen) => words += &format!("\nin {time}: {seen}"),
        }
    }
    Err(words)
}

/// The folder of the Python targets.
pub(crate) fn targets() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/targets")
}
