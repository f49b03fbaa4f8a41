//! `pyflame3.9`: the profiler for CPython 3.9, and for no other.

use std::process::ExitCode;

fn main() -> ExitCode {
    pyflame::app::profiler::main::<pyflame::cpython::abi::Python39>()
}
