//! Reads recordings into a profile, as far as they are whole.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use super::block::{Part, Parts, Unpacker};
use super::bytes::Bytes;
use super::ending::Ending;
use super::version::{RecordingError, WITH_LENGTHS, expect_run};
use super::{ALL_STATES, FIRST_SUSPENDED, STYLES, account, format_2, section};
use crate::profile::{
    LONGEST_SEARCH_PATH, Process, ProcessId, Profile, RunInfo, Sample, StackId, State, Step,
    Thread, ThreadId,
};
use crate::stack::{Frame, FrameId, FrameKind};

/// The most texts, frames, threads or processes of one run.
const MOST: usize = 1 << 24;

/// The most stacks of one run.
const MOST_STACKS: usize = 1 << 26;

/// The most steps of a stack: twice of what is ever sampled.
const DEEPEST: u32 = 32 * 1024;

/// Reads one recording, block by block, into a profile, which may take up other recordings
/// too.
///
/// It must always be given the same profile.
pub struct Reader<R> {
    parts: Parts<R>,
    unpacker: Unpacker,
    run: Run,
    /// What the runs before this one said of themselves.
    earlier: Vec<RunInfo>,
    /// Every process of every run: the same one in two runs is one.
    processes: Vec<ProcessId>,
    ending: Ending,
    is_over: bool,
}

/// What the numbers of one run stand for.
#[derive(Default)]
struct Run {
    texts: Vec<Arc<str>>,
    processes: Vec<ProcessId>,
    /// How many entries of the `sys.path` of each process have been read.
    paths: Vec<usize>,
    threads: Vec<ThreadId>,
    frames: Vec<FrameId>,
    /// What frames that are still to come are of, in their order.
    kinds: VecDeque<(usize, FrameKind)>,
    /// Stacks and how many steps they have.
    stacks: Vec<(StackId, u32)>,
    about: RunInfo,
    /// The version of its format.
    version: u8,
    ended: bool,
    /// Whether it holds something that this release does not know.
    is_partial: bool,
    /// Whether it may hold samples without times.
    takes_counts: bool,
}

impl<R: Read> Reader<R> {
    /// Begins to read. Waits for the first bytes.
    ///
    /// # Errors
    /// [`RecordingError`] if this is not a recording that can be read.
    pub fn new(mut input: R) -> Result<Self, RecordingError> {
        let mut magic = [0; 8];
        input.read_exact(&mut magic).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => RecordingError::Other,
            _ => RecordingError::Input(error),
        })?;
        let version = expect_run(magic)?;
        Ok(Self {
            parts: Parts::new(input),
            unpacker: Unpacker::new()?,
            run: Run { version, ..Run::default() },
            earlier: Vec::new(),
            processes: Vec::new(),
            ending: Ending { runs: 1, ..Ending::default() },
            is_over: false,
        })
    }

    /// Takes samples without their times too, which are in no file: it comes from the
    /// profiler that this one follows.
    #[must_use]
    pub(crate) fn with_counts(mut self) -> Self {
        self.run.takes_counts = true;
        self
    }

    /// Reads the next block. `false` at the end, of which [`Reader::ending`] tells more.
    /// Waits, where the input is a pipe.
    ///
    /// What the recording says of its runs is not put into `into`, but to be had with
    /// [`Reader::about`].
    ///
    /// # Errors
    /// Those of the input. Bytes that make no sense are not an error, but the end.
    pub fn next(&mut self, into: &mut Profile) -> io::Result<bool> {
        Ok(self.fetch()? && self.apply(into)?)
    }

    /// The first half of [`Reader::next`], which may wait: makes sure that there is a block.
    ///
    /// # Errors
    /// Those of the input.
    pub fn fetch(&mut self) -> io::Result<bool> {
        while !self.is_over {
            match self.parts.next()? {
                Part::Block => return Ok(true),
                Part::Run(version) => self.begin_run(version),
                Part::OtherRelease(version) => {
                    self.ending.other_version = Some(version);
                    self.end();
                }
                Part::End | Part::Broken => self.end(),
            }
        }
        Ok(false)
    }

    /// The second half: puts the block into a profile.
    ///
    /// # Errors
    /// Those of the input, of which the rest is read if the block makes no sense.
    pub fn apply(&mut self, into: &mut Profile) -> io::Result<bool> {
        let content = self.unpacker.unpack(self.parts.body());
        let known = &mut self.processes;
        let read = content.and_then(|bytes| self.run.read(Bytes(bytes), into, known));
        if read.is_none() {
            self.parts.reject_block()?;
            self.end();
        }
        Ok(read.is_some())
    }

    /// Reads all that is left.
    ///
    /// # Errors
    /// As [`Reader::next`].
    pub fn read_all(&mut self, into: &mut Profile) -> io::Result<()> {
        while self.next(into)? {}
        Ok(())
    }

    /// What the runs that were read say of themselves, as if they were one.
    #[must_use]
    pub fn about(&self) -> RunInfo {
        RunInfo::of_all(self.earlier.iter().chain([&self.run.about]))
    }

    /// How the recording came to its end, or how far it has been read.
    #[must_use]
    pub fn ending(&self) -> Ending {
        let is_partial = self.ending.is_partial | self.run.is_partial;
        Ending { lost: self.parts.lost(), is_partial, ..self.ending }
    }

    fn begin_run(&mut self, version: u8) {
        let before = std::mem::replace(&mut self.run, Run { version, ..Run::default() });
        self.ending.broken_off += u32::from(!before.ended);
        self.ending.is_partial |= before.is_partial;
        self.ending.runs += 1;
        self.earlier.push(before.about);
    }

    fn end(&mut self) {
        self.ending.broken_off += u32::from(!self.run.ended);
        self.is_over = true;
    }
}

