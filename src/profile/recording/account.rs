//! The account in a recording: rows with the numbers of their keys, each with its length.

use std::time::Duration;

use super::bytes::{Bytes, put_bytes, put_number, put_signed, put_text};
use crate::profile::Source;
use crate::profile::stats::{Key, Refusal, Rows, SampledProcess, Unit, Value};

/// The most bytes of a row. A longer one is not written: a block has its bounds.
const LONGEST_ROW: usize = 1 << 16;

/// How samples can be taken, at the places of the numbers that say so.
const SOURCES: [Source; 4] = [Source::Interrupt, Source::Stop, Source::Turn, Source::Read];

/// Appends rows, and says how many.
pub(super) fn put_rows(out: &mut Vec<u8>, rows: &Rows) -> u64 {
    let rows = rows.iter().map(|(key, value)| (key, bytes_of(value)));
    let mut count = 0;
    for (key, bytes) in rows.filter(|(_, bytes)| bytes.len() <= LONGEST_ROW) {
        put_number(out, key.number());
        put_bytes(out, &bytes);
        count += 1;
    }
    count
}

/// Reads so many rows. What only a later release knows is left out: then `is_partial` becomes
/// true.
pub(super) fn read_rows(
    count: usize,
    bytes: &mut Bytes<'_>,
    is_partial: &mut bool,
) -> Option<Rows> {
    let mut all = Rows::default();
    for _ in 0..count {
        let key = Key::with_number(bytes.number()?);
        let content = bytes.part()?;
        match key.and_then(|key| Some((key, value(key.unit(), content)?))) {
            Some((key, value)) => all.put(key, value),
            None => *is_partial = true,
        }
    }
    Some(all)
}

fn bytes_of(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    match value {
        Value::Count(number) | Value::PerSample(number) => put_number(&mut out, *number),
        Value::Time(time) => {
            put_number(&mut out, u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        }
        Value::Refusal(Refusal { words, wants_rights }) => {
            out.push(u8::from(*wants_rights));
            put_text(&mut out, words);
        }
        Value::Sources(sources) => {
            for source in sources {
                let number = SOURCES.iter().position(|known| known == source);
                put_number(&mut out, number.unwrap_or(SOURCES.len()) as u64);
            }
        }
        Value::Processes(processes) => {
            for SampledProcess { pid, words } in processes {
                put_signed(&mut out, (*pid).into());
                put_text(&mut out, words);
            }
        }
    }
    out
}

/// The value that all of `bytes` are; `None` if they are none of this release.
fn value(unit: Unit, mut bytes: Bytes<'_>) -> Option<Value> {
    let value = match unit {
        Unit::Count => Value::Count(bytes.number()?),
        Unit::PerSample => Value::PerSample(bytes.number()?),
        Unit::Time { .. } => Value::Time(Duration::from_nanos(bytes.number()?)),
        Unit::Refusal => {
            let wants_rights = bytes.position(2)? == 1;
            Value::Refusal(Refusal { words: bytes.text()?.to_owned(), wants_rights })
        }
        Unit::Sources => {
            let mut sources = Vec::new();
            while !bytes.is_empty() {
                let source = SOURCES[bytes.position(SOURCES.len())?];
                if !sources.contains(&source) {
                    sources.push(source);
                }
            }
            Value::Sources(sources)
        }
        Unit::Processes => {
            let mut processes = Vec::new();
            while !bytes.is_empty() {
                let pid = i32::try_from(bytes.signed()?).ok()?;
                processes.push(SampledProcess { pid, words: bytes.text()?.to_owned() });
            }
            Value::Processes(processes)
        }
    };
    bytes.is_empty().then_some(value)
}
