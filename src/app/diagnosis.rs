//! `PYFLAME_LOG`: what this program does and why, line by line on standard error.
//!
//! Whoever has something to tell uses the macros of the crate `log`. Unless the variable is set,
//! each of these is one comparison with a static number. Of the memory of a target no more is told
//! than addresses.

use std::env;
use std::io::Write;
use std::str::FromStr;
use std::time::Instant;

use log::LevelFilter;

use crate::escape::{in_line, say};
use crate::render::remove_unfinished_at_a_panic;

/// The variable that says how much is told; it is inherited by the programs that this one starts.
pub(crate) const VARIABLE: &str = "PYFLAME_LOG";

/// How each line begins: the process id follows.
pub(crate) const PREFIX: &str = "pyflame[";

/// To be called first of all: tells what is asked for from here on, and what this program is.
pub(super) fn begin(name: &str) {
    // Where a panic aborts, nothing is dropped. The kernel lets threads go that are stopped; the
    // live view gives the terminal back by a hook of its own.
    if cfg!(panic = "abort") {
        remove_unfinished_at_a_panic();
    }
    let Some(wanted) = env::var_os(VARIABLE).filter(|wanted| !wanted.is_empty()) else { return };
    let wanted = wanted.to_string_lossy();
    match LevelFilter::from_str(&wanted) {
        Ok(level) => tell(level),
        Err(_) => say(&format!(
            "WARNING: {VARIABLE}={wanted} is none of off, error, warn, info, debug, trace."
        )),
    }
    log::info!("{name} {}, log level {}", env!("CARGO_PKG_VERSION"), log::max_level());
}

/// Tells what this project's own code says at `level`, but nothing of the crates that it uses.
fn tell(level: LevelFilter) {
    let (pid, start) = (std::process::id(), Instant::now());
    let own = env!("CARGO_PKG_NAME");
    let mut builder = env_logger::Builder::new();
    builder.filter_level(LevelFilter::Off).filter_module(own, level);
    builder.format(move |out, record| {
        let text = record.args().to_string();
        let place = record.target().trim_start_matches(own).trim_start_matches("::");
        let (time, level) = (start.elapsed().as_secs_f64(), record.level());
        writeln!(out, "{PREFIX}{pid}] {time:.6} {level:<5} {place}: {}", in_line(&text))
    });
    // A second one would be a second `main`.
    let _ = builder.try_init();
}
