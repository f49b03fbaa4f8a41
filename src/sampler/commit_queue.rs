//! Samples that wait for their code objects to be recognised.
//!
//! To compare every code object at every tick would double the cost of a fast run.
//! So samples wait a moment, and all code objects that they name are compared at
//! once. One that was the same before and after was the same in between.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rustc_hash::FxBuildHasher;

use crate::cpython::abi::Abi;
use crate::cpython::memory::Memory;
use crate::cpython::read::code::{CodeCache, Named, Verified};
use crate::profile::{self, Profile};

/// How long a sample waits: the longer, the fewer comparisons; but if a code
/// object has changed, all samples that waited with it are lost.
const LONGEST_WAIT: Duration = Duration::from_millis(10);

/// How long it waits in a program that has lately freed code, as one that imports does. The
/// beginning of a run may be that of the program.
const SHORT_WAIT: Duration = Duration::from_millis(2);
const LATELY: Duration = Duration::from_millis(500);

/// So many samples are enough to make a comparison after the short wait cheap.
const ENOUGH: usize = 100;

/// A proven stack of one thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// When, since the epoch.
    pub microseconds: u64,
    /// The stack, and whose it is.
    pub seen: profile::Sample,
    /// The ticks that it counts for.
    pub weight: Weight,
}

/// How many ticks one sample counts for: its own, and those before it at which none was
/// taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weight {
    /// So many.
    pub ticks: u32,
    /// How far they are apart, in microseconds.
    pub apart: u64,
}

impl Weight {
    /// That of a sample that counts for its own tick.
    pub(crate) const ONE: Self = Self { ticks: 1, apart: 0 };
}

/// Samples that are not counted yet, and the code objects that they name.
pub(crate) struct Pending {
    samples: Vec<Sample>,
    /// Those of earlier moments that had been owed a stack.
    paid: Vec<Sample>,
    codes: HashSet<Named, FxBuildHasher>,
    since: Instant,
    round: u32,
    /// When samples were lost the last time, or the run began.
    lost: Instant,
}

impl Pending {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self {
            samples: Vec::new(),
            paid: Vec::new(),
            codes: HashSet::default(),
            since: Instant::now(),
            round: 1,
            lost: Instant::now(),
        }
    }

    /// Changes with every comparison: what was named in an earlier round has to
    /// be named again.
    pub(crate) fn round(&self) -> u32 {
        self.round
    }

    /// Notes that samples of this round are named after a code object.
    pub(crate) fn name(&mut self, code: Named) {
        self.codes.insert(code);
    }

    /// Adds a sample, all of whose code objects have been named.
    pub(crate) fn push(&mut self, now: Instant, sample: Sample) {
        self.begin(now);
        self.samples.push(sample);
    }

    /// Adds one for an earlier moment, of the same stack as one that was just added.
    pub(crate) fn push_paid(&mut self, now: Instant, sample: Sample) {
        self.begin(now);
        self.paid.push(sample);
    }

    fn begin(&mut self, now: Instant) {
        if self.is_none() {
            self.since = now;
        }
    }

    fn is_none(&self) -> bool {
        self.samples.is_empty() && self.paid.is_empty()
    }

    /// How many samples wait.
    pub(crate) fn len(&self) -> usize {
        self.samples.len()
    }

    /// Takes back all samples but the first `length`, and those of earlier moments.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.samples.truncate(length);
    }

    /// Whether it is time to settle.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let waited = now.saturating_duration_since(self.since);
        let are_few = self.samples.len() < ENOUGH;
        let is_calm = now.saturating_duration_since(self.lost) >= LATELY;
        let wait = if are_few && is_calm { LONGEST_WAIT } else { SHORT_WAIT };
        !self.is_none() && waited >= wait
    }

    /// Compares the code objects and counts the samples but those that name one
    /// that has changed. Returns the ticks that were (counted, dropped).
    pub(crate) fn settle<A: Abi, M: Memory>(
        &mut self,
        memory: &M,
        code: &mut CodeCache<A>,
        profile: &mut Profile,
    ) -> (u64, u64) {
        let codes: Vec<_> = self.codes.drain().collect();
        let verified = code.verify(memory, &codes);
        code.forget_gone();
        let (mut counted, mut dropped) = (0, 0);
        for sample in self.paid.drain(..).chain(self.samples.drain(..)) {
            let is_good = match &verified {
                Verified::Same => true,
                Verified::Changed(frames) => !profile.names_any(sample.seen.stack, frames),
                Verified::Unknown => false,
            };
            let Weight { ticks, apart } = sample.weight;
            if !is_good {
                dropped += u64::from(ticks);
                continue;
            }
            counted += u64::from(ticks);
            let moment = |before: u32| {
                sample.microseconds.saturating_sub(u64::from(before).saturating_mul(apart))
            };
            profile.record_at((0..ticks).rev().map(moment), sample.seen);
        }
        if dropped > 0 {
            self.lost = Instant::now();
        }
        self.round = self.round.wrapping_add(1);
        (counted, dropped)
    }
}
