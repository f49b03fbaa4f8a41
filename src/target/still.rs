//! What stands still already: nobody has to be stopped, and nobody is.

use super::interface::{Hold, Stop};
use super::registers::RegisterSet;

/// The stop of a target that cannot move.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AlreadyStill;

impl Stop for AlreadyStill {
    type Guard<'a> = Self;

    fn hold(&mut self) -> Option<Self> {
        Some(Self)
    }

    fn awaits(&self, _tid: i32) -> bool {
        false
    }

    fn wait_for_late(&mut self) {}
}

impl Hold for AlreadyStill {
    fn stopped(&self) -> Vec<i32> {
        Vec::new()
    }

    fn is_complete(&self) -> bool {
        true
    }

    fn registers(&self, _tid: i32) -> Option<RegisterSet> {
        None
    }

    fn registers_of_waiting(&mut self, _tid: i32) -> Option<RegisterSet> {
        None
    }
}
