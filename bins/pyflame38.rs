//! `pyflame3.8`: the profiler for CPython 3.8, and for no other.

use std::process::ExitCode;

fn main() -> ExitCode {
    pyflame::app::profiler::main::<pyflame::cpython::abi::Python38>()
}
