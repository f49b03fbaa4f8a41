//! `pyflame3.5`: the profiler for CPython 3.5, and for no other.

use std::process::ExitCode;

fn main() -> ExitCode {
    pyflame::app::profiler::main::<pyflame::cpython::abi::Python35>()
}
