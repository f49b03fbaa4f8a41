//! What became slower and what faster, from one profile to another.
//!
//! Two profiles of the same program are never equal: each is a sample. A difference is shown
//! if chance alone would hardly make it: it is more than [`SIGMAS`] standard errors of the
//! difference between two shares. Neighbouring samples resemble each other, so that this
//! asks for much rather than for little.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;

use super::error::ReportError;
use super::load::{Stacks, load_stacks};
use super::print;
use crate::app::error::Error;
use crate::app::options::DiffOptions;
use crate::escape::in_line;
use crate::render::{Destination, Format, difference, svg, write_in_line};

/// So many standard errors are not taken for chance. Of a thousand functions that did not
/// change, three would exceed three by chance; hardly one exceeds four.
const SIGMAS: f64 = 4.0;

/// Compares two profiles: a table on stdout, and if asked for, all stacks with both counts.
///
/// # Errors
/// [`Error`] if one cannot be read or is empty, or the stacks cannot be written.
pub(crate) fn diff(options: &DiffOptions) -> Result<(), Error> {
    let files = [&options.before, &options.after];
    let [before, after] = files.map(|file| load_stacks(file, options.lines));
    let stacks = [before?, after?];
    for (stacks, file) in stacks.iter().zip(files) {
        if stacks.values().all(|count| *count == 0) {
            return Err(ReportError::NoSamples { path: file.clone() }.into());
        }
    }
    if let Some(output) = &options.output {
        let all = both(&stacks);
        let title = format!("{} to {}", files[0].display(), files[1].display());
        let is_picture = Format::of_file(output) == Some(svg::FLAME_GRAPH);
        Destination::open(Some(output))?.write(|out| {
            if is_picture {
                let stacks = all.iter().map(|(stack, counts)| (stack.as_slice(), *counts));
                return difference::write(stacks, &title, out);
            }
            for (stack, [before, after]) in &all {
                for (position, step) in stack.iter().enumerate() {
                    out.write_all(if position > 0 { b";" } else { b"" })?;
                    write_in_line(step, out)?;
                }
                writeln!(out, " {before} {after}")?;
            }
            Ok(())
        })?;
    }
    let names = files.map(|file| file.display().to_string());
    print(&table(&stacks, &names, options.all))
}

/// Every stack with both counts.
fn both(stacks: &[Stacks; 2]) -> BTreeMap<&Vec<String>, [u64; 2]> {
    let mut all: BTreeMap<&Vec<String>, [u64; 2]> = BTreeMap::new();
    for (position, stacks) in stacks.iter().enumerate() {
        for (stack, count) in stacks {
            all.entry(stack).or_default()[position] += count;
        }
    }
    all
}

/// The counts of one function in both profiles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    own: [u64; 2],
    total: [u64; 2],
}

fn counts(stacks: &[Stacks; 2]) -> HashMap<&str, Counts> {
    let mut counts: HashMap<&str, Counts> = HashMap::new();
    for (position, stacks) in stacks.iter().enumerate() {
        for (stack, count) in stacks {
            for function in stack.iter().map(String::as_str).collect::<HashSet<_>>() {
                counts.entry(function).or_default().total[position] += count;
            }
            if let Some(innermost) = stack.last() {
                counts.entry(innermost).or_default().own[position] += count;
            }
        }
    }
    counts
}

/// A difference between two shares.
#[derive(Clone, Copy, Debug)]
struct Change {
    /// In percent.
    shares: [f64; 2],
    /// Whether chance does not explain it.
    is_real: bool,
}

impl Change {
    fn of(counts: [u64; 2], samples: [u64; 2]) -> Self {
        let share = |i: usize| counts[i] as f64 / samples[i] as f64;
        let all = (counts[0] + counts[1]) as f64 / (samples[0] + samples[1]) as f64;
        let error =
            (all * (1.0 - all) * (1.0 / samples[0] as f64 + 1.0 / samples[1] as f64)).sqrt();
        let is_real = (share(1) - share(0)).abs() > SIGMAS * error;
        Self { shares: [share(0) * 100.0, share(1) * 100.0], is_real }
    }

    /// In percentage points.
    fn points(&self) -> f64 {
        self.shares[1] - self.shares[0]
    }
}

