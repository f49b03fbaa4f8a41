//! From bytes to Python stacks: interpreters, threads, frames, code objects, lines, text.
//!
//! Everything here is generic over [`crate::cpython::abi::Abi`] (which version) and
//! [`crate::cpython::memory::Memory`] (where the bytes come from) and knows nothing of
//! Linux. Every number read is taken to be hostile and bounded.

pub(crate) mod code;
mod decoded_code;
pub(crate) mod dictionaries;
pub(crate) mod frame_format;
pub(crate) mod frames;
pub(crate) mod heap_frames;
pub(crate) mod integers;
pub(crate) mod interpreter_frames;
pub mod lines;
mod nested;
pub(crate) mod objects;
pub(crate) mod probation;
pub(crate) mod proof;
pub(crate) mod search_path;
pub(crate) mod text;
pub(crate) mod text_format;
pub(crate) mod thread_names;
pub(crate) mod threads;
pub(crate) mod types;
pub(crate) mod values;
pub(crate) mod variables;

#[cfg(all(test, feature = "py27", feature = "py36", feature = "py310"))]
#[cfg(all(feature = "py311", feature = "py312", feature = "py314"))]
pub(crate) mod fixtures;
#[cfg(all(test, feature = "py27", feature = "py36", feature = "py310"))]
#[cfg(all(feature = "py311", feature = "py312", feature = "py314", feature = "py314t"))]
mod free_threaded_tests;
#[cfg(all(test, feature = "py27", feature = "py36", feature = "py310"))]
#[cfg(all(feature = "py311", feature = "py312", feature = "py314"))]
mod object_tests;
#[cfg(all(test, feature = "py27", feature = "py36", feature = "py310"))]
#[cfg(all(feature = "py311", feature = "py312", feature = "py314"))]
mod tests;
