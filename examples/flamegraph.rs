//! Draws folded stacks as a flame graph and prints the hottest functions.
//!
//! ```text
//! pyflame -o stacks.folded -p PID
//! flamegraph stacks.folded flame.svg "my service"
//! ```
//!
//! Lines of one function are drawn as one box: `file:function:line` becomes
//! `function (file)`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::env;
use std::fs;
use std::process::ExitCode;

use inferno::flamegraph::color::{MultiPalette, Palette};
use inferno::flamegraph::{self, Options};

/// How many functions the table shows.
const HOTTEST: usize = 12;

/// The narrowest box that is drawn, in percent of the picture's width.
const NARROWEST: f64 = 0.2;

/// Samples by stack, outermost function first, functions as they are drawn.
type Stacks = BTreeMap<Vec<String>, u64>;

/// Samples in which a function was the innermost, and in which it was anywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Share {
    own: u64,
    total: u64,
}

fn main() -> ExitCode {
    match run(&env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<(), String> {
    let (folded, svg, title) = match args {
        [folded, svg] => (folded, svg, "Flame graph"),
        [folded, svg, title] => (folded, svg, title.as_str()),
        _ => return Err("usage: flamegraph FOLDED SVG [TITLE]".to_owned()),
    };
    // Names come from a traced program: whatever is not UTF-8 is shown as such.
    let bytes = fs::read(folded).map_err(|e| format!("cannot read {folded}: {e}"))?;
    let stacks = parse(&String::from_utf8_lossy(&bytes)).map_err(|e| format!("{folded}: {e}"))?;
    let image = draw(&stacks, title).map_err(|e| format!("cannot draw {folded}: {e}"))?;
    fs::write(svg, image).map_err(|e| format!("cannot write {svg}: {e}"))?;
    print!("{}", table(&stacks));
    Ok(())
}

/// Reads lines of `frame;frame;frame COUNT`.
fn parse(text: &str) -> Result<Stacks, String> {
    let mut stacks = Stacks::new();
    let mut samples = 0u64;
    for (number, line) in (1..).zip(text.lines()) {
        let (frames, count) = line
            .rsplit_once(' ')
            .and_then(|(frames, count)| Some((frames, count.parse::<u64>().ok()?)))
            .ok_or_else(|| format!("line {number} is not `frame;frame;... COUNT`"))?;
        samples = samples
            .checked_add(count)
            .ok_or_else(|| format!("line {number}: more samples than can be counted"))?;
        *stacks.entry(frames.split(';').map(name).collect()).or_default() += count;
    }
    match samples {
        0 => Err("there are no samples in it".to_owned()),
        _ => Ok(stacks),
    }
}

/// What is drawn for a frame: `function (file)`, or the frame as it is where it
/// names no file, such as `(idle)`.
fn name(frame: &str) -> String {
    let place = match frame.rsplit_once(':') {
        Some((place, line)) if line.bytes().all(|b| b.is_ascii_digit()) => place,
        _ => frame,
    };
    match place.rsplit_once(':') {
        Some((file, function)) => format!("{function} ({file})"),
        None => place.to_owned(),
    }
}

fn draw(stacks: &Stacks, title: &str) -> Result<Vec<u8>, String> {
    let mut options = Options::default();
    options.title = title.to_owned();
    options.colors = Palette::Multi(MultiPalette::Python);
    // Thinner boxes cannot be read, and stand as tall as the deepest import.
    options.min_width = NARROWEST;
    // The same stacks give the same picture.
    options.deterministic = true;
    let lines: Vec<String> =
        stacks.iter().map(|(frames, count)| format!("{} {count}", frames.join(";"))).collect();
    let mut image = Vec::new();
    flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), &mut image)
        .map_err(|e| e.to_string())?;
    Ok(image)
}

/// The share of each function. One that calls itself counts once for each sample.
fn shares(stacks: &Stacks) -> HashMap<&str, Share> {
    let mut shares: HashMap<&str, Share> = HashMap::new();
    for (frames, count) in stacks {
        for function in frames.iter().map(String::as_str).collect::<HashSet<_>>() {
            shares.entry(function).or_default().total += count;
        }
        if let Some(innermost) = frames.last() {
            shares.entry(innermost).or_default().own += count;
        }
    }
    shares
}

fn table(stacks: &Stacks) -> String {
    let samples: u64 = stacks.values().sum();
    let mut functions: Vec<(&str, Share)> = shares(stacks).into_iter().collect();
    functions.sort_by_key(|&(name, share)| (u64::MAX - share.own, u64::MAX - share.total, name));
    let percent = |count: u64| 100.0 * count as f64 / samples as f64;
    let mut text = String::from("    own   total  function\n");
    for (name, share) in functions.iter().take(HOTTEST) {
        let (own, total) = (percent(share.own), percent(share.total));
        text += &format!("{own:6.1}% {total:6.1}%  {name}\n");
    }
    text + &format!("{samples} samples in {} functions\n", functions.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_function_are_one() {
        let stacks =
            parse("a.py:main:1;a.py:f:7 2\na.py:main:3;a.py:f:8 3\n").expect("well formed");
        assert_eq!(stacks.len(), 1);
        assert_eq!(stacks.values().sum::<u64>(), 5);
    }

    #[test]
    fn a_frame_is_named_by_its_function() {
        assert_eq!(name("/srv/a b.py:main:12"), "main (/srv/a b.py)");
        assert_eq!(name("C:x.py:<lambda>"), "<lambda> (C:x.py)");
        assert_eq!(name("(idle)"), "(idle)");
        assert_eq!(name(""), "");
    }

    #[test]
    fn a_recursive_function_counts_once_for_a_sample() {
        let stacks = parse("a:main:1;a:f:2;a:f:3;a:f:2 4\na:main:1 1").expect("well formed");
        let shares = shares(&stacks);
        assert_eq!(shares["f (a)"], Share { own: 4, total: 4 });
        assert_eq!(shares["main (a)"], Share { own: 1, total: 5 });
    }

    #[test]
    fn what_is_not_folded_is_refused() {
        for bad in ["", "no count\n", "a:f:1 -3\n", "a:f:1 99999999999999999999\n", "a 0\n"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
        assert!(parse(&format!("a {0}\nb {0}\n", u64::MAX)).is_err());
    }

    #[test]
    fn the_picture_holds_every_function() {
        let stacks = parse("a.py:main:1;a.py:inner & <outer>:2 5").expect("well formed");
        let image = String::from_utf8(draw(&stacks, "a title").expect("drawn")).expect("UTF-8");
        for expected in ["a title", "main (a.py)", "inner &amp; &lt;outer&gt; (a.py)"] {
            assert!(image.contains(expected), "{expected}");
        }
    }
}