impl Run {
    /// Reads the content of a block. `None` if it makes no sense.
    fn read(
        &mut self,
        mut bytes: Bytes<'_>,
        into: &mut Profile,
        known: &mut Vec<ProcessId>,
    ) -> Option<()> {
        while !bytes.is_empty() {
            let kind = bytes.byte()?;
            if self.version < WITH_LENGTHS {
                self.read_section(kind, &mut bytes, into, known)?;
                continue;
            }
            let mut section = bytes.part()?;
            if section::is_known(kind) {
                self.read_section(kind, &mut section, into, known)?;
                section.is_empty().then_some(())?;
            } else {
                self.is_partial = true;
            }
        }
        Some(())
    }

    /// Reads a section of this kind, which `bytes` begin with.
    fn read_section(
        &mut self,
        kind: u8,
        bytes: &mut Bytes<'_>,
        into: &mut Profile,
        known: &mut Vec<ProcessId>,
    ) -> Option<()> {
        let count = bytes.count()?;
        if kind == section::EVENTS {
            return self.read_events(count, bytes, into);
        }
        if kind == section::ACCOUNT && self.version >= WITH_LENGTHS {
            self.about.account = account::read_rows(count, bytes, &mut self.is_partial)?;
            return Some(());
        }
        for _ in 0..count {
            match kind {
                section::PROCESSES => self.read_process(bytes, into, known)?,
                section::PATHS => self.read_path(bytes, into)?,
                section::THREADS => self.read_thread(bytes, into)?,
                section::NEWS => {
                    let thread = bytes.position(self.threads.len())?;
                    read_names(bytes, into.thread_mut(self.threads[thread]))?;
                }
                section::TEXTS => push(&mut self.texts, bytes.text()?.into(), MOST)?,
                section::KINDS => self.read_kind(bytes)?,
                section::MODULES => {
                    let path = bytes.text()?.into();
                    into.modules.add(&path, bytes.text()?);
                }
                section::FRAMES => self.read_frame(bytes, into)?,
                section::STACKS => self.read_stack(bytes, into)?,
                section::COUNTS if self.takes_counts => self.read_count(bytes, into)?,
                section::ABOUT => self.read_about(bytes)?,
                _ => return None,
            }
        }
        self.ended |= kind == section::END;
        Some(())
    }

