//! What the loop of a run does while the kernel takes the samples.

use std::time::{Duration, Instant};

use super::{Next, Session};
use crate::app::signals::Signals;
use crate::cpython::abi::Abi;
use crate::sampler::Tick;
use crate::sampler::clock::Clock;
use crate::sampler::interrupt::Interrupts;

/// How many looks there are at the end, if one does not come to all threads.
const LAST_LOOKS: usize = 10;

/// The longest pause between two looks at a thread that is about to stop.
const NAP: Duration = Duration::from_millis(1);

/// The longest pause between two looks at what else there is to do, such as to end. A signal
/// ends a pause, unless it comes right before that begins.
const LONGEST_REST: Duration = Duration::from_millis(50);

/// The same at the beginning, and after a run of so many times the pause: what waits to be
/// counted is lost with the process, and it may end soon.
const FIRST_REST: Duration = Duration::from_millis(20);
const RUN_SHARE: u32 = 50;

impl<A: Abi> Session<'_, A> {
    /// Waits until there is something to do.
    pub(super) fn wait_beside_interrupts(
        &mut self,
        clock: &mut Clock,
        signals: &Signals,
        rotation: Option<Duration>,
    ) -> Next {
        loop {
            self.collect();
            if let Some(next) = self.window.asked(signals, rotation) {
                return next;
            }
            let Some(interrupts) = &self.interrupts else { return Next::End };
            let of_run = clock.left().unwrap_or(Duration::MAX);
            let of_window = rotation.map_or(Duration::MAX, |length| self.window.left(length));
            let of_look = interrupts.until_look(Instant::now());
            if of_run.is_zero() {
                return Next::End;
            } else if of_look.is_zero() {
                return Next::Sample;
            }
            // When the layout was proven, a thread may have been told to stop that could not.
            let most = if self.pauses.release_late() > 0 {
                NAP
            } else {
                (clock.elapsed() / RUN_SHARE).clamp(FIRST_REST, LONGEST_REST)
            };
            interrupts.rest(of_look.min(of_run).min(of_window).min(most));
        }
    }

    /// Takes what the kernel's engine has for the last ticks of a run.
    pub(super) fn take_last_ticks(&mut self, clock: &Clock, signals: &Signals) {
        for _ in 0..LAST_LOOKS {
            let goes_on = self.interrupts.is_some() && self.tick(clock.last_moment(), signals);
            if !goes_on || !self.interrupts.as_ref().is_some_and(Interrupts::is_behind) {
                break;
            }
        }
    }

    /// Takes what the interrupts of the kernel have brought, and counts what has waited long
    /// enough.
    pub(super) fn collect(&mut self) {
        let Self { interrupts, window, options, profile, account, .. } = self;
        if let Some(interrupts) = interrupts {
            let since_epoch = |moment| window.microseconds(moment);
            interrupts.collect(&since_epoch, options.exclude_idle, profile, account);
            interrupts.settle_if_due(Instant::now(), profile, account);
        }
    }

    /// Takes what the kernel's engine has for the ticks up to `moment`.
    pub(super) fn tick_by_interrupts(&mut self, moment: Instant, now: u64) -> bool {
        let Self { interrupts, window, options, profile, account, .. } = self;
        let Some(interrupts) = interrupts else { return true };
        let since_epoch = |moment| window.microseconds(moment);
        match interrupts.tick(moment, &since_epoch, options.exclude_idle, profile, account) {
            Tick::Gone => return false,
            Tick::Failed(_) => self.fail(now),
            Tick::Proven(_) | Tick::Torn(_) => self.failures = 0,
        }
        true
    }
}
