//! Reading a thread while it runs: what was copied, and what of it was a stack.

pub(crate) mod call_sites;
pub(in crate::sampler) mod callees;
pub(crate) mod chain;
mod decide;
pub(in crate::sampler) mod deferred;
mod eval_loop;
pub(in crate::sampler) mod frame_chain;
mod top_pointer;
mod unknown_calls;
