//! What measures, one test at a time: shares of time, and the kernel's engine, whose timers need
//! the processors. `make measure-test` runs it, `make test` does not.

use std::process::ExitCode;

#[cfg(feature = "kernel")]
mod kernel;
mod shares;
#[allow(dead_code)]
#[path = "../support/mod.rs"]
mod support;

use support::runner::{self, Group};

const GROUPS: &[Group] = &[
    #[cfg(feature = "kernel")]
    Group::new("kernel", kernel::SHOWS, kernel::trials),
    Group::new("shares", shares::SHOWS, shares::trials),
];

fn main() -> ExitCode {
    runner::main(GROUPS)
}
