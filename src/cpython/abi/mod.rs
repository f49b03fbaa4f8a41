//! What differs between Python versions, and nothing else.
//!
//! [`Abi`] is one CPython X.Y: a set of [`Field`]s, taken from that version's
//! layout headers, and the choice of a frame family, a line table format and a
//! text format. There is one short file for each version. Nothing outside this
//! module sees the layouts that bindgen makes.

#[macro_use]
mod families;
mod fields;
pub mod layout;
#[macro_use]
mod object_families;
mod objects;
mod prelude;
mod roots;
mod version;

pub use fields::{
    BytesLayout, CFrameLayout, CodeLayout, CodeLength, Entry, Executing, GilLayout,
    HeapFrameLayout, Innermost, InterpreterFrameLayout, InterpreterLayout, LineIsSet, ObjectLayout,
    StringLayout, ThreadLayout, TopFrame, UnicodeLayout,
};
pub use objects::{
    AttributesLayout, DictLayout, EntryLayout, IS_A_TYPE, IntegerLayout, IntegerSize, KeysFormat,
    ManagedLayout, ObjectsLayout, SetLayout, SystemLayout, TypeLayout, VariableNames,
    VariablesLayout, WideTextLayout,
};
pub use roots::{DebugOffset, GilHolder, Roots};
pub use version::{SUPPORTED, Version};

use crate::cpython::read::frame_format::Frames;
use crate::cpython::read::lines::LineTable;
use crate::cpython::read::text_format::Text;

/// One CPython X.Y.
pub trait Abi: Sized + 'static {
    /// X.Y.
    const VERSION: Version;

    /// How the frames of a thread are linked.
    type Frames: Frames<Self>;
    /// The format of a code object's line table.
    type Lines: LineTable;
    /// The format of the strings that name functions and files.
    type Text: Text<Self>;

    /// Every object's head.
    const OBJECT: ObjectLayout;
    /// Code objects.
    const CODE: CodeLayout;
    /// The bytes objects that hold line tables.
    const BYTES: BytesLayout;
    /// Thread states.
    const THREAD: ThreadLayout;
    /// Which of several states of a thread is the innermost.
    const INNERMOST: Innermost = Innermost::Unknown;
    /// Interpreter states.
    const INTERPRETER: InterpreterLayout;
    /// Dictionaries and values.
    const OBJECTS: ObjectsLayout;
    /// The variables of a function.
    const VARIABLES: VariablesLayout;

    /// Where the lists of interpreters and threads begin, and how to tell who
    /// holds the GIL, in X.Y.`micro`.
    fn roots(micro: u8) -> Roots;

    /// Where an interpreter keeps its modules, in X.Y.`micro`.
    fn system(micro: u8) -> SystemLayout;

    /// What `_Py_DebugOffsets` in the process must say if these layouts are
    /// right (3.13 and later; empty before).
    fn debug_offsets() -> Vec<DebugOffset> {
        Vec::new()
    }
}

/// A version whose frames are objects on the heap, linked by `f_back`: 2.7 to 3.10.
pub trait HeapFrameAbi: Abi {
    /// `PyFrameObject`.
    const FRAME: HeapFrameLayout;
}

/// A version whose frames are `_PyInterpreterFrame`s: 3.11 and later.
pub trait InterpreterFrameAbi: Abi {
    /// `_PyInterpreterFrame`.
    const FRAME: InterpreterFrameLayout;
}

/// A version whose strings are compact Unicode objects: 3.4 and later.
pub trait UnicodeAbi: Abi {
    /// `PyASCIIObject`, `PyCompactUnicodeObject` and `PyUnicodeObject`.
    const UNICODE: UnicodeLayout;
}

/// A version whose names are byte strings: 2.7.
pub trait ByteStringAbi: Abi {
    /// `PyStringObject`.
    const STRING: StringLayout;
}

macro_rules! versions {
    ($($feature:literal $module:ident $name:ident;)*) => {$(
        #[cfg(feature = $feature)]
        mod $module;
        #[cfg(feature = $feature)]
        pub use $module::$name;
    )*

    /// The versions that this build has a profiler for.
    pub const BUILT: &[Version] = &[$(
        #[cfg(feature = $feature)]
        <$name as Abi>::VERSION,
    )*];
    };
}

versions! {
    "py27" python27 Python27;
    "py34" python34 Python34;
    "py35" python35 Python35;
    "py36" python36 Python36;
    "py37" python37 Python37;
    "py38" python38 Python38;
    "py39" python39 Python39;
    "py310" python310 Python310;
    "py311" python311 Python311;
    "py312" python312 Python312;
    "py313" python313 Python313;
    "py314" python314 Python314;
    "py315" python315 Python315;
}
