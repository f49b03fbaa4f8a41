//! The threads that are sampled whether they hold a GIL or not, and the thread states by which
//! the program finds their stacks.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use rustc_hash::FxBuildHasher;

use super::load::Loaded;
use crate::cpython::abi::Standing;
use crate::cpython::memory::Remote;
use crate::cpython::read::objects::Thread;
use crate::cpython::read::threads::ThreadInfo;
use crate::profile::Sample;
use crate::sampler::cpu_time::Processor;
use crate::sampler::fetch::prefetch::Prefetch;
use crate::target::live::RunCount;
use crate::target::live::memory::LiveMemory;

/// How many lists have to lack a thread before it is forgotten: one that was read while it
/// changed may end early.
const MOST_UNLISTED: u32 = 2;

/// How long the program is taken to know what it has been told: it forgets what it has not
/// needed for long.
const TOLD_HOLD: Duration = Duration::from_secs(2);

/// The least time between two looks, in times that the last one took.
const LOOK_SHARE: u32 = 50;

/// The same for a look that could not come to all threads.
const PART_SHARE: u32 = 2;

/// The longest time between two looks on average, however long they take.
const LONGEST_GAP: Duration = Duration::from_millis(250);

/// The threads of the process.
pub(super) struct Threads {
    pub(super) list: Prefetch<LiveMemory>,
    /// By the kernel's id, as the process knows it.
    pub tracked: BTreeMap<u32, Tracked>,
    /// The first that the last look did not come to.
    pub unreached: u32,
    /// Which of them wait.
    pub processor: Processor,
    /// What the program has been told, and since when.
    told: HashMap<u32, u64, FxBuildHasher>,
    told_since: Instant,
    /// How long the last look took.
    pub cost: Duration,
    /// How many samples there have been since the last look.
    pub met: u64,
}

/// A thread.
pub(super) struct Tracked {
    pub state: Remote<Thread>,
    /// `threading.get_ident()`.
    pub id: u64,
    /// The first of the words that lead to its innermost frame.
    pub first_word: u64,
    /// Whether it was attached when the list was read of this look, which uses that once.
    pub standing: Option<Standing>,
    /// Ticks of the wall clock that have not been given to anything that it does; below 0,
    /// its timer is ahead.
    pub left: i64,
    /// What it waits in, if it did at the last look.
    pub rest: Option<Rest>,
    /// How many of the last lists did not have it.
    pub unlisted: u32,
}

/// What a thread waits in, as long as it has not run and is the same.
#[derive(Clone, Copy)]
pub(super) struct Rest {
    pub count: RunCount,
    pub found: Resting,
}

/// What there is of a thread that waits.
#[derive(Clone, Copy)]
pub(super) enum Resting {
    /// A stack.
    Stack(Sample),
    /// No Python code.
    Nothing,
    /// It is between two frames.
    Torn,
}

/// A thread as the list has it.
pub(super) struct Listed {
    pub(super) native: u32,
    pub(super) info: ThreadInfo,
    pub(super) first_word: u64,
    /// Whether it is attached; `None` where a GIL says that.
    pub(super) standing: Option<Standing>,
}

impl Threads {
    /// None yet. So many files are needed for other things than to look at them.
    pub(super) fn new(
        pid: i32,
        memory: LiveMemory,
        interval: Duration,
        other_files: usize,
    ) -> Self {
        Self {
            list: Prefetch::new(memory),
            tracked: BTreeMap::new(),
            unreached: 0,
            processor: Processor::new(pid, interval, false).leaving(other_files),
            told: HashMap::default(),
            told_since: Instant::now(),
            cost: Duration::ZERO,
            met: 0,
        }
    }

    /// How far looks should be apart on average, that take as long as the last one.
    pub(super) fn gap(&self, least: Duration) -> Duration {
        let share = if self.unreached == 0 { LOOK_SHARE } else { PART_SHARE };
        (self.cost * share).clamp(least, LONGEST_GAP.max(least))
    }

    /// Takes a tick off what a thread is due.
    pub(super) fn note_interrupt(&mut self, native: u32) {
        if let Some(thread) = self.tracked.get_mut(&native) {
            thread.left = thread.left.saturating_sub(1);
        }
    }

    /// Forgets what is known of stacks: it is of another profile.
    pub(super) fn forget_stacks(&mut self) {
        self.tracked.values_mut().for_each(|thread| thread.rest = None);
    }

    /// Adds those that are listed, and forgets those that have not been for a while.
    pub(super) fn adopt(&mut self, listed: Vec<Listed>, loaded: &mut Loaded) {
        let Self { tracked, told, told_since, processor, .. } = self;
        if told_since.elapsed() >= TOLD_HOLD {
            told.clear();
            processor.sweep();
            *told_since = Instant::now();
        }
        tracked.values_mut().for_each(|thread| thread.unlisted += 1);
        let mut others = Vec::new();
        for one in listed {
            let Listed { native, info: ThreadInfo { state, id, .. }, first_word, standing } = one;
            match tracked.get_mut(&native).filter(|t| (t.state, t.id) == (state, id)) {
                Some(thread) => {
                    thread.rest = thread.rest.filter(|_| thread.first_word == first_word);
                    (thread.unlisted, thread.first_word) = (0, first_word);
                    thread.standing = standing;
                }
                None => others.push(one),
            }
        }
        // Several states can say to be of one thread. What has been known as that thread's
        // stays it: a state that has just been made has the id of who made it until its own
        // thread begins. Of new ones the latest comes first, and the others' threads have ended.
        for Listed { native, info: ThreadInfo { state, id, .. }, first_word, standing } in others {
            let thread = tracked.entry(native).or_insert_with(|| Tracked::new(state, id));
            // A list that ends early may lack the right one.
            if thread.unlisted >= MOST_UNLISTED {
                let left = thread.left;
                let known = Tracked { left, standing, ..Tracked::new(state, id) };
                *thread = Tracked { unlisted: 0, first_word, ..known };
            }
        }
        for (native, thread) in tracked.iter().filter(|(_, thread)| thread.unlisted == 0) {
            let address = thread.state.address();
            if told.get(native) != Some(&address) && loaded.set_state(*native, Some(address)) {
                told.insert(*native, address);
            }
        }
        tracked.retain(|native, thread| {
            let is_kept = thread.unlisted <= MOST_UNLISTED;
            if !is_kept {
                told.remove(native);
                loaded.set_state(*native, None);
            }
            is_kept
        });
    }
}

impl Tracked {
    fn new(state: Remote<Thread>, id: u64) -> Self {
        let (first_word, standing, left, rest) = (0, None, 0, None);
        Self { state, id, first_word, standing, left, rest, unlisted: MOST_UNLISTED }
    }

    /// How many ticks are left.
    pub(super) fn left(&self) -> u64 {
        self.left.try_into().unwrap_or(0)
    }
}
