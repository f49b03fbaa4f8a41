//! The program's own format: a profile as a stream, written while the run goes on.
//!
//! A recording holds all that a profile can hold: every sample with its time, its thread
//! and what the thread was doing. It is written to its final name from the beginning, so
//! that a run which is killed leaves what it had seen, and it can be read while it is
//! written: the live view and the profiling of process trees read it from a pipe.
//!
//! # Format
//!
//! A file is one run after the other. A run begins with eight bytes, `PYFLAME` and the
//! version of the format as one byte ([`MAGIC`]); blocks follow until the next run or the
//! end of the file.
//!
//! A block is
//!
//! * the length of its body as four bytes, the lowest first; at most [`LARGEST_BLOCK`], so
//!   that no block begins as a run does;
//! * the CRC-32 of its body as four bytes, the lowest first;
//! * the body, one zstd frame, which says how long its content is: at most
//!   [`LARGEST_CONTENT`].
//!
//! The content is a sequence of sections. A section is a byte that says what it holds
//! ([`section`]), the length of the rest in bytes, a number of entries, and the entries. A
//! section of an unknown kind is skipped; in one of a known kind every byte has to make sense.
//!
//! Numbers are written in groups of seven bits, the lowest first, with the eighth bit set in all
//! but the last byte. A signed number is doubled, and inverted if negative, before it is
//! written. A text is a number of bytes, and UTF-8. What may be missing is a byte 0, or a byte 1
//! and what it is.
//!
//! | section   | an entry                                                                |
//! |-----------|-------------------------------------------------------------------------|
//! | processes | pid (signed), command (text), Python version (text)                     |
//! | threads   | process, id, native id (signed, may be missing), name (may be missing)  |
//! | news      | thread, native id, name: what has become known of it                    |
//! | texts     | text                                                                    |
//! | frames    | file (its text), function (its text), line (signed)                     |
//! | stacks    | distance back to the stack it was called from (0: none), frame plus 1 (0: outer frames were not read) |
//! | events    | as columns, see below                                                   |
//! | about     | begin (µs), length (ns), interval (ns), ticks, flags, what frames tell; the last one holds |
//! | end       | none: the run came to its end                                           |
//! | paths     | process, one more entry of its `sys.path` (text)                        |
//! | counts    | what was seen, and of a sample its thread and state, as in events; how often |
//! | kinds     | frame (its number, greater than the one before), what it is of         |
//! | modules   | path of a library (text), its build id (text of hexadecimal digits)     |
//! | account   | key, number of bytes of the value, value; the last section holds        |
//!
//! What frames tell is 0 for file, function and line, 1 for file and function, 2 for the
//! file alone, 3 for the function alone.
//!
//! A frame of Python code has no entry in kinds. One of native code does, before the frame itself:
//! 1 for code of a library or an extension, 2 for the interpreter's own. Its file is the library's
//! path, which is empty if the code is in no file.
//!
//! Flags are 1 if all threads were sampled, plus 2 if several processes were to be.
//!
//! Processes, threads, texts, frames and stacks are numbered in the order they come, from 0
//! in each run, and named by these numbers afterwards.
//!
//! A section of events begins with the time of the first (µs since the epoch) and the
//! expected distance between two (µs). Then come three columns, because each compresses
//! best among its like:
//!
//! * for each event the time since the one before it: 0 if none, otherwise its difference
//!   to the expected distance, written as a signed number is, plus 1;
//! * for each event what was seen: 0 idle, 1 failed, otherwise the stack plus 2;
//! * for each sample its thread plus 1 (0: not known), times 9 (6 in format 2), plus what it was
//!   doing: 1 if it held a GIL, plus 2 if it was not on a processor, 4 if it was; or if a
//!   stop-the-world pause had suspended it, 6, plus 1 if it was not on a processor, 2 if it was.
//!
//! The keys of an account, and how each is measured, are in one table,
//! [`Key`](crate::profile::stats::Key). A value is a number: how often, nanoseconds, or
//! hundredths for each sample. It is a byte 1 if rights were wanted, else 0, and a text: why the
//! kernel took no samples. It is numbers: 0 for samples by the kernel, 1 in stops, 2 in turns, 3
//! while the process ran. Or it is pids (signed), each with its words (text). A row whose key or
//! value a reader does not know is left out.
//!
//! Counts stand for samples whose times are not kept: in no file, but in what a profiler
//! hands over to the next, if no more is needed.
//!
//! # Versions
//!
//! What a release adds, it adds as a new kind of section or a new key of the account: earlier
//! releases read the rest, and say that something was left out. Only what cannot be left out, or
//! changes a section that there is, takes a new version.
//!
//! In version 2 sections had no length, and there was no section account. Instead the last part
//! of about was a number of rows, and of each its name and its value as they were shown (texts).
//! Version 1 is not read.
//!
//! # Damage
//!
//! Each block can be decompressed alone, and a reader stops at the first that is not whole:
//! of a run that was killed, or a disk that was full, everything before is good. A block whose
//! content makes no sense, as of a section that is longer than the block, is not whole either.

