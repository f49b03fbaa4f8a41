//! Text of others, shown as text: a name may hold what a terminal acts on.
//!
//! File, function and thread names, command lines and values come from the program that is
//! profiled. An escape sequence in one of them could set the title of a window, or worse; a
//! line break forges a line; a change of the writing direction shows another name.

use std::borrow::Cow;
use std::io::{self, Write};

/// Whether a character is not shown, but acts: controls, line breaks, and what changes the
/// direction of writing.
fn acts(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

/// `text` with an escape, such as `\n` or `\u{1b}`, in the place of each character that acts.
#[must_use]
pub(crate) fn in_line(text: &str) -> Cow<'_, str> {
    escaped(text, acts)
}

/// The same, where lines are meant to be lines.
#[must_use]
pub(crate) fn in_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |character| character != '\n' && acts(character))
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_escaped(character) {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

/// Writes a message to stderr, and a line break.
pub(crate) fn say(message: &str) {
    // Nobody is left to be told when stderr is gone.
    let _ = writeln!(io::stderr(), "{}", in_lines(message));
}

/// A writer to a terminal that lets no character but line breaks and tabs act, whatever the
/// format of what is written.
pub(crate) struct Terminal<W> {
    out: W,
    /// The beginning of a character of which the rest has not been written yet.
    begun: Vec<u8>,
}

impl<W: Write> Terminal<W> {
    /// One that writes to `out`.
    pub(crate) fn new(out: W) -> Self {
        Self { out, begun: Vec::new() }
    }

    fn put(&mut self, text: &str) -> io::Result<()> {
        let is_escaped = |character| !matches!(character, '\n' | '\t') && acts(character);
        self.out.write_all(escaped(text, is_escaped).as_bytes())
    }
}

impl<W: Write> Write for Terminal<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(bytes);
        let chunks = all.utf8_chunks();
        let mut rest = all.len();
        for chunk in chunks {
            self.put(chunk.valid())?;
            rest -= chunk.valid().len();
            let invalid = chunk.invalid();
            let is_begun = rest == invalid.len()
                && std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
            if is_begun {
                self.begun = invalid.to_vec();
            } else if !invalid.is_empty() {
                self.out.write_all("\u{fffd}".as_bytes())?;
            }
            rest -= invalid.len();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_is_shown_as_an_escape() {
        for (text, safe) in [
            ("a.py:f", "a.py:f"),
            ("Grüße 🐍 \u{301}", "Grüße 🐍 \u{301}"),
            ("\u{1b}]0;owned\u{7}", "\\u{1b}]0;owned\\u{7}"),
            ("a\nb\r\t\u{7f}", "a\\nb\\r\\t\\u{7f}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("a\u{202e}b\u{2069}\u{2028}", "a\\u{202e}b\\u{2069}\\u{2028}"),
        ] {
            assert_eq!(in_line(text), safe);
        }
        assert_eq!(in_lines("a\n\u{1b}b"), "a\n\\u{1b}b");
    }

    #[test]
    fn nothing_acts_on_a_terminal_however_it_is_cut() {
        let text = "{\"ü\": \"\u{9b}31m\u{202e}\u{1b}\"}\n\t🐍";
        let expected = "{\"ü\": \"\\u{9b}31m\\u{202e}\\u{1b}\"}\n\t🐍";
        for size in 1..text.len() {
            let mut terminal = Terminal::new(Vec::new());
            for part in text.as_bytes().chunks(size) {
                terminal.write_all(part).expect("a Vec takes everything");
            }
            assert_eq!(String::from_utf8_lossy(&terminal.out), expected);
        }
        let mut terminal = Terminal::new(Vec::new());
        terminal.write_all(b"\x1f\x8b\x08a\xff").expect("a Vec takes everything");
        assert_eq!(String::from_utf8_lossy(&terminal.out), "\\u{1f}\u{fffd}\\u{8}a\u{fffd}");
    }
}
