//! The source around the hottest lines.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::profile::{Profile, Step};
use crate::render::{SourceText, SourcesOf};
use crate::stack::{Frame, FrameId};

/// How many lines are shown by the samples in which they were the innermost, and as
/// many again by all samples.
const HOT_LINES: usize = 100;

/// How many files are read.
const MOST_FILES: usize = 60;

/// How many processes are asked for a file.
const MOST_PROCESSES: usize = 8;

/// How many lines are shown above and below a hot one.
const AROUND: u32 = 4;

/// The longest line that is shown whole, in characters.
const LONGEST_LINE: usize = 300;

/// Some lines of a file.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Excerpt {
    file: String,
    /// Whether the file is younger than the program that was profiled: then its lines
    /// may be others.
    changed: bool,
    /// Line numbers, and texts.
    lines: Vec<(u32, String)>,
}

/// Reads the source around the hottest lines of `profile`, as far as `sources` have it.
#[must_use]
pub(super) fn excerpts(profile: &Profile, sources: SourcesOf) -> Vec<Excerpt> {
    let mut wanted: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    // The file of native code is no source.
    let hottest = hottest(profile).into_iter().filter(|frame| !frame.kind.is_native());
    for frame in hottest {
        let Ok(line @ 1..) = u32::try_from(frame.line) else { continue };
        if wanted.len() < MOST_FILES || wanted.contains_key(&*frame.file) {
            let lines = wanted.entry(&frame.file).or_default();
            lines.extend(line.saturating_sub(AROUND).max(1)..=line.saturating_add(AROUND));
        }
    }
    if wanted.is_empty() {
        return Vec::new();
    }
    let processes = profile.processes().take(MOST_PROCESSES);
    let sources: Vec<_> =
        processes.map(|(_, process)| sources(process.pid, &process.command)).collect();
    let began = UNIX_EPOCH + Duration::from_micros(profile.about.started);
    let excerpt = |(file, lines): (&str, BTreeSet<u32>)| {
        let (found, started) =
            sources.iter().find_map(|source| Some((source.read(file)?, source.started())))?;
        Some(cut(file, &lines, &found, started.unwrap_or(began)))
    };
    wanted.into_iter().filter_map(excerpt).collect()
}

fn cut(file: &str, lines: &BTreeSet<u32>, found: &SourceText, began: SystemTime) -> Excerpt {
    let numbered = (1..).zip(found.text.lines());
    let lines = numbered
        .filter(|(number, _)| lines.contains(number))
        .map(|(number, line)| (number, line.chars().take(LONGEST_LINE).collect()))
        .collect();
    Excerpt { file: file.to_owned(), changed: found.modified > began, lines }
}

/// The frames that were most often innermost, and most often anywhere.
fn hottest(profile: &Profile) -> Vec<&Frame> {
    let tree: Vec<_> = profile.stacks_since(0).collect();
    let mut samples = vec![0; tree.len()];
    profile.stacks().for_each(|(stack, count)| samples[stack.index()] = count);
    let mut own: HashMap<FrameId, u64> = HashMap::new();
    for ((_, step), samples) in tree.iter().zip(&samples) {
        if let Step::Frame(frame) = step {
            *own.entry(*frame).or_default() += samples;
        }
    }
    // Those that are called come after their callers, so their sums are complete first.
    for (index, (caller, _)) in tree.iter().enumerate().rev() {
        if let Some(caller) = caller {
            samples[caller.index()] += samples[index];
        }
    }
    let mut total: HashMap<FrameId, u64> = HashMap::new();
    for ((_, step), samples) in tree.iter().zip(&samples) {
        if let Step::Frame(frame) = step {
            *total.entry(*frame).or_default() += samples;
        }
    }
    let most = |counts: HashMap<FrameId, u64>| {
        let mut frames: Vec<(FrameId, u64)> = counts.into_iter().collect();
        frames.sort_unstable_by_key(|(frame, samples)| (u64::MAX - samples, *frame));
        frames.into_iter().take(HOT_LINES).map(|(frame, _)| profile.frames.frame(frame))
    };
    most(own).chain(most(total)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_the_file_and_no_longer_than_can_be_shown() {
        let text = format!("one\ntwo\n{}\nfour\n", "é".repeat(1000));
        let found = SourceText { text, modified: UNIX_EPOCH + Duration::from_secs(5) };
        let began = UNIX_EPOCH + Duration::from_secs(9);
        let excerpt = cut("a.py", &BTreeSet::from([2, 3, 99]), &found, began);
        assert!(!excerpt.changed);
        assert_eq!(excerpt.lines.len(), 2);
        assert_eq!(excerpt.lines[0], (2, "two".to_owned()));
        assert_eq!(excerpt.lines[1].1.chars().count(), LONGEST_LINE);
        assert!(cut("a.py", &BTreeSet::new(), &found, UNIX_EPOCH).changed);
    }
}
