//! The account as it is shown, recorded and added up.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::key::{Key, Unit};
use crate::profile::Source;

/// The value of a row. Which it is, the unit of the key says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// How often: [`Unit::Count`].
    Count(u64),
    /// How long: [`Unit::Time`].
    Time(Duration),
    /// How many to a sample, in hundredths: [`Unit::PerSample`].
    PerSample(u64),
    /// Why not: [`Unit::Refusal`].
    Refusal(Refusal),
    /// How: [`Unit::Sources`].
    Sources(Vec<Source>),
    /// Which: [`Unit::Processes`].
    Processes(Vec<SampledProcess>),
}

/// Why the kernel took no samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// In words.
    pub words: String,
    /// Whether the rights were missing, so that root would have them.
    pub wants_rights: bool,
}

/// A process that was sampled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampledProcess {
    /// Its id.
    pub pid: i32,
    /// Its command line and version, in one line.
    pub words: String,
}

/// What became of every tick, in the order in which it is shown: at most one value for each key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows(Vec<(Key, Value)>);

impl Rows {
    /// Puts a value in the place of that which was there.
    pub fn put(&mut self, key: Key, value: Value) {
        let place = key.place();
        let at = self.0.partition_point(|(other, _)| other.place() < place);
        match self.0.get_mut(at).filter(|(other, _)| *other == key) {
            Some((_, known)) => *known = value,
            None => self.0.insert(at, (key, value)),
        }
    }

    /// Adds to a count, which need not be there.
    pub fn add(&mut self, key: Key, more: u64) {
        self.put(key, Value::Count(self.count(key).saturating_add(more)));
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&Value> {
        self.0.iter().find(|(other, _)| *other == key).map(|(_, value)| value)
    }

    /// A count; 0 if it is not there.
    #[must_use]
    pub fn count(&self, key: Key) -> u64 {
        if let Some(Value::Count(count)) = self.get(key) { *count } else { 0 }
    }

    /// A time; none if it is not there.
    #[must_use]
    pub fn time(&self, key: Key) -> Duration {
        if let Some(Value::Time(time)) = self.get(key) { *time } else { Duration::ZERO }
    }

    /// Whether the kernel took no samples for want of rights.
    #[must_use]
    pub fn wants_rights(&self) -> bool {
        let refusal = self.get(Key::NotByKernel);
        matches!(refusal, Some(Value::Refusal(Refusal { wants_rights: true, .. })))
    }

    /// Whether shares of time are estimates, by how samples were taken.
    #[must_use]
    pub fn are_estimates(&self) -> bool {
        let sources = self.get(Key::Engine);
        matches!(sources, Some(Value::Sources(sources)) if sources.contains(&Source::Read))
    }

    /// Every key with its value.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Key, &Value)> {
        self.0.iter().map(|(key, value)| (*key, value))
    }

    /// What is shown: a line for each key, or several.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.iter().flat_map(|(key, value)| lines(key, value))
    }

    /// What is shown of one key.
    pub fn lines_of(&self, key: Key) -> impl Iterator<Item = Line<'_>> {
        self.get(key).into_iter().flat_map(move |value| lines(key, value))
    }

    /// Adds the account of another run. Counts and times add up; of what is a rate or an order,
    /// and does not, there is no row, nor of words that differ. Of engines all are told.
    pub fn add_run(&mut self, other: &Self) {
        self.0.retain(|(key, value)| match key.unit() {
            Unit::Count | Unit::Time { adds_up: true, .. } | Unit::Sources => true,
            Unit::Time { .. } | Unit::PerSample => false,
            Unit::Refusal | Unit::Processes => other.get(*key) == Some(value),
        });
        for (key, value) in other.iter() {
            match (key.unit(), value) {
                (_, Value::Count(count)) => self.add(key, *count),
                (Unit::Time { adds_up: true, .. }, Value::Time(time)) => {
                    self.put(key, Value::Time(self.time(key).saturating_add(*time)));
                }
                (_, Value::Sources(sources)) => self.add_sources(key, sources),
                _ => {}
            }
        }
    }

    fn add_sources(&mut self, key: Key, more: &[Source]) {
        let mut all = match self.get(key) {
            Some(Value::Sources(all)) => all.clone(),
            _ => Vec::new(),
        };
        for source in more {
            if !all.contains(source) {
                all.push(*source);
            }
        }
        self.put(key, Value::Sources(all));
    }
}

/// Counts.
impl<const N: usize> From<[(Key, u64); N]> for Rows {
    fn from(counts: [(Key, u64); N]) -> Self {
        let mut rows = Self::default();
        counts.into_iter().for_each(|(key, count)| rows.put(key, Value::Count(count)));
        rows
    }
}

/// As `--stats` prints it.
impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().map(|line| line.to_string()).collect::<Vec<_>>().join("\n"))
    }
}

/// A row as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// What it is about.
    pub key: Key,
    /// What it is called, with the unit.
    pub name: Cow<'static, str>,
    /// What it says.
    pub value: Shown<'a>,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.value)
    }
}

