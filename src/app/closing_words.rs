//! What is said after a run.

use std::io::{self, IsTerminal};

use crate::app::options::Options;
use crate::escape::say;
use crate::profile::NativeTorn;
use crate::profile::stats::{Key, Rows};

/// Said after a run of which nothing was counted because of its choice of threads.
pub(crate) const NO_SUCH_THREAD: &str = "no thread that could have been sampled is one of those asked for.\n\
     pyflame --dump --verbose shows the names and ids of all; --threads also samples those \
     that wait.";

/// Says what became of every tick, where somebody reads it, and what would give more samples.
pub(crate) fn tell_account(options: &Options, rows: &Rows) {
    if options.stats || io::stderr().is_terminal() {
        rows.lines().for_each(|line| say(&line.to_string()));
        let words = options.pause.limit().and_then(|limit| words_on_limit(rows, limit));
        words.iter().for_each(|words| say(words));
    }
    // Whoever asks for native frames and gets few has to know, also where nobody reads the rest.
    words_on_native(rows).iter().for_each(|words| say(words));
}

/// What to say if more than a tenth of the stacks stand without the native frames that were asked
/// for.
fn words_on_native(rows: &Rows) -> Option<String> {
    let reasons = NativeTorn::ALL.map(|reason| (rows.count(reason.key()), reason));
    let without: u64 = reasons.iter().map(|(stacks, _)| stacks).sum();
    let all = without + rows.count(Key::Native);
    let (_, most) = reasons.into_iter().max_by_key(|(stacks, _)| *stacks)?;
    if without <= all / 10 {
        return None;
    }
    let why = match most {
        NativeTorn::Absent => {
            "the registers of most could not be had: --engine kernel has them, and --engine stop \
             those of a single thread that holds the GIL"
        }
        NativeTorn::Cut => "most are deeper than is copied",
        NativeTorn::Unknown => {
            "most lead through code of which nothing tells how it is unwound, or need registers \
             that are not known of a thread that waits"
        }
        NativeTorn::Mismatch => "the native frames of most did not fit between those of Python",
    };
    Some(format!("{without} of {all} stacks stand without native frames: {why}."))
}

/// What to say of the rows of an account if the limit of stops, a share of the time from 0 to
/// 1, let most samples count for several ticks.
fn words_on_limit(rows: &Rows, limit: f64) -> Option<String> {
    let (stops, skipped) = (rows.count(Key::Stopped), rows.count(Key::Skipped));
    let (stood, elapsed) = (rows.time(Key::StoppedTotal), rows.time(Key::Elapsed));
    // Else it was not the limit.
    let is_reached = stood.as_secs_f64() > 0.5 * limit * elapsed.as_secs_f64();
    if stops == 0 || skipped <= rows.count(Key::Ticks) / 20 || !is_reached {
        return None;
    }
    let (percent, ticks) = (limit * 100.0, skipped + stops);
    let enough = (percent * ticks as f64 / stops as f64).ceil().min(100.0);
    let by_kernel = if rows.wants_rights() {
        ", or root, for whom the kernel takes them without a stop"
    } else {
        ""
    };
    Some(format!(
        "{stops} stops for {ticks} ticks: more would have taken over {percent} % of the \
         program's time, so each sample counts for the ticks before it, too.\n\
         One for each tick needs --max-pause {enough}{by_kernel}."
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::profile::stats::{Account, Refusal};

    #[test]
    fn few_native_frames_are_told_of() {
        let mut account = Account::default();
        assert_eq!(words_on_native(&account.rows()), None, "nobody has asked for them");
        account.note_native(Ok(()), 90);
        account.note_native(Err(NativeTorn::Mismatch), 4);
        account.note_native(Err(NativeTorn::Absent), 5);
        assert_eq!(words_on_native(&account.rows()), None);
        account.note_native(Err(NativeTorn::Absent), 3);
        let words = words_on_native(&account.rows()).unwrap_or_default();
        assert!(words.starts_with("12 of 102 stacks") && words.contains("kernel"), "{words}");
    }

    #[test]
    fn who_was_not_stopped_often_enough_is_told_what_would_help() {
        let mut account = Account { ticks: 1000, skipped: 750, ..Account::default() };
        assert_eq!(words_on_limit(&account.rows(), 0.01), None, "nothing was stopped");
        account.elapsed = Duration::from_secs(1);
        (0..250).for_each(|_| account.stops.add(Duration::from_micros(40)));
        let words = words_on_limit(&account.rows(), 0.01).unwrap_or_default();
        assert!(words.contains("250 stops for 1000 ticks"), "{words}");
        assert!(words.ends_with("--max-pause 4."), "{words}");
        let words = "denied.\nMore.".to_owned();
        account.refusal = Some(Refusal { words, wants_rights: true });
        let words = words_on_limit(&account.rows(), 0.01).unwrap_or_default();
        assert!(words.contains("or root"), "{words}");
        account.skipped = 20;
        assert_eq!(words_on_limit(&account.rows(), 0.01), None, "nearly each tick had one");
        (account.skipped, account.elapsed) = (750, Duration::from_secs(10));
        assert_eq!(words_on_limit(&account.rows(), 0.01), None, "it came too late for them");
    }
}
