//! What the interrupts have brought becomes samples.

use std::time::Instant;

use super::engine::{Interrupts, Run};
use super::record::{Completed, Partial, Record, cut_at};
use crate::cpython::abi::Abi;
use crate::cpython::memory::Remote;
use crate::cpython::read::code::Named;
use crate::cpython::read::frames::{Frames, is_settled};
use crate::profile::{State, TornReason};
use crate::sampler::selection::TimeMode;
use crate::sampler::stacks::{NoStack, Ran, place_frames};

/// So many code objects that were copied are kept.
const MOST_CODES: usize = 4096;

/// What became of a sample.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The stack under proof is one.
    Stack,
    /// The thread ran no Python code.
    Idle,
    /// A frame was being linked or unlinked.
    Torn,
    /// Something could not be read or copied.
    Lacking,
    /// A code object has gone since.
    Gone,
}

impl<A: Abi> Interrupts<A> {
    /// Takes all records up to this moment: if more come all the time, this does not go on for
    /// ever.
    pub(super) fn collect_records(&mut self, run: &mut Run<'_>) {
        loop {
            let Self { loaded, partial, .. } = self;
            let read = loaded.next_record(|bytes| {
                let record = Record::parse::<A>(bytes)?;
                let cpu = record.moment().cpu;
                partial.entry(cpu).or_default().add(record).then_some(cpu)
            });
            let Some(finished) = read else { break };
            let Some((cpu, finished)) =
                finished.and_then(|cpu| Some((cpu, self.partial.get_mut(&cpu)?)))
            else {
                continue;
            };
            let partial = std::mem::take(finished);
            self.count_copied(&partial, run);
            let is_later = self.moment_of(partial.moment.time) > run.moment;
            self.partial.insert(cpu, partial);
            if is_later {
                break;
            }
        }
    }

    /// Counts a sample of which all records are there.
    fn count_copied(&mut self, partial: &Partial, run: &mut Run<'_>) {
        let moment = self.moment_of(partial.moment.time);
        // The timers begin before the run, and this program is not in time to end them with it.
        if moment < self.start || self.end.is_some_and(|end| moment >= end) {
            return;
        }
        run.by_kernel().interrupts += 1;
        self.processor = usize::try_from(partial.moment.cpu).ok();
        if let Some(threads) = &mut self.threads {
            threads.note_interrupt(partial.native);
        }
        if !self.wants(Remote::new(partial.thread), partial.id, run.moment) {
            if self.threads.is_none() {
                self.count_empty(partial.gil, moment, run);
            }
            return;
        }
        let outcome = self.prove_copied(partial);
        if outcome != Outcome::Idle {
            self.note_use(partial, moment);
        }
        match outcome {
            Outcome::Stack => {
                let (holds_gil, on_cpu) = (partial.gil.is_some(), self.on_cpu(true));
                let state = State { holds_gil, on_cpu, ..State::default() };
                run.account.at_once += u64::from(self.threads.is_none());
                self.add_native_of_copied(partial, run);
                self.count(partial.id, state, moment, run);
            }
            Outcome::Idle if self.threads.is_some() => {}
            Outcome::Idle => self.count_empty(partial.gil, moment, run),
            Outcome::Torn | Outcome::Lacking if self.threads.is_some() => {
                run.account.lost_threads += 1;
            }
            Outcome::Torn => run.account.note_torn(TornReason::Linking, 1),
            Outcome::Gone => run.account.dropped += 1,
            Outcome::Lacking => {
                run.account.failed += 1;
                run.profile.record_failed((run.since_epoch)(moment));
            }
        }
    }

    /// Notes that a thread was in Python code on a processor.
    fn note_use(&mut self, partial: &Partial, moment: Instant) {
        let tick = self.tick_of(moment);
        if let Some(threads) = &mut self.threads {
            threads.met += 1;
            if self.plan.mode == TimeMode::Cpu {
                self.usage.note(tick, partial.native);
            }
        }
    }

    /// Finds out what the stack of a sample was.
    fn prove_copied(&mut self, partial: &Partial) -> Outcome {
        if partial.has_fault || partial.lacks_codes {
            return Outcome::Lacking;
        }
        let thread = Remote::new(partial.thread);
        self.copied.begin::<A>(thread, partial);
        self.walk.begin(Remote::new(partial.words[1]));
        if self.walk.top.is_null() {
            return Outcome::Idle;
        }
        let next = partial.next;
        if A::Frames::walk_until(&self.copied, &mut self.walk, cut_at(next)).is_err() {
            return Outcome::Torn;
        }
        self.walk.truncated = next != 0;
        self.walk.is_whole |= self.walk.truncated;
        if is_settled::<A, _>(&self.copied, thread, &self.walk) != Ok(true) {
            return Outcome::Torn;
        }
        self.decode_copies(partial);
        let Self { walk, code, codes, memory, stack, steps, .. } = self;
        match place_frames(walk, code, codes, memory, (stack, steps)) {
            Ok(()) if stack.is_empty() => Outcome::Idle,
            Ok(()) if self.is_vouched_for() => Outcome::Stack,
            Err(NoStack::Torn) => Outcome::Torn,
            // It was one when it was copied.
            Ok(()) | Err(NoStack::Broken(_) | NoStack::Changed) => Outcome::Gone,
        }
    }

    /// Decodes the code objects that were copied for a sample, and gets to know what is at
    /// their addresses now: it may be the same for long.
    fn decode_copies(&mut self, partial: &Partial) {
        if self.codes.len() > MOST_CODES {
            self.codes.clear();
        }
        self.codes.begin();
        for seen in &partial.codes {
            let address = Remote::new(seen.address);
            let there = self.code.decode(&self.memory, address).ok();
            if let Some(id) = there {
                let named = Named { address: seen.address, id };
                self.untrusted.entry(named).or_insert_with(Instant::now);
            }
            // If it is gone, and was too long to be copied whole, nobody knows what it was.
            let copy = Completed { seen, now: &self.memory };
            self.codes.choose(seen.address, &copy, &self.code);
            if let Some((index, first)) = seen.copy {
                self.codes.note_copy(seen.address, index, first);
            }
        }
    }

    /// Whether each code object of the stack under proof was copied, or is trusted to stay. What
    /// the last sample has brought has been asked for that.
    fn is_vouched_for(&self) -> bool {
        let known = self.interned.shared(&self.stack, self.round()).count();
        self.stack.iter().skip(known).all(|placed| match placed.code {
            Ran::Copied(_) => true,
            Ran::There(named) => self.loaded.trusts(&named),
            Ran::Native(_) => true,
        })
    }
}
