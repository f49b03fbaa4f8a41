//! How one true sample is got: in an interrupt, while the thread stands still, or by reading
//! it while it runs.

mod all_threads;
pub mod clock;
mod commit;
pub(crate) mod commit_queue;
pub mod cpu_time;
mod each_thread;
mod engine;
pub mod fetch;
mod frame_record;
mod gil;
pub mod interrupt;
mod kept;
pub mod read;
pub mod selection;
pub mod snapshot;
mod stacks;
pub mod stop;
pub mod thread_ids;
mod tick;

pub use self::engine::Engine;
pub use self::tick::Tick;
pub(crate) use self::tick::Unknown;

#[cfg(all(test, feature = "py36", feature = "py310", feature = "py313"))]
#[cfg(all(feature = "py314", feature = "py315"))]
#[path = "simulated_tests.rs"]
mod simulated;
