//! `pyflame3.13t`: the profiler for a free-threaded CPython 3.13, and for no other.

use std::process::ExitCode;

fn main() -> ExitCode {
    pyflame::app::profiler::main::<pyflame::cpython::abi::Python313t>()
}
