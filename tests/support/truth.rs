//! Stacks as a target tells them and as the profiler prints them, in one form
//! that can be compared.

use std::fmt::Write;

use super::{Context, Outcome};

/// One thread of a dump.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Thread {
    /// What `threading.get_ident()` returns in it.
    pub ident: u64,
    /// Whether it holds the GIL.
    pub holds_gil: bool,
    /// `file:function:line`, innermost first.
    pub frames: Vec<Vec<u8>>,
}

/// What the names of a target are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// Any bytes: CPython 2.7.
    Bytes,
    /// UTF-8 in which lone surrogates are encoded like any other code point.
    Text,
}

/// What a target told at one stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Truth {
    /// The process to look at: the target, or a child of it.
    pub pid: u32,
    /// Its threads that run Python, sorted.
    pub threads: Vec<Thread>,
}

impl Truth {
    /// Reads the lines between `truth` and `end`; see `tests/targets/truth.py`.
    pub(crate) fn parse(names: Names, pid: u32, lines: &[String]) -> Outcome<Self> {
        let mut threads: Vec<Thread> = Vec::new();
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            let bad = || format!("the target told something else than a truth: {line}");
            match words.as_slice() {
                ["thread", ident, flags @ ..] => threads.push(Thread {
                    ident: ident.parse().context(bad)?,
                    holds_gil: flags.contains(&"gil"),
                    frames: Vec::new(),
                }),
                ["frame", number, file, function] => {
                    let mut frame = printed(names, &unhex(file).context(bad)?);
                    frame.push(b':');
                    frame.extend(printed(names, &unhex(function).context(bad)?));
                    frame.extend(format!(":{number}").bytes());
                    threads.last_mut().context(bad)?.frames.push(frame);
                }
                _ => return Err(bad()),
            }
        }
        threads.sort();
        Ok(Self { pid, threads })
    }
}

/// Reads what `--dump` printed. Threads without a frame are left out: a thread
/// that is about to begin or end has a state, but the target does not see it.
pub(crate) fn parse_dump(output: &[u8]) -> Outcome<Vec<Thread>> {
    let mut threads: Vec<Thread> = Vec::new();
    let mut at_head = true;
    let text = output.strip_suffix(b"\n").unwrap_or(output);
    for line in text.split(|byte| *byte == b'\n') {
        if line.is_empty() {
            expect_last_complete(&threads, at_head)?;
            at_head = true;
        } else if at_head {
            threads.push(head(line)?);
            at_head = false;
        } else if let Some(thread) = threads.last_mut() {
            thread.frames.push(line.to_owned());
        }
    }
    expect_last_complete(&threads, at_head)?;
    threads.retain(|thread| !thread.frames.is_empty());
    threads.sort();
    Ok(threads)
}

fn expect_last_complete(threads: &[Thread], at_head: bool) -> Outcome {
    let words = || format!("an empty line where a thread should begin, after {}", threads.len());
    if at_head { Err(words()) } else { Ok(()) }
}

/// `IDENT:` or `IDENT*:`.
fn head(line: &[u8]) -> Outcome<Thread> {
    let bad = || format!("not the head of a thread: {:?}", String::from_utf8_lossy(line));
    let text = std::str::from_utf8(line).ok().and_then(|t| t.strip_suffix(':')).context(bad)?;
    let (number, holds_gil) = match text.strip_suffix('*') {
        Some(number) => (number, true),
        None => (text, false),
    };
    Ok(Thread { ident: number.parse().context(bad)?, holds_gil, frames: Vec::new() })
}

/// The difference between two dumps in words, or nothing.
pub(crate) fn difference(expected: &[Thread], seen: &[Thread]) -> Option<String> {
    if expected == seen {
        return None;
    }
    let mut words = String::new();
    for thread in expected.iter().filter(|thread| !seen.contains(thread)) {
        // The likeliest counterpart: the same thread, not expected elsewhere.
        let other = seen.iter().find(|s| s.ident == thread.ident && !expected.contains(s));
        match other {
            Some(other) => describe_frames(&mut words, thread, other),
            None => {
                let _ = writeln!(words, "not seen: {}", describe(thread));
            }
        }
    }
    for thread in seen.iter().filter(|s| expected.iter().all(|e| e.ident != s.ident)) {
        let _ = writeln!(words, "not expected: {}", describe(thread));
    }
    if words.is_empty() {
        let _ = writeln!(words, "expected {expected:?}\nseen {seen:?}");
    }
    Some(words)
}

/// Shows two stacks of one thread from just above their first difference.
fn describe_frames(words: &mut String, expected: &Thread, seen: &Thread) {
    let text = |gil| if gil { "holds the GIL" } else { "does not hold the GIL" };
    if expected.holds_gil != seen.holds_gil {
        let (e, s) = (text(expected.holds_gil), text(seen.holds_gil));
        let _ = writeln!(words, "thread {}: expected: {e}; seen: {s}", expected.ident);
    }
    let pairs = expected.frames.iter().zip(&seen.frames);
    let same = pairs.take_while(|(e, s)| e == s).count();
    if same == expected.frames.len() && same == seen.frames.len() {
        return;
    }
    for (what, thread) in [("expected", expected), ("seen    ", seen)] {
        let total = thread.frames.len();
        let _ = writeln!(words, "thread {} {what} ({total} frames):", thread.ident);
        for (index, frame) in thread.frames.iter().enumerate().skip(same.saturating_sub(1)).take(6)
        {
            let _ = writeln!(words, "  {index:4} {}", String::from_utf8_lossy(frame));
        }
    }
}

fn describe(thread: &Thread) -> String {
    let frames: Vec<_> = thread.frames.iter().take(8).map(|f| String::from_utf8_lossy(f)).collect();
    let star = if thread.holds_gil { "*" } else { "" };
    format!("{}{star}: {} frames: {}", thread.ident, thread.frames.len(), frames.join(", "))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text == "-" {
        return Some(Vec::new());
    }
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    digits.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}

/// A name as the profiler prints it: a stray byte, and a surrogate that stands
/// for a byte, as `\xNN`; any other lone surrogate as `\uNNNN`.
fn printed(names: Names, mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let valid = match std::str::from_utf8(bytes) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        let (text, rest) = bytes.split_at(valid);
        out.extend_from_slice(text);
        bytes = match rest {
            [0xED, b @ 0xA0..=0xBF, c @ 0x80..=0xBF, rest @ ..] if names == Names::Text => {
                let unit = 0xD000 | (u32::from(b & 0x3F) << 6) | u32::from(c & 0x3F);
                let escaped = match unit {
                    0xDC80..=0xDCFF => format!("\\x{:02x}", unit & 0xFF),
                    _ => format!("\\u{unit:04x}"),
                };
                out.extend(escaped.bytes());
                rest
            }
            [stray, rest @ ..] => {
                out.extend(format!("\\x{stray:02x}").bytes());
                rest
            }
            [] => rest,
        };
    }
    out
}
