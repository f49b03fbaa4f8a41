//! The stacks of all threads at one moment, innermost frame first, as the original
//! Pyflame wrote them.

use std::io::{self, Write};

use crate::profile::snapshot::Snapshot;
use crate::stack::FrameStyle;

/// Writes each thread: its id, `*` if it held the GIL, and its frames. An empty
/// line stands between two threads.
///
/// # Errors
/// Those of `out`.
pub(crate) fn write(snapshot: &Snapshot, style: FrameStyle, out: &mut dyn Write) -> io::Result<()> {
    for (position, thread) in snapshot.threads.iter().enumerate() {
        let stack = &thread.stack;
        if position > 0 {
            out.write_all(b"\n")?;
        }
        writeln!(out, "{}{}:", stack.thread, if stack.holds_gil { "*" } else { "" })?;
        if thread.unreadable.is_some() {
            out.write_all(b"(could not be read)\n")?;
        }
        for frame in &stack.frames {
            style.write_dumped(snapshot.frames.frame(*frame), "", out)?;
        }
        if stack.truncated {
            out.write_all(b"(truncated)\n")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::snapshot::tests::snapshot;

    #[test]
    fn the_originals_bytes() {
        let mut out = Vec::new();
        write(&snapshot(), FrameStyle::WithLines, &mut out).expect("a Vec takes everything");
        let text = String::from_utf8(out).expect("UTF-8");
        assert_eq!(text, "140*:\napp.py:work:7\napp.py:main:3\n(truncated)\n\n141:\n");
    }
}
