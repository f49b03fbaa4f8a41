//! What a tick reads, fetched ahead of the walk in as few system calls as there can be.

mod pages;
mod placed;
pub mod prefetch;

pub(crate) use self::pages::{Paged, Pages};
