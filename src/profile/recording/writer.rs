//! Writes a profile as it grows.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;

use super::account::put_rows;
use super::block::Packer;
use super::bytes::{put_number, put_option, put_signed, put_text};
use super::{ALL_STATES, FIRST_SUSPENDED, MAGIC, STYLES, section};
use crate::profile::{
    Detail, Event, LONGEST_SEARCH_PATH, Profile, RunInfo, Sample, Seen, State, Step, Thread,
};
use crate::stack::{Frame, FrameKind};

/// A block is closed when its content is longer than this: it compresses no better then.
const ENOUGH: usize = 256 * 1024;

/// A section of so many bytes is closed, so that no block outgrows its bounds.
const LONG_SECTION: usize = 64 * 1024;

/// The most events of one section.
const MOST_EVENTS: usize = 16 * 1024;

/// Writes one run of a recording: what a profile has gained since the last time.
///
/// It must always be given the same profile.
pub struct Writer<W> {
    out: W,
    packer: Packer,
    /// The content of the next block.
    content: Vec<u8>,
    texts: HashMap<Arc<str>, u64>,
    processes: usize,
    /// How many entries of the `sys.path` of each process have been written.
    paths: Vec<usize>,
    /// Threads as they have been written.
    threads: Vec<Thread>,
    frames: usize,
    modules: usize,
    stacks: usize,
    about: Option<RunInfo>,
}

/// Entries of one kind, until they are enough for a section.
struct Entries {
    kind: u8,
    count: u64,
    bytes: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Begins a run in `out`, which may hold others already.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(mut out: W) -> io::Result<Self> {
        let packer = Packer::new()?;
        out.write_all(&MAGIC)?;
        out.flush()?;
        Ok(Self {
            out,
            packer,
            content: Vec::new(),
            texts: HashMap::new(),
            processes: 0,
            paths: Vec::new(),
            threads: Vec::new(),
            frames: 0,
            modules: 0,
            stacks: 0,
            about: None,
        })
    }

    /// Takes up what is new in `profile`, and its events out of it: the memory of a long run
    /// stays bounded. What is taken up is written when it is enough for a block, or with
    /// [`Writer::flush`].
    ///
    /// # Errors
    /// Those of the output.
    pub fn update(&mut self, profile: &mut Profile) -> io::Result<()> {
        let events = profile.take_timeline();
        self.write(profile, &events)
    }

    /// Takes up what is new in `profile`, and these `events` of it, ordered by time.
    ///
    /// # Errors
    /// Those of the output.
    pub fn write(&mut self, profile: &Profile, events: &[Event]) -> io::Result<()> {
        self.write_processes(profile)?;
        self.write_paths(profile)?;
        self.write_threads(profile)?;
        self.write_frames(profile)?;
        self.write_modules(profile)?;
        self.write_stacks(profile)?;
        let step = u64::try_from(profile.about.interval.as_micros()).unwrap_or(0);
        for events in events.chunks(MOST_EVENTS) {
            put_events(&mut self.content, events, step);
            self.close_block_if_long()?;
        }
        Ok(())
    }

    /// Writes all that has been taken up, so that a reader sees it, and what is known of the
    /// run by now.
    ///
    /// # Errors
    /// Those of the output.
    pub fn flush(&mut self, about: &RunInfo) -> io::Result<()> {
        if self.about.as_ref() != Some(about) {
            put_about(&mut self.content, about);
            self.about = Some(about.clone());
        }
        self.close_block()
    }

    /// Writes what is left of a run that is over.
    ///
    /// # Errors
    /// Those of the output.
    pub fn finish(&mut self, profile: &Profile) -> io::Result<()> {
        self.write(profile, profile.timeline())?;
        if profile.detail() < Detail::Timeline {
            self.write_counts(profile)?;
        }
        put_about(&mut self.content, &profile.about);
        put_section(&mut self.content, section::END, 0, &[]);
        self.close_block()
    }

    fn write_processes(&mut self, profile: &Profile) -> io::Result<()> {
        let mut entries = Entries::new(section::PROCESSES);
        for (_, process) in profile.processes().skip(self.processes) {
            let out = entries.add();
            put_signed(out, process.pid.into());
            put_text(out, &process.command);
            put_text(out, &process.python);
            self.processes += 1;
            self.close_if_long(&mut entries)?;
        }
        self.close(&mut entries)
    }

