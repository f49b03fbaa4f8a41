//! `pyflame3.4`: the profiler for CPython 3.4, and for no other.

use std::process::ExitCode;

fn main() -> ExitCode {
    pyflame::app::profiler::main::<pyflame::cpython::abi::Python34>()
}
