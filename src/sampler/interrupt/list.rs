//! Which threads there are, as the process lists them.

use std::time::Instant;

use super::engine::{Interrupts, Run};
use super::threads::Listed;
use crate::cpython::abi::Abi;
use crate::cpython::memory::{Memory, Remote};
use crate::cpython::read::frames::{Broken, first_word};
use crate::cpython::read::objects::Thread;
use crate::sampler::fetch::prefetch::Prefetch;
use crate::target::live::memory::LiveMemory;

/// How often a list is read that changes meanwhile.
const ATTEMPTS: usize = 3;

impl<A: Abi> Interrupts<A> {
    /// Finds out which threads there are, and tells the program. A list that changes while it
    /// is read is read again, but not after `deadline`. If it cannot be read because it changes
    /// meanwhile, the last one stands.
    ///
    /// # Errors
    /// If the process is gone.
    pub(super) fn refresh_threads(
        &mut self,
        deadline: Instant,
        run: &Run<'_>,
    ) -> Result<(), Broken> {
        let Some(mut threads) = self.threads.take() else { return Ok(()) };
        // What the last list said of that is too old.
        threads.tracked.values_mut().for_each(|thread| thread.standing = None);
        let mut result = Ok(());
        for attempt in 1..=ATTEMPTS {
            let read = self.list_threads(&threads.list);
            let is_last = attempt == ATTEMPTS || Instant::now() >= deadline;
            match read {
                // Which thread a state belongs to is looked at again whenever that matters.
                Ok((mut listed, is_whole)) if is_whole || is_last => {
                    listed.retain(|one| self.wants(one.info.state, one.info.id, run.moment));
                    threads.adopt(listed, &mut self.loaded);
                    break;
                }
                Err(Broken::Fault(fault)) if fault.is_process_gone() => {
                    result = Err(fault.into());
                    break;
                }
                _ if is_last => break,
                _ => {}
            }
        }
        self.threads = Some(threads);
        result
    }

    /// All threads, and whether that was read at one moment.
    fn list_threads(&self, list: &Prefetch<LiveMemory>) -> Result<(Vec<Listed>, bool), Broken> {
        list.fetch()?;
        let body = list.body();
        let mut listed = Vec::new();
        for info in self.roots.threads::<A, _>(&body)? {
            // The record of one that has ended may be gone.
            let Ok(native) = self.native_id(&body, info.state) else { continue };
            let first_word = first_word::<A, _>(&body, info.state)?;
            let standing = self.roots.standing(&body, info.state)?;
            listed.push(Listed { native, info, first_word, standing });
        }
        Ok((listed, list.misses() == 0))
    }

    /// The kernel's id of a thread, as its process knows it.
    pub(super) fn native_id<M: Memory>(
        &self,
        memory: &M,
        thread: Remote<Thread>,
    ) -> Result<u32, Broken> {
        Ok(match (A::THREAD.native_id, self.record_id) {
            (Some(field), None) => memory.field(thread, field)? as u32,
            (_, offset) => {
                let record = memory.field(thread, A::THREAD.id)?;
                memory.read(record.wrapping_add(offset.unwrap_or(0)))?
            }
        })
    }
}
