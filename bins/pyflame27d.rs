//! `pyflame2.7d`: the profiler for CPython 2.7 that traces references, as debug builds do, and for no other.

use std::process::ExitCode;

fn main() -> ExitCode {
    pyflame::app::profiler::main::<pyflame::cpython::abi::Python27d>()
}
