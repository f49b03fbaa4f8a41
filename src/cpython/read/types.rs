//! What an object is, told by the addresses of the process's own type objects.

use super::objects::{Object, Type};
use crate::cpython::abi::{Abi, IS_A_TYPE};
use crate::cpython::memory::{Fault, Memory, Remote};

/// The longest name of a type that is read, in bytes.
const MAX_NAME: usize = 120;

/// The addresses of types and of the objects there is one of. Null for one that the
/// process does not tell: no object is taken for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ObjectTypes {
    /// `None`.
    pub none: u64,
    /// `True`.
    pub r#true: u64,
    /// `False`.
    pub r#false: u64,
    /// `int`; in 2.7 `long`.
    pub integer: u64,
    /// 2.7's `int`.
    pub small_integer: u64,
    /// `float`.
    pub float: u64,
    /// `str`; in 2.7 `unicode`.
    pub unicode: u64,
    /// `bytes`; in 2.7 `str`.
    pub bytes: u64,
    /// `list`.
    pub list: u64,
    /// `tuple`.
    pub tuple: u64,
    /// `dict`.
    pub dict: u64,
    /// `set`.
    pub set: u64,
    /// `frozenset`.
    pub frozen_set: u64,
    /// A variable that functions share.
    pub cell: u64,
    /// A module.
    pub module: u64,
    /// Bytes in a code unit of 2.7's `unicode`.
    pub unicode_width: usize,
    /// Whether names are byte strings: 2.7.
    pub names_are_bytes: bool,
}

impl ObjectTypes {
    /// The types of an interpreter, whose symbols `symbol` finds.
    pub(crate) fn find<A: Abi>(symbol: impl Fn(&str) -> Option<u64>) -> Self {
        let at = |name: &str| symbol(name).unwrap_or(0);
        let narrow = symbol("PyUnicodeUCS2_FromObject").is_some();
        Self {
            none: at("_Py_NoneStruct"),
            r#true: at("_Py_TrueStruct"),
            r#false: symbol("_Py_FalseStruct").unwrap_or_else(|| at("_Py_ZeroStruct")),
            integer: at("PyLong_Type"),
            small_integer: A::OBJECTS.small_integer.map_or(0, |_| at("PyInt_Type")),
            float: at("PyFloat_Type"),
            unicode: at("PyUnicode_Type"),
            bytes: at(if A::NAMES_ARE_BYTES { "PyString_Type" } else { "PyBytes_Type" }),
            list: at("PyList_Type"),
            tuple: at("PyTuple_Type"),
            dict: at("PyDict_Type"),
            set: at("PySet_Type"),
            frozen_set: at("PyFrozenSet_Type"),
            cell: at("PyCell_Type"),
            module: at("PyModule_Type"),
            unicode_width: if narrow { 2 } else { 4 },
            names_are_bytes: A::NAMES_ARE_BYTES,
        }
    }

    /// Whether an object is exactly a string of the kind that names things.
    pub(crate) fn is_name<A: Abi, M: Memory>(&self, memory: &M, object: Remote<Object>) -> bool {
        let name = if self.names_are_bytes { self.bytes } else { self.unicode };
        is_exactly::<A, M>(memory, object, name)
    }

    /// Whether it is exactly a `dict`.
    pub(crate) fn is_dict<A: Abi, M: Memory>(&self, memory: &M, object: Remote<Object>) -> bool {
        is_exactly::<A, M>(memory, object, self.dict)
    }
}

/// Whether an object is of that type, and not of one derived from it.
pub(crate) fn is_exactly<A: Abi, M: Memory>(
    memory: &M,
    object: Remote<Object>,
    r#type: u64,
) -> bool {
    r#type != 0
        && !object.is_null()
        && memory.field(object, A::OBJECT.object_type).is_ok_and(|found| found.address() == r#type)
}

/// The name of a type: `None` if it is not one, or has no proper name.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn type_name<A: Abi, M: Memory>(
    memory: &M,
    r#type: Remote<Type>,
) -> Result<Option<String>, Fault> {
    let class = memory.field(r#type.cast::<Object>(), A::OBJECT.object_type)?;
    if memory.field(class, A::OBJECTS.r#type.flags)? & IS_A_TYPE == 0 {
        return Ok(None);
    }
    let address = memory.field(r#type, A::OBJECTS.r#type.name)?;
    Ok(name_at(memory, address))
}

/// The text at `address` up to its NUL, cut off where it is too long. It is read in
/// small pieces, since it may lie at the end of what is mapped.
fn name_at<M: Memory>(memory: &M, address: u64) -> Option<String> {
    const PIECE: usize = 8;
    let mut bytes = Vec::with_capacity(MAX_NAME);
    while bytes.len() < MAX_NAME && !bytes.contains(&0) {
        let at = address.wrapping_add(bytes.len() as u64);
        match memory.read_bytes(at, PIECE) {
            Ok(piece) => bytes.extend(piece),
            Err(_) => bytes.push(memory.read::<u8>(at).ok()?),
        }
    }
    let end = bytes.iter().position(|byte| *byte == 0);
    let text = std::str::from_utf8(bytes.get(..end.unwrap_or(bytes.len()))?).ok();
    let is_proper = |text: &&str| !text.is_empty() && !text.chars().any(char::is_control);
    let text = text.filter(is_proper)?;
    Some(if end.is_some() { text.to_owned() } else { format!("{text}…") })
}