/// A value as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown<'a> {
    /// A number.
    Number {
        /// It, in units of the last digit.
        scaled: u64,
        /// How many digits stand after the point.
        decimals: u32,
    },
    /// Words.
    Words(Cow<'a, str>),
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number { scaled, decimals: 0 } => write!(f, "{scaled}"),
            Self::Number { scaled, decimals } => {
                let (one, width) = (10_u64.pow(*decimals), *decimals as usize);
                write!(f, "{}.{:0width$}", scaled / one, scaled % one)
            }
            Self::Words(words) => f.write_str(words),
        }
    }
}

fn lines(key: Key, value: &Value) -> Vec<Line<'_>> {
    let line = |value| vec![Line { key, name: key.name().into(), value }];
    match value {
        Value::Count(count) => line(Shown::Number { scaled: *count, decimals: 0 }),
        Value::Time(time) => line(shown_time(key.unit(), *time)),
        Value::PerSample(hundredths) => line(Shown::Number { scaled: *hundredths, decimals: 2 }),
        Value::Refusal(refusal) => line(Shown::Words(Cow::Borrowed(&refusal.words))),
        Value::Sources(sources) => {
            let names: Vec<&str> = sources.iter().map(|source| source.name()).collect();
            line(Shown::Words(names.join("; ").into()))
        }
        Value::Processes(processes) => {
            let of = |process: &'_ SampledProcess| format!("{} {}", key.name(), process.pid).into();
            let lines = processes.iter().map(|process| Line {
                key,
                name: of(process),
                value: Shown::Words(Cow::Borrowed(&process.words)),
            });
            lines.collect()
        }
    }
}

fn shown_time(unit: Unit, time: Duration) -> Shown<'static> {
    let Unit::Time { one, decimals, .. } = unit else {
        return Shown::Words(format!("{time:?}").into());
    };
    let scaled = (time.as_nanos() * 10_u128.pow(decimals) + u128::from(one) / 2) / u128::from(one);
    Shown::Number { scaled: u64::try_from(scaled).unwrap_or(u64::MAX), decimals }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(words: &str) -> Rows {
        let refusal = Refusal { words: words.to_owned(), wants_rights: true };
        let mut rows = Rows::default();
        rows.put(Key::NotByKernel, Value::Refusal(refusal));
        rows
    }

    fn engine(source: Source) -> Rows {
        let mut rows = Rows::default();
        rows.put(Key::Engine, Value::Sources(vec![source]));
        rows
    }

    #[test]
    fn rows_have_the_order_of_the_table() {
        let mut rows = Rows::default();
        rows.put(Key::Elapsed, Value::Time(Duration::from_millis(1254)));
        rows.add(Key::Torn, 2);
        rows.put(Key::StoppedTotal, Value::Time(Duration::from_micros(1250)));
        rows.put(Key::StoppedP99, Value::Time(Duration::from_nanos(112_500)));
        rows.put(Key::Reads, Value::PerSample(105));
        rows.add(Key::Ticks, 3);
        rows.add(Key::Torn, 40);
        let expected = "ticks: 3\nstopped total ms: 1.3\nstopped p99 us: 113\ntorn: 42\n\
                        remote reads per sample: 1.05\nelapsed s: 1.25";
        assert_eq!(rows.to_string(), expected);
        assert_eq!(rows.get(Key::Failed), None);
    }

    #[test]
    fn each_process_has_a_line() {
        let process = |pid, words: &str| SampledProcess { pid, words: words.to_owned() };
        let processes = vec![process(42, "a"), process(7, "b")];
        let mut rows = Rows::default();
        rows.put(Key::SampledProcesses, Value::Processes(processes));
        assert_eq!(rows.to_string(), "sampled process 42: a\nsampled process 7: b");
    }

    #[test]
    fn words_are_kept_where_all_runs_agree() {
        let mut all = refusal("denied");
        all.add_run(&refusal("denied"));
        assert_eq!(all, refusal("denied"));
        assert!(all.wants_rights());
        all.add_run(&refusal("another"));
        assert_eq!(all, Rows::default());
        all.add_run(&refusal("denied"));
        assert_eq!(all, Rows::default(), "one of them was not");
    }

    #[test]
    fn all_engines_are_told() {
        let mut all = engine(Source::Interrupt);
        all.add_run(&engine(Source::Stop));
        all.add_run(&engine(Source::Interrupt));
        assert_eq!(all.to_string(), "engine: kernel; stop");
        assert!(!all.are_estimates());
        all.add_run(&engine(Source::Read));
        assert!(all.are_estimates());
    }

    #[test]
    fn what_adds_up_is_added_and_rates_are_not() {
        let run = |torn, ms| {
            let mut rows = Rows::default();
            rows.add(Key::Torn, torn);
            rows.put(Key::StoppedTotal, Value::Time(Duration::from_millis(ms)));
            rows.put(Key::StoppedP99, Value::Time(Duration::from_millis(ms)));
            rows.put(Key::Cpu, Value::Time(Duration::from_micros(3)));
            rows.put(Key::Reads, Value::PerSample(100));
            rows
        };
        let mut all = run(2, 1500);
        all.add_run(&run(u64::MAX, 250));
        assert_eq!(all.to_string(), format!("stopped total ms: 1750.0\ntorn: {}", u64::MAX));
    }
}
