//! What every version file uses.

#![allow(unused_imports, reason = "which of them depends on the enabled versions")]

pub(super) use std::mem::offset_of;

pub(super) use super::*;
pub(super) use crate::cpython::memory::{Field, field};
pub(super) use crate::cpython::read::heap_frames::HeapFrames;
pub(super) use crate::cpython::read::interpreter_frames::InterpreterFrames;
pub(super) use crate::cpython::read::lines::{LocationTable, Ranges, SignedLnotab, UnsignedLnotab};
pub(super) use crate::cpython::read::text::{ByteString, Unicode};
