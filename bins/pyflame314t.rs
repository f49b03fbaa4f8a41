//! `pyflame3.14t`: the profiler for a free-threaded CPython 3.14, and for no other.

use std::process::ExitCode;

fn main() -> ExitCode {
    pyflame::app::profiler::main::<pyflame::cpython::abi::Python314t>()
}
