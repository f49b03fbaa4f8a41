//! Draws a picture on the terminal.

use std::env;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

use super::picture::{Picture, Row, ThreadRow};
use super::view::{KEYS, Sort, View};
use crate::profile::places::Unit;

/// From this height on, threads are shown below functions.
const HIGH: u16 = 18;

/// So many threads.
const FEW_THREADS: u16 = 6;

/// Draws everything. The view learns how far it can be scrolled.
pub(super) fn draw(frame: &mut Frame<'_>, view: &mut View, picture: &Picture) {
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(2), Constraint::Min(0), Constraint::Length(1)])
            .areas(frame.area());
    frame.render_widget(Paragraph::new(title(view, picture)), head);
    if view.threads {
        draw_threads(frame, body, view, picture);
    } else {
        let threads = u16::try_from(picture.threads.len()).unwrap_or(u16::MAX).min(FEW_THREADS);
        let below = if frame.area().height >= HIGH { threads + 2 } else { 0 };
        let [above, below] =
            Layout::vertical([Constraint::Min(0), Constraint::Length(below)]).areas(body);
        draw_rows(frame, above, view, picture);
        if below.height > 2 {
            let rest = Rect { y: below.y + 1, height: below.height - 1, ..below };
            frame.render_widget(Paragraph::new(thread_lines(&picture.threads)), rest);
        }
    }
    frame.render_widget(Paragraph::new(footer(view)), foot);
    if view.help {
        draw_help(frame, body);
    }
}

fn title<'a>(view: &View, picture: &'a Picture) -> Vec<Line<'a>> {
    let mut status = vec![Span::raw(picture.status.as_str())];
    if let Some(errors) = &picture.errors {
        status.push(Span::raw("  "));
        status.push(Span::styled(errors.as_str(), coloured(Color::Red)));
    }
    if view.paused {
        status.push(Span::raw("  "));
        status.push(Span::styled(" standing still ", Modifier::REVERSED));
    }
    vec![Line::styled(picture.title.as_str(), Modifier::BOLD), Line::from(status)]
}

fn draw_rows(frame: &mut Frame<'_>, area: Rect, view: &mut View, picture: &Picture) {
    let sorted = |by: Sort, title: &'static str| {
        let style = if view.sort == by { Modifier::UNDERLINED } else { Modifier::empty() };
        Span::styled(title, Style::new().add_modifier(style | Modifier::BOLD))
    };
    let what = match view.unit {
        Unit::Function => "function",
        Unit::Line => "line",
    };
    let span = if view.recent { "the last 5 s" } else { "the whole time" };
    let whose = if view.only_gil { "threads with the GIL" } else { "all threads" };
    let mut lines = vec![Line::from(vec![
        Span::raw("   "),
        sorted(Sort::Own, "own"),
        Span::raw("    "),
        sorted(Sort::Total, "total"),
        Span::raw("  "),
        sorted(Sort::Name, what),
        Span::raw(format!("   (percent of {span}, {whose})")),
    ])];
    let room = usize::from(area.height.saturating_sub(1));
    view.scroll = view.scroll.min(picture.rows.len().saturating_sub(room));
    lines.extend(picture.rows.iter().skip(view.scroll).take(room).map(row_line));
    frame.render_widget(Paragraph::new(lines), area);
}

fn row_line(row: &Row) -> Line<'_> {
    Line::from(vec![
        Span::raw(format!("{:5.1}%  {:6.1}%  ", row.own, row.total)),
        Span::raw(row.name.as_str()),
    ])
}

fn draw_threads(frame: &mut Frame<'_>, area: Rect, view: &mut View, picture: &Picture) {
    let room = usize::from(area.height.saturating_sub(1));
    view.scroll = view.scroll.min(picture.threads.len().saturating_sub(room));
    let lines = thread_lines(&picture.threads[view.scroll..]);
    frame.render_widget(Paragraph::new(lines), area);
}