mod account;
mod block;
mod bytes;
mod ending;
mod file;
mod format_2;
#[cfg(test)]
mod native_tests;
mod reader;
mod recorder;
#[cfg(test)]
mod tests;
mod version;
#[cfg(test)]
mod versions_tests;
mod writer;

pub use self::ending::Ending;
pub use self::reader::Reader;
pub use self::recorder::Recorder;
pub use self::version::{MAGIC, RecordingError};
pub use self::writer::Writer;
use crate::stack::FrameStyle;

/// The most bytes that a block may have.
pub const LARGEST_BLOCK: usize = 1 << 24;

/// The most bytes that a block may have when it has been decompressed.
pub const LARGEST_CONTENT: usize = 1 << 24;

/// The longest text, in bytes; of a longer one the beginning is kept.
const LONGEST_TEXT: usize = 1 << 20;

/// How many states of a thread there are, and the number of the first of those in which a
/// stop-the-world pause has suspended it. Format 2 has only those before.
const ALL_STATES: usize = 9;
const FIRST_SUSPENDED: usize = 6;

/// What frames can tell, at the places of the numbers that say so.
const STYLES: [FrameStyle; 4] = [
    FrameStyle::WithLines,
    FrameStyle::WithoutLines,
    FrameStyle::FileOnly,
    FrameStyle::FunctionOnly,
];

/// A recording of one block with this content, in this version of the format.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn of_content(version: u8, content: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = MAGIC.to_vec();
    *bytes.last_mut()? = version;
    block::Packer::new().ok()?.write(content, &mut bytes).ok()?;
    Some(bytes)
}

/// What a section holds.
pub mod section {
    /// Processes.
    pub const PROCESSES: u8 = 1;
    /// Threads.
    pub const THREADS: u8 = 2;
    /// What has become known of threads.
    pub const NEWS: u8 = 3;
    /// Texts that frames name.
    pub const TEXTS: u8 = 4;
    /// Frames.
    pub const FRAMES: u8 = 5;
    /// Stacks.
    pub const STACKS: u8 = 6;
    /// Events.
    pub const EVENTS: u8 = 7;
    /// The run.
    pub const ABOUT: u8 = 8;
    /// The end of the run.
    pub const END: u8 = 9;
    /// Where processes look for their modules.
    pub const PATHS: u8 = 10;
    /// Samples without their times.
    pub const COUNTS: u8 = 11;
    /// What became of every tick.
    pub const ACCOUNT: u8 = 12;
    /// What frames are of, if not of Python code.
    pub const KINDS: u8 = 13;
    /// Libraries.
    pub const MODULES: u8 = 14;

    /// Whether this release knows a section of this kind.
    pub(super) fn is_known(kind: u8) -> bool {
        (PROCESSES..=MODULES).contains(&kind)
    }
}
