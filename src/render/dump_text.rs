//! The stacks of all threads at one moment, and what is known of the threads, for people.
//!
//! ```text
//! Process 4242: python3 app.py (Python 3.11.7)
//!
//! Thread 140035230627648 "MainThread" (native 4242): running, holds the GIL
//!   app.py:work:7
//!       count = 3
//!     compress (libz.so.1)
//! ```

use std::io::{self, Write};

use super::write_in_line;
use crate::profile::snapshot::{Snapshot, ThreadSnapshot};
use crate::stack::{FrameStyle, FrameTable};

/// Writes the process, then each thread after an empty line.
///
/// # Errors
/// Those of `out`.
pub(crate) fn write(snapshot: &Snapshot, style: FrameStyle, out: &mut dyn Write) -> io::Result<()> {
    let process = &snapshot.process;
    write!(out, "Process {}: ", process.pid)?;
    write_in_line(&process.command, out)?;
    writeln!(out, " (Python {})", process.python)?;
    if let Some(core) = &snapshot.core {
        write_in_line(&core.to_string(), out)?;
        out.write_all(b"\n")?;
    }
    for thread in &snapshot.threads {
        out.write_all(b"\n")?;
        write_head(thread, process.is_free_threaded(), out)?;
        write_frames(thread, &snapshot.frames, style, out)?;
    }
    Ok(())
}

fn write_head(
    thread: &ThreadSnapshot,
    is_free_threaded: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    write!(out, "Thread {}", thread.stack.thread)?;
    if let Some(name) = &thread.name {
        out.write_all(b" \"")?;
        write_in_line(name, out)?;
        out.write_all(b"\"")?;
    }
    if let Some(id) = thread.native_id {
        write!(out, " (native {id})")?;
    }
    let activity = thread.activity.map(|activity| activity.word());
    let gil = if is_free_threaded { "attached" } else { "holds the GIL" };
    let gil = thread.stack.holds_gil.then_some(gil);
    let pause = thread.stack.is_suspended.then_some("suspended by a stop-the-world pause");
    let words: Vec<&str> = activity.into_iter().chain(gil).chain(pause).collect();
    let colon = if words.is_empty() { "" } else { ": " };
    writeln!(out, "{colon}{}", words.join(", "))
}

fn write_frames(
    thread: &ThreadSnapshot,
    frames: &FrameTable,
    style: FrameStyle,
    out: &mut dyn Write,
) -> io::Result<()> {
    match &thread.unreadable {
        Some(reason) => writeln!(out, "  (could not be read: {reason})")?,
        None if thread.stack.frames.is_empty() => out.write_all(b"  (no Python code)\n")?,
        None => {}
    }
    for (position, frame) in thread.stack.frames.iter().enumerate() {
        style.write_dumped(frames.frame(*frame), "  ", out)?;
        match thread.stack.variables.get(position) {
            Some(Some(variables)) => {
                for variable in variables {
                    out.write_all(b"      ")?;
                    write_in_line(&variable.name, out)?;
                    out.write_all(b" = ")?;
                    write_in_line(&variable.value, out)?;
                    out.write_all(b"\n")?;
                }
            }
            Some(None) => {
                out.write_all(b"      (variables could not be read, or changed meanwhile)\n")?
            }
            None => {}
        }
    }
    if thread.stack.truncated {
        out.write_all(b"  (truncated)\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::snapshot::CoreFile;
    use crate::profile::snapshot::tests::snapshot;

    #[test]
    fn everything_has_its_line() {
        let mut out = Vec::new();
        write(&snapshot(), FrameStyle::WithLines, &mut out).expect("a Vec takes everything");
        let text = String::from_utf8(out).expect("UTF-8");
        let expected = "\
Process 4242: python3 app.py (Python 3.11.7)

Thread 140 \"Main\\n\"1\"\" (native 4242): running, holds the GIL
  app.py:work:7
      text = 'a\\n\"<'
      count = 3
  app.py:main:3
      (variables could not be read, or changed meanwhile)
  (truncated)

Thread 141
  (no Python code)
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_core_file_is_named_and_what_is_missing_in_it() {
        let mut snapshot = snapshot();
        let core = CoreFile { path: "a\nb".to_owned(), ..CoreFile::default() };
        snapshot.core = Some(core);
        snapshot.threads[1].unreadable = Some("no such bytes".to_owned());
        let mut out = Vec::new();
        write(&snapshot, FrameStyle::WithLines, &mut out).expect("a Vec takes everything");
        let text = String::from_utf8(out).expect("UTF-8");
        let head = "Process 4242: python3 app.py (Python 3.11.7)\nCore file a\\nb: no signal";
        assert!(text.starts_with(head), "{text}");
        assert!(text.ends_with("Thread 141\n  (could not be read: no such bytes)\n"), "{text}");
    }

    #[test]
    fn threads_of_a_free_threaded_process_are_attached_or_suspended() {
        let mut snapshot = snapshot();
        snapshot.process.python = "3.14.2t".to_owned();
        snapshot.threads[1].stack.is_suspended = true;
        let mut out = Vec::new();
        write(&snapshot, FrameStyle::WithLines, &mut out).expect("a Vec takes everything");
        let text = String::from_utf8(out).expect("UTF-8");
        assert!(text.contains("(native 4242): running, attached\n"), "{text}");
        assert!(text.contains("Thread 141: suspended by a stop-the-world pause\n"), "{text}");
        assert!(text.contains("(Python 3.14.2t)"), "{text}");
    }
}
