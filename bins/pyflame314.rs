//! `pyflame3.14`: the profiler for CPython 3.14, and for no other.

use std::process::ExitCode;

fn main() -> ExitCode {
    pyflame::cli::main::<pyflame::abi::Python314>()
}
