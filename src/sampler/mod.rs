//! How one true sample is got: in an interrupt, while the thread stands still, or by reading
//! it while it runs.

mod all_threads;
pub(crate) mod clock;
mod commit;
pub(crate) mod commit_queue;
pub(crate) mod cpu_time;
mod each_thread;
mod engine;
pub(crate) mod fetch;
mod frame_record;
mod gil;
pub(crate) mod interrupt;
mod kept;
pub(crate) mod native;
pub(crate) mod read;
pub(crate) mod selection;
pub(crate) mod snapshot;
mod stacks;
pub(crate) mod stop;
pub(crate) mod thread_ids;
mod tick;

pub(crate) use self::engine::Engine;
pub(crate) use self::tick::Tick;
pub(crate) use self::tick::Unknown;

#[cfg(all(test, feature = "py36", feature = "py310", feature = "py313"))]
#[cfg(all(feature = "py314", feature = "py315"))]
#[path = "simulated_tests.rs"]
mod simulated;
