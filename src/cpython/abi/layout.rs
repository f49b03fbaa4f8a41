//! The structs of every enabled Python version, as clang and rustc lay them out.
//!
//! They are made at build time: `build.rs` makes a module `vX_Y` of `headers/cpython-X.Y`. They
//! serve to measure: `offset_of!` and `size_of` are all that is ever done with them. None is
//! instantiated, because the bytes that would fill it come from another process.

use core::mem::size_of;

/// One struct, or one field of a struct, as rustc lays it out.
///
/// The layout tests compare it with what C compilers say.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Name of the struct, as in CPython.
    pub structure: &'static str,
    /// Name of the field; `None` for the struct as a whole.
    pub field: Option<&'static str>,
    /// Where the field starts, in bytes from the start of the struct.
    pub offset: usize,
    /// Size in bytes.
    pub size: usize,
}

impl Entry {
    /// The entry of the struct `S`.
    pub const fn of_struct<S>(structure: &'static str) -> Self {
        Self { structure, field: None, offset: 0, size: size_of::<S>() }
    }

    /// The entry of a field of type `T`. The accessor is never called: it tells `T`.
    pub const fn of_field<S, T>(
        structure: &'static str,
        field: &'static str,
        offset: usize,
        _accessor: fn(&S) -> &T,
    ) -> Self {
        Self { structure, field: Some(field), offset, size: size_of::<T>() }
    }
}

include!(concat!(env!("OUT_DIR"), "/layouts.rs"));
