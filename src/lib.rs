//! A sampling profiler for CPython on Linux: one executable per Python ABI, one core.
//!
//! Six rooms; `tests/rooms.rs` says which of them may import which. ARCHITECTURE.md follows one
//! sample through them.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]
#![allow(rustdoc::private_intra_doc_links, reason = "its readers work on it")]

pub mod app;
pub mod cpython;
mod escape;
pub mod profile;
pub mod render;
pub mod sampler;
pub mod stack;
pub mod target;
