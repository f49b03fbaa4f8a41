//! The formats that a profile can be written in, one file each.
//!
//! They see frames, stacks and counts, and nothing of Python.

pub(crate) mod cpuprofile;
mod destination;
pub(crate) mod difference;
pub(crate) mod dump;
pub(crate) mod dump_json;
pub(crate) mod dump_text;
pub(crate) mod firefox;
#[cfg(test)]
pub(crate) mod fixture;
mod flame_labels;
pub(crate) mod flamechart;
pub(crate) mod folded;
mod format;
mod formats;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
pub(crate) mod html;
mod json;
pub mod json_lines;
mod labels;
#[cfg(test)]
mod native_tests;
mod next_step;
mod palette;
pub(crate) mod pprof;
pub mod recording;
mod rows;
mod source;
pub(crate) mod speedscope;
pub(crate) mod svg;
mod title;
pub(crate) mod trace_event;
mod tracks;

use std::io::{self, Write};

pub use self::destination::{Destination, NewFile, remove_unfinished_at_a_panic};
pub use self::format::{Format, Settings};
pub use self::formats::{Ambiguous, FORMATS};
pub use self::next_step::next_step;
pub use self::source::{SourceText, Sources, SourcesOf};
use crate::escape::in_line;
use crate::profile::{Profile, Step};
use crate::stack::{Frame, FrameStyle};

impl FrameStyle {
    fn write(self, frame: &Frame, out: &mut dyn Write) -> io::Result<()> {
        match (self, frame.library()) {
            (Self::FunctionOnly, _) => return write_in_line(&frame.function, out),
            (Self::FileOnly, library) => {
                return write_in_line(library.unwrap_or(&frame.file), out);
            }
            (_, Some(library)) => {
                write_in_line(library, out)?;
                out.write_all(b"!")?;
                return write_in_line(&frame.function, out);
            }
            (Self::WithLines | Self::WithoutLines, None) => {}
        }
        write_in_line(&frame.file, out)?;
        out.write_all(b":")?;
        write_in_line(&frame.function, out)?;
        if self == Self::WithLines { write!(out, ":{}", frame.line) } else { Ok(()) }
    }

    /// A frame of a dump, in one line. Native code stands out by its indentation.
    fn write_dumped(self, frame: &Frame, indentation: &str, out: &mut dyn Write) -> io::Result<()> {
        match frame.library() {
            Some(library) => {
                out.write_all(b"    ")?;
                write_in_line(&frame.function, out)?;
                out.write_all(b" (")?;
                write_in_line(library, out)?;
                out.write_all(b")\n")
            }
            None => {
                out.write_all(indentation.as_bytes())?;
                self.write(frame, out)?;
                out.write_all(b"\n")
            }
        }
    }

    /// A step of a stack as folded stacks have it, in one line. A `;` would end it, and
    /// becomes a `,`.
    #[must_use]
    pub fn step_name(self, profile: &Profile, step: Step) -> String {
        let Step::Frame(id) = step else { return "(truncated)".to_owned() };
        let mut name = Vec::new();
        // A Vec takes everything.
        let _ = self.write(profile.frames.frame(id), &mut name);
        String::from_utf8_lossy(&name).replace(';', ",")
    }

    fn write_step(self, profile: &Profile, step: Step, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self.step_name(profile, step).as_bytes())
    }
}

/// Writes `text`, with line breaks and all other characters that act escaped: the formats
/// here end a record at a line break, and are read on terminals.
pub fn write_in_line(text: &str, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(in_line(text).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Detail, Process, Sample, State};

    /// One sample of one process, written.
    fn written(format: Format, tells_processes: bool) -> String {
        let mut profile = Profile::new(Detail::Timeline);
        profile.about.tells_processes = tells_processes;
        let process = Process { pid: 4242, command: "python3 a.py".into(), ..Process::default() };
        let process = profile.add_process(process);
        let thread = Some(profile.intern_thread(process, 7));
        let frame = Frame::python("a.py", "f", 3);
        let frame = profile.frames.intern(frame);
        let stack = profile.child(None, Step::Frame(frame));
        profile.record(1, Sample { stack, thread, state: State::default() });
        let mut out = Vec::new();
        let settings = Settings { title: Some("a title".into()), ..Settings::default() };
        (format.write)(&profile, &settings, &mut out).expect("a Vec takes everything");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn one_process_is_told_where_there_could_have_been_several() {
        let formats = [
            folded::FORMAT,
            flamechart::FORMAT,
            svg::FLAME_GRAPH,
            svg::ICICLE,
            svg::CHART,
            cpuprofile::FORMAT,
            speedscope::FORMAT,
        ];
        for format in formats {
            let times = |tells| written(format, tells).matches("4242").count();
            assert!(times(true) > times(false), "{}", format.name);
        }
        let folded = written(folded::FORMAT, true);
        assert_eq!(folded, "process 4242 (python3 a.py);a.py:f:3 1\n");
        assert!(written(html::FORMAT, true).contains("\"tellsProcesses\":true"));
    }

    #[test]
    fn a_semicolon_in_a_name_ends_no_frame() {
        let mut profile = Profile::new(Detail::Stacks);
        let frame = Frame::python("a;b.py", "f;\u{1b}[m", 3);
        let step = Step::Frame(profile.frames.intern(frame));
        assert_eq!(FrameStyle::WithLines.step_name(&profile, step), "a,b.py:f,\\u{1b}[m:3");
        let stack = profile.child(None, step);
        profile.record(1, Sample { stack, thread: None, state: State::default() });
        let mut out = Vec::new();
        folded::write(&profile, &Settings::default(), &mut out).expect("a Vec takes everything");
        assert_eq!(String::from_utf8_lossy(&out), "a,b.py:f,\\u{1b}[m:3 1\n");
    }

    #[test]
    fn line_breaks_do_not_end_a_record() {
        let mut out = Vec::new();
        let frame = Frame::python("a\nb.py", "\r", 3);
        FrameStyle::WithLines.write(&frame, &mut out).expect("a Vec takes everything");
        assert_eq!(out, b"a\\nb.py:\\r:3");
    }
}
