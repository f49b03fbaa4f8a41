//! Reading a thread while it stands still: stopped, at its turn, or blocked in the kernel.

pub(crate) mod held;
pub(crate) mod pause;
mod still;
