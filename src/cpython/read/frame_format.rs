//! What a frame is, whichever version linked it, and how a chain of frames is walked.

use super::objects::{Code, Frame};
use crate::cpython::memory::{Fault, Memory, Remote};

/// The deepest stack that is read. What lies below the limit is left out and
/// the stack is marked as cut off. Python's own default limit is 1,000.
pub(crate) const MAX_DEPTH: usize = 16 * 1024;

/// Room for the part of a frame that is read, in bytes, of any version.
pub(crate) const COPY: usize = 160;

/// How a version links its frames.
pub trait Frames<A> {
    /// What is known of such a frame's struct.
    type Layout: Copy + 'static;

    /// Bytes of a frame that are read.
    const SIZE: usize;

    /// Whether the outermost frame of a thread is called by a shim.
    const SHIMS: bool;

    /// Whether each frame is an object on the heap, which is kept for the next call of its
    /// function mostly, or for one that needs as much room: up to 3.10.
    const ON_HEAP: bool;

    /// Whether a frame tells that it is inside a call, and its callee that it is executed.
    const TELLS_CALLS: bool;

    /// What has to be known of a frame to follow it to its caller and its code object.
    const POINTERS: Pointers;

    /// What the first [`Frames::SIZE`] bytes of a frame say; `None` if there are fewer.
    fn decode(frame: Remote<Frame>, copy: &[u8]) -> Option<Decoded>;

    /// Appends the frames from `walk.top` outwards, innermost first.
    ///
    /// # Errors
    /// If the chain leads to what cannot be read, or back to itself.
    fn walk<M: Memory>(memory: &M, walk: &mut Walk) -> Result<(), Broken> {
        Self::walk_until(memory, walk, |_| false)
    }

    /// The same, up to the first frame that `is_known`.
    ///
    /// # Errors
    /// If the chain leads to what cannot be read, or back to itself.
    fn walk_until<M: Memory>(
        memory: &M,
        walk: &mut Walk,
        mut is_known: impl FnMut(Remote<Frame>) -> bool,
    ) -> Result<(), Broken> {
        const { assert!(Self::SIZE <= COPY) };
        let mut frame = walk.top;
        let mut copy = [0; COPY];
        // Of a chain that changes while it is read, the end may lead into the middle.
        // A mark that is moved up at each power of two is met by any loop, at one
        // comparison a frame.
        let mut mark = Remote::new(0);
        walk.is_whole = true; // A thread may have no frame at all.
        while !frame.is_null() && walk.may_go_on() {
            if is_known(frame) {
                return Ok(());
            }
            if frame == mark {
                return Err(Broken::Loop(frame.address()));
            }
            if walk.path.len().is_power_of_two() {
                mark = frame;
            }
            let copy = &mut copy[..Self::SIZE];
            memory.read_into(frame.address(), copy)?;
            let decoded = Self::decode(frame, copy).ok_or(Broken::NotAFrame(frame.address()))?;
            walk.is_whole = decoded.may_be_outermost();
            let Decoded { caller, begins, raw } = decoded;
            walk.has_foreign |= raw.is_some_and(|raw| raw.is_foreign);
            walk.path.push(Step { frame, caller, begins, is_shim: raw.is_none() });
            if decoded.begins && walk.loop_caller.is_none() {
                walk.loop_caller = Some(decoded.caller);
            }
            walk.frames.extend(raw);
            frame = caller;
        }
        if walk.is_whole && walk.has_foreign {
            // They need no loop to call them.
            walk.loop_caller.get_or_insert(Remote::new(0));
        }
        walk.is_whole |= walk.truncated;
        Ok(())
    }
}

/// Where in a frame its pointers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pointers {
    /// Offset of the pointer to the caller's frame.
    pub caller: usize,
    /// Offset of the pointer to the code object.
    pub code: usize,
    /// Bits of that which are no part of the address.
    pub code_tag: u64,
    /// Offset of the byte that tells a shim, and the least value that it has in one.
    pub shims: Option<(usize, u8)>,
}

/// What the bytes of a frame say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The frame; `None` for a shim, which runs no Python code.
    pub raw: Option<RawFrame>,
    /// The frame that called it, null for the outermost.
    pub caller: Remote<Frame>,
    /// Whether a call of the evaluation loop begins here, as far as the frame tells.
    pub begins: bool,
}

impl Decoded {
    /// Whether nothing need have called it: where a call of the evaluation loop begins, or
    /// where no loop executes it.
    #[must_use]
    pub fn may_be_outermost(&self) -> bool {
        self.begins || self.raw.is_some_and(|raw| raw.is_foreign)
    }
}

