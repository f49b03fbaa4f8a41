//! Pictures of stacks, to be opened in a browser: a flame graph, the same upside down, and
//! a chart in which time runs from left to right. Drawn by inferno.
//!
//! A box is a function; its lines are one. Equal profiles give equal bytes.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use inferno::flamegraph::color::{BackgroundColor, Color, PaletteMap};
use inferno::flamegraph::{self, Direction, Options, TextTruncateDirection};

use super::flame_labels::{FlameLabels, Restored, printable};
use super::{Format, Settings, palette, title};
use crate::profile::{Detail, Profile, Seen, ThreadId};

/// `svg`.
pub(crate) const FLAME_GRAPH: Format = Format {
    name: "svg",
    extensions: &["svg"],
    about: "a flame graph, to look at in a browser",
    detail: Detail::Threads,
    write: write_flame_graph,
};

/// `icicle`.
pub(crate) const ICICLE: Format = Format {
    name: "icicle",
    extensions: &["icicle.svg"],
    about: "a flame graph that hangs from its root",
    detail: Detail::Threads,
    write: write_icicle,
};

/// `svg-chart`.
pub(crate) const CHART: Format = Format {
    name: "svg-chart",
    extensions: &["chart.svg"],
    about: "stacks in the order of time, as a picture",
    detail: Detail::Timeline,
    write: write_chart,
};

/// The narrowest box that is drawn, in percent of the width: thinner ones cannot be
/// read, and make the picture as tall as the deepest import.
const NARROWEST: f64 = 0.1;

fn write_flame_graph(
    profile: &Profile,
    settings: &Settings,
    out: &mut dyn Write,
) -> io::Result<()> {
    write_sums(profile, settings, Direction::Straight, out)
}

fn write_icicle(profile: &Profile, settings: &Settings, out: &mut dyn Write) -> io::Result<()> {
    write_sums(profile, settings, Direction::Inverted, out)
}

/// What all pictures stand on.
pub(super) const BACKGROUND: BackgroundColor =
    BackgroundColor::Flat(Color { r: 250, g: 249, b: 246 });

