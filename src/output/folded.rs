//! Folded stacks: one line for each distinct stack, root first, with its count.
//! What `flamegraph.pl`, inferno and speedscope read.

use std::io::{self, Write};

use super::{Format, Settings};
use crate::profile::{Detail, Profile};

/// `folded`.
pub const FORMAT: Format = Format {
    name: "folded",
    extensions: &["folded", "txt"],
    about: "a line for each stack, with its count: what flame graph tools read",
    detail: Detail::Stacks,
    write,
};

/// Writes `profile`: idle and failed samples first, then every stack.
///
/// # Errors
/// Those of `out`.
pub fn write(profile: &Profile, settings: &Settings, out: &mut dyn Write) -> io::Result<()> {
    if profile.idle() > 0 {
        writeln!(out, "(idle) {}", profile.idle())?;
    }
    if profile.failed() > 0 {
        writeln!(out, "(failed) {}", profile.failed())?;
    }
    let mut steps = Vec::new();
    for (stack, samples) in profile.stacks() {
        profile.steps(stack, &mut steps);
        for (position, step) in steps.iter().enumerate() {
            if position > 0 {
                out.write_all(b";")?;
            }
            settings.style.write_step(profile, *step, out)?;
        }
        writeln!(out, " {samples}")?;
    }
    Ok(())
}