    fn read_process(
        &mut self,
        bytes: &mut Bytes<'_>,
        into: &mut Profile,
        known: &mut Vec<ProcessId>,
    ) -> Option<()> {
        let pid = i32::try_from(bytes.signed()?).ok()?;
        let command = bytes.text()?.to_owned();
        let process = Process::new(pid, command, bytes.text()?);
        let is_same = |known: &Process| {
            (known.pid, &known.command, &known.python)
                == (process.pid, &process.command, &process.python)
        };
        let earlier = known.iter().find(|earlier| is_same(into.process(**earlier))).copied();
        let id = match earlier {
            Some(id) => id,
            None => {
                let id = into.add_process(process);
                push(known, id, MOST)?;
                id
            }
        };
        push(&mut self.paths, 0, MOST)?;
        push(&mut self.processes, id, MOST)
    }

    fn read_path(&mut self, bytes: &mut Bytes<'_>, into: &mut Profile) -> Option<()> {
        let process = bytes.position(self.processes.len())?;
        let entry = bytes.text()?;
        self.paths[process] += 1;
        if self.paths[process] > LONGEST_SEARCH_PATH {
            return None;
        }
        let path = &mut into.process_mut(self.processes[process]).search_path;
        // It may be known from another run.
        if !path.iter().any(|known| known == entry) && path.len() < LONGEST_SEARCH_PATH {
            path.push(entry.to_owned());
        }
        Some(())
    }

    fn read_thread(&mut self, bytes: &mut Bytes<'_>, into: &mut Profile) -> Option<()> {
        let process = self.processes[bytes.position(self.processes.len())?];
        let thread = into.intern_thread(process, bytes.number()?);
        read_names(bytes, into.thread_mut(thread))?;
        push(&mut self.threads, thread, MOST)
    }

    fn read_frame(&mut self, bytes: &mut Bytes<'_>, into: &mut Profile) -> Option<()> {
        let file = Arc::clone(&self.texts[bytes.position(self.texts.len())?]);
        let function = Arc::clone(&self.texts[bytes.position(self.texts.len())?]);
        let line = i32::try_from(bytes.signed()?).ok()?;
        let number = self.frames.len();
        let mut kind = FrameKind::Python;
        if let Some((_, known)) = self.kinds.front().filter(|(frame, _)| *frame == number) {
            kind = *known;
            self.kinds.pop_front();
        }
        push(&mut self.frames, into.frames.intern(Frame { file, function, line, kind }), MOST)
    }

    /// What a frame is of that is still to come.
    fn read_kind(&mut self, bytes: &mut Bytes<'_>) -> Option<()> {
        let frame = bytes.position(MOST)?;
        let kind = match bytes.number()? {
            0 => return None,
            1 => FrameKind::Native,
            2 => FrameKind::Interpreter,
            // Only a later release knows more of it.
            _ => {
                self.is_partial = true;
                FrameKind::Native
            }
        };
        let least = self.kinds.back().map_or(self.frames.len(), |(last, _)| last + 1);
        (frame >= least).then(|| self.kinds.push_back((frame, kind)))
    }

    fn read_stack(&mut self, bytes: &mut Bytes<'_>, into: &mut Profile) -> Option<()> {
        let back = bytes.position(self.stacks.len() + 1)?;
        let caller = (back > 0).then(|| self.stacks[self.stacks.len() - back]);
        let step = match bytes.position(self.frames.len() + 1)? {
            0 => Step::Truncated,
            frame => Step::Frame(self.frames[frame - 1]),
        };
        let depth = caller.map_or(1, |(_, depth)| depth + 1);
        if depth > DEEPEST {
            return None;
        }
        let stack = into.child(caller.map(|(stack, _)| stack), step);
        push(&mut self.stacks, (stack, depth), MOST_STACKS)
    }