/// Draws every stack as wide as it was frequent.
fn write_sums(
    profile: &Profile,
    settings: &Settings,
    direction: Direction,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut labels = FlameLabels::new(profile);
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for (note, samples) in [("(idle)", profile.idle()), ("(failed)", profile.failed())] {
        if samples > 0 {
            sums.insert(note.to_owned(), samples);
        }
    }
    if profile.tells_processes() && profile.keeps_threads() {
        for (thread, stack, _, samples) in profile.stacks_by_thread() {
            let process = labels.process(profile.thread(thread).process);
            *sums.entry(labels.stack(Some(&process), stack)).or_default() += samples;
        }
    } else {
        for (stack, samples) in profile.stacks() {
            *sums.entry(labels.stack(None, stack)).or_default() += samples;
        }
    }
    let lines: Vec<String> =
        sums.iter().map(|(stack, samples)| format!("{stack} {samples}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    draw(&labels, settings, Look::Sums(direction), &lines, out)
}

/// Draws stacks from left to right as they were seen. Where several threads were looked
/// at in each moment, one stands beside the other.
fn write_chart(profile: &Profile, settings: &Settings, out: &mut dyn Write) -> io::Result<()> {
    let mut labels = FlameLabels::new(profile);
    let mut runs = Runs::default();
    let threads = chart_order(profile);
    if !threads.is_empty() {
        for thread in threads {
            let name = thread.map(|thread| labels.thread(thread));
            let events = profile.timeline().iter().filter(|event| of(event.seen) == thread);
            events.for_each(|event| runs.see(&mut labels, name.as_deref(), event.seen));
        }
    } else {
        profile.timeline().iter().for_each(|event| runs.see(&mut labels, None, event.seen));
    }
    draw(&labels, settings, Look::Chart, &runs.lines(), out)
}

/// The threads that get a place of their own, `None` for events that are of no thread.
/// Nothing if the whole timeline is one sequence.
fn chart_order(profile: &Profile) -> Vec<Option<ThreadId>> {
    let tells_processes = profile.tells_processes();
    if !profile.about.every_thread && !tells_processes {
        return Vec::new();
    }
    let mut threads: Vec<_> = profile.timeline().iter().map(|event| of(event.seen)).collect();
    threads.sort_unstable();
    threads.dedup();
    if tells_processes || threads.iter().flatten().count() > 1 { threads } else { Vec::new() }
}

fn of(seen: Seen) -> Option<ThreadId> {
    match seen {
        Seen::Sample(sample) => sample.thread,
        Seen::Idle | Seen::Failed => None,
    }
}

/// Stacks in a row, equal neighbours as one. Each text is kept once, however long the
/// run: a million samples have few different stacks.
#[derive(Default)]
struct Runs {
    stacks: Vec<String>,
    known: HashMap<String, usize>,
    /// Positions in `stacks`, and how many samples in a row.
    runs: Vec<(usize, u64)>,
    /// What inferno reads, a line for each stack and count that occurs.
    texts: BTreeMap<(usize, u64), String>,
}

impl Runs {
    fn see(&mut self, labels: &mut FlameLabels<'_>, root: Option<&str>, seen: Seen) {
        let stack = match seen {
            Seen::Idle => "(idle)".to_owned(),
            Seen::Failed => "(failed)".to_owned(),
            Seen::Sample(sample) => labels.stack(root, sample.stack),
        };
        let next = self.stacks.len();
        let index = *self.known.entry(stack.clone()).or_insert(next);
        if index == next {
            self.stacks.push(stack);
        }
        match self.runs.last_mut() {
            Some((last, samples)) if *last == index => *samples += 1,
            _ => self.runs.push((index, 1)),
        }
    }

    /// Lines of stacks and counts, the last one first: inferno turns a chart round.
    fn lines(&mut self) -> Vec<&str> {
        for run in &self.runs {
            let text = || format!("{} {}", self.stacks[run.0], run.1);
            self.texts.entry(*run).or_insert_with(text);
        }
        self.runs.iter().rev().map(|run| self.texts[run].as_str()).collect()
    }
}

/// What boxes stand for.
enum Look {
    /// All samples of a stack, wherever they were in time.
    Sums(Direction),
    /// Samples that followed each other.
    Chart,
}

fn draw(
    labels: &FlameLabels<'_>,
    settings: &Settings,
    look: Look,
    lines: &[&str],
    out: &mut dyn Write,
) -> io::Result<()> {
    let title = printable(&title::title(labels.profile(), settings));
    if lines.is_empty() {
        return write_nothing(&title, out);
    }
    let mut palette = PaletteMap::default();
    for (label, (r, g, b)) in labels.colours() {
        palette.insert(label, Color { r, g, b });
    }
    let mut options = Options::default();
    options.title = title;
    let subtitle = std::iter::once(title::subtitle(labels.profile()));
    let subtitle = subtitle.chain(palette::native_legend(labels.profile()));
    options.subtitle = Some(subtitle.collect::<Vec<_>>().join(" · "));
    options.min_width = NARROWEST;
    options.bgcolors = Some(BACKGROUND);
    // A label begins with what tells most, the function.
    options.text_truncate_direction = TextTruncateDirection::Right;
    options.palette_map = Some(&mut palette);
    match look {
        Look::Sums(direction) => options.direction = direction,
        Look::Chart => options.flame_chart = true,
    }
    flamegraph::from_lines(&mut options, lines.iter().copied(), Restored(out))
}

/// A picture that says that there is none.
fn write_nothing(title: &str, out: &mut dyn Write) -> io::Result<()> {
    let title = title.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    writeln!(
        out,
        r##"<?xml version="1.0" standalone="no"?>
<svg version="1.1" width="1200" height="80" viewBox="0 0 1200 80" xmlns="http://www.w3.org/2000/svg">
<rect width="100%" height="100%" fill="#faf9f6"/>
<text x="600" y="30" text-anchor="middle" font-family="monospace" font-size="17">{title}</text>
<text x="600" y="56" text-anchor="middle" font-family="monospace" font-size="12">no samples were taken</text>
</svg>"##
    )
}

#[cfg(test)]
#[path = "svg_tests.rs"]
mod tests;
