//! What is to be drawn, computed from what has been seen.

use super::counts::Moments;
use super::feed::Seen;
use super::view::{Sort, View};
use crate::escape::in_line;
use crate::profile::places::{Places, Unit};
use crate::profile::stats::Key;

/// A function, or a line of one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// Its part of the time by itself, in percent.
    pub own: f64,
    /// With all that it called.
    pub total: f64,
    /// `function (file)`, or with a line `function (file:line)`; of native code
    /// `library!function`.
    pub name: String,
}

/// A thread.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ThreadRow {
    /// Its part of the time with the GIL, in percent.
    pub held: f64,
    /// What it does now.
    pub state: &'static str,
    /// Whether it holds the GIL now.
    pub holds_gil: bool,
    /// Its name or number.
    pub name: String,
    /// Where it is now.
    pub place: String,
}

/// All that is drawn.
#[derive(Clone, Debug, Default)]
pub(super) struct Picture {
    /// The process: id, command, version.
    pub title: String,
    /// Rate, samples, GIL.
    pub status: String,
    /// What went wrong, if anything did.
    pub errors: Option<String>,
    /// Functions or lines.
    pub rows: Vec<Row>,
    /// Threads.
    pub threads: Vec<ThreadRow>,
}

/// Makes pictures, and remembers what does not change between them.
#[derive(Default)]
pub(super) struct Painter {
    places: Places,
    picture: Picture,
    /// The frozen counts of a picture that stands still are of these settings.
    frozen: Option<(Unit, Sort, bool, bool, String)>,
}

impl Painter {
    /// The picture of this moment; of an earlier one if it shall stand still.
    pub(super) fn paint(&mut self, seen: &mut Seen, view: &View) -> &Picture {
        let settings = (view.unit, view.sort, view.recent, view.only_gil, view.filter.clone());
        if view.paused && self.frozen.as_ref() == Some(&settings) {
            return &self.picture;
        }
        if self.places.unit() != view.unit {
            self.places = Places::new(view.unit);
        }
        let moments = seen.counts.moments(view.recent);
        self.picture = Picture {
            title: title(seen),
            status: status(seen, moments),
            errors: errors(seen),
            rows: self.rows(seen, view, moments),
            threads: threads(seen, &view.filter),
        };
        self.frozen = Some(settings);
        &self.picture
    }

    fn rows(&mut self, seen: &Seen, view: &View, moments: Moments) -> Vec<Row> {
        let stacks = seen.counts.stacks(view.recent, view.only_gil);
        let shares = self.places.shares(&seen.profile, stacks);
        let percent = |count: u64| 100.0 * count as f64 / moments.all.max(1) as f64;
        let mut rows: Vec<Row> = shares
            .into_iter()
            .map(|(id, share)| {
                let place = self.places.place(id);
                let (function, file) = (&place.function, &place.file);
                let name = match (place.library(), view.unit) {
                    (Some(library), _) => format!("{library}!{function}"),
                    (None, Unit::Function) => format!("{function} ({file})"),
                    (None, Unit::Line) => format!("{function} ({file}:{})", place.line),
                };
                let (own, total) = (percent(share.own), percent(share.total));
                Row { own, total, name: printable(&name) }
            })
            .filter(|row| contains(&row.name, &view.filter))
            .collect();
        rows.sort_by(|a, b| {
            let own = b.own.total_cmp(&a.own);
            let total = b.total.total_cmp(&a.total);
            let name = a.name.cmp(&b.name);
            match view.sort {
                Sort::Own => own.then(total).then(name),
                Sort::Total => total.then(own).then(name),
                Sort::Name => name,
            }
        });
        rows
    }
}

/// Whether `name` contains `filter`; capitals count only if the filter has one.
fn contains(name: &str, filter: &str) -> bool {
    if filter.chars().any(char::is_uppercase) {
        name.contains(filter)
    } else {
        name.to_lowercase().contains(filter)
    }
}

fn title(seen: &Seen) -> String {
    let Some((_, process)) = seen.profile.processes().next() else { return String::new() };
    printable(&format!("{}  {}  Python {}", process.pid, process.command, process.python))
}

fn status(seen: &Seen, moments: Moments) -> String {
    let held = 100.0 * moments.held as f64 / moments.all.max(1) as f64;
    let held = match seen.profile.is_free_threaded() {
        true => format!("attached {held:.0}%"),
        false => format!("GIL held {held:.0}%"),
    };
    format!(
        "{:.0} per second, {} samples in {:.0} s, {held}",
        seen.counts.rate(),
        seen.counts.whole_samples(),
        seen.about.elapsed.as_secs_f64(),
    )
}

