//! What tracks, profiles and states are called. Threads and processes themselves are called
//! as they say.

use super::tracks::{Track, Tracks};
use crate::profile::{Process, Profile, State};
use crate::stack::{Frame, FrameStyle};

/// The highest id that Linux gives to a thread.
const HIGHEST_NATIVE_ID: u32 = 1 << 22;

/// What is written for the thread of moments that belong to none.
pub(super) const NO_THREAD: &str = "(no thread)";

/// The program that wrote a file.
pub(super) const PROGRAM: &str = concat!("pyflame ", env!("CARGO_PKG_VERSION"));

/// The thread of a track.
pub(super) fn thread(profile: &Profile, track: &Track) -> String {
    track.thread.map_or_else(|| NO_THREAD.to_owned(), |id| profile.thread(id).to_string())
}

/// The thread of a track, after its process if that has to be told.
pub(super) fn track(profile: &Profile, tracks: &Tracks<'_>, track: &Track) -> String {
    let thread = thread(profile, track);
    match tracks.process(track).filter(|_| profile.tells_processes()) {
        Some((_, process)) => format!("{process}: {thread}"),
        None => thread,
    }
}

/// A title for the whole profile: its processes.
pub(super) fn title(profile: &Profile) -> String {
    processes(profile, Process::to_string).unwrap_or_else(|| PROGRAM.to_owned())
}

/// The first process, as `name` calls it, and how many others there are. `None` if there is
/// none.
pub(super) fn processes(profile: &Profile, name: impl Fn(&Process) -> String) -> Option<String> {
    let mut processes = profile.processes().map(|(_, process)| process);
    let first = name(processes.next()?);
    Some(match processes.count() {
        0 => first,
        others => format!("{first} and {others} more"),
    })
}

/// A number for a thread that is small enough for programs that expect the kernel's: that,
/// or where it is not known one that the kernel gives to none.
pub(super) fn thread_number(profile: &Profile, track: &Track) -> u32 {
    let Some(id) = track.thread else { return 0 };
    let native_id = profile.thread(id).native_id.and_then(|id| u32::try_from(id).ok());
    let position = u32::try_from(id.index()).unwrap_or(u32::MAX);
    native_id.unwrap_or_else(|| position.saturating_add(HIGHEST_NATIVE_ID + 1))
}

/// What a thread was doing, in words.
pub(super) fn state(process: &Process, state: State) -> &'static str {
    let State { holds_gil, is_suspended, on_cpu } = state;
    if is_suspended {
        return "suspended";
    }
    let words = match on_cpu {
        None => ["holds the GIL", "without the GIL", "attached", "detached"],
        Some(true) => [
            "holds the GIL, on a CPU",
            "without the GIL, on a CPU",
            "attached, on a CPU",
            "detached, on a CPU",
        ],
        Some(false) => [
            "holds the GIL, off CPU",
            "without the GIL, off CPU",
            "attached, off CPU",
            "detached, off CPU",
        ],
    };
    words[2 * usize::from(process.is_free_threaded()) + usize::from(!holds_gil)]
}

/// The line of a frame, where it has one and lines are wanted.
pub(super) fn line(profile: &Profile, frame: &Frame) -> Option<u32> {
    match profile.about.style {
        FrameStyle::WithLines => u32::try_from(frame.line).ok().filter(|line| *line > 0),
        FrameStyle::WithoutLines | FrameStyle::FunctionOnly | FrameStyle::FileOnly => None,
    }
}

/// Where a frame's code is, in few words: its file, or the name of its library.
pub(super) fn place<'a>(profile: &Profile, frame: &'a Frame) -> &'a str {
    match profile.about.style {
        FrameStyle::FunctionOnly => &frame.file,
        _ => frame.library().unwrap_or(&frame.file),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn a_number_stands_for_one_thread() {
        let profile = fixture::profile();
        let tracks = Tracks::of(&profile);
        let mut numbers: Vec<u32> =
            tracks.all().iter().map(|track| thread_number(&profile, track)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), tracks.all().len());
    }

    #[test]
    fn lines_that_are_none_are_left_out() {
        let frame = |line| Frame::python("a.py", "f", line);
        let mut profile = Profile::default();
        assert_eq!(line(&profile, &frame(7)), Some(7));
        assert_eq!(line(&profile, &frame(0)), None);
        assert_eq!(line(&profile, &frame(-1)), None);
        profile.about.style = FrameStyle::WithoutLines;
        assert_eq!(line(&profile, &frame(7)), None);
    }
}