    fn read_events(&self, count: usize, bytes: &mut Bytes<'_>, into: &mut Profile) -> Option<()> {
        let mut time = bytes.number()?;
        let step = bytes.number()?;
        let mut times = *bytes;
        for _ in 0..count {
            bytes.number()?;
        }
        let mut seen = *bytes;
        for _ in 0..count {
            bytes.number()?;
        }
        for _ in 0..count {
            time = next_time(time, step, times.number()?)?;
            match seen.number()? {
                0 => into.record_idle(time),
                1 => into.record_failed(time),
                stack => into.record(time, self.read_sample(stack, bytes)?),
            }
        }
        Some(())
    }

    fn read_about(&mut self, bytes: &mut Bytes<'_>) -> Option<()> {
        let started = bytes.number()?;
        let elapsed = Duration::from_nanos(bytes.number()?);
        let interval = Duration::from_nanos(bytes.number()?);
        let ticks = bytes.number()?;
        let flags = bytes.byte().filter(|flags| *flags < 4)?;
        let style = STYLES[bytes.position(STYLES.len())?];
        let account = if self.version >= WITH_LENGTHS {
            std::mem::take(&mut self.about.account)
        } else {
            format_2::read_rows(bytes, &mut self.is_partial)?
        };
        self.about = RunInfo {
            started,
            elapsed,
            interval,
            ticks,
            every_thread: flags & 1 != 0,
            tells_processes: flags & 2 != 0,
            style,
            account,
        };
        Some(())
    }

    fn read_count(&self, bytes: &mut Bytes<'_>, into: &mut Profile) -> Option<()> {
        match bytes.number()? {
            0 => into.count_idle(bytes.number()?),
            1 => into.count_failed(bytes.number()?),
            stack => {
                let sample = self.read_sample(stack, bytes)?;
                into.count(sample, bytes.number()?);
            }
        }
        Some(())
    }

    /// The sample of a stack with this number.
    fn read_sample(&self, stack: u64, bytes: &mut Bytes<'_>) -> Option<Sample> {
        let (stack, _) = *self.stacks.get(usize::try_from(stack.checked_sub(2)?).ok()?)?;
        let states = if self.version < WITH_LENGTHS { FIRST_SUSPENDED } else { ALL_STATES };
        let doing = bytes.position((self.threads.len() + 1) * states)?;
        let thread = (doing / states).checked_sub(1).map(|thread| self.threads[thread]);
        Some(Sample { stack, thread, state: state(doing % states) })
    }
}

/// Adds to `list`, which has a bound.
fn push<T>(list: &mut Vec<T>, value: T, most: usize) -> Option<()> {
    let fits = list.len() < most;
    if fits {
        list.push(value);
    }
    fits.then_some(())
}

fn next_time(time: u64, step: u64, code: u64) -> Option<u64> {
    let Some(surprise) = code.checked_sub(1) else { return Some(time) };
    let surprise = (surprise >> 1) as i64 ^ -((surprise & 1) as i64);
    time.checked_add(step)?.checked_add_signed(surprise)
}

fn state(number: usize) -> State {
    let is_suspended = number >= FIRST_SUSPENDED;
    let looked = if is_suspended { number - FIRST_SUSPENDED } else { number / 2 };
    let on_cpu = match looked {
        0 => None,
        looked => Some(looked == 2),
    };
    State { holds_gil: !is_suspended && number % 2 == 1, is_suspended, on_cpu }
}

/// Reads what has become known of a thread. What was known before stays.
fn read_names(bytes: &mut Bytes<'_>, thread: &mut Thread) -> Option<()> {
    let native_id = bytes.option(Bytes::signed)?;
    if let Some(id) = native_id {
        thread.native_id = Some(i32::try_from(id).ok()?);
    }
    let name = bytes.option(Bytes::text)?;
    if let Some(name) = name {
        thread.name = Some(name.into());
    }
    Some(())
}
