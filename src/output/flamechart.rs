//! Stacks in the order they were seen: a line with the time in microseconds
//! since the epoch, then a line with the stack, root first.

use std::io::{self, Write};

use super::FrameStyle;
use crate::profile::{Profile, Seen};

/// Writes the timeline of `profile`. Every frame ends with a `;`, the last one too.
///
/// # Errors
/// Those of `out`.
pub fn write(profile: &Profile, style: FrameStyle, out: &mut dyn Write) -> io::Result<()> {
    let mut steps = Vec::new();
    for event in profile.timeline() {
        writeln!(out, "{}", event.microseconds)?;
        match event.seen {
            Seen::Idle => writeln!(out, "(idle)")?,
            Seen::Failed => writeln!(out, "(failed)")?,
            Seen::Stack(stack) => {
                profile.steps(stack, &mut steps);
                for step in &steps {
                    style.write_step(profile, *step, out)?;
                    out.write_all(b";")?;
                }
                out.write_all(b"\n")?;
            }
        }
    }
    Ok(())
}