fn table(stacks: &[Stacks; 2], names: &[String; 2], all: bool) -> String {
    let samples = [0, 1].map(|i| stacks[i].values().sum::<u64>());
    let counts = counts(stacks);
    let functions = counts.len();
    let mut rows: Vec<(&str, Change, Change)> = counts
        .into_iter()
        .map(|(name, counts)| {
            (name, Change::of(counts.own, samples), Change::of(counts.total, samples))
        })
        .filter(|(_, own, total)| all || own.is_real || total.is_real)
        .collect();
    let weight = |change: &Change| change.points().abs();
    rows.sort_by(|(a, own_a, total_a), (b, own_b, total_b)| {
        let own = weight(own_b).total_cmp(&weight(own_a));
        own.then(weight(total_b).total_cmp(&weight(total_a))).then(a.cmp(b))
    });
    let mut text = String::new();
    for (label, i) in [("before", 0), ("after", 1)] {
        let _ = writeln!(text, "{label:>6}: {} samples in {}", samples[i], names[i]);
    }
    text.push_str(
        "Shares of these samples; idle ones are not among them. * is more than chance explains.\n",
    );
    for (title, is_part) in [
        ("Slower", (|points| points > 0.0) as fn(f64) -> bool),
        ("Faster", |points| points < 0.0),
        ("The same", |points| points == 0.0),
    ] {
        let leading = |own: &Change, total: &Change| {
            if own.is_real || !total.is_real { own.points() } else { total.points() }
        };
        let part: Vec<_> =
            rows.iter().filter(|(_, own, total)| is_part(leading(own, total))).collect();
        if part.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n{title}:");
        let _ = writeln!(text, "{:>22}   {:>22}", "own, points", "total, points");
        for (name, own, total) in part {
            let _ = writeln!(text, "{}   {}   {}", cell(own), cell(total), in_line(name));
        }
    }
    let left_out = functions - rows.len();
    if rows.is_empty() {
        text.push_str("\nNo difference is more than chance explains.\n");
    } else if left_out > 0 {
        let _ = writeln!(
            text,
            "\nLeft out: {left_out} whose differences chance explains; --all shows them."
        );
    }
    text
}

/// `12.3 % 14.5 %  +2.2*`
fn cell(change: &Change) -> String {
    let [before, after] = change.shares;
    let mark = if change.is_real { '*' } else { ' ' };
    format!("{before:5.1}% {after:6.1}% {:+6.1}{mark}", change.points())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stacks(of: &[(&[&str], u64)]) -> Stacks {
        of.iter()
            .map(|(stack, count)| (stack.iter().map(|s| (*s).to_owned()).collect(), *count))
            .collect()
    }

    fn names() -> [String; 2] {
        ["a".to_owned(), "b".to_owned()]
    }

    #[test]
    fn what_changed_is_told_from_what_chance_explains() {
        let before = stacks(&[(&["main", "f"], 500), (&["main", "g"], 495), (&["main"], 5)]);
        let after = stacks(&[(&["main", "f"], 700), (&["main", "g"], 292), (&["main"], 8)]);
        let text = table(&[before, after], &names(), false);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.contains(&" 50.0%   70.0%  +20.0*    50.0%   70.0%  +20.0*   f"), "{text}");
        assert!(lines.contains(&" 49.5%   29.2%  -20.3*    49.5%   29.2%  -20.3*   g"), "{text}");
        assert!(!lines.iter().any(|line| line.ends_with("   main")), "{text}");
        assert!(text.contains("Left out: 1 whose differences chance explains"), "{text}");
        let slower = lines.iter().position(|line| *line == "Slower:");
        assert!(slower < lines.iter().position(|line| *line == "Faster:"));
    }

    #[test]
    fn few_samples_prove_nothing() {
        let before = stacks(&[(&["f"], 5), (&["g"], 5)]);
        let after = stacks(&[(&["f"], 8), (&["g"], 2)]);
        let both = [before, after];
        assert!(table(&both, &names(), false).contains("No difference is more than"));
        assert!(table(&both, &names(), true).contains("   f\n"));
    }

    #[test]
    fn a_function_of_one_profile_only_is_compared_with_nothing() {
        let before = stacks(&[(&["main", "old"], 1000)]);
        let after = stacks(&[(&["main", "new"], 1000)]);
        let text = table(&[before, after], &names(), false);
        assert!(text.contains("  0.0%  100.0% +100.0*     0.0%  100.0% +100.0*   new"), "{text}");
        assert!(text.contains("100.0%    0.0% -100.0*"), "{text}");
    }

    #[test]
    fn every_stack_has_both_counts() {
        let all = [stacks(&[(&["a"], 1), (&["b"], 2)]), stacks(&[(&["b"], 3)])];
        let all: Vec<[u64; 2]> = both(&all).into_values().collect();
        assert_eq!(all, [[1, 0], [2, 3]]);
    }
}
