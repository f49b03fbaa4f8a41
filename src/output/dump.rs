//! The stacks of all threads at one moment, innermost frame first, as the original
//! Pyflame wrote them.

use std::io::{self, Write};

use super::FrameStyle;
use crate::snapshot::Snapshot;

/// Writes each thread: its id, `*` if it held the GIL, and its frames. An empty
/// line stands between two threads.
///
/// # Errors
/// Those of `out`.
pub fn write(snapshot: &Snapshot, style: FrameStyle, out: &mut dyn Write) -> io::Result<()> {
    for (position, thread) in snapshot.threads.iter().enumerate() {
        let stack = &thread.stack;
        if position > 0 {
            out.write_all(b"\n")?;
        }
        writeln!(out, "{}{}:", stack.thread, if stack.holds_gil { "*" } else { "" })?;
        for frame in &stack.frames {
            style.write(snapshot.frames.frame(*frame), out)?;
            out.write_all(b"\n")?;
        }
        if stack.truncated {
            out.write_all(b"(truncated)\n")?;
        }
    }
    Ok(())
}
