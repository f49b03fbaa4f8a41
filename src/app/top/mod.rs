//! `pyflame top`: a live view of what a process does.
//!
//! The profiler for the process runs as a child and writes a recording into a pipe; a
//! thread reads it ([`feed`]) and counts ([`counts`]); this thread listens to the keyboard
//! ([`view`]) and draws ([`draw`]) four times a second.

mod counts;
mod draw;
pub(crate) mod error;
mod feed;
mod picture;
mod view;

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};

use self::error::TopError;
use self::feed::{Feed, Seen};
use self::picture::Painter;
use self::view::{Action, View};
use crate::app::error::Error;
use crate::app::find::profiler_of;
use crate::app::options::TopOptions;
use crate::app::private::keep_private;
use crate::app::signals::Signals;
use crate::render::{Destination, Format, Settings};

/// The time between two pictures, if no key is pressed.
const REDRAW: Duration = Duration::from_millis(250);

/// Watches a process until it ends or the user has seen enough.
///
/// # Errors
/// [`Error`] if it cannot be sampled, or there is no terminal.
pub(crate) fn top(options: &TopOptions) -> Result<(), Error> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(TopError::NoTerminal.into());
    }
    let program = profiler_of(options.pid)?;
    keep_private(|| vec![options.pid]);
    let signals = Signals::watch()?;
    let feed = Feed::start(&program, options)?;
    // What goes wrong at the beginning is said where the command was typed.
    if !feed.wait_for_start(&signals) {
        return Ok(feed.end(options.pid)?);
    }
    let shown = {
        let terminal = Terminal::open()?;
        show(terminal, &feed, &signals, options.pid)
    };
    let saved = shown.map_err(TopError::Terminal)?;
    println!("{}", feed.seen().summary(options.pid));
    for path in saved {
        println!("Wrote {}.", path.display());
    }
    Ok(feed.end(options.pid)?)
}

/// The terminal in the state for drawing. Dropped, it is as it was before; a panic does
/// that too, before it is reported.
struct Terminal(DefaultTerminal);

impl Terminal {
    fn open() -> Result<Self, TopError> {
        ratatui::try_init().map(Self).map_err(|error| {
            ratatui::restore();
            TopError::Terminal(error)
        })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Draws until the end. Returns the files that were saved.
fn show(
    mut terminal: Terminal,
    feed: &Feed,
    signals: &Signals,
    pid: i32,
) -> io::Result<Vec<PathBuf>> {
    let mut view = View::default();
    let mut painter = Painter::default();
    let mut saved = Vec::new();
    let mut drawn: Option<Instant> = None;
    while !signals.ask_for_end() && !feed.has_ended() {
        if drawn.is_none_or(|drawn| drawn.elapsed() >= REDRAW) {
            let picture = painter.paint(&mut feed.seen(), &view);
            terminal.0.draw(|frame| draw::draw(frame, &mut view, picture))?;
            drawn = Some(Instant::now());
        }
        let left = drawn.map_or(REDRAW, |drawn| REDRAW.saturating_sub(drawn.elapsed()));
        match wait_for_event(left)? {
            Waited::Event => {}
            Waited::Nothing => continue,
            Waited::NoTerminal => break,
        }
        drawn = None;
        let Event::Key(key) = event::read()? else { continue };
        match view.press(key) {
            Action::None => {}
            Action::Quit => break,
            Action::Reset => feed.seen().counts.reset(),
            Action::Save if feed.seen().counts.whole_samples() == 0 => {
                view.say("Nothing has been counted yet.".to_owned());
            }
            Action::Save => match save(&feed.seen(), &view, pid) {
                Ok(path) => {
                    view.say(format!("Wrote {}.", path.display()));
                    if !saved.contains(&path) {
                        saved.push(path);
                    }
                }
                Err(error) => view.say(error.to_string()),
            },
        }
    }
    Ok(saved)
}

/// What a wait for keys came to.
enum Waited {
    /// An event can be read.
    Event,
    /// There is none so far.
    Nothing,
    /// The terminal is gone: its connection was lost, or its window closed.
    NoTerminal,
}

/// Waits at most `time` for a key or another size of the terminal. Of a terminal that is
/// gone crossterm would read the end of the file for ever.
fn wait_for_event(time: Duration) -> io::Result<Waited> {
    if is_gone(Duration::ZERO)? {
        return Ok(Waited::NoTerminal);
    } else if event::poll(Duration::ZERO)? {
        return Ok(Waited::Event);
    } else if is_gone(time)? {
        return Ok(Waited::NoTerminal);
    }
    Ok(if event::poll(Duration::ZERO)? { Waited::Event } else { Waited::Nothing })
}

/// Waits at most `time` until something can be read from the terminal. Whether it is gone.
fn is_gone(time: Duration) -> io::Result<bool> {
    let stdin = io::stdin();
    let mut input = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    let time = PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX);
    match poll(&mut input, time) {
        // A signal, such as that of another size.
        Ok(_) | Err(Errno::EINTR) => {}
        Err(errno) => return Err(errno.into()),
    }
    let gone = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
    Ok(input.iter().filter_map(PollFd::revents).any(|seen| seen.intersects(gone)))
}

/// Saves what has been counted, of the threads that are shown, as a flame graph.
fn save(seen: &Seen, view: &View, pid: i32) -> Result<PathBuf, Error> {
    let format = Format::named("svg").unwrap_or_default();
    let path = PathBuf::from(format!("pyflame-{pid}.{}", format.extensions[0]));
    let profile = seen.profile_of(view.only_gil);
    let settings = Settings::default();
    let place = Destination::open(Some(&path))?;
    place.write(|out| (format.write)(&profile, &settings, out))?;
    Ok(path)
}
