//! Typed addresses and typed offsets.
//!
//! A [`Field`] is made by the `field!` macro from a layout struct, so a field
//! that is missing there, or has another type, does not compile.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

/// The address of an `S` in the process that is read. May be null or wrong:
/// nothing is known of it until it has been read.
pub struct Remote<S> {
    address: u64,
    pointee: PhantomData<fn() -> S>,
}

impl<S> Remote<S> {
    /// What the process holds at `address` is taken to be an `S`.
    #[must_use]
    pub const fn new(address: u64) -> Self {
        Self { address, pointee: PhantomData }
    }

    /// The address itself.
    #[must_use]
    pub const fn address(self) -> u64 {
        self.address
    }

    /// Whether this is the null pointer.
    #[must_use]
    pub const fn is_null(self) -> bool {
        self.address == 0
    }

    /// The same address, looked at as another struct.
    #[must_use]
    pub const fn cast<T>(self) -> Remote<T> {
        Remote::new(self.address)
    }
}

impl<S> Clone for Remote<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Remote<S> {}

impl<S> PartialEq for Remote<S> {
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address
    }
}

impl<S> Eq for Remote<S> {}

impl<S> Hash for Remote<S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.address.hash(state);
    }
}

impl<S> fmt::Debug for Remote<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.address)
    }
}

/// A type that any bytes of its size are a valid value of.
///
/// Remote bytes are hostile, so no `bool`, no enum and no reference is one.
pub trait Value: Copy {
    /// Bytes in the process; at most 8.
    const SIZE: usize;
    /// The value of exactly [`Value::SIZE`] bytes.
    fn from_bytes(bytes: &[u8]) -> Self;
}

macro_rules! integers {
    ($($type:ty)*) => {$(
        impl Value for $type {
            const SIZE: usize = size_of::<$type>();
            fn from_bytes(bytes: &[u8]) -> Self {
                let mut own = [0; size_of::<$type>()];
                own.copy_from_slice(&bytes[..size_of::<$type>()]);
                Self::from_ne_bytes(own)
            }
        }
    )*};
}

integers!(u8 i8 u16 u32 i32 u64 i64);

impl<S> Value for Remote<S> {
    const SIZE: usize = 8;
    fn from_bytes(bytes: &[u8]) -> Self {
        Self::new(u64::from_bytes(bytes))
    }
}

/// The offset of a `T` inside an `S`.
pub struct Field<S, T> {
    offset: usize,
    types: PhantomData<fn(S) -> T>,
}

impl<S, T> Field<S, T> {
    /// For the `field!` macro, which proves the offset and the type.
    #[doc(hidden)]
    #[must_use]
    pub const fn at(offset: usize) -> Self {
        Self { offset, types: PhantomData }
    }

    /// Bytes from the start of the struct.
    #[must_use]
    pub const fn offset(self) -> usize {
        self.offset
    }

    /// One past the last byte of the field.
    #[must_use]
    pub const fn end(self) -> usize
    where
        T: Value,
    {
        self.offset + T::SIZE
    }
}

impl<S, T: Value> Field<S, T> {
    /// The field's value in a copy of the struct's first bytes, or `None` where
    /// the copy ends too early.
    #[must_use]
    pub fn of(self, copy: &[u8]) -> Option<T> {
        copy.get(self.offset..self.offset + T::SIZE).map(T::from_bytes)
    }
}

impl<S, T> Clone for Field<S, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S, T> Copy for Field<S, T> {}

/// How a layout's C type is read: the bridge from bindgen's types to [`Value`]s.
pub(crate) trait ReadAs<T> {}

impl<T> ReadAs<T> for T {}
impl<S, T> ReadAs<Remote<S>> for *mut T {}
/// A pointer that is looked at as a number, or that carries tag bits.
impl<T> ReadAs<u64> for *mut T {}
/// `uintptr_t`.
impl ReadAs<u64> for usize {}
/// `long` thread ids of 2.7 to 3.6.
impl ReadAs<u64> for i64 {}
/// The bits of a `double`.
impl ReadAs<u64> for f64 {}
/// `_Bool`, whose byte may hold anything in another process.
impl ReadAs<u8> for bool {}
/// `char` is signed on some machines.
impl ReadAs<u8> for i8 {}

/// Proves at compile time that `accessor` yields something readable as `T`.
#[doc(hidden)]
pub(crate) const fn checked_field<L, F: ReadAs<T>, S, T>(
    offset: usize,
    _accessor: fn(&L) -> &F,
) -> Field<S, T> {
    Field::at(offset)
}

/// `field!(layout::PyCodeObject, co_name)`: the [`Field`] of a layout struct.
macro_rules! field {
    ($layout:ty, $($path:tt)+) => {
        $crate::cpython::memory::checked_field(
            std::mem::offset_of!($layout, $($path)+),
            |object: &$layout| &object.$($path)+,
        )
    };
}
pub(crate) use field;
