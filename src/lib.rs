//! A sampling profiler for CPython on Linux: one executable per Python ABI, one core.
//!
//! Six rooms; `tests/house/rooms.rs` says which of them may import which. ARCHITECTURE.md
//! follows one sample through them.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]
#![cfg_attr(
    not(complete),
    allow(
        dead_code,
        unreachable_pub,
        unused_imports,
        reason = "an ABI needs a part; a complete build tells"
    )
)]
#![allow(rustdoc::private_intra_doc_links, reason = "its readers work on it")]

pub mod app;
pub mod cpython;
mod escape;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod profile;
pub mod render;
mod sampler;
pub mod stack;
mod target;
