//! `pyflame3.11`: the profiler for CPython 3.11, and for no other.

use std::process::ExitCode;

fn main() -> ExitCode {
    pyflame::app::profiler::main::<pyflame::cpython::abi::Python311>()
}
