//! The signals that a run listens to.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};

use crate::app::error::Error;

/// What has been asked for by signals since they are listened to.
#[derive(Clone, Debug)]
pub(crate) struct Signals {
    end: Arc<AtomicBool>,
    snapshot: Arc<AtomicBool>,
    next: Arc<AtomicBool>,
    /// When the run ends, in milliseconds after `begin`; 0: not yet known.
    end_at: Arc<AtomicU64>,
    begin: Instant,
}

impl Signals {
    fn new() -> Self {
        Self {
            end: Arc::default(),
            snapshot: Arc::default(),
            next: Arc::default(),
            end_at: Arc::default(),
            begin: Instant::now(),
        }
    }

    /// Begins to listen, for a run on processes that are there already.
    ///
    /// # Errors
    /// [`Error::Signals`] if the system does not let this program.
    pub(crate) fn watch() -> Result<Self, Error> {
        let signals = Self::of_command()?;
        let mut ends = vec![SIGINT, SIGTERM];
        // Who was started with `nohup` is not to end with its terminal.
        ends.extend(Some(SIGHUP).filter(|hangup| !is_ignored(*hangup)));
        for signal in ends {
            signal_hook::flag::register(signal, Arc::clone(&signals.end))
                .map_err(Error::Signals)?;
        }
        Ok(signals)
    }

    /// Begins to listen, for a run whose end is told with [`Signals::end_at`].
    ///
    /// # Errors
    /// As [`Signals::watch`].
    pub(crate) fn of_command() -> Result<Self, Error> {
        let signals = Self::new();
        signal_hook::flag::register(SIGUSR1, Arc::clone(&signals.snapshot))
            .map_err(Error::Signals)?;
        Ok(signals)
    }

    /// Lets the run end at `moment`, or earlier if that has been said already.
    pub(crate) fn end_at(&self, moment: Instant) {
        let millis = moment.saturating_duration_since(self.begin).as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX).max(1);
        let known = self.end_at.load(Ordering::Relaxed);
        if known == 0 || millis < known {
            self.end_at.store(millis, Ordering::Relaxed);
        }
    }

    /// Lets the run go on with another process.
    pub(crate) fn go_on_with_next(&self) {
        self.next.store(true, Ordering::Relaxed);
    }

    /// Whether that has been said since this was last asked.
    pub(crate) fn ask_for_next(&self) -> bool {
        self.next.load(Ordering::Relaxed) && self.next.swap(false, Ordering::Relaxed)
    }

    /// Whether the run is to end, and what was sampled to be written: `SIGINT`, `SIGTERM`
    /// or `SIGHUP` has come, or the time is over that a command was given.
    #[must_use]
    pub(crate) fn ask_for_end(&self) -> bool {
        if self.end.load(Ordering::Relaxed) {
            return true;
        }
        match self.end_at.load(Ordering::Relaxed) {
            0 => false,
            millis => self.begin.elapsed() >= Duration::from_millis(millis),
        }
    }

    /// Whether `SIGUSR1` has come since this was last asked: what has been sampled so far
    /// is then written.
    #[must_use]
    pub(crate) fn ask_for_snapshot(&self) -> bool {
        // Read first: nearly always there is nothing to write.
        self.snapshot.load(Ordering::Relaxed) && self.snapshot.swap(false, Ordering::Relaxed)
    }
}

/// Whether this program was started with a signal ignored, as by `nohup` or, where there is
/// no job control, by `&`. Has to be asked before the signal is listened to.
pub(crate) fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & (1 << (signal - 1)) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_end_holds() {
        let signals = Signals::new();
        assert!(!signals.ask_for_end());
        let now = Instant::now();
        signals.end_at(now + Duration::from_secs(3600));
        assert!(!signals.ask_for_end());
        signals.end_at(now);
        signals.end_at(now + Duration::from_secs(3600));
        while !signals.ask_for_end() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn the_runtime_ignores_one_signal() {
        assert!(is_ignored(signal_hook::consts::SIGPIPE));
        assert!(!is_ignored(signal_hook::consts::SIGCHLD));
    }
}
