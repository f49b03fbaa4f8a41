//! The structs of every enabled Python version, as clang and rustc lay them out.
//!
//! They are made at build time from `headers/cpython-X.Y`. They serve to measure:
//! `offset_of!` and `size_of` are all that is ever done with them. None is
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

/// One version's layouts, and the table of all versions.
macro_rules! layouts {
    ($($module:ident $feature:literal $version:literal $file:literal;)*) => {
        $(
            #[cfg(feature = $feature)]
            #[doc = concat!("Layouts of CPython ", $version, ", from `headers/cpython-", $version, "`.")]
            #[allow(
                non_camel_case_types,
                non_snake_case,
                non_upper_case_globals,
                missing_docs,
                clippy::all,
                clippy::pedantic,
                reason = "the names are CPython's, the code is generated"
            )]
            pub mod $module {
                use super::Entry;
                use core::mem::offset_of;

                include!(concat!(env!("OUT_DIR"), "/", $file, ".rs"));

                #[doc(hidden)]
                pub const TABLE: &[Entry] = include!(concat!(env!("OUT_DIR"), "/", $file, "_table.rs"));
            }
        )*

        /// Version and table of every enabled Python.
        #[doc(hidden)]
        pub const TABLES: &[(&str, &[Entry])] = &[
            $(#[cfg(feature = $feature)] ($version, $module::TABLE),)*
        ];
    };
}

layouts! {
    v2_7 "py27" "2.7" "cpython_2_7";
    v2_7d "py27d" "2.7d" "cpython_2_7d";
    v3_4 "py34" "3.4" "cpython_3_4";
    v3_5 "py35" "3.5" "cpython_3_5";
    v3_6 "py36" "3.6" "cpython_3_6";
    v3_7 "py37" "3.7" "cpython_3_7";
    v3_8 "py38" "3.8" "cpython_3_8";
    v3_9 "py39" "3.9" "cpython_3_9";
    v3_10 "py310" "3.10" "cpython_3_10";
    v3_11 "py311" "3.11" "cpython_3_11";
    v3_12 "py312" "3.12" "cpython_3_12";
    v3_13 "py313" "3.13" "cpython_3_13";
    v3_13t "py313t" "3.13t" "cpython_3_13t";
    v3_14 "py314" "3.14" "cpython_3_14";
    v3_14t "py314t" "3.14t" "cpython_3_14t";
    v3_15 "py315" "3.15" "cpython_3_15";
    v3_15t "py315t" "3.15t" "cpython_3_15t";
}
