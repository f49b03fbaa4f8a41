//! Reading a thread while it stands still: stopped, at its turn, or blocked in the kernel.

pub mod held;
pub mod pause;
mod still;
