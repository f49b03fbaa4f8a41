//! Frames and stacks as plain data, which know nothing of Python or Linux.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

/// What a frame is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FrameKind {
    /// A function of Python.
    #[default]
    Python,
    /// Machine code of a library or an extension.
    Native,
    /// Machine code of the interpreter itself.
    Interpreter,
}

impl FrameKind {
    /// One word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Native => "native",
            Self::Interpreter => "interpreter",
        }
    }

    /// Whether it is machine code.
    #[must_use]
    pub fn is_native(self) -> bool {
        self != Self::Python
    }
}

/// A place in a program.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    /// The file, as the program names it. Of native code the executable or library; empty if
    /// it is in none.
    pub file: Arc<str>,
    /// The function's name, without its class or module. Of native code without symbols the
    /// address, as `0x1a2b`.
    pub function: Arc<str>,
    /// The line, from 1; 0 where the program has none.
    pub line: i32,
    /// What it is of.
    pub kind: FrameKind,
}

impl Frame {
    /// A frame of a Python function.
    #[must_use]
    pub fn python(file: impl Into<Arc<str>>, function: impl Into<Arc<str>>, line: i32) -> Self {
        Self { file: file.into(), function: function.into(), line, kind: FrameKind::Python }
    }

    /// A frame of machine code, whose line is not known.
    #[must_use]
    pub fn native(
        library: impl Into<Arc<str>>,
        function: impl Into<Arc<str>>,
        kind: FrameKind,
    ) -> Self {
        Self { file: library.into(), function: function.into(), line: 0, kind }
    }

    /// What the library of native code is called where there is no room for its path;
    /// `None` for Python code.
    #[must_use]
    pub fn library(&self) -> Option<&str> {
        let name = self.file.rsplit('/').next().unwrap_or_default();
        let name = if name.is_empty() { "[anonymous]" } else { name };
        self.kind.is_native().then_some(name)
    }
}

/// A frame that has been interned in a [`FrameTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameId(Index);

impl FrameId {
    /// Its position in the table, from 0.
    #[must_use]
    pub fn index(self) -> usize {
        self.0.index()
    }
}

/// A position in a list, from 0, of which an `Option` takes no more memory: there are
/// millions of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Index(NonZeroU32);

impl Index {
    /// The position `index`.
    pub(crate) fn at(index: usize) -> Self {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        Self(NonZeroU32::MIN.saturating_add(index))
    }

    /// The same as a number.
    pub(crate) fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// Every distinct frame once.
#[derive(Clone, Debug, Default)]
pub struct FrameTable {
    frames: Vec<Frame>,
    ids: HashMap<Frame, FrameId>,
}

impl FrameTable {
    /// The identity of `frame`, a new one if it has not been seen before.
    pub fn intern(&mut self, frame: Frame) -> FrameId {
        if let Some(id) = self.ids.get(&frame) {
            return *id;
        }
        let id = FrameId(Index::at(self.frames.len()));
        self.frames.push(frame.clone());
        self.ids.insert(frame, id);
        id
    }

    /// The frame that `id` stands for.
    ///
    /// # Panics
    /// If `id` comes from another table.
    #[must_use]
    pub fn frame(&self, id: FrameId) -> &Frame {
        &self.frames[id.index()]
    }

    /// Every frame, in the order of their positions.
    #[must_use]
    pub fn all(&self) -> &[Frame] {
        &self.frames
    }

    /// Whether there is a frame of this kind.
    #[must_use]
    pub fn has(&self, kind: FrameKind) -> bool {
        self.frames.iter().any(|frame| frame.kind == kind)
    }

    /// The frames that have been interned after the first `known`, in that order.
    #[must_use]
    pub fn since(&self, known: usize) -> &[Frame] {
        self.frames.get(known..).unwrap_or_default()
    }
}

/// What is told of frames. Each tells less than those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum FrameStyle {
    /// `file:function:line`
    #[default]
    WithLines,
    /// `file:function`
    WithoutLines,
    /// `file`
    FileOnly,
    /// `function`
    FunctionOnly,
}

impl FrameStyle {
    /// `file:function`, with the line if `lines`.
    #[must_use]
    pub fn with_lines(lines: bool) -> Self {
        if lines { Self::WithLines } else { Self::WithoutLines }
    }
}

/// Which native frames are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NativeFrames {
    /// None: Python only.
    None,
    /// Those of libraries and extensions, not those of the interpreter.
    Extensions,
    /// All that there are.
    #[default]
    All,
}

impl NativeFrames {
    /// Whether frames of this kind are wanted.
    #[must_use]
    pub fn accept(self, kind: FrameKind) -> bool {
        match self {
            Self::None => kind == FrameKind::Python,
            Self::Extensions => kind != FrameKind::Interpreter,
            Self::All => true,
        }
    }

    /// Whether any native frames are wanted.
    #[must_use]
    pub fn is_any(self) -> bool {
        self != Self::None
    }
}

/// The stack of one thread at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    /// What the program calls the thread: `threading.get_ident()`.
    pub thread: u64,
    /// Whether the thread held the GIL, or was attached to an interpreter without one.
    pub holds_gil: bool,
    /// Whether its interpreter had all threads but one wait, as a free-threaded one does to
    /// collect garbage.
    pub is_suspended: bool,
    /// Innermost first; empty for a thread that runs no Python code.
    pub frames: Vec<FrameId>,
    /// Whether outer frames are missing because the stack was too deep.
    pub truncated: bool,
    /// The variables of each frame; empty if they were not asked for. `None` for those
    /// of a frame that changed while they were read.
    pub variables: Vec<Option<Vec<Variable>>>,
}

/// A variable of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: VariableKind,
    /// Its value as the program's language would print it, cut off where it is long.
    pub value: String,
}

/// What a variable is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VariableKind {
    /// A parameter of the function.
    Argument,
    /// Any other.
    Local,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_frames_share_an_identity() {
        let frame = |line| Frame::python("a.py", "f", line);
        let mut table = FrameTable::default();
        let first = table.intern(frame(1));
        let second = table.intern(frame(2));
        assert_ne!(first, second);
        assert_eq!(table.intern(frame(1)), first);
        assert_eq!(table.frame(second).line, 2);
    }

    #[test]
    fn a_library_is_called_as_its_file() {
        let name = |path: &str| {
            let frame = Frame::native(path, "f", FrameKind::Native);
            frame.library().map(str::to_owned)
        };
        assert_eq!(name("/usr/lib/libz.so.1").as_deref(), Some("libz.so.1"));
        assert_eq!(name("[vdso]").as_deref(), Some("[vdso]"));
        assert_eq!(name("").as_deref(), Some("[anonymous]"));
        assert_eq!(Frame::python("a.py", "f", 1).library(), None);
    }

    #[test]
    fn kinds_are_accepted_as_asked_for() {
        let accepted = |native: NativeFrames| {
            [FrameKind::Python, FrameKind::Native, FrameKind::Interpreter]
                .map(|kind| native.accept(kind))
        };
        assert_eq!(accepted(NativeFrames::None), [true, false, false]);
        assert_eq!(accepted(NativeFrames::Extensions), [true, true, false]);
        assert_eq!(accepted(NativeFrames::All), [true, true, true]);
    }
}
