//! The profiler that feeds the live view: a child, and the threads that read what it
//! writes.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::counts::Counts;
use super::error::TopError;
use crate::app::error::Error;
use crate::app::options::TopOptions;
use crate::app::signals::Signals;
use crate::profile::filter::{FrameFilter, StackFilter};
use crate::profile::recording::Reader;
use crate::profile::{Detail, Profile, RunInfo, Sample};
use crate::stack::NativeFrames;

/// How often a signal is looked for while the profiler starts.
const NAP: Duration = Duration::from_millis(50);

/// The most bytes of what the profiler says that are kept.
const MOST_WORDS: u64 = 16 * 1024;

/// All that has been seen of the process.
pub(super) struct Seen {
    /// Its threads, frames and stacks. The events have been moved into `counts`.
    pub profile: Profile,
    /// What was sampled.
    pub counts: Counts,
    /// What the profiler says of its run.
    pub about: RunInfo,
}

impl Seen {
    /// What has been counted, as a profile of stacks.
    pub(super) fn profile_of(&self, only_gil: bool) -> Profile {
        let mut profile = Profile::new(Detail::Stacks);
        profile.about = self.about.clone();
        profile.modules = self.profile.modules.clone();
        for (_, process) in self.profile.processes() {
            profile.add_process(process.clone());
        }
        let mut steps = Vec::new();
        for (stack, count) in self.counts.stacks(false, only_gil) {
            self.profile.steps(stack, &mut steps);
            let copied = profile.copy_stack(&self.profile, &steps);
            if let Some(stack) = copied {
                let sample = Sample { stack, thread: None, state: Default::default() };
                profile.count(sample, count);
            }
        }
        profile
    }

    /// What to say when the view is over.
    pub(super) fn summary(&self, pid: i32) -> String {
        let seconds = self.about.elapsed.as_secs_f64();
        format!("Process {pid}: {} samples in {seconds:.1} s.", self.counts.whole_samples())
    }
}

/// The profiler and what it has told.
pub(super) struct Feed {
    child: Child,
    seen: Arc<Mutex<Seen>>,
    started: Receiver<()>,
    reader: JoinHandle<()>,
    words: JoinHandle<String>,
}