fn thread_lines(threads: &[ThreadRow]) -> Vec<Line<'_>> {
    let head = Line::styled("   GIL  now    thread, and where it is", Modifier::BOLD);
    let lines = threads.iter().map(|thread| {
        let style = if thread.holds_gil { coloured(Color::Green) } else { Style::new() };
        Line::from(vec![
            Span::raw(format!("{:5.1}%  ", thread.held)),
            Span::styled(format!("{:5}  ", thread.state), style),
            Span::raw(format!("{}  {}", thread.name, thread.place)),
        ])
    });
    std::iter::once(head).chain(lines).collect()
}

fn footer(view: &View) -> Line<'_> {
    if view.typing {
        return Line::from(vec![Span::raw("/"), Span::raw(view.filter.as_str()), Span::raw("_")]);
    }
    if let Some(message) = view.message() {
        return Line::styled(message, Modifier::REVERSED);
    }
    let mut line = "q quit  ? keys  o own  a total  l lines  t threads  w whole  g GIL  / filter  \
                    space still  r reset  s save"
        .to_owned();
    if !view.filter.is_empty() {
        line = format!("filter \"{}\" (Esc drops it)  {line}", view.filter);
    }
    Line::styled(line, Modifier::DIM)
}

fn draw_help(frame: &mut Frame<'_>, area: Rect) {
    let lines: Vec<Line<'_>> =
        KEYS.iter().map(|(keys, what)| Line::raw(format!(" {keys:25} {what}"))).collect();
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(area.height);
    let area = Rect { height, ..area };
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines), area);
}

/// A colour, unless the user wants none (no-color.org).
fn coloured(colour: Color) -> Style {
    match env::var_os("NO_COLOR") {
        Some(value) if !value.is_empty() => Style::new().add_modifier(Modifier::BOLD),
        _ => Style::new().fg(colour),
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    fn screen(width: u16, height: u16, view: &mut View, picture: &Picture) -> String {
        let mut terminal =
            Terminal::new(TestBackend::new(width, height)).expect("a terminal in memory");
        terminal.draw(|frame| draw(frame, view, picture)).expect("drawn");
        format!("{}", terminal.backend())
    }

    fn picture() -> Picture {
        let row = |n: u32| Row { own: f64::from(n), total: 90.0, name: format!("f{n} (a.py)") };
        let thread = ThreadRow {
            held: 12.0,
            state: "GIL",
            holds_gil: true,
            name: "Thread 7".into(),
            place: "f1 (a.py:3)".into(),
        };
        Picture {
            title: "42  python a.py".into(),
            status: "100 per second".into(),
            errors: None,
            rows: (0..50).rev().map(row).collect(),
            threads: vec![thread],
        }
    }

    #[test]
    fn a_terminal_of_any_size_is_drawn_on() {
        for (width, height) in [(1, 1), (5, 3), (20, 4), (80, 24), (300, 100)] {
            for help in [true, false] {
                for threads in [true, false] {
                    let mut view = View { help, threads, scroll: 1000, ..View::default() };
                    screen(width, height, &mut view, &picture());
                }
            }
        }
    }

    #[test]
    fn functions_threads_and_help_are_there() {
        let text = screen(80, 24, &mut View::default(), &picture());
        for words in ["42  python a.py", " 49.0%    90.0%  f49 (a.py)", "Thread 7  f1", "q quit"] {
            assert!(text.contains(words), "{words}: {text}");
        }
        let mut help = View { help: true, ..View::default() };
        assert!(screen(80, 24, &mut help, &picture()).contains("forget what has been counted"));
    }

    #[test]
    fn what_is_scrolled_to_is_there_and_no_more() {
        let mut view = View { scroll: 1000, ..View::default() };
        let text = screen(80, 24, &mut view, &picture());
        assert!(text.contains("  0.0%    90.0%  f0 (a.py)"), "{text}");
        assert!(view.scroll < 50);
    }
}
