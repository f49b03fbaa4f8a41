//! What stands at the head of a picture: what was profiled, and how well it went.

use std::time::Duration;

use super::Settings;
use super::labels::processes;
use crate::profile::stats::Key;
use crate::profile::{Profile, RunInfo};

/// The longest command line in a title, in characters: what fits over a picture.
const LONGEST_COMMAND: usize = 110;

/// Rows of the account that a reader of a picture has to know.
const ESSENTIALS: [Key; 6] =
    [Key::Engine, Key::Torn, Key::Dropped, Key::Late, Key::Failed, Key::Missed];

/// The title that was asked for, otherwise the process.
#[must_use]
pub(super) fn title(profile: &Profile, settings: &Settings) -> String {
    let own = || processes(profile, |process| process.short_name(LONGEST_COMMAND));
    settings.title.clone().or_else(own).unwrap_or_else(|| "pyflame".to_owned())
}

/// Samples, rate, duration, version, and what went wrong.
#[must_use]
pub(super) fn subtitle(profile: &Profile) -> String {
    let about = &profile.about;
    let mut parts = vec![
        format!("{} samples", thousands(samples(profile))),
        format!("{} for {}", rate(about), duration(about.elapsed)),
    ];
    let mut versions: Vec<&str> =
        profile.processes().map(|(_, process)| process.python.as_str()).collect();
    versions.sort_unstable();
    versions.dedup();
    versions.retain(|version| !version.is_empty());
    if !versions.is_empty() {
        parts.push(format!("Python {}", versions.join(", ")));
    }
    let essentials = ESSENTIALS.iter().flat_map(|key| about.account.lines_of(*key));
    let essentials: Vec<String> =
        essentials.map(|line| format!("{} {}", line.name, line.value)).collect();
    if !essentials.is_empty() {
        parts.push(essentials.join(", "));
    }
    parts.join(" · ")
}

/// All samples, idle and failed ones included.
#[must_use]
pub(super) fn samples(profile: &Profile) -> u64 {
    let stacks: u64 = profile.stacks().map(|(_, samples)| samples).sum();
    stacks + profile.idle() + profile.failed()
}

/// How often samples were taken.
#[must_use]
pub(super) fn rate(about: &RunInfo) -> String {
    let period = about.period().as_secs_f64();
    let hertz = if period > 0.0 { 1.0 / period } else { 0.0 };
    let hertz = if hertz >= 10.0 {
        thousands(hertz.round() as u64)
    } else {
        let text = format!("{hertz:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    if about.interval.is_zero() { format!("{hertz} Hz reached") } else { format!("{hertz} Hz") }
}

/// `250 ms`, `12.5 s`, `3 min 20 s`, `2 h 5 min`.
#[must_use]
pub(super) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{} ms", time.as_millis()),
        1..120 => format!("{:.1} s", time.as_secs_f64()),
        120..7200 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A number with a comma between every three digits.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Process;

    fn settings(title: Option<&str>) -> Settings {
        Settings { title: title.map(str::to_owned), ..Settings::default() }
    }

    #[test]
    fn the_title_is_the_users_or_the_command() {
        let mut profile = Profile::default();
        assert_eq!(title(&profile, &settings(None)), "pyflame");
        let process = Process::new(7, "python3 app.py", "");
        profile.add_process(process.clone());
        assert_eq!(title(&profile, &settings(None)), "python3 app.py (pid 7)");
        assert_eq!(title(&profile, &settings(Some("<mine>"))), "<mine>");
        profile.add_process(process);
        assert_eq!(title(&profile, &settings(None)), "python3 app.py (pid 7) and 1 more");
    }

    #[test]
    fn the_subtitle_counts_and_confesses() {
        let mut profile = Profile::default();
        profile.about = RunInfo {
            elapsed: Duration::from_secs(30),
            interval: Duration::from_millis(10),
            account: [(Key::Torn, 3), (Key::Retried, 9), (Key::Failed, 1)].into(),
            ..RunInfo::default()
        };
        for _ in 0..1234 {
            profile.record_idle(0);
        }
        let expected = "1,234 samples · 100 Hz for 30.0 s · torn 3, failed 1";
        assert_eq!(subtitle(&profile), expected);
    }

    #[test]
    fn rates_and_times_are_readable() {
        let every = |interval| rate(&RunInfo { interval, ..RunInfo::default() });
        assert_eq!(every(Duration::from_millis(1)), "1,000 Hz");
        assert_eq!(every(Duration::from_secs(2)), "0.5 Hz");
        assert_eq!(duration(Duration::from_millis(80)), "80 ms");
        assert_eq!(duration(Duration::from_secs(200)), "3 min 20 s");
        assert_eq!(duration(Duration::from_secs(7500)), "2 h 5 min");
        assert_eq!(thousands(1_234_567), "1,234,567");
    }
}
