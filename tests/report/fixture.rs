//! Profiles whose numbers are known. `drive.mjs` names the same numbers.

use std::time::Duration;

use pyflame::profile::stats::Key;
use pyflame::profile::{Detail, Process, Profile, RunInfo, Sample, StackId, State, Step, ThreadId};
use pyflame::stack::Frame;

/// When the made-up runs began, in microseconds since the epoch.
const STARTED: u64 = 1_700_000_000_000_000;

/// What stands in the file of the made-up program; it is asked for lines 3 and 6.
pub(crate) const SOURCE: &str = "\
import json

def parse(text): return json.loads(text)  # </script> &amp; \u{2028} is harmless

def render(rows):
    return [str(row) for row in rows]
";

/// Functions with names that break what is not careful.
const HOSTILE: [&str; 6] =
    ["a;b", "line\nbreak", "</script><b>\"'&", "🔥 é", "\u{1b}[31m", "constructor"];

/// Of a thread that holds the GIL or is attached, and of one that does not.
const HELD: State = State { holds_gil: true, ..FREE };
const FREE: State = State { holds_gil: false, is_suspended: false, on_cpu: None };

/// A program with two threads, looked at 1000 times in a second, and idle for 50 ms.
///
/// The first thread holds the GIL: `main` calls `parse` for 500 ms, then `render` for
/// 400 ms, then `render` calls `fib`, which calls itself. The second waits; six times it
/// was in a function with a strange name, whose file has a name of 10 000 letters.
pub(crate) fn profile(file: &str) -> Profile {
    let mut profile = Profile::new(Detail::Timeline);
    let process = Process::new(4242, "python3 app.py", "3.11.7");
    let process = profile.add_process(process);
    let threads = [1, u64::MAX].map(|id| profile.intern_thread(process, id));
    profile.thread_mut(threads[0]).name = Some("MainThread".into());
    profile.thread_mut(threads[0]).native_id = Some(4242);
    profile.thread_mut(threads[1]).name = Some("worker <2>;".into());

    let main = stack(&mut profile, None, file, "main", 9);
    let parse = stack(&mut profile, Some(main), file, "parse", 3);
    let render = stack(&mut profile, Some(main), file, "render", 6);
    let outer = stack(&mut profile, Some(render), file, "fib", 12);
    let fib = stack(&mut profile, Some(outer), file, "fib", 12);
    let library = "/usr/lib/python3.11/threading.py";
    let run = stack(&mut profile, None, library, "run", 975);
    let wait = stack(&mut profile, Some(run), library, "wait", 320);
    let long = "x".repeat(10_000);
    let strange = HOSTILE.map(|name| stack(&mut profile, Some(run), &long, name, 1));

    for tick in 0..1000 {
        let of_main = match tick {
            0..500 => parse,
            500..900 => render,
            _ => fib,
        };
        see(&mut profile, tick, threads[0], of_main, HELD);
        let of_worker = usize::try_from(tick).ok().and_then(|tick| strange.get(tick));
        see(&mut profile, tick, threads[1], *of_worker.unwrap_or(&wait), FREE);
    }
    for tick in 1000..1050 {
        profile.record_idle(STARTED + tick * 1000);
    }
    profile.about = RunInfo {
        started: STARTED,
        elapsed: Duration::from_millis(1050),
        interval: Duration::from_millis(1),
        ticks: 1050,
        every_thread: true,
        account: [(Key::Ticks, 1050), (Key::Samples, 2000), (Key::Torn, 7), (Key::Late, 60)].into(),
        ..RunInfo::default()
    };
    profile
}

/// A thread of a free-threaded program, looked at 1000 times in a second: `works` is attached for
/// 600 ms, then a stop-the-world pause suspends it for 300 ms, then `sleeps` is detached.
pub(crate) fn pauses() -> Profile {
    let mut profile = Profile::new(Detail::Timeline);
    let process = profile.add_process(Process::new(4242, "python3.14t app.py", "3.14.2t"));
    let thread = profile.intern_thread(process, 1);
    let works = stack(&mut profile, None, "app.py", "works", 1);
    let sleeps = stack(&mut profile, None, "app.py", "sleeps", 2);
    for tick in 0..1000 {
        let (stack, state) = match tick {
            0..600 => (works, HELD),
            600..900 => (works, State { is_suspended: true, ..FREE }),
            _ => (sleeps, FREE),
        };
        see(&mut profile, tick, thread, stack, state);
    }
    profile.about = RunInfo {
        started: STARTED,
        elapsed: Duration::from_secs(1),
        interval: Duration::from_millis(1),
        ticks: 1000,
        every_thread: true,
        ..RunInfo::default()
    };
    profile
}

/// An hour of a large program: a million samples of 100,000 stacks in 8 threads.
pub(crate) fn million() -> Profile {
    let mut profile = Profile::new(Detail::Timeline);
    let process = profile.add_process(Process::default());
    let threads: Vec<ThreadId> = (0..8).map(|id| profile.intern_thread(process, id)).collect();
    let mut chance = 1_u64;
    // A congruential generator: the same profile on every machine.
    let mut below = |limit: u64| {
        chance =
            chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (chance >> 33) % limit
    };
    let mut stacks: Vec<StackId> = vec![stack(&mut profile, None, "app.py", "main", 1)];
    while stacks.len() < 100_000 {
        // The deeper half is built upon more often, as in real programs.
        let caller = stacks[below(stacks.len() as u64) as usize];
        let (file, function) = (below(300), below(5000));
        let file = format!("/srv/app/package_{}/module_{file}.py", file % 17);
        let line = i32::try_from(below(900)).unwrap_or(0) + 1;
        stacks.push(stack(
            &mut profile,
            Some(caller),
            &file,
            &format!("function_{function}"),
            line,
        ));
    }
    for tick in 0..1_000_000_u64 {
        let thread = threads[(tick % 8) as usize];
        // A few stacks have most of the samples.
        let most = below(stacks.len() as u64) + 1;
        let chosen = stacks[below(most) as usize];
        see(&mut profile, tick * 4, thread, chosen, if tick % 8 == 0 { HELD } else { FREE });
    }
    profile.about = RunInfo {
        started: STARTED,
        elapsed: Duration::from_secs(4000),
        interval: Duration::from_millis(4),
        ticks: 1_000_000,
        every_thread: true,
        ..RunInfo::default()
    };
    profile
}

fn stack(
    profile: &mut Profile,
    caller: Option<StackId>,
    file: &str,
    function: &str,
    line: i32,
) -> StackId {
    let frame = Frame::python(file, function, line);
    let frame = profile.frames.intern(frame);
    profile.child(caller, Step::Frame(frame))
}

fn see(profile: &mut Profile, millisecond: u64, thread: ThreadId, stack: StackId, state: State) {
    let sample = Sample { stack, thread: Some(thread), state };
    profile.record(STARTED + millisecond * 1000, sample);
}
