//! The formats that a profile can be written in, one file each.
//!
//! They see frames, stacks and counts, and nothing of Python.

mod boxes;
pub mod cpuprofile;
mod destination;
pub mod difference;
pub mod dump;
pub mod dump_json;
pub mod dump_text;
pub mod firefox;
#[cfg(test)]
pub(crate) mod fixture;
pub mod flamechart;
pub mod folded;
mod format;
mod heading;
pub mod html;
mod json;
pub mod json_lines;
mod labels;
mod lanes;
mod next_step;
mod palette;
pub mod pprof;
pub mod recording;
mod rows;
pub mod speedscope;
pub mod svg;
pub mod trace_event;

use std::io::{self, Write};

pub use self::destination::{Destination, NewFile};
pub use self::format::{FORMATS, Format, Settings};
pub use self::next_step::next_step;
use crate::profile::{Profile, Step};
use crate::stack::{Frame, FrameStyle};

impl FrameStyle {
    fn write(self, frame: &Frame, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::FunctionOnly => return write_in_line(&frame.function, out),
            Self::FileOnly => return write_in_line(&frame.file, out),
            Self::WithLines | Self::WithoutLines => {}
        }
        write_in_line(&frame.file, out)?;
        out.write_all(b":")?;
        write_in_line(&frame.function, out)?;
        if self == Self::WithLines { write!(out, ":{}", frame.line) } else { Ok(()) }
    }

    /// A step of a stack as folded stacks have it, in one line.
    #[must_use]
    pub fn step_name(self, profile: &Profile, step: Step) -> String {
        let mut name = Vec::new();
        match self.write_step(profile, step, &mut name) {
            Ok(()) => String::from_utf8_lossy(&name).into_owned(),
            // A Vec takes everything.
            Err(_) => String::new(),
        }
    }

    fn write_step(self, profile: &Profile, step: Step, out: &mut dyn Write) -> io::Result<()> {
        match step {
            Step::Frame(id) => self.write(profile.frames.frame(id), out),
            Step::Truncated => out.write_all(b"(truncated)"),
        }
    }
}

/// Writes `text`, with line breaks escaped: the formats here end a record at one.
pub fn write_in_line(text: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut rest = text;
    while let Some(at) = rest.find(['\n', '\r']) {
        out.write_all(&rest.as_bytes()[..at])?;
        out.write_all(if rest.as_bytes()[at] == b'\n' { b"\\n" } else { b"\\r" })?;
        rest = &rest[at + 1..];
    }
    out.write_all(rest.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_do_not_end_a_record() {
        let mut out = Vec::new();
        let frame = Frame { file: "a\nb.py".into(), function: "\r".into(), line: 3 };
        FrameStyle::WithLines.write(&frame, &mut out).expect("a Vec takes everything");
        assert_eq!(out, b"a\\nb.py:\\r:3");
    }
}