impl Feed {
    /// Starts `program` for the process.
    ///
    /// # Errors
    /// [`Error::Execute`] if it cannot be executed.
    pub(super) fn start(program: &Path, options: &TopOptions) -> Result<Self, Error> {
        let failed = |source| Error::Execute { program: program.to_path_buf(), source };
        let mut child = Command::new(program)
            // All threads, and which of them run: the view tells that of each.
            .args(["--format", "recording", "-o", "-", "--idle", "-s", "-1"])
            .args(&options.passed_on)
            .args(["-p", &options.pid.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is for the view, which ends the profiler.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let (Some(samples), Some(mut words)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(failed(std::io::ErrorKind::BrokenPipe.into()));
        };
        let profile = Profile::new(Detail::Timeline);
        let seen = Seen { profile, counts: Counts::default(), about: RunInfo::default() };
        let seen = Arc::new(Mutex::new(seen));
        let (start, started) = channel();
        let shared = Arc::clone(&seen);
        let native = options.native;
        let reader = thread::spawn(move || read(samples, native, &shared, &start));
        let words = thread::spawn(move || {
            let mut text = Vec::new();
            let _ = words.by_ref().take(MOST_WORDS).read_to_end(&mut text);
            // What is not kept is read all the same, so that nobody waits.
            let _ = std::io::copy(&mut words, &mut std::io::sink());
            String::from_utf8_lossy(&text).into_owned()
        });
        Ok(Self { child, seen, started, reader, words })
    }

    /// Waits for the first samples. `false` if there will be none.
    pub(super) fn wait_for_start(&self, signals: &Signals) -> bool {
        loop {
            match self.started.recv_timeout(NAP) {
                Ok(()) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) if signals.ask_for_end() => return false,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// What has been seen so far.
    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the profiler has ended, because the process has.
    pub(super) fn has_ended(&self) -> bool {
        self.reader.is_finished()
    }

    /// Ends the profiler.
    ///
    /// # Errors
    /// [`TopError::Profiler`] if it failed by itself.
    pub(super) fn end(mut self, pid: i32) -> Result<(), TopError> {
        let ended = self.has_ended();
        if !ended {
            // It passes on what it holds of the process, and ends.
            let child = nix::unistd::Pid::from_raw(self.child.id() as i32);
            let _ = nix::sys::signal::kill(child, nix::sys::signal::Signal::SIGTERM);
        }
        let status = self.child.wait().ok().and_then(|status| status.code());
        let words = self.words.join().unwrap_or_default();
        match status {
            Some(0) | None if ended => {
                eprintln!("Process {pid} has ended.");
                Ok(())
            }
            Some(status) if ended => {
                let status = u8::try_from(status).unwrap_or(1);
                Err(TopError::Profiler { words, status })
            }
            _ => Ok(()),
        }
    }
}

/// What the view shows of a recording, which keeps all native frames.
struct Shown(Option<(Profile, StackFilter)>);

impl Shown {
    fn new(native: NativeFrames) -> Self {
        let filter = FrameFilter { native, ..FrameFilter::default() };
        // Without native frames there are none, with all of them nothing is left out.
        let is_less = native == NativeFrames::Extensions;
        let detail = Detail::Timeline;
        Self(is_less.then(|| (Profile::new(detail), StackFilter::new(filter, detail))))
    }

    /// Puts the next block into `profile`, as far as it is shown.
    ///
    /// # Errors
    /// As [`Reader::apply`].
    fn apply<R: Read>(
        &mut self,
        reader: &mut Reader<R>,
        profile: &mut Profile,
    ) -> std::io::Result<bool> {
        let Some((whole, filter)) = &mut self.0 else { return reader.apply(profile) };
        let is_applied = reader.apply(whole)?;
        whole.about = reader.about();
        let events = whole.take_timeline();
        filter.put_into(whole, &events, profile);
        Ok(is_applied)
    }
}

/// Reads until the profiler ends, or writes what is no recording.
fn read(samples: impl Read, native: NativeFrames, seen: &Mutex<Seen>, start: &Sender<()>) {
    let Ok(mut reader) = Reader::new(samples) else { return };
    let mut shown = Shown::new(native);
    // An input that fails has ended too.
    while let Ok(true) = reader.fetch() {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Seen { profile, counts, about } = &mut *seen;
        if !matches!(shown.apply(&mut reader, profile), Ok(true)) {
            return;
        }
        counts.add(&profile.take_timeline());
        *about = reader.about();
        // Nobody waits any more after the first time.
        let _ = start.send(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::recording::Writer;
    use crate::profile::{Process, State, Step};
    use crate::stack::{Frame, FrameKind};

    /// A recording in two blocks, of a thread in a library that the interpreter calls.
    fn recording() -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes).expect("a Vec takes everything");
        let mut profile = Profile::new(Detail::Timeline);
        profile.about.every_thread = true;
        let process = profile.add_process(Process::default());
        let thread = Some(profile.intern_thread(process, 1));
        let mut stack = None;
        for frame in [
            Frame::python("a.py", "main", 1),
            Frame::native("/bin/python3", "eval", FrameKind::Interpreter),
            Frame::native("/lib/libz.so.1", "compress", FrameKind::Native),
        ] {
            let step = Step::Frame(profile.frames.intern(frame));
            stack = Some(profile.child(stack, step));
            let sample = Sample { stack: stack.expect("a stack"), thread, state: State::default() };
            profile.record(1, sample);
            writer.update(&mut profile).expect("written");
            writer.flush(&profile.about.clone()).expect("written");
        }
        drop(writer);
        bytes
    }

    #[test]
    fn the_view_shows_the_native_frames_that_were_asked_for() {
        for (native, expected) in [
            (NativeFrames::Extensions, vec!["main", "compress"]),
            (NativeFrames::All, vec!["main", "eval", "compress"]),
        ] {
            let profile = Profile::new(Detail::Timeline);
            let seen = Seen { profile, counts: Counts::default(), about: RunInfo::default() };
            let seen = Mutex::new(seen);
            let (start, _started) = channel();
            read(recording().as_slice(), native, &seen, &start);
            let seen = seen.into_inner().expect("nobody has panicked");
            let names = seen.profile.frames.all().iter().map(|frame| &*frame.function);
            assert_eq!(names.collect::<Vec<_>>(), expected);
            assert_eq!(seen.counts.whole_samples(), 3);
            let shown = seen.profile_of(false);
            assert_eq!(shown.stacks().map(|(_, count)| count).sum::<u64>(), 3);
        }
    }
}
