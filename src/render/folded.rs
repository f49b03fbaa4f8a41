//! Folded stacks: one line for each distinct stack, root first, with its count.
//! What `flamegraph.pl`, inferno and speedscope read.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::{Format, Settings, write_in_line};
use crate::profile::{Detail, ProcessId, Profile, StackId};

/// `folded`.
pub(crate) const FORMAT: Format = Format {
    name: "folded",
    extensions: &["folded", "txt"],
    about: "a line for each stack, with its count: what flame graph tools read",
    detail: Detail::Stacks,
    write,
};

/// Writes `profile`: idle and failed samples first, then every stack; where processes have to
/// be told, each is the outermost frame of its stacks.
///
/// # Errors
/// Those of `out`.
pub(crate) fn write(profile: &Profile, _: &Settings, out: &mut dyn Write) -> io::Result<()> {
    if profile.idle() > 0 {
        writeln!(out, "(idle) {}", profile.idle())?;
    }
    if profile.failed() > 0 {
        writeln!(out, "(failed) {}", profile.failed())?;
    }
    if profile.keeps_threads() && profile.tells_processes() {
        return write_by_process(profile, out);
    }
    for (stack, samples) in profile.stacks() {
        write_stack(profile, stack, out)?;
        writeln!(out, " {samples}")?;
    }
    Ok(())
}

/// Every stack of every process, which is its outermost frame.
fn write_by_process(profile: &Profile, out: &mut dyn Write) -> io::Result<()> {
    let mut counts: BTreeMap<(ProcessId, StackId), u64> = BTreeMap::new();
    for (thread, stack, _, samples) in profile.stacks_by_thread() {
        *counts.entry((profile.thread(thread).process, stack)).or_default() += samples;
    }
    for ((process, stack), samples) in counts {
        write_in_line(&profile.process(process).frame_name(), out)?;
        out.write_all(b";")?;
        write_stack(profile, stack, out)?;
        writeln!(out, " {samples}")?;
    }
    Ok(())
}

/// Writes a stack, root first, with a `;` between two frames.
fn write_stack(profile: &Profile, stack: StackId, out: &mut dyn Write) -> io::Result<()> {
    let mut steps = Vec::new();
    profile.steps(stack, &mut steps);
    for (position, step) in steps.iter().enumerate() {
        if position > 0 {
            out.write_all(b";")?;
        }
        profile.about.style.write_step(profile, *step, out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn processes_are_outermost_frames_where_there_are_several() {
        let text = String::from_utf8(fixture::written(FORMAT)).expect("UTF-8");
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("(idle) 2"));
        assert_eq!(lines.next(), Some("(failed) 1"));
        let first = "process 4242 (python3 app.py --name=\"a,b\"\\n<c>);/srv/app.py:<module>:1;";
        let (mut parents, mut children) = (0, 0);
        for line in lines {
            let (stack, samples) = line.rsplit_once(' ').expect("a count");
            let samples: u64 = samples.parse().expect("a number");
            if stack.starts_with("process 4250 ();") {
                children += samples;
            } else {
                assert!(stack.starts_with(first) || stack.contains("(truncated)"), "{line}");
                parents += samples;
            }
        }
        assert_eq!((parents, children), (20, 8));
    }
}
