//! Times on the command line: seconds as the original took them, and times as people
//! write them, such as `90s`, `1h30m`, `1ms`, `100hz` and `inf`.

use std::time::Duration;

use clap::ArgMatches;
use humantime::parse_duration;

use super::usage::UsageError;

/// The shortest window of `--rotate`: the name of its file tells the second.
const SHORTEST_WINDOW: Duration = Duration::from_secs(1);

/// The time between two samples, from `-r`.
///
/// # Errors
/// [`UsageError`] if it is not a time.
pub(super) fn interval(matches: &ArgMatches) -> Result<Duration, UsageError> {
    let text = text(matches, "rate");
    let time = match text.to_ascii_lowercase().strip_suffix("hz") {
        Some(number) => number.trim().parse().ok().and_then(interval_of_frequency),
        None => time(text).and_then(Time::finite),
    };
    time.ok_or_else(|| {
        UsageError(format!(
            "Error: \"{text}\" is not a time between two samples for --rate.\n\
             It is a number of seconds such as 0.01, a time such as 10ms or 500us, or a \
             frequency such as 100hz.\n"
        ))
    })
}

/// How long to sample: `--duration`, which also holds for a command that is run, or `-s`,
/// which as in the original does not. `None` is until the end.
///
/// # Errors
/// [`UsageError`] if it is not a time.
pub(super) fn duration(matches: &ArgMatches, traced: bool) -> Result<Option<Duration>, UsageError> {
    let option = if matches.contains_id("duration") { "duration" } else { "seconds" };
    let text = text(matches, option);
    let time = time(text).ok_or_else(|| {
        UsageError(format!(
            "Error: \"{text}\" is not a time to sample for, in --{option}.\n\
             It is a number of seconds such as 30, a time such as 90s, 2h or 1h30m, or inf \
             for until the end.\n"
        ))
    })?;
    Ok(if traced && option == "seconds" { None } else { time.finite() })
}

/// How long each window of `--rotate` is.
///
/// # Errors
/// [`UsageError`] if it is not a time, or so short that files could not be told apart.
pub(super) fn rotation(matches: &ArgMatches) -> Result<Option<Duration>, UsageError> {
    if !matches.contains_id("rotate") {
        return Ok(None);
    }
    let text = text(matches, "rotate");
    match time(text).and_then(Time::finite).filter(|window| *window >= SHORTEST_WINDOW) {
        Some(window) => Ok(Some(window)),
        None => Err(UsageError(format!(
            "Error: \"{text}\" is not a time of 1s or more for --rotate, such as 60s or 1h.\n"
        ))),
    }
}

/// A time that may have no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Time {
    For(Duration),
    Forever,
}

impl Time {
    fn finite(self) -> Option<Duration> {
        match self {
            Self::For(time) => Some(time),
            Self::Forever => None,
        }
    }
}

fn text<'a>(matches: &'a ArgMatches, option: &str) -> &'a str {
    matches.get_one::<String>(option).map_or("", String::as_str)
}

/// Reads a number of seconds, of which a negative one is forever as in the original, or a
/// time with units. `None` if it is neither.
fn time(text: &str) -> Option<Time> {
    if matches!(text.to_ascii_lowercase().as_str(), "inf" | "infinity") {
        return Some(Time::Forever);
    }
    match text.parse::<f64>() {
        Ok(seconds) if seconds < 0.0 && seconds.is_finite() => Some(Time::Forever),
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok().map(Time::For),
        Err(_) => parse_duration(text).ok().map(Time::For),
    }
}

/// The time between two of so many samples each second.
fn interval_of_frequency(per_second: f64) -> Option<Duration> {
    if per_second > 0.0 { Duration::try_from_secs_f64(1.0 / per_second).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn seconds_are_read_as_ever() {
        assert_eq!(time("0"), Some(Time::For(Duration::ZERO)));
        assert_eq!(time("1.5"), Some(Time::For(SECOND * 3 / 2)));
        assert_eq!(time("1e1"), Some(Time::For(SECOND * 10)));
        assert_eq!(time("-1"), Some(Time::Forever));
    }

    #[test]
    fn people_write_units() {
        assert_eq!(time("90s"), Some(Time::For(90 * SECOND)));
        assert_eq!(time("2h"), Some(Time::For(7200 * SECOND)));
        assert_eq!(time("1h30m"), Some(Time::For(5400 * SECOND)));
        assert_eq!(time("0.5ms"), Some(Time::For(Duration::from_micros(500))));
        assert_eq!(time("inf"), Some(Time::Forever));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in
            ["", "x", "nan", "-inf", "-1s", "5 parsecs", "1e400", "1h30", "999999999999999y"]
        {
            assert_eq!(time(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_frequency_is_a_time_between_two() {
        assert_eq!(interval_of_frequency(100.0), Some(Duration::from_millis(10)));
        for frequency in [0.0, -1.0, f64::NAN, 1e-300] {
            assert_eq!(interval_of_frequency(frequency), None, "{frequency}");
        }
        assert_eq!(interval_of_frequency(f64::INFINITY), Some(Duration::ZERO));
    }
}
