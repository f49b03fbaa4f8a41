//! `pyflame3.12`: the profiler for CPython 3.12, and for no other.

use std::process::ExitCode;

fn main() -> ExitCode {
    pyflame::app::profiler::main::<pyflame::cpython::abi::Python312>()
}