    /// Entries are only ever added to a `sys.path`.
    fn write_paths(&mut self, profile: &Profile) -> io::Result<()> {
        let mut entries = Entries::new(section::PATHS);
        self.paths.resize(self.processes, 0);
        for (id, process) in profile.processes() {
            let known = self.paths[id.index()];
            let path = process.search_path.iter().take(LONGEST_SEARCH_PATH);
            for entry in path.skip(known) {
                let out = entries.add();
                put_number(out, id.index() as u64);
                put_text(out, entry);
                self.paths[id.index()] += 1;
                self.close_if_long(&mut entries)?;
            }
        }
        self.close(&mut entries)
    }

    fn write_threads(&mut self, profile: &Profile) -> io::Result<()> {
        let mut entries = Entries::new(section::THREADS);
        let mut news = Entries::new(section::NEWS);
        for (id, thread) in profile.threads() {
            match self.threads.get_mut(id.index()) {
                Some(known) if known == thread => continue,
                Some(known) => {
                    known.clone_from(thread);
                    put_number(news.add(), id.index() as u64);
                    put_names(&mut news.bytes, thread);
                }
                None => {
                    let out = entries.add();
                    put_number(out, thread.process.index() as u64);
                    put_number(out, thread.id);
                    put_names(out, thread);
                    self.threads.push(thread.clone());
                }
            }
            self.close_if_long(&mut entries)?;
            self.close_if_long(&mut news)?;
        }
        self.close(&mut entries)?;
        self.close(&mut news)
    }

    fn write_frames(&mut self, profile: &Profile) -> io::Result<()> {
        let mut texts = Entries::new(section::TEXTS);
        let mut frames = Entries::new(section::FRAMES);
        let mut kinds = Entries::new(section::KINDS);
        for Frame { file, function, line, kind } in profile.frames.since(self.frames) {
            let names = [file, function].map(|name| self.text(name, &mut texts));
            let out = frames.add();
            names.iter().for_each(|name| put_number(out, *name));
            put_signed(out, (*line).into());
            if let Some(number) = kind_number(*kind) {
                put_number(kinds.add(), self.frames as u64);
                put_number(&mut kinds.bytes, number);
            }
            self.frames += 1;
            if texts.bytes.len() + frames.bytes.len() > LONG_SECTION {
                self.close(&mut texts)?;
                self.close(&mut kinds)?;
                self.close(&mut frames)?;
            }
        }
        self.close(&mut texts)?;
        // The reader interns a frame when it comes, with all that is known of it.
        self.close(&mut kinds)?;
        self.close(&mut frames)
    }

    fn write_modules(&mut self, profile: &Profile) -> io::Result<()> {
        let mut entries = Entries::new(section::MODULES);
        for module in profile.modules.since(self.modules) {
            let out = entries.add();
            put_text(out, &module.path);
            put_text(out, &module.build_id);
            self.modules += 1;
            self.close_if_long(&mut entries)?;
        }
        self.close(&mut entries)
    }

    /// The number of a text, which is added to `new` if it has none.
    fn text(&mut self, text: &Arc<str>, new: &mut Entries) -> u64 {
        let next = self.texts.len() as u64;
        let number = *self.texts.entry(Arc::clone(text)).or_insert(next);
        if number == next {
            put_text(new.add(), text);
        }
        number
    }

    fn write_stacks(&mut self, profile: &Profile) -> io::Result<()> {
        let mut entries = Entries::new(section::STACKS);
        for (caller, step) in profile.stacks_since(self.stacks) {
            let out = entries.add();
            put_number(out, caller.map_or(0, |caller| (self.stacks - caller.index()) as u64));
            put_number(
                out,
                match step {
                    Step::Truncated => 0,
                    Step::Frame(frame) => frame.index() as u64 + 1,
                },
            );
            self.stacks += 1;
            self.close_if_long(&mut entries)?;
        }
        self.close(&mut entries)
    }

    /// The samples of a profile that does not keep their times.
    fn write_counts(&mut self, profile: &Profile) -> io::Result<()> {
        let mut entries = Entries::new(section::COUNTS);
        for (seen, count) in [(Seen::Idle, profile.idle()), (Seen::Failed, profile.failed())] {
            put_number(entries.add(), seen_number(seen));
            put_number(&mut entries.bytes, count);
        }
        for (sample, count) in profile.counts() {
            put_number(entries.add(), seen_number(Seen::Sample(sample)));
            put_number(&mut entries.bytes, doing_number(sample));
            put_number(&mut entries.bytes, count);
            self.close_if_long(&mut entries)?;
        }
        self.close(&mut entries)
    }

