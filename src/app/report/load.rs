//! Reads recordings and folded stacks from files.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::error::ReportError;
use crate::app::error::Error;
use crate::escape::say;
use crate::profile::recording::{MAGIC, Reader};
use crate::profile::{Detail, Profile, RunInfo, SaveError};
use crate::stack::FrameStyle;

/// Samples by stack, root first, each step as folded stacks name it.
pub(super) type Stacks = HashMap<Vec<String>, u64>;

/// Reads all these recordings into one profile, and says on stderr what is missing of them.
/// Returns whether one of them is of several processes.
///
/// # Errors
/// [`Error`] if one cannot be read, or is none.
pub(super) fn load(files: &[PathBuf], into: &mut Profile) -> Result<bool, Error> {
    let mut runs = Vec::new();
    let mut has_tree = false;
    for file in files {
        let before = into.processes().count();
        let run = read_recording(file, open(file)?, into)?;
        has_tree |= run.tells_processes || into.processes().count() > before + 1;
        runs.push(run);
    }
    into.about = RunInfo::of_all(&runs);
    into.sort_timeline();
    Ok(has_tree)
}

/// Reads a recording or folded stacks. Lines are left out unless `lines`; so are the moments
/// at which no Python code ran.
///
/// # Errors
/// [`Error`] if the file cannot be read, or is neither.
pub(super) fn load_stacks(file: &Path, lines: bool) -> Result<Stacks, Error> {
    let mut input = open(file)?;
    let start = input.fill_buf().map_err(|source| unreadable(file, source))?;
    if !start.starts_with(&MAGIC[..MAGIC.len() - 1]) {
        return Ok(read_folded(file, input, lines)?);
    }
    let mut profile = Profile::new(Detail::Stacks);
    let about = read_recording(file, input, &mut profile)?;
    Ok(named_stacks(&profile, about.style.max(FrameStyle::with_lines(lines))))
}

/// The stacks of a profile by the names that folded stacks in this style give to them.
fn named_stacks(profile: &Profile, style: FrameStyle) -> Stacks {
    let mut stacks = Stacks::new();
    let mut steps = Vec::new();
    for (stack, count) in profile.stacks() {
        profile.steps(stack, &mut steps);
        let names = steps.iter().map(|step| style.step_name(profile, *step));
        *stacks.entry(names.collect()).or_default() += count;
    }
    stacks
}

fn open(file: &Path) -> Result<Box<dyn BufRead>, ReportError> {
    if file.as_os_str() == "-" {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let input = File::open(file).map_err(|source| unreadable(file, source))?;
    Ok(Box::new(BufReader::with_capacity(64 * 1024, input)))
}

fn unreadable(file: &Path, source: io::Error) -> ReportError {
    ReportError::Input { path: file.to_path_buf(), source }
}

fn read_recording(file: &Path, input: impl BufRead, into: &mut Profile) -> Result<RunInfo, Error> {
    let path = file.to_path_buf();
    let mut reader =
        Reader::new(input).map_err(|source| SaveError::NoRecording { path, source })?;
    reader.read_all(into).map_err(|source| unreadable(file, source))?;
    if let Some(complaint) = reader.ending().complaint() {
        say(&format!("WARNING: {}: {complaint}.", file.display()));
    }
    Ok(reader.about())
}

/// Reads lines of `frame;frame;... COUNT`.
fn read_folded(file: &Path, mut input: impl BufRead, lines: bool) -> Result<Stacks, ReportError> {
    let mut stacks = Stacks::new();
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        if input.read_until(b'\n', &mut bytes).map_err(|source| unreadable(file, source))? == 0 {
            break;
        }
        let line = String::from_utf8_lossy(&bytes);
        let line = line.trim_end_matches(['\n', '\r']);
        let parts = line.rsplit_once(' ').and_then(|(stack, count)| {
            Some((stack, count.parse::<u64>().ok().filter(|count| *count < 1 << 53)?))
        });
        let Some((stack, count)) = parts else {
            return Err(ReportError::NotFolded { path: file.to_path_buf(), line: number });
        };
        if matches!(stack, "(idle)" | "(failed)") {
            continue;
        }
        let names = stack.split(';').map(|frame| if lines { frame } else { without_line(frame) });
        *stacks.entry(names.map(str::to_owned).collect()).or_default() += count;
    }
    Ok(stacks)
}

/// `file:function` of `file:function:line`.
fn without_line(frame: &str) -> &str {
    match frame.rsplit_once(':') {
        Some((place, line))
            if place.contains(':') && line.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            place
        }
        _ => frame,
    }
}

/// Reads lines of any bytes, for those who look for bytes that do harm.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn read_folded_bytes(bytes: &[u8], lines: bool) {
    let _ = read_folded(Path::new("fuzzed"), bytes, lines);
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::render::fixture;

    #[test]
    fn a_recording_and_its_folded_stacks_have_the_same_names() {
        let profile = fixture::profile();
        let mut folded = Vec::new();
        for (stack, count) in profile.stacks() {
            let mut steps = Vec::new();
            profile.steps(stack, &mut steps);
            let names = steps.iter().map(|step| profile.about.style.step_name(&profile, *step));
            let names: Vec<String> = names.collect();
            writeln!(folded, "{} {count}", names.join(";")).expect("a Vec takes everything");
        }
        let named = named_stacks(&profile, FrameStyle::WithLines);
        let folded = read_folded(Path::new("a.folded"), folded.as_slice(), true);
        assert_eq!(folded.expect("folded"), named);
    }

    fn read(text: &str, lines: bool) -> Result<Stacks, ReportError> {
        read_folded(Path::new("a.folded"), text.as_bytes(), lines)
    }

    #[test]
    fn lines_of_a_function_are_one_unless_wanted() {
        let text = "(idle) 9\na.py:main:1;a.py:f:7 2\na.py:main:3;a.py:f:8 3\n";
        let stacks = read(text, false).expect("folded");
        assert_eq!(stacks, [(vec!["a.py:main".into(), "a.py:f".into()], 5)].into());
        assert_eq!(read(text, true).expect("folded").len(), 2);
    }

    #[test]
    fn what_is_not_folded_is_named_by_its_line() {
        for text in ["a 1\nb\n", "a 1\nb -1\n", "a 1\nb 99999999999999999999\n"] {
            assert!(
                matches!(read(text, false), Err(ReportError::NotFolded { line: 2, .. })),
                "{text}"
            );
        }
        assert!(read("", false).expect("folded").is_empty());
    }
}
