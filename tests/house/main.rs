//! What needs no process to be profiled: the structure of the project, its lists and documents,
//! layouts against headers, line tables against each Python, and the command line.

mod abi_table;
mod abis;
mod cli;
mod faults;
mod interpreters;
mod layouts;
mod lines;
mod rooms;
#[allow(dead_code)]
#[path = "../support/mod.rs"]
mod support;
