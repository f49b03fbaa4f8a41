//! `pyflame3.7`: the profiler for CPython 3.7, and for no other.

use std::process::ExitCode;

fn main() -> ExitCode {
    pyflame::app::profiler::main::<pyflame::cpython::abi::Python37>()
}
