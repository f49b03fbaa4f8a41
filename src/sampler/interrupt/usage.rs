//! Ticks of the wall clock at which no thread was on a processor.
//!
//! Timers tell how often each thread was. A thread that is always on one is interrupted once in
//! a tick, but at moments that shift a little: now and then twice in one and not in the next.
//! So what is beyond one in a tick makes up for a tick without, before or after it.

use std::collections::BTreeMap;

/// The most that is made up for.
const MOST_BEYOND: i64 = 2;

/// Which ticks have been used, by whom.
#[derive(Debug, Default)]
pub(super) struct Usage {
    /// How often each thread was interrupted, in ticks that are not over.
    open: BTreeMap<u64, Vec<(u32, i64)>>,
    /// The first tick that is not over.
    next: u64,
    /// Ticks without an interrupt, less those beyond one in a tick.
    balance: i64,
}

impl Usage {
    /// Notes an interrupt of a thread in a tick.
    pub(super) fn note(&mut self, tick: u64, thread: u32) {
        let threads = self.open.entry(tick.max(self.next)).or_default();
        match threads.iter_mut().find(|(known, _)| *known == thread) {
            Some((_, times)) => *times += 1,
            None => threads.push((thread, 1)),
        }
    }

    /// How many of the ticks before `tick` that had not been asked for were idle.
    pub(super) fn idle_until(&mut self, tick: u64) -> u64 {
        let mut idle = 0;
        while self.next < tick {
            let first = self.open.first_key_value().map(|(used, _)| *used);
            let Some(used) = first.filter(|used| *used < tick) else {
                idle += self.pass(tick - self.next, 0);
                break;
            };
            let threads = self.open.remove(&used).unwrap_or_default();
            idle += self.pass(used.saturating_sub(self.next), 0);
            idle += self.pass(1, threads.iter().map(|(_, times)| *times).max().unwrap_or(0));
        }
        idle
    }

    /// Goes over so many ticks, each with so many interrupts of one thread. How many are idle.
    fn pass(&mut self, ticks: u64, interrupts: i64) -> u64 {
        self.next += ticks;
        let ticks = i64::try_from(ticks).unwrap_or(i64::MAX);
        self.balance += ticks - interrupts.saturating_mul(ticks);
        // One that is empty may be made up for by the next.
        let idle = (self.balance - 1).max(0);
        self.balance = (self.balance - idle).max(-MOST_BEYOND);
        u64::try_from(idle).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_always_runs_leaves_no_tick_idle_though_its_moments_shift() {
        let mut usage = Usage::default();
        let mut idle = 0;
        for tick in 0..1000_u64 {
            match tick % 7 {
                3 => {}
                4 => (0..2).for_each(|_| usage.note(tick, 1)),
                5 => (0..2).for_each(|_| usage.note(tick, 1)),
                6 => {}
                _ => usage.note(tick, 1),
            }
            idle += usage.idle_until(tick);
        }
        assert!(idle <= 1, "{idle}");
    }

    #[test]
    fn ticks_without_any_thread_are_idle() {
        let mut usage = Usage::default();
        assert_eq!(usage.idle_until(100), 99, "the next may make up for one");
        for tick in (100..1100).step_by(4) {
            usage.note(tick, 1);
            usage.note(tick + 1, 2);
            usage.note(tick + 1, 3);
        }
        let idle = usage.idle_until(1100);
        assert!((499..=501).contains(&idle), "{idle}");
        usage.note(5, 1);
        assert_eq!(usage.idle_until(1101), 0, "a late one counts as one of now");
    }
}
