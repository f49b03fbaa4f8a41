//! In place of the program, in a build without it (Cargo feature `kernel`). The command line
//! has refused `--engine kernel` before, so none of this is ever asked.

use std::os::fd::OwnedFd;
use std::time::Duration;

use super::KernelError;
use super::constants::Constants;
use crate::cpython::read::code::Named;
use crate::target::live::nap;

/// No program.
pub struct Loaded;

impl Loaded {
    pub fn load(_: &Constants, _: u32) -> Result<Self, KernelError> {
        Err(KernelError::Absent)
    }

    pub fn take_program(&mut self) -> Result<OwnedFd, KernelError> {
        Err(KernelError::Absent)
    }

    pub fn rest(&self, time: Duration) {
        nap(time);
    }

    pub fn next_record<T>(&mut self, _: impl FnOnce(&[u8]) -> T) -> Option<T> {
        None
    }

    pub fn set_gil(&self, _: usize, _: u64) {}

    pub fn set_state(&mut self, _: u32, _: Option<u64>) -> bool {
        false
    }

    pub fn interrupts(&self, _: usize) -> u64 {
        0
    }

    pub fn lost(&self) -> u64 {
        0
    }

    pub fn has_seen(&self, _: u32) -> bool {
        false
    }

    pub fn set_stack_pages(&self, _: u64) {}

    pub fn trusts(&self, _: &Named) -> bool {
        false
    }

    pub fn trust(&mut self, _: Named) {}

    pub fn trust_only(&mut self, _: impl FnMut(&Named) -> bool) {}
}
