//! Stacks in the order they were seen: a line with the time in microseconds
//! since the epoch, then a line with the stack, root first.

use std::io::{self, Write};

use super::{Format, Settings, write_in_line};
use crate::profile::{Detail, Profile, Seen};

/// `flamechart`.
pub(crate) const FORMAT: Format = Format {
    name: "flamechart",
    extensions: &["flamechart"],
    about: "every sample with its time, as text",
    detail: Detail::Timeline,
    write,
};

/// Writes the timeline of `profile`. Every frame ends with a `;`, the last one too. Where
/// processes have to be told, each is the outermost frame of its stacks.
///
/// # Errors
/// Those of `out`.
pub(crate) fn write(profile: &Profile, _: &Settings, out: &mut dyn Write) -> io::Result<()> {
    let tells_processes = profile.tells_processes();
    let mut steps = Vec::new();
    for event in profile.timeline() {
        writeln!(out, "{}", event.microseconds)?;
        match event.seen {
            Seen::Idle => writeln!(out, "(idle)")?,
            Seen::Failed => writeln!(out, "(failed)")?,
            Seen::Sample(sample) => {
                if let Some(thread) = sample.thread.filter(|_| tells_processes) {
                    let process = profile.process(profile.thread(thread).process);
                    write_in_line(&process.frame_name(), out)?;
                    out.write_all(b";")?;
                }
                profile.steps(sample.stack, &mut steps);
                for step in &steps {
                    profile.about.style.write_step(profile, *step, out)?;
                    out.write_all(b";")?;
                }
                out.write_all(b"\n")?;
            }
        }
    }
    Ok(())
}
