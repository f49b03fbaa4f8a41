//! A tick in stops of a free-threaded process: each thread is held by itself.
//!
//! A thread counts if it was attached when the tick began. It is read when it stands still and
//! is attached; where it has come to if that takes too many tries. Those that are still to be
//! read at the deadline are lost, and the next tick begins with them.

use std::time::Instant;

use super::Session;
use super::stops::TRIES;
use crate::cpython::abi::Abi;
use crate::profile::Source;
use crate::sampler::Tick;

impl<A: Abi> Session<'_, A> {
    /// Reads the threads that are attached while they stand still, one after the other, and all
    /// others if they are asked for. Whether one of them ran on throughout.
    pub(super) fn read_each(
        &mut self,
        moment: Instant,
        now: u64,
        deadline: Instant,
    ) -> (Tick, bool) {
        let is_turn = self.source == Source::Turn;
        let Self { engine, pauses, profile, account, process, memory, roots, .. } = self;
        let mut tick = match engine.begin_tick_of_each(moment, now, deadline) {
            Ok(tick) => tick,
            Err(tick) => return (tick, false),
        };
        let (mut unheld, mut is_any_free) = (0, false);
        let attached = std::mem::take(&mut tick.attached);
        let mut rest = attached.as_slice();
        while let [thread, others @ ..] = rest {
            // One is always reached: a tick does not come to nothing for its length alone.
            if rest.len() < attached.len() && Instant::now() >= deadline {
                break;
            }
            rest = others;
            let mut is_read = false;
            for attempt in 1..=TRIES {
                let is_last = attempt == TRIES || Instant::now() >= deadline;
                let there = (&*process, &*memory, &*roots);
                let mut held = pauses.hold::<A, _>(there, &[thread.state], is_last);
                is_any_free |= held.is_any_free();
                if !held.is_any_free() && (is_last || engine.is_attached(thread.state)) {
                    is_read = engine.sample_held(&mut tick, *thread, &mut held, profile, account);
                }
                // One that is late would not be waited for again.
                let is_over = is_read || is_last || held.is_any_free() || held.is_any_late();
                if let Some(time) = held.end() {
                    let times = if is_turn { &mut account.turns } else { &mut account.stops };
                    times.add(time);
                    pauses.note_cost(time);
                }
                if is_over {
                    break;
                }
            }
            unheld += usize::from(!is_read);
        }
        (engine.end_tick_of_each(tick, unheld, rest, profile, account), is_any_free)
    }
}
