//! What differs between Python versions, and nothing else.
//!
//! [`Abi`] is one CPython X.Y: a set of [`crate::cpython::memory::Field`]s, taken from that version's
//! layout headers, and the choice of a frame family, a line table format and a
//! text format. There is one short file for each. Nothing outside this
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
mod tag;
#[macro_use]
mod versions;

pub use fields::{
    BytesLayout, CFrameLayout, CodeLayout, CodeLength, CopiesLayout, Entry, Executing, GilLayout,
    HeapFrameLayout, Innermost, InterpreterFrameLayout, InterpreterLayout, LineIsSet, ObjectLayout,
    StringLayout, ThreadLayout, TopFrame, UnicodeLayout,
};
pub use objects::{
    AttributesLayout, DictLayout, EntryLayout, IS_A_TYPE, IntegerLayout, IntegerSize, KeysFormat,
    ManagedLayout, ObjectsLayout, RemovedElement, SetLayout, SystemLayout, SystemPlace, TypeLayout,
    VariableNames, VariablesLayout, WideTextLayout,
};
pub use roots::{AttachedLayout, DebugOffset, GilHolder, Roots, Standing};
pub use tag::{AbiFlags, AbiTag};

use crate::cpython::read::frame_format::Frames;
use crate::cpython::read::lines::LineTable;
use crate::cpython::read::text_format::Text;

/// One CPython X.Y.
pub trait Abi: Sized + 'static {
    /// Which it is.
    const TAG: AbiTag;

    /// How the frames of a thread are linked.
    type Frames: Frames<Self>;
    /// The format of a code object's line table.
    type Lines: LineTable;
    /// The format of the strings that name functions and files.
    type Text: Text<Self>;

    /// A frame.
    const FRAME: <Self::Frames as Frames<Self>>::Layout;
    /// A string.
    const TEXT: <Self::Text as Text<Self>>::Layout;
    /// Every object's head.
    const OBJECT: ObjectLayout;
    /// Code objects.
    const CODE: CodeLayout;
    /// The copies of their instructions that threads have; `None` if all execute the same.
    const COPIES: Option<CopiesLayout> = None;
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
    /// Whether names are byte strings, of the type that line tables have: 2.7.
    const NAMES_ARE_BYTES: bool = false;
    /// The attribute of a `threading.Thread` that holds its name.
    const THREAD_NAME: &'static str = "_name";
    /// How an entry of a set tells that its element was removed.
    const REMOVED_FROM_SET: RemovedElement = RemovedElement::Hash;

    /// Where the lists of interpreters and threads begin, and how to tell who
    /// holds the GIL, in X.Y.`micro`.
    fn roots(micro: u8) -> Roots;

    /// Where an interpreter keeps its modules.
    fn system() -> SystemPlace;

    /// What `_Py_DebugOffsets` in the process must say if these layouts are
    /// right (3.13 and later; empty before).
    fn debug_offsets() -> Vec<DebugOffset> {
        Vec::new()
    }
}

/// What is done with an ABI, whichever it is.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) trait ForAbi {
    /// Does it.
    fn visit<A: Abi>(&self);
}

macro_rules! abis {
    ($($feature:literal $module:ident $name:ident $tag:expr;)*) => {$(
        #[cfg(feature = $feature)]
        mod $module;
        #[cfg(feature = $feature)]
        pub use $module::$name;
    )*

    /// Every ABI that there is a profiler for, oldest first.
    pub const SUPPORTED: &[AbiTag] = &[$($tag),*];

    /// Those that this build has layouts of.
    pub const BUILT: &[AbiTag] = &[$(
        #[cfg(feature = $feature)]
        <$name as Abi>::TAG,
    )*];

    /// Lets a visitor see one of [`BUILT`], of which there may be more or fewer than `number`.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn visit_built(number: usize, visitor: &impl ForAbi) {
        let tag = number.checked_rem(BUILT.len()).and_then(|place| BUILT.get(place));
        $(
            #[cfg(feature = $feature)]
            if tag == Some(&<$name as Abi>::TAG) {
                visitor.visit::<$name>();
            }
        )*
    }
    };
}

// The table of ABIs. `tests/house/abis.rs` holds every other list against it.
abis! {
    "py27" python27 Python27 AbiTag::new(2, 7);
    "py27d" python27d Python27d AbiTag::new(2, 7).trace_refs();
    "py34" python34 Python34 AbiTag::new(3, 4);
    "py35" python35 Python35 AbiTag::new(3, 5);
    "py36" python36 Python36 AbiTag::new(3, 6);
    "py37" python37 Python37 AbiTag::new(3, 7);
    "py38" python38 Python38 AbiTag::new(3, 8);
    "py39" python39 Python39 AbiTag::new(3, 9);
    "py310" python310 Python310 AbiTag::new(3, 10);
    "py311" python311 Python311 AbiTag::new(3, 11);
    "py312" python312 Python312 AbiTag::new(3, 12);
    "py313" python313 Python313 AbiTag::new(3, 13);
    "py313t" python313t Python313t AbiTag::new(3, 13).free_threaded();
    "py314" python314 Python314 AbiTag::new(3, 14);
    "py314t" python314t Python314t AbiTag::new(3, 14).free_threaded();
    "py315" python315 Python315 AbiTag::new(3, 15);
    "py315t" python315t Python315t AbiTag::new(3, 15).free_threaded();
}

impl AbiTag {
    /// The one that `--abi` names: `36`, `314t`, or as the programs are called: `3.6`, `3.14t`.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        SUPPORTED.iter().copied().find(|tag| tag.abi() == text || tag.to_string() == text)
    }

    /// Whether there is a profiler for it.
    #[must_use]
    pub fn is_supported(self) -> bool {
        SUPPORTED.contains(&self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unambiguous() {
        for tag in SUPPORTED {
            assert_eq!(AbiTag::named(&tag.abi()), Some(*tag));
            assert_eq!(AbiTag::named(&tag.to_string()), Some(*tag));
        }
        assert_eq!(AbiTag::named("26"), None);
        assert_eq!(AbiTag::named(""), None);
    }

    #[test]
    fn the_table_is_in_order_and_names_what_is_built() {
        assert!(SUPPORTED.is_sorted());
        assert!(BUILT.iter().all(|tag| tag.is_supported()));
        assert!(BUILT.is_sorted());
    }
}
