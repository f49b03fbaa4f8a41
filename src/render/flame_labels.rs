//! What is written into the boxes of a picture, in the folded lines that inferno reads.
//!
//! Those lines cannot hold every name: a `;` parts frames, a `#` at the start is a
//! comment. XML cannot hold every character either. So a label has stand-ins for the
//! first, which [`Restored`] turns back on the way out, and escapes for the second.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use super::labels;
use super::palette::{Colour, NOTE, Origin};
use crate::profile::{ProcessId, Profile, StackId, Step, ThreadId};
use crate::stack::{Frame, FrameId};

/// Control characters are escaped in labels, so none is part of one.
const SEMICOLON: char = '\u{1}';
const HASH: char = '\u{2}';

/// The labels of a profile, and their colours.
pub(super) struct FlameLabels<'a> {
    profile: &'a Profile,
    frames: HashMap<FrameId, String>,
    colours: BTreeMap<String, Colour>,
    steps: Vec<Step>,
}

impl<'a> FlameLabels<'a> {
    /// FlameLabels for what `profile` names.
    #[must_use]
    pub(super) fn new(profile: &'a Profile) -> Self {
        // The empty name is inferno's box for everything.
        let notes = ["", "(idle)", "(failed)", "(truncated)"];
        Self {
            profile,
            frames: HashMap::new(),
            colours: notes.map(|note| (note.to_owned(), NOTE)).into(),
            steps: Vec::new(),
        }
    }

    /// What the labels are of.
    #[must_use]
    pub(super) fn profile(&self) -> &'a Profile {
        self.profile
    }

    /// A stack, root first, perhaps below a box more.
    pub(super) fn stack(&mut self, root: Option<&str>, stack: StackId) -> String {
        let mut steps = std::mem::take(&mut self.steps);
        self.profile.steps(stack, &mut steps);
        let mut line = root.unwrap_or_default().to_owned();
        for step in &steps {
            if !line.is_empty() {
                line.push(';');
            }
            match step {
                Step::Frame(frame) => line.push_str(self.frame(*frame)),
                Step::Truncated => line.push_str("(truncated)"),
            }
        }
        self.steps = steps;
        line
    }

    /// The box of a process.
    pub(super) fn process(&mut self, process: ProcessId) -> String {
        self.note(&self.profile.process(process).to_string())
    }

    /// The box of a thread, with its process if that has to be told.
    pub(super) fn thread(&mut self, thread: ThreadId) -> String {
        let profile = self.profile;
        let thread = profile.thread(thread);
        if !profile.tells_processes() {
            return self.note(&thread.to_string());
        }
        self.note(&format!("{thread}, {}", profile.process(thread.process)))
    }

    /// Each label that was given, and its colour.
    pub(super) fn colours(&self) -> impl Iterator<Item = (&str, Colour)> {
        self.colours.iter().map(|(label, colour)| (label.as_str(), *colour))
    }

    fn note(&mut self, text: &str) -> String {
        let label = encoded(text);
        self.colours.insert(label.clone(), NOTE);
        label
    }

    fn frame(&mut self, id: FrameId) -> &str {
        let frame = self.profile.frames.frame(id);
        self.frames.entry(id).or_insert_with(|| {
            let label = encoded(&name(self.profile, frame));
            let colour = Origin::of(frame).colour(&frame.function);
            self.colours.insert(label.clone(), colour);
            label
        })
    }
}

/// `function (file)`, of native code `function (library)`.
fn name(profile: &Profile, frame: &Frame) -> String {
    format!("{} ({})", frame.function, labels::place(profile, frame))
}

/// A name as inferno takes it.
fn encoded(name: &str) -> String {
    let mut label = printable(name).replace(';', &SEMICOLON.to_string());
    // inferno takes blanks at the start away, and lines with `# ` there.
    if label.starts_with(char::is_whitespace) {
        label.insert(0, '␠');
    } else if label.starts_with('#') {
        label.replace_range(..1, &HASH.to_string());
    }
    label
}

/// A name without the characters that XML has no way to write.
#[must_use]
pub(super) fn printable(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            '\u{fffe}' | '\u{ffff}' => text.extend(character.escape_unicode()),
            _ if character.is_control() => text.extend(character.escape_default()),
            _ => text.push(character),
        }
    }
    text
}

/// A writer that turns the stand-ins of labels back.
pub(super) struct Restored<'a>(pub &'a mut dyn Write);

impl Write for Restored<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let restored: Vec<u8> = bytes
            .iter()
            .map(|byte| match byte {
                1 => b';',
                2 => b'#',
                byte => *byte,
            })
            .collect();
        self.0.write_all(&restored)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_one_frame_of_a_line_and_comes_back() {
        for name in ["a;b", "# x", "#", "\n", " a", "\u{1}", "é🔥", "\u{ffff}", "a 12"] {
            let label = encoded(name);
            assert!(!label.contains([';', '\n', '\u{ffff}']), "{name:?}: {label:?}");
            assert_eq!(label.trim(), label);
            assert!(!label.starts_with('#'));
        }
        let mut out = Vec::new();
        Restored(&mut out).write_all(encoded("#a;b\n;").as_bytes()).expect("a Vec takes it");
        assert_eq!(String::from_utf8_lossy(&out), "#a;b\\n;");
    }
}
