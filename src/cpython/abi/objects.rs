//! The fields of a program's own objects: of dictionaries, which lead to the names of
//! threads, and of what variables may hold.

use crate::cpython::memory::{Field, Remote};
use crate::cpython::read::objects::{
    AttributeValues, Bytes, Cell, Code, Dict, DictKeys, Float, Integer, Interpreter, List, Module,
    Object, Set, SmallInteger, Tuple, Type, WideText,
};

/// All of them.
#[derive(Clone, Copy)]
pub struct ObjectsLayout {
    /// `PyTypeObject`.
    pub r#type: TypeLayout,
    /// `PyDictObject`.
    pub dict: DictLayout,
    /// Where the attributes of an instance are.
    pub attributes: AttributesLayout,
    /// `md_dict` of a module.
    pub module_dict: Field<Module, Remote<Dict>>,
    /// `PyLongObject`.
    pub integer: IntegerLayout,
    /// `ob_ival` of 2.7's `int`.
    pub small_integer: Option<Field<SmallInteger, i64>>,
    /// 2.7's `unicode`.
    pub wide_text: Option<WideTextLayout>,
    /// The bits of `ob_fval`.
    pub float: Field<Float, u64>,
    /// `ob_size` of a list.
    pub list_size: Field<List, i64>,
    /// `ob_item` of a list: the address of its items.
    pub list_items: Field<List, u64>,
    /// `ob_size` of a tuple.
    pub tuple_size: Field<Tuple, i64>,
    /// Offset of `ob_item` in a tuple: its items.
    pub tuple_items: usize,
    /// `PySetObject`.
    pub set: SetLayout,
    /// `ob_ref` of a cell.
    pub cell: Field<Cell, Remote<Object>>,
}

/// `PyTypeObject`.
#[derive(Clone, Copy)]
pub struct TypeLayout {
    /// `tp_name`: the address of a text that ends with a NUL.
    pub name: Field<Type, u64>,
    /// `tp_basicsize`.
    pub basic_size: Field<Type, i64>,
    /// `tp_itemsize`.
    pub item_size: Field<Type, i64>,
    /// `tp_flags`.
    pub flags: Field<Type, u64>,
    /// `tp_dictoffset`.
    pub dict_offset: Field<Type, i64>,
}

/// The bit of `tp_flags` that every type whose instances are types has, in all versions
/// (`Py_TPFLAGS_TYPE_SUBCLASS`).
pub const IS_A_TYPE: u64 = 1 << 31;

/// How a version lays out dictionaries.
#[derive(Clone, Copy)]
pub enum DictLayout {
    /// 2.7: an open table in the dictionary itself.
    Open {
        /// `ma_used`: how many items it has.
        used: Field<Dict, i64>,
        /// `ma_mask`: one less than the number of entries.
        mask: Field<Dict, i64>,
        /// `ma_table`.
        table: Field<Dict, u64>,
        /// `PyDictEntry`.
        entry: EntryLayout,
    },
    /// 3.4 and later: a table of keys that dictionaries may share.
    Keys {
        /// `ma_used`: how many items it has.
        used: Field<Dict, i64>,
        /// `ma_keys`.
        keys: Field<Dict, Remote<DictKeys>>,
        /// `ma_values`; null if the values stand beside their keys.
        values: Field<Dict, u64>,
        /// Offset of the first value in what that points to.
        first_value: usize,
        /// How the keys are laid out.
        format: KeysFormat,
    },
}

/// How a version lays out the keys of dictionaries.
#[derive(Clone, Copy)]
pub enum KeysFormat {
    /// 3.4 and 3.5: an open table of entries.
    Open {
        /// `dk_size`: the number of entries.
        size: Field<DictKeys, i64>,
        /// Offset of `dk_entries`.
        entries: usize,
        /// `PyDictKeyEntry`.
        entry: EntryLayout,
    },
    /// 3.6 to 3.10: a table of indices, then the entries in their order.
    Compact {
        /// `dk_size`: the number of indices, which tells their width.
        size: Field<DictKeys, i64>,
        /// `dk_nentries`.
        used: Field<DictKeys, i64>,
        /// Offset of the indices.
        indices: usize,
        /// `PyDictKeyEntry`.
        entry: EntryLayout,
    },
    /// 3.11 and later: the same, and entries without a hash if all keys are `str`.
    Kinds {
        /// `dk_log2_index_bytes`: what the indices take.
        log2_index_bytes: Field<DictKeys, u8>,
        /// `dk_kind`: 0 if the entries have a hash.
        kind: Field<DictKeys, u8>,
        /// `dk_nentries`.
        used: Field<DictKeys, i64>,
        /// Offset of the indices.
        indices: usize,
        /// `PyDictKeyEntry`.
        entry: EntryLayout,
        /// `PyDictUnicodeEntry`.
        text_entry: EntryLayout,
    },
}