/// The counts of the account that tell of samples that are missing.
fn errors(seen: &Seen) -> Option<String> {
    let telling = [Key::Torn, Key::Dropped, Key::LostThreads, Key::Failed, Key::Late, Key::Missed];
    let counts = telling.map(|key| (key.name(), seen.about.account.count(key)));
    let there = counts.iter().filter(|(_, count)| *count > 0);
    let words: Vec<String> = there.map(|(name, count)| format!("{name} {count}")).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn threads(seen: &Seen, filter: &str) -> Vec<ThreadRow> {
    let all = seen.counts.moments(true).all.max(1) as f64;
    let row = |activity: super::counts::Activity| {
        let state = activity.state;
        let leaf = seen.profile.leaf(activity.stack).map(|frame| seen.profile.frames.frame(frame));
        ThreadRow {
            held: 100.0 * activity.held as f64 / all,
            state: match (state.holds_gil, state.on_cpu) {
                (true, _) if seen.profile.is_free_threaded() => "runs",
                (true, _) => "GIL",
                (false, Some(true)) => "runs",
                (false, Some(false)) => "waits",
                // It has ended since.
                (false, None) => "",
            },
            holds_gil: state.holds_gil,
            name: printable(&seen.profile.thread(activity.thread).to_string()),
            place: printable(&leaf.map_or_else(String::new, |frame| match frame.library() {
                Some(library) => format!("{library}!{}", frame.function),
                None => format!("{} ({}:{})", frame.function, frame.file, frame.line),
            })),
        }
    };
    let is_shown = |row: &ThreadRow| contains(&row.name, filter) || contains(&row.place, filter);
    seen.counts.threads().into_iter().map(row).filter(is_shown).collect()
}

/// Text that may hold anything, as one line that moves no cursor.
fn printable(text: &str) -> String {
    in_line(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::top::counts::Counts;
    use crate::profile::stats::Rows;
    use crate::profile::{Detail, Process, Profile, RunInfo, Sample, State, Step};
    use crate::stack::Frame;

    fn seen() -> Seen {
        let mut profile = Profile::new(Detail::Timeline);
        let process = Process::new(42, "a\nb", "3.11.7");
        let process = profile.add_process(process);
        let thread = Some(profile.intern_thread(process, 7));
        for (time, function, holds_gil) in
            [(1, "f", true), (2, "f", true), (3, "wait\x1b[2J", false), (4, "g", true)]
        {
            let frame = Frame::python("a.py", function, 3);
            let step = Step::Frame(profile.frames.intern(frame));
            let stack = profile.child(None, step);
            let state = State { holds_gil, ..State::default() };
            profile.record(time, Sample { stack, thread, state });
        }
        let mut counts = Counts::default();
        counts.add(&profile.take_timeline());
        let account = Rows::from([(Key::Torn, 2), (Key::Late, 0), (Key::Samples, 4)]);
        Seen { profile, counts, about: RunInfo { account, ..RunInfo::default() } }
    }

    #[test]
    fn rows_are_parts_of_the_time() {
        let mut view = View::default();
        let mut painter = Painter::default();
        let picture = painter.paint(&mut seen(), &view).clone();
        let names = |picture: &Picture| -> Vec<String> {
            picture.rows.iter().map(|row| format!("{} {}", row.own, row.name)).collect()
        };
        assert_eq!(names(&picture), ["50 f (a.py)", "25 g (a.py)"]);
        assert_eq!(picture.threads[0].name, "Thread 0x7");
        assert_eq!(picture.errors.as_deref(), Some("torn 2"));
        assert_eq!(picture.title, "42  a\\nb  Python 3.11.7");
        view.filter = "0x8".into();
        assert!(painter.paint(&mut seen(), &view).threads.is_empty());
        view.filter = "g (a.py:3".into();
        assert_eq!(painter.paint(&mut seen(), &view).threads.len(), 1, "it is there now");
        view.only_gil = false;
        view.filter = "WAIT".into();
        assert!(painter.paint(&mut seen(), &view).rows.is_empty());
        view.filter = "wait".into();
        view.unit = Unit::Line;
        assert_eq!(names(painter.paint(&mut seen(), &view)), ["25 wait\\u{1b}[2J (a.py:3)"]);
    }

    #[test]
    fn a_picture_that_stands_still_is_the_same() {
        let mut view = View::default();
        let mut painter = Painter::default();
        let mut seen = seen();
        painter.paint(&mut seen, &view);
        view.paused = true;
        seen.counts.reset();
        assert_eq!(painter.paint(&mut seen, &view).rows.len(), 2);
        view.paused = false;
        assert!(painter.paint(&mut seen, &view).rows.is_empty());
    }
}
