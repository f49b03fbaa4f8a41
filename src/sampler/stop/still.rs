//! One sample of a thread that stands still: one walk, and what it finds is the stack.
//!
//! Nothing that was learnt of the program is asked for that. Only what is new is decoded while
//! the thread stands still; code objects that are known are compared later, as ever.

use std::time::Instant;

use crate::cpython::abi::Abi;
use crate::cpython::memory::{Memory, Remote};
use crate::cpython::read::code::{Place, Verified};
use crate::cpython::read::frames::{Broken, is_settled, walk_thread};
use crate::cpython::read::objects::Thread;
use crate::cpython::read::threads::{ThreadInfo, thread_info};
use crate::profile::stats::Account;
use crate::profile::{self, Profile, StackId, Step, TornReason};
use crate::sampler::all_threads::Sampled;
use crate::sampler::commit_queue::Sample;
use crate::sampler::engine::Engine;
use crate::sampler::fetch::Paged;
use crate::sampler::frame_record::FrameRecord;
use crate::sampler::kept::Still;
use crate::sampler::stacks::{NoStack, Placed, Ran, place_frames};
use crate::sampler::stop::held::StoppedThreads;
use crate::sampler::tick::{Tick, TickTime, Unproven};

/// How often frames are placed: what is there now may be another code object than before.
const PLACINGS: usize = 2;

impl<A: Abi, M: Memory> Engine<A, M> {
    /// Takes a sample of `thread`, which holds the only GIL that is held, and stands still. It
    /// may go on as soon as it has been read.
    pub(crate) fn tick_still(
        &mut self,
        now: Instant,
        microseconds: u64,
        thread: Remote<Thread>,
        held: &mut StoppedThreads<'_>,
        profile: &mut Profile,
        account: &mut Account,
    ) -> Tick {
        let is_there = self.read_still(now, thread);
        if let (Ok(true), Some(native)) = (&is_there, &mut self.native) {
            held.copy_native::<A, M>(native, self.prefetch.direct(), thread);
        }
        if !held.has_stood(thread) || is_there.is_ok() && !held.holds(thread, self.still.identity) {
            return Tick::Torn(TornReason::Disturbed);
        }
        held.release();
        let counted = match is_there {
            Ok(false) => Some(0),
            Ok(true) => {
                self.add_native(account);
                self.count_still(now, microseconds, thread, profile)
            }
            Err(unproven) => return Tick::from(&unproven),
        };
        let Some(stacks) = counted else { return Tick::Torn(TornReason::Code) };
        account.note_proven(false);
        Tick::Proven(stacks)
    }

    /// Takes a sample of one of several threads that are attached, which stands still, with its
    /// native frames.
    pub(in crate::sampler) fn sample_still(
        &mut self,
        TickTime { now, microseconds, .. }: TickTime,
        thread: ThreadInfo,
        held: &mut StoppedThreads<'_>,
        profile: &mut Profile,
        account: &mut Account,
    ) -> Result<Sampled, Unproven> {
        let is_there = self.read_still(now, thread.state);
        if let (Ok(true), Some(native)) = (&is_there, &mut self.native) {
            held.copy_native::<A, M>(native, self.prefetch.direct(), thread.state);
        }
        if !held.has_stood(thread.state) || is_there.is_ok() && self.still.identity != thread.id {
            return Err(Unproven::Torn(TornReason::Disturbed));
        }
        if !is_there? {
            return Ok(Sampled::Nothing);
        }
        self.add_native(account);
        let counted = self.count_still(now, microseconds, thread.state, profile);
        counted.ok_or(Unproven::Torn(TornReason::Code))?;
        Ok(Sampled::Stack { is_deferred: false, retried: false })
    }

    /// Learns the calls that a thread is in, if it `has_stood` still until it has been read: the
    /// thread that calls itself so. Whether any was new.
    pub(crate) fn meet(
        &mut self,
        now: Instant,
        thread: Remote<Thread>,
        has_stood: impl FnOnce(u64) -> bool,
    ) -> bool {
        let is_there = matches!(self.read_still(now, thread), Ok(true));
        let Self { still, code, sites, prefetch, .. } = self;
        let named: Vec<_> = still.stack.iter().filter_map(Placed::there).collect();
        // With a frame that is being linked or unlinked it is not known who is on top.
        let is_whole = still.walk.frames.len() == still.stack.len();
        let is_known =
            is_there && is_whole && code.verify(prefetch.direct(), &named) == Verified::Same;
        if !is_known || !has_stood(still.identity) {
            return false;
        }
        let frames = still.walk.frames.iter().rev();
        let links = frames.filter_map(|raw| match code.place(raw) {
            Some(Place::Inside(id)) => Some(FrameRecord::new(raw, id)),
            _ => None,
        });
        still.links.clear();
        still.links.extend(links);
        match still.walk.truncated {
            true => sites.learn_calls(&still.links),
            false => sites.learn(&still.links),
        }
    }