    fn close_if_long(&mut self, entries: &mut Entries) -> io::Result<()> {
        if entries.bytes.len() > LONG_SECTION { self.close(entries) } else { Ok(()) }
    }

    fn close(&mut self, entries: &mut Entries) -> io::Result<()> {
        if entries.count > 0 {
            put_section(&mut self.content, entries.kind, entries.count, &entries.bytes);
            entries.bytes.clear();
            entries.count = 0;
        }
        self.close_block_if_long()
    }

    fn close_block_if_long(&mut self) -> io::Result<()> {
        if self.content.len() > ENOUGH { self.close_block() } else { Ok(()) }
    }

    fn close_block(&mut self) -> io::Result<()> {
        if self.content.is_empty() {
            return Ok(());
        }
        self.packer.write(&self.content, &mut self.out)?;
        self.content.clear();
        self.out.flush()
    }
}

impl Entries {
    fn new(kind: u8) -> Self {
        Self { kind, count: 0, bytes: Vec::new() }
    }

    /// Counts an entry, whose bytes the caller appends.
    fn add(&mut self) -> &mut Vec<u8> {
        self.count += 1;
        &mut self.bytes
    }
}

/// A section, with its length.
fn put_section(out: &mut Vec<u8>, kind: u8, count: u64, entries: &[u8]) {
    let mut head = Vec::new();
    put_number(&mut head, count);
    out.push(kind);
    put_number(out, (head.len() + entries.len()) as u64);
    out.append(&mut head);
    out.extend_from_slice(entries);
}

/// What may become known of a thread later than the thread itself.
fn put_names(out: &mut Vec<u8>, thread: &Thread) {
    put_option(out, thread.native_id, |out, id| put_signed(out, id.into()));
    put_option(out, thread.name.as_deref(), put_text);
}

/// A section of events.
fn put_events(out: &mut Vec<u8>, events: &[Event], step: u64) {
    let Some(first) = events.first() else { return };
    let mut columns = Vec::new();
    put_number(&mut columns, first.microseconds);
    put_number(&mut columns, step);
    let mut last = first.microseconds;
    for event in events {
        let since = event.microseconds.wrapping_sub(last);
        last = event.microseconds;
        if since == 0 {
            columns.push(0);
        } else {
            let surprise = since.wrapping_sub(step) as i64;
            let surprise = ((surprise << 1) ^ (surprise >> 63)) as u64;
            put_number(&mut columns, surprise.wrapping_add(1));
        }
    }
    for event in events {
        put_number(&mut columns, seen_number(event.seen));
    }
    for event in events {
        if let Seen::Sample(sample) = event.seen {
            put_number(&mut columns, doing_number(sample));
        }
    }
    put_section(out, section::EVENTS, events.len() as u64, &columns);
}

/// What a frame is of; Python code has no number.
fn kind_number(kind: FrameKind) -> Option<u64> {
    match kind {
        FrameKind::Python => None,
        FrameKind::Native => Some(1),
        FrameKind::Interpreter => Some(2),
    }
}

fn seen_number(seen: Seen) -> u64 {
    match seen {
        Seen::Idle => 0,
        Seen::Failed => 1,
        Seen::Sample(sample) => sample.stack.index() as u64 + 2,
    }
}

fn doing_number(Sample { thread, state, .. }: Sample) -> u64 {
    let thread = thread.map_or(0, |thread| thread.index() as u64 + 1);
    thread * ALL_STATES as u64 + state_number(state)
}

fn state_number(state: State) -> u64 {
    let on_cpu = match state.on_cpu {
        None => 0,
        Some(false) => 2,
        Some(true) => 4,
    };
    if state.is_suspended {
        FIRST_SUSPENDED as u64 + on_cpu / 2
    } else {
        on_cpu + u64::from(state.holds_gil)
    }
}

/// What is known of the run, and its account.
fn put_about(out: &mut Vec<u8>, about: &RunInfo) {
    let nanoseconds = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(0);
    let mut run = Vec::new();
    put_number(&mut run, about.started);
    put_number(&mut run, nanoseconds(about.elapsed));
    put_number(&mut run, nanoseconds(about.interval));
    put_number(&mut run, about.ticks);
    run.push(u8::from(about.every_thread) | u8::from(about.tells_processes) << 1);
    let style = STYLES.iter().position(|style| *style == about.style).unwrap_or(0);
    put_number(&mut run, style as u64);
    put_section(out, section::ABOUT, 1, &run);
    let mut rows = Vec::new();
    let count = put_rows(&mut rows, &about.account);
    put_section(out, section::ACCOUNT, count, &rows);
}
