//! The signals that a run listens to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};

use crate::error::Error;

/// What has been asked for by signals since they are listened to.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    end: Arc<AtomicBool>,
    snapshot: Arc<AtomicBool>,
}

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    /// [`Error::Signals`] if the system does not let this program.
    pub fn watch() -> Result<Self, Error> {
        let signals = Self::default();
        let asked = [(SIGINT, &signals.end), (SIGTERM, &signals.end), (SIGUSR1, &signals.snapshot)];
        for (signal, flag) in asked {
            signal_hook::flag::register(signal, Arc::clone(flag)).map_err(Error::Signals)?;
        }
        Ok(signals)
    }

    /// Whether `SIGINT` or `SIGTERM` has come: the run then ends early, and what was
    /// sampled is written.
    #[must_use]
    pub fn ask_for_end(&self) -> bool {
        self.end.load(Ordering::Relaxed)
    }

    /// Whether `SIGUSR1` has come since this was last asked: what has been sampled so far
    /// is then written.
    #[must_use]
    pub fn ask_for_snapshot(&self) -> bool {
        // Read first: nearly always there is nothing to write.
        self.snapshot.load(Ordering::Relaxed) && self.snapshot.swap(false, Ordering::Relaxed)
    }
}
