//! The account in recordings of format 2: names and values as they were shown.

use std::time::Duration;

use super::bytes::Bytes;
use crate::profile::Source;
use crate::profile::stats::{Key, Refusal, Rows, SampledProcess, Unit, Value};

/// The most rows of an account.
const MOST_ROWS: usize = 64;

/// Reads a number of rows, and the rows. What this release does not know is left out: then
/// `is_partial` becomes true.
pub(super) fn read_rows(bytes: &mut Bytes<'_>, is_partial: &mut bool) -> Option<Rows> {
    let mut all = Rows::default();
    let mut processes = Vec::new();
    for _ in 0..bytes.position(MOST_ROWS + 1)? {
        let (name, words) = (bytes.text()?, bytes.text()?);
        if let Some(pid) = pid_of(name) {
            processes.push(SampledProcess { pid, words: words.to_owned() });
            continue;
        }
        // The names of format 2 are still those of today, of which a test makes sure.
        let key = Key::ALL.iter().copied().find(|key| key.name() == name);
        match key.and_then(|key| Some((key, value(key.unit(), words)?))) {
            Some((key, value)) => all.put(key, value),
            None => *is_partial = true,
        }
    }
    if !processes.is_empty() {
        all.put(Key::SampledProcesses, Value::Processes(processes));
    }
    Some(all)
}

/// The process that the name of a row is about.
fn pid_of(name: &str) -> Option<i32> {
    name.strip_prefix(Key::SampledProcesses.name())?.strip_prefix(' ')?.parse().ok()
}

fn value(unit: Unit, words: &str) -> Option<Value> {
    // Times and shares were rounded to at most two digits after the point.
    let number = |one: f64| {
        let number: f64 = words.parse().ok()?;
        (number.is_finite() && number >= 0.0).then(|| (number * one).round() as u64)
    };
    Some(match unit {
        Unit::Count => Value::Count(words.parse().ok()?),
        Unit::PerSample => Value::PerSample(number(100.0)?),
        Unit::Time { one, .. } => Value::Time(Duration::from_nanos(number(one as f64)?)),
        // Only the live account says what root would have.
        Unit::Refusal => Value::Refusal(Refusal { words: words.to_owned(), wants_rights: false }),
        Unit::Sources => Value::Sources(words.split("; ").map(source).collect::<Option<_>>()?),
        Unit::Processes => return None,
    })
}

fn source(name: &str) -> Option<Source> {
    let all = [Source::Interrupt, Source::Stop, Source::Turn, Source::Read];
    all.into_iter().find(|source| source.name() == name)
}
