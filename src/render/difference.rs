//! Two profiles in one picture: a flame graph of the later one, in which red is what has
//! become more and blue what has become less. Drawn by inferno.

use std::io::{self, Write};

use inferno::flamegraph::{self, Options};

use super::flame_labels::printable;
use super::svg::BACKGROUND;

/// The narrowest box that is drawn, in percent of the width.
const NARROWEST: f64 = 0.1;

/// Draws stacks, root first, each with its samples before and after. The first counts are
/// scaled to the sum of the second ones, so that the colours tell of shares.
///
/// # Errors
/// Those of `out`.
pub(crate) fn write<'a>(
    stacks: impl Iterator<Item = (&'a [String], [u64; 2])> + Clone,
    title: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    let sums = stacks.clone().fold([0, 0], |[a, b], (_, [x, y])| [a + x, b + y]);
    let scale = sums[1] as f64 / sums[0].max(1) as f64;
    let lines: Vec<String> = stacks
        .map(|(stack, [before, after])| {
            let labels: Vec<String> = stack.iter().map(|step| label(step)).collect();
            format!("{} {} {after}", labels.join(";"), (before as f64 * scale).round() as u64)
        })
        .collect();
    let mut options = Options::default();
    options.title = printable(title);
    options.subtitle = Some("red: more than before; blue: less".to_owned());
    options.min_width = NARROWEST;
    options.bgcolors = Some(BACKGROUND);
    options.deterministic = true;
    flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), out)
}

/// A step as one box: a `;` would cut it in two.
fn label(step: &str) -> String {
    printable(step).replace([';', '\n', '\r'], ",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_red_and_less_is_blue() {
        let stacks: Vec<(Vec<String>, [u64; 2])> = [("a<b>;c", [1, 30]), ("gone", [30, 10])]
            .map(|(name, counts)| (vec!["main".to_owned(), name.to_owned()], counts))
            .into();
        let mut out = Vec::new();
        let borrowed = stacks.iter().map(|(stack, counts)| (stack.as_slice(), *counts));
        write(borrowed, "a & b", &mut out).expect("drawn");
        let text = String::from_utf8(out).expect("UTF-8");
        for words in
            ["a &amp; b", "a&lt;b&gt;,c (30 samples", "gone (10 samples", "; +", "; -", "#faf9f6"]
        {
            assert!(text.contains(words), "{words}: {text}");
        }
    }
}
