//! Names for what lies at a remote address.
//!
//! They give [`crate::cpython::memory::Remote`] and [`crate::cpython::memory::Field`] their
//! meaning and are never instantiated.

/// Anything with a type: `PyObject`.
pub enum Object {}
/// `PyTypeObject`.
pub enum Type {}
/// `PyCodeObject`.
pub enum Code {}
/// `PyFrameObject`, from 3.11 `_PyInterpreterFrame`.
pub enum Frame {}
/// What links a thread state to its frames in 3.11 and 3.12.
pub enum CFrame {}
/// A string that names a function or a file.
pub enum Text {}
/// The bytes of a line table.
pub enum Bytes {}
/// `PyThreadState`.
pub enum Thread {}
/// `PyInterpreterState`.
pub enum Interpreter {}
/// `_PyRuntimeState`.
pub enum Runtime {}
/// `struct _gil_runtime_state`.
pub enum Gil {}
/// `PyDictObject`.
pub enum Dict {}
/// `PyDictKeysObject`.
pub enum DictKeys {}
/// `PyDictValues`.
pub enum AttributeValues {}
/// `PyModuleObject`.
pub enum Module {}
/// `PyLongObject`.
pub enum Integer {}
/// `PyIntObject` of 2.7.
pub enum SmallInteger {}
/// `PyUnicodeObject` of 2.7.
pub enum WideText {}
/// `PyFloatObject`.
pub enum Float {}
/// `PyListObject`.
pub enum List {}
/// `PyTupleObject`.
pub enum Tuple {}
/// `PySetObject`.
pub enum Set {}
/// `PyCellObject`.
pub enum Cell {}

/// Addresses of the type objects that prove what an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Types {
    /// `PyCode_Type`.
    pub code: u64,
    /// The type of names: `PyUnicode_Type`, in 2.7 `PyString_Type`.
    pub text: u64,
    /// The type of line tables: `PyBytes_Type`, in 2.7 `PyString_Type`.
    pub bytes: u64,
}
