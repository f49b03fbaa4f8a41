//! Who holds a GIL, and whose stacks a tick is about.

use std::time::{Duration, Instant};

use crate::cpython::abi::Abi;
use crate::cpython::memory::{Memory, Remote};
use crate::cpython::read::frames::Broken;
use crate::cpython::read::objects::Thread;
use crate::sampler::engine::Engine;

/// How long the list of GILs is taken to stay the same. A subinterpreter that
/// is younger is not sampled yet.
const GILS_HOLD: Duration = Duration::from_millis(20);

impl<A: Abi, M: Memory> Engine<A, M> {
    /// The threads that hold a GIL at this moment.
    ///
    /// # Errors
    /// If the process cannot be read.
    pub(crate) fn holders_now(&mut self) -> Result<Vec<Remote<Thread>>, Broken> {
        self.refresh_gils(Instant::now())?;
        Ok(self.roots.holders_of(self.prefetch.direct(), &self.gils)?)
    }

    pub(super) fn refresh_gils(&mut self, now: Instant) -> Result<(), Broken> {
        let is_fresh = |read: Instant| now.saturating_duration_since(read) < GILS_HOLD;
        if !self.gils_read.is_some_and(is_fresh) {
            self.gils = self.roots.gils_again::<A, _>(self.prefetch.direct(), &self.gils)?;
            self.gils_read = Some(now);
        }
        Ok(())
    }

    /// The threads that held a GIL when everything was copied.
    pub(super) fn holders_of_fetch(&self) -> Result<Vec<Remote<Thread>>, Broken> {
        let body = self.prefetch.body();
        let holders = self.gils.iter().map(|gil| gil.holder(&body));
        Ok(holders.filter_map(Result::transpose).collect::<Result<_, _>>()?)
    }

    /// Whether a thread held a GIL when everything was copied.
    pub(super) fn holds_gil(&self, thread: Remote<Thread>) -> Result<bool, Broken> {
        let body = self.prefetch.body();
        let mut holds = false;
        for gil in &self.gils {
            holds |= gil.holder(&body)? == Some(thread);
        }
        Ok(holds)
    }
}
