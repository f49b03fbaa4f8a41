//! Profilers on real interpreters: a module for each part of what they do. `cargo test --test live
//! attach::` runs the tests of one module; tests/README.md has the rest.

use std::process::ExitCode;

mod attach;
mod check;
mod code;
mod commands;
mod cores;
mod denied;
mod dump;
mod faults;
mod formats;
mod free_threaded;
mod launcher;
mod log;
mod long_runs;
mod machine_code;
mod many;
mod names;
mod native_stacks;
mod os_threads;
mod processes;
mod recording;
mod refusal;
mod sandbox;
mod selection;
mod states;
#[allow(dead_code)]
#[path = "../support/mod.rs"]
mod support;
mod surroundings;
mod top;
mod trace;
mod trees;
mod turns;
mod variables;

use support::runner::{self, Group};

const GROUPS: &[Group] = &[
    Group::new("attach", attach::SHOWS, attach::trials),
    Group::new("check", check::SHOWS, check::trials),
    Group::new("code", code::SHOWS, code::trials),
    Group::new("commands", commands::SHOWS, commands::trials),
    Group::new("cores", cores::SHOWS, cores::trials),
    Group::new("denied", denied::SHOWS, denied::trials),
    Group::new("dump", dump::SHOWS, dump::trials),
    Group::new("faults", faults::SHOWS, faults::trials),
    Group::new("formats", formats::SHOWS, formats::trials),
    Group::new("free_threaded", free_threaded::SHOWS, free_threaded::trials),
    Group::new("launcher", launcher::SHOWS, launcher::trials),
    Group::new("log", log::SHOWS, log::trials),
    Group::new("long_runs", long_runs::SHOWS, long_runs::trials),
    Group::new("machine_code", machine_code::SHOWS, machine_code::trials),
    Group::new("many", many::SHOWS, many::trials),
    Group::new("names", names::SHOWS, names::trials),
    Group::new("native_stacks", native_stacks::SHOWS, native_stacks::trials),
    Group::new("os_threads", os_threads::SHOWS, os_threads::trials),
    Group::new("processes", processes::SHOWS, processes::trials),
    Group::new("recording", recording::SHOWS, recording::trials),
    Group::new("refusal", refusal::SHOWS, refusal::trials),
    Group::new("sandbox", sandbox::SHOWS, sandbox::trials),
    Group::new("selection", selection::SHOWS, selection::trials),
    Group::new("states", states::SHOWS, states::trials),
    Group::new("surroundings", surroundings::SHOWS, surroundings::trials),
    Group::new("top", top::SHOWS, top::trials),
    Group::new("trace", trace::SHOWS, trace::trials),
    Group::new("trees", trees::SHOWS, trees::trials),
    Group::new("turns", turns::SHOWS, turns::trials),
    Group::new("variables", variables::SHOWS, variables::trials),
];

fn main() -> ExitCode {
    runner::main(GROUPS)
}
