//! `pyflame3.10`: the profiler for CPython 3.10, and for no other.

use std::process::ExitCode;

fn main() -> ExitCode {
    pyflame::app::profiler::main::<pyflame::cpython::abi::Python310>()
}
