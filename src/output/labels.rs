//! What threads and processes are called.

use super::lanes::{Lane, Lanes};
use crate::profile::{Process, Profile, State, Thread};
use crate::stack::{Frame, FrameStyle};

/// The highest id that Linux gives to a thread.
const HIGHEST_NATIVE_ID: u32 = 1 << 22;

/// The longest command line in a frame, in characters.
const LONGEST_COMMAND: usize = 200;

/// What is written for the thread of moments that belong to none.
pub const NO_THREAD: &str = "(no thread)";

/// The program that wrote a file.
pub const PROGRAM: &str = concat!("pyflame ", env!("CARGO_PKG_VERSION"));

/// A thread's name, or its ids where it has none.
pub fn thread(thread: &Thread) -> String {
    match (&thread.name, thread.native_id) {
        (Some(name), _) => name.to_string(),
        (None, Some(native_id)) => format!("Thread {} ({native_id})", thread.id),
        (None, None) => format!("Thread {}", thread.id),
    }
}

/// A process's id and command line.
pub fn process(process: &Process) -> String {
    match process.command.as_str() {
        "" => format!("{}", process.pid),
        command => format!("{} {command}", process.pid),
    }
}

/// A process as the outermost frame of its stacks, as in `process 4242 (python3 app.py)`.
/// The `;` that ends a frame becomes a `,`.
pub fn process_frame(process: &Process) -> String {
    let mut command: String = process.command.chars().take(LONGEST_COMMAND).collect();
    if command.len() < process.command.len() {
        command.push('…');
    }
    format!("process {} ({})", process.pid, command.replace(';', ","))
}

/// The thread of a lane, after its process if there are several.
pub fn lane(profile: &Profile, lanes: &Lanes<'_>, lane: &Lane) -> String {
    let Some(id) = lane.thread else { return NO_THREAD.to_owned() };
    let title = thread(profile.thread(id));
    match lanes.process(lane).filter(|_| has_several_processes(profile)) {
        Some((_, owner)) => format!("{}: {title}", process(owner)),
        None => title,
    }
}

/// Whether the process of a sample has to be told.
pub fn has_several_processes(profile: &Profile) -> bool {
    profile.processes().nth(1).is_some()
}

/// A title for the whole profile: its processes.
pub fn title(profile: &Profile) -> String {
    let mut processes = profile.processes().map(|(_, one)| one);
    match (processes.next(), processes.count()) {
        (None, _) => PROGRAM.to_owned(),
        (Some(only), 0) => process(only),
        (Some(first), others) => format!("{} and {others} more", process(first)),
    }
}

/// A number for a thread that is small enough for programs that expect the kernel's: that,
/// or where it is not known one that the kernel gives to none.
pub fn thread_number(profile: &Profile, lane: &Lane) -> u32 {
    let Some(id) = lane.thread else { return 0 };
    let native_id = profile.thread(id).native_id.and_then(|id| u32::try_from(id).ok());
    let position = u32::try_from(id.index()).unwrap_or(u32::MAX);
    native_id.unwrap_or_else(|| position.saturating_add(HIGHEST_NATIVE_ID + 1))
}

/// What a thread was doing, in words.
pub fn state(state: State) -> &'static str {
    match (state.holds_gil, state.on_cpu) {
        (true, None) => "holds the GIL",
        (true, Some(true)) => "holds the GIL, on a CPU",
        (true, Some(false)) => "holds the GIL, off CPU",
        (false, None) => "without the GIL",
        (false, Some(true)) => "without the GIL, on a CPU",
        (false, Some(false)) => "without the GIL, off CPU",
    }
}

/// The line of a frame, where it has one and lines are wanted.
pub fn line(profile: &Profile, frame: &Frame) -> Option<u32> {
    match profile.about.style {
        FrameStyle::WithLines => u32::try_from(frame.line).ok().filter(|line| *line > 0),
        FrameStyle::WithoutLines | FrameStyle::FunctionOnly | FrameStyle::FileOnly => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::fixture;

    #[test]
    fn a_thread_without_a_name_is_called_by_its_ids() {
        let profile = fixture::profile();
        let titles: Vec<String> = profile.threads().map(|(_, one)| thread(one)).collect();
        assert_eq!(titles[1], "Thread 140737353926464 (4243)");
        assert_eq!(titles[2], "Thread 18446744073709551615");
    }

    #[test]
    fn a_number_stands_for_one_thread() {
        let profile = fixture::profile();
        let lanes = Lanes::of(&profile);
        let mut numbers: Vec<u32> =
            lanes.lanes().iter().map(|lane| thread_number(&profile, lane)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), lanes.lanes().len());
    }

    #[test]
    fn lines_that_are_none_are_left_out() {
        let frame = |line| Frame { file: "a.py".into(), function: "f".into(), line };
        let mut profile = Profile::default();
        assert_eq!(line(&profile, &frame(7)), Some(7));
        assert_eq!(line(&profile, &frame(0)), None);
        assert_eq!(line(&profile, &frame(-1)), None);
        profile.about.style = FrameStyle::WithoutLines;
        assert_eq!(line(&profile, &frame(7)), None);
    }
}
