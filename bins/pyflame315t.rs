//! `pyflame3.15t`: the profiler for a free-threaded CPython 3.15, and for no other.

use std::process::ExitCode;

fn main() -> ExitCode {
    pyflame::app::profiler::main::<pyflame::cpython::abi::Python315t>()
}