/// An entry of a hash table, offsets in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryLayout {
    /// Its size.
    pub size: usize,
    /// Where the pointer to the key is.
    pub key: usize,
    /// Where the pointer to the value is.
    pub value: usize,
}

/// Where the attributes of an instance are, besides the dictionary that `tp_dictoffset`
/// of its type leads to.
#[derive(Clone, Copy)]
pub enum AttributesLayout {
    /// Nowhere else: up to 3.10.
    Dict,
    /// 3.11: before the object are a pointer to its dictionary and one to its values.
    TwoWords(ManagedLayout),
    /// 3.12: one word before the object is either, told by its lowest bit.
    TaggedWord(ManagedLayout),
    /// 3.13 and later: a pointer to its dictionary before the object, values after it.
    Inline {
        /// What the others have too.
        managed: ManagedLayout,
        /// The bit of `tp_flags` that says so.
        has_values: u64,
        /// How many words before the object the pointer is.
        dict_before: u64,
        /// Offset of the first value.
        first_value: usize,
        /// `valid`: 0 if the values are in a dictionary.
        is_valid: Field<AttributeValues, u8>,
    },
}

/// Attributes that the interpreter keeps outside of a dictionary.
#[derive(Clone, Copy)]
pub struct ManagedLayout {
    /// The bit of `tp_flags` that says so.
    pub flag: u64,
    /// `ht_cached_keys` of the type: their names.
    pub keys: Field<Type, Remote<DictKeys>>,
}

/// `PyLongObject`.
#[derive(Clone, Copy)]
pub struct IntegerLayout {
    /// Where its sign and the number of its digits are.
    pub size: IntegerSize,
    /// Offset of its digits, the lowest first.
    pub digits: usize,
}

/// How an integer tells its sign and the number of its digits.
#[derive(Clone, Copy)]
pub enum IntegerSize {
    /// `ob_size`: the number, negative if it is: up to 3.11.
    Signed(Field<Integer, i64>),
    /// `lv_tag`: from 3.12.
    Tag(Field<Integer, u64>),
}

/// 2.7's `PyUnicodeObject`.
#[derive(Clone, Copy)]
pub struct WideTextLayout {
    /// `length`, in code units.
    pub length: Field<WideText, i64>,
    /// `str`: the address of the units.
    pub data: Field<WideText, u64>,
}

/// How an entry of a set tells that its element was removed (`Objects/setobject.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemovedElement {
    /// A text stands in its place: 2.7.
    Text,
    /// An object of a type of its own does: 3.4.
    Type,
    /// Its hash is -1: from 3.5.
    Hash,
}

/// `PySetObject`, of frozen sets as well.
#[derive(Clone, Copy)]
pub struct SetLayout {
    /// `used`: how many elements it has.
    pub used: Field<Set, i64>,
    /// `mask`: one less than the number of entries.
    pub mask: Field<Set, i64>,
    /// `table`.
    pub table: Field<Set, u64>,
    /// `setentry`; its value is the hash.
    pub entry: EntryLayout,
}

/// Where the interpreter keeps the objects that lead to all others.
#[derive(Clone, Copy)]
pub struct SystemLayout {
    /// `sys.modules`.
    pub modules: Field<Interpreter, Remote<Dict>>,
    /// The dictionary of the module `sys`.
    pub sys: Field<Interpreter, Remote<Dict>>,
}

/// How it is known where these are.
#[derive(Clone, Copy)]
pub enum SystemPlace {
    /// Each release has them there.
    Known(SystemLayout),
    /// `_Py_DebugOffsets` of the process says where (3.13 and later). These are the positions
    /// in `_PyRuntime` of what it says.
    Told {
        /// `interpreter_state.imports_modules`.
        modules: usize,
        /// `interpreter_state.sysdict`.
        sys: usize,
    },
}

/// The variables of a function.
#[derive(Clone, Copy)]
pub struct VariablesLayout {
    /// Offset of their values in a frame.
    pub values: usize,
    /// Bits of a value that are no part of its address.
    pub tag: u64,
    /// `co_argcount`: positional parameters.
    pub positional: Field<Code, i32>,
    /// `co_kwonlyargcount`: parameters that are given by name only.
    pub by_name: Option<Field<Code, i32>>,
    /// `co_flags`.
    pub flags: Field<Code, i32>,
    /// Where their names are.
    pub names: VariableNames,
}

/// Where the names of a function's variables are.
#[derive(Clone, Copy)]
pub enum VariableNames {
    /// Up to 3.10: in three tuples, in the order of the values.
    Three {
        /// `co_varnames`.
        locals: Field<Code, Remote<Tuple>>,
        /// `co_cellvars`.
        cells: Field<Code, Remote<Tuple>>,
        /// `co_freevars`.
        free: Field<Code, Remote<Tuple>>,
    },
    /// From 3.11: in one, with their kinds beside them.
    One {
        /// `co_localsplusnames`.
        names: Field<Code, Remote<Tuple>>,
        /// `co_localspluskinds`.
        kinds: Field<Code, Remote<Bytes>>,
    },
}
