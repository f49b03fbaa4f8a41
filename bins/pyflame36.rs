//! `pyflame3.6`: the profiler for CPython 3.6, and for no other.

use std::process::ExitCode;

fn main() -> ExitCode {
    pyflame::app::profiler::main::<pyflame::cpython::abi::Python36>()
}
