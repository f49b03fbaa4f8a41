//! From bytes to Python stacks: interpreters, threads, frames, code objects, lines, text.
//!
//! Everything here is generic over [`crate::cpython::abi::Abi`] (which version) and
//! [`crate::cpython::memory::Memory`] (where the bytes come from) and knows nothing of
//! Linux. Every number read is taken to be hostile and bounded.

pub mod code;
mod decoded_code;
pub mod dictionaries;
pub mod frame_format;
pub mod frames;
pub mod heap_frames;
pub mod integers;
pub mod interpreter_frames;
pub mod lines;
mod nested;
pub mod objects;
pub mod probation;
pub mod proof;
pub mod search_path;
pub mod text;
pub mod text_format;
pub mod thread_names;
pub mod threads;
pub mod types;
pub mod values;
pub mod variables;

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
