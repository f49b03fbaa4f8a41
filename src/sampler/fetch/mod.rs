//! What a tick reads, fetched ahead of the walk in as few system calls as there can be.

mod pages;
pub(crate) mod prefetch;
mod span_plan;

pub(crate) use self::pages::{Paged, Pages};
