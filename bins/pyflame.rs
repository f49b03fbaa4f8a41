//! `pyflame`: looks at a process and executes the `pyflameX.Y` that matches it.

use std::process::ExitCode;

fn main() -> ExitCode {
    pyflame::app::launcher::main()
}