/// One frame: a code object and a place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawFrame {
    /// The frame itself.
    pub frame: Remote<Frame>,
    /// What it is linked to: the frame that called it, or a shim between them.
    pub caller: Remote<Frame>,
    /// The code object that runs, or is taken to.
    pub code: Remote<Code>,
    /// Where in it.
    pub position: Position,
    /// Whether the frame may still be in the making: it is one only if the
    /// position has reached the code's first traceable instruction.
    pub may_be_incomplete: bool,
    /// Whether the frame that it is linked to, if that is its caller, says by
    /// [`RawFrame::calls_none`] when it is not under way.
    pub is_told_by_caller: bool,
    /// Whether it says that it is not inside a call: of Python code, up to 3.10; of a
    /// frame that its own evaluation loop executes, from 3.11. Not every version tells.
    pub calls_none: bool,
    /// Whether it says that it may be inside such a call, in a version in which the
    /// callee tells that it is executed.
    pub may_call: bool,
    /// How many hold it: its loop, each frame that it calls, and whoever asked for it. 0 if
    /// it does not tell, as from 3.11.
    pub references: u32,
    /// Whether it exists, as far as it tells, and has not left: the memory of one that does
    /// not is used again, and a traceback keeps one that has.
    pub is_alive: bool,
    /// Whether it says that it was entered and not left. Not every version tells; from
    /// 3.11 only the innermost frame of a loop does.
    pub is_executed: bool,
    /// Whether no evaluation loop executes it, but machine code that was made of its
    /// function, as by Nuitka: from 3.11. It is linked to its caller like any other, and may
    /// be called within any loop; what a loop writes into its frames, it does not tell.
    pub is_foreign: bool,
}

impl RawFrame {
    /// Whether this frame, as it was copied, is not under way in the copy of `caller`,
    /// which says whether it is inside a call ([`RawFrame::calls_none`]).
    #[must_use]
    pub fn has_left(&self, caller: Remote<Frame>, calls_none: bool) -> bool {
        self.is_told_by_caller && self.caller == caller && calls_none
    }
}

/// A place in a code object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Position {
    /// Bytes from the first instruction; negative before it has been executed.
    Instruction(i32),
    /// In a copy of the instructions that a thread has, which only the code object can tell the
    /// place of: free-threaded builds from 3.14 on.
    Copied {
        /// Which copy.
        index: u32,
        /// The address of the instruction.
        pointer: u64,
    },
    /// A line that the frame itself states, as it does under a trace function.
    Line(i32),
}

/// What a walk has found, kept between walks for its memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// Where it began: the thread's top frame, which may be a shim.
    pub top: Remote<Frame>,
    /// Innermost first.
    pub frames: Vec<RawFrame>,
    /// Every step: the frames, and the shims between them.
    pub path: Vec<Step>,
    /// Whether [`MAX_DEPTH`] cut the stack off.
    pub truncated: bool,
    /// Whether the chain ended where that of a thread can end, as far as its frames
    /// tell. One that is being linked or unlinked may end elsewhere.
    pub is_whole: bool,
    /// The frame that called the innermost call of the evaluation loop, null if
    /// none did, where that can be told (3.11 and later).
    pub loop_caller: Option<Remote<Frame>>,
    /// Whether it came to a frame that no evaluation loop executes
    /// ([`RawFrame::is_foreign`]).
    pub has_foreign: bool,
}

impl Default for Walk {
    fn default() -> Self {
        Self {
            top: Remote::new(0),
            frames: Vec::new(),
            path: Vec::new(),
            truncated: false,
            is_whole: false,
            loop_caller: None,
            has_foreign: false,
        }
    }
}

impl Walk {
    /// Forgets the last walk, for one that begins at `top`.
    pub fn begin(&mut self, top: Remote<Frame>) {
        self.top = top;
        self.frames.clear();
        self.path.clear();
        self.truncated = false;
        self.is_whole = false;
        self.loop_caller = None;
        self.has_foreign = false;
    }

    /// Whether the limit is not reached yet.
    fn may_go_on(&mut self) -> bool {
        self.truncated = self.path.len() >= MAX_DEPTH;
        !self.truncated
    }
}

/// A step of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The frame, which may be a shim.
    pub frame: Remote<Frame>,
    /// What it is linked to.
    pub caller: Remote<Frame>,
    /// Whether a call of the evaluation loop begins there.
    pub begins: bool,
    /// Whether it is a shim, and not among the frames.
    pub is_shim: bool,
}

/// Why a walk did not reach the outermost frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A pointer led to memory that cannot be read.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// A pointer led to something that is no frame.
    #[error("what lies at {0:#x} is not a frame")]
    NotAFrame(u64),
    /// A frame was among its own callers.
    #[error("the frame at {0:#x} is among its own callers")]
    Loop(u64),
    /// A frame ran something that is not a code object.
    #[error("what lies at {0:#x} is not a code object")]
    NotCode(u64),
    /// A name was something other than a string.
    #[error("what lies at {0:#x} is not a string")]
    NotText(u64),
}