    /// Lets the stack that was found of a thread wait for its code objects.
    /// How many stacks that was; `None` if a code object has been forgotten since.
    fn count_still(
        &mut self,
        now: Instant,
        microseconds: u64,
        thread: Remote<Thread>,
        profile: &mut Profile,
    ) -> Option<usize> {
        let stack = self.intern_still(profile)?;
        let keeps_threads = profile.keeps_threads();
        let thread_of_profile =
            keeps_threads.then(|| profile.intern_thread(self.process, self.still.identity));
        let state = self.state(thread);
        let seen = profile::Sample { stack, thread: thread_of_profile, state };
        self.pending.push(now, Sample { microseconds, seen, weight: self.weight });
        Some(1)
    }

    /// Adds native frames to the stack that was found, if they are asked for and fit.
    fn add_native(&mut self, account: &mut Account) {
        let Still { walk, steps, stack, .. } = &mut self.still;
        if let Some(native) = &mut self.native {
            account.note_native(native.add_to::<A>(walk, steps, stack), 1);
        }
    }

    /// Finds the stack, and whose it is. `false` if the thread runs no Python code, or is not to
    /// be sampled.
    fn read_still(&mut self, now: Instant, thread: Remote<Thread>) -> Result<bool, Unproven> {
        let Self { still, code, prefetch, selection, .. } = self;
        let Still { pages, walk, stack, steps, young, copies, identity, .. } = still;
        let direct = prefetch.direct();
        let memory = Paged::new(direct, pages);
        let info = thread_info::<A, _>(&memory, thread)?;
        *identity = info.id;
        let is_wanted = selection.as_mut().is_none_or(|s| s.admits::<A, _>(direct, info, now));
        if !is_wanted {
            return Ok(false);
        }
        walk_thread::<A, _>(&memory, thread, walk)?;
        if !is_settled::<A, _>(&memory, thread, walk).map_err(Broken::from)? {
            return Err(Unproven::Torn(TornReason::Linking));
        }
        for _ in 0..PLACINGS {
            match place_frames(walk, code, copies, &memory, (stack, steps)) {
                Ok(()) => {}
                Err(NoStack::Torn) => return Err(Unproven::Torn(TornReason::Linking)),
                Err(NoStack::Changed) => continue,
                Err(NoStack::Broken(broken)) => return Err(broken.into()),
            }
            young.clear();
            let there = stack.iter().filter_map(Placed::there);
            young.extend(there.filter(|named| code.is_young(named)));
            young.sort_unstable_by_key(|named| named.address);
            young.dedup();
            if young.is_empty() || code.verify(direct, young) == Verified::Same {
                return Ok(!stack.is_empty());
            }
        }
        Err(Unproven::Torn(TornReason::Code))
    }

    /// The stack that was found, whose code objects are to be compared later but for those that
    /// were compared while the thread stood still. `None` if one has been forgotten since.
    fn intern_still(&mut self, profile: &mut Profile) -> Option<StackId> {
        let Self { still, code, pending, native, .. } = self;
        let mut last = None;
        let mut known = still.walk.truncated.then(|| profile.child(None, Step::Truncated));
        for placed in &still.stack {
            if let Ran::Native(id) = placed.code {
                let (table, modules) = (&mut profile.frames, &mut profile.modules);
                let frame = native.as_mut()?.stacks.frame(id, table, modules)?;
                known = Some(profile.child(known, Step::Frame(frame)));
                continue;
            }
            let named = placed.there()?;
            // A young one was compared while the thread stood still.
            if last != Some(named) && !still.young.contains(&named) {
                pending.name(named);
            }
            last = Some(named);
            let frame = code.frame(named, placed.position, &mut profile.frames)?;
            known = Some(profile.child(known, Step::Frame(frame)));
        }
        known
    }
}
