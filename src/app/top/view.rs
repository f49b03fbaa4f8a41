//! What the user wants to see: what the keys change.

use std::time::{Duration, Instant};

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::profile::places::Unit;

/// How long a message stands.
const MESSAGE: Duration = Duration::from_secs(4);

/// The keys, and what they do.
pub(super) const KEYS: &[(&str, &str)] = &[
    ("q, Ctrl-C", "quit"),
    ("o", "sort by own time: what the function itself took"),
    ("a", "sort by total time: with all that it called"),
    ("n", "sort by name"),
    ("l", "count lines, or functions"),
    ("t", "show threads, or functions"),
    ("w", "the last seconds, or the whole time"),
    ("g", "all threads, or only those that hold the GIL"),
    ("/", "show only what contains a text; Enter keeps it, Esc drops it"),
    ("arrows, PgUp, PgDn, Home", "scroll"),
    ("space", "stand still, or go on; sampling goes on meanwhile"),
    ("r", "forget what has been counted"),
    ("s", "save what has been counted as a flame graph"),
    ("?", "this list, or away with it"),
];

/// What rows are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    /// Own time, most first.
    #[default]
    Own,
    /// Total time, most first.
    Total,
    /// The name.
    Name,
}

/// What is to be done after a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Nothing but to draw.
    None,
    /// End.
    Quit,
    /// Forget the counts.
    Reset,
    /// Save a flame graph.
    Save,
}

/// What is shown.
#[derive(Clone, Debug)]
pub(super) struct View {
    /// Functions or lines.
    pub unit: Unit,
    /// The order of rows.
    pub sort: Sort,
    /// The last seconds, not the whole time.
    pub recent: bool,
    /// Only threads that hold the GIL.
    pub only_gil: bool,
    /// Threads instead of functions.
    pub threads: bool,
    /// Only names that contain this are shown.
    pub filter: String,
    /// Whether keys are the filter's letters.
    pub typing: bool,
    /// Whether the picture stands still.
    pub paused: bool,
    /// Whether the keys are listed.
    pub help: bool,
    /// How many rows are above the first that is shown.
    pub scroll: usize,
    /// What was last said, and since when.
    pub message: Option<(String, Instant)>,
}

impl Default for View {
    fn default() -> Self {
        Self {
            unit: Unit::Function,
            sort: Sort::Own,
            recent: true,
            only_gil: true,
            threads: false,
            filter: String::new(),
            typing: false,
            paused: false,
            help: false,
            scroll: 0,
            message: None,
        }
    }
}

impl View {
    /// Shows a message for a while.
    pub(super) fn say(&mut self, message: String) {
        self.message = Some((message, Instant::now()));
    }

    /// The message, if there is one.
    pub(super) fn message(&self) -> Option<&str> {
        let (text, since) = self.message.as_ref()?;
        (since.elapsed() < MESSAGE).then_some(text)
    }

    /// Follows a key.
    pub(super) fn press(&mut self, key: KeyEvent) -> Action {
        if key.kind == KeyEventKind::Release {
            return Action::None;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return if key.code == KeyCode::Char('c') { Action::Quit } else { Action::None };
        }
        if self.typing {
            self.type_filter(key.code);
            return Action::None;
        }
        self.message = None;
        match key.code {
            KeyCode::Char('q') => return Action::Quit,
            KeyCode::Char('r') => return Action::Reset,
            KeyCode::Char('s') => return Action::Save,
            KeyCode::Char('o') => self.sort = Sort::Own,
            KeyCode::Char('a') => self.sort = Sort::Total,
            KeyCode::Char('n') => self.sort = Sort::Name,
            KeyCode::Char('l') => {
                self.unit = if self.unit == Unit::Line { Unit::Function } else { Unit::Line };
            }
            KeyCode::Char('t') => self.threads = !self.threads,
            KeyCode::Char('w') => self.recent = !self.recent,
            KeyCode::Char('g') => self.only_gil = !self.only_gil,
            KeyCode::Char(' ') => self.paused = !self.paused,
            KeyCode::Char('?') => self.help = !self.help,
            KeyCode::Char('/') => self.typing = true,
            KeyCode::Esc if self.help => self.help = false,
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Up => self.scroll = self.scroll.saturating_sub(1),
            KeyCode::Down => self.scroll = self.scroll.saturating_add(1),
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(10),
            KeyCode::PageDown => self.scroll = self.scroll.saturating_add(10),
            KeyCode::Home => self.scroll = 0,
            // A way to see that the terminal survives a panic; not in what is released.
            KeyCode::F(12) if cfg!(debug_assertions) => panic!("F12 was pressed"),
            _ => {}
        }
        Action::None
    }

    fn type_filter(&mut self, key: KeyCode) {
        match key {
            KeyCode::Char(letter) => self.filter.push(letter),
            KeyCode::Backspace => {
                self.filter.pop();
            }
            KeyCode::Enter => self.typing = false,
            KeyCode::Esc => {
                self.typing = false;
                self.filter.clear();
            }
            _ => {}
        }
        self.scroll = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(view: &mut View, keys: &[KeyCode]) -> Action {
        keys.iter().map(|key| view.press(KeyEvent::from(*key))).last().unwrap_or(Action::None)
    }

    #[test]
    fn letters_are_commands_but_in_a_filter() {
        let mut view = View::default();
        let typed = ['/', 'q', 's', 'l'].map(KeyCode::Char);
        assert_eq!(press(&mut view, &typed), Action::None);
        assert_eq!((view.filter.as_str(), view.unit), ("qsl", Unit::Function));
        press(&mut view, &[KeyCode::Backspace, KeyCode::Enter, KeyCode::Char('l')]);
        assert_eq!((view.filter.as_str(), view.unit), ("qs", Unit::Line));
        press(&mut view, &[KeyCode::Esc]);
        assert_eq!(view.filter, "");
        assert_eq!(press(&mut view, &[KeyCode::Char('q')]), Action::Quit);
    }

    #[test]
    fn ctrl_c_quits_everywhere() {
        let mut view = View { typing: true, ..View::default() };
        let key = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(view.press(key), Action::Quit);
    }

    #[test]
    fn every_toggle_goes_back() {
        let mut view = View::default();
        for key in ['l', 't', 'w', 'g', ' ', '?'] {
            press(&mut view, &[KeyCode::Char(key)]);
        }
        assert!(view.threads && view.paused && view.help && !view.recent && !view.only_gil);
        for key in ['l', 't', 'w', 'g', ' ', '?'] {
            press(&mut view, &[KeyCode::Char(key)]);
        }
        assert_eq!(format!("{view:?}"), format!("{:?}", View::default()));
    }
}
