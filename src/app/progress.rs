//! The line on a terminal that tells how a run is getting on.
//!
//! A thread of its own writes it, because a terminal may make its writer wait, and no
//! sample shall be late for that.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use humantime::format_duration;

/// The time between two lines.
const EVERY: Duration = Duration::from_millis(250);

/// How far a run is, shared with the thread that writes it.
#[derive(Debug, Default)]
struct Counts {
    samples: AtomicU64,
    errors: AtomicU64,
}

/// The progress line. Dropped, it is wiped away.
#[derive(Debug)]
pub(crate) struct Progress {
    counts: Arc<Counts>,
    writer: Option<(Sender<()>, JoinHandle<()>)>,
}

/// What one line says.
struct Line {
    elapsed: Duration,
    duration: Option<Duration>,
    samples: u64,
    errors: u64,
}

impl Progress {
    /// Shows a line on stderr from now on, if that is a terminal. `duration` is how long
    /// the run will take, if that is known.
    #[must_use]
    pub(crate) fn start(duration: Option<Duration>) -> Self {
        if io::stderr().is_terminal() { Self::shown(duration) } else { Self::hidden() }
    }

    /// One that is not shown.
    #[must_use]
    pub(crate) fn hidden() -> Self {
        Self { counts: Arc::default(), writer: None }
    }

    fn shown(duration: Option<Duration>) -> Self {
        let counts = Arc::new(Counts::default());
        let shared = Arc::clone(&counts);
        let (end, ended) = channel();
        let writer = thread::spawn(move || {
            let start = Instant::now();
            let mut width = 0;
            while ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                let (samples, errors) =
                    (shared.samples.load(Ordering::Relaxed), shared.errors.load(Ordering::Relaxed));
                let line = Line { elapsed: start.elapsed(), duration, samples, errors };
                width = show(&line.to_string(), width);
            }
            // A terminal without escape sequences is wiped with blanks too.
            show("", width);
        });
        Self { counts, writer: Some((end, writer)) }
    }

    /// Tells the thread what has been counted so far, all in all.
    pub(crate) fn update(&self, samples: u64, errors: u64) {
        self.counts.samples.store(samples, Ordering::Relaxed);
        self.counts.errors.store(errors, Ordering::Relaxed);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((end, writer)) = self.writer.take() {
            drop(end);
            // A thread that panicked has said so.
            let _ = writer.join();
        }
    }
}

/// Puts `line` in the place of one of so many characters. Returns how many it has.
fn show(line: &str, width: usize) -> usize {
    // Who closed the terminal does not want to know.
    let _ = write!(io::stderr(), "\r{line:width$}{}", if line.is_empty() { "\r" } else { "" });
    line.chars().count()
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |time: Duration| format_duration(Duration::from_secs(time.as_secs()));
        write!(f, "{}", whole(self.elapsed))?;
        if let Some(duration) = self.duration.filter(|duration| !duration.is_zero()) {
            write!(f, " of {}", format_duration(duration))?;
        }
        let rate = self.samples as f64 / self.elapsed.as_secs_f64().max(1e-3);
        write!(f, ", {} samples, {rate:.0} per second, {} errors", self.samples, self.errors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_time_samples_rate_and_errors() {
        let elapsed = Duration::from_millis(92_400);
        let mut line = Line { elapsed, duration: None, samples: 9240, errors: 2 };
        assert_eq!(line.to_string(), "1m 32s, 9240 samples, 100 per second, 2 errors");
        line.duration = Some(Duration::from_secs(5400));
        assert!(line.to_string().starts_with("1m 32s of 1h 30m, "));
    }
}
