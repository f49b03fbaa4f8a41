//! The parts of an [`super::ObjectsLayout`] that many versions spell alike.

#![allow(unused_macros, reason = "which of them are used depends on the enabled versions")]

/// Everything; the arguments say what differs.
macro_rules! objects_layout {
    ($layout:ident, size: $($size:ident).+, dict: $dict:expr, attributes: $attributes:expr,
     integer: $integer:expr) => {
        ObjectsLayout {
            r#type: TypeLayout {
                name: field!($layout::PyTypeObject, tp_name),
                basic_size: field!($layout::PyTypeObject, tp_basicsize),
                item_size: field!($layout::PyTypeObject, tp_itemsize),
                flags: field!($layout::PyTypeObject, tp_flags),
                dict_offset: field!($layout::PyTypeObject, tp_dictoffset),
            },
            dict: $dict,
            attributes: $attributes,
            module_dict: field!($layout::PyModuleObject, md_dict),
            integer: $integer,
            small_integer: None,
            wide_text: None,
            float: field!($layout::PyFloatObject, ob_fval),
            list_size: field!($layout::PyListObject, $($size).+),
            list_items: field!($layout::PyListObject, ob_item),
            tuple_size: field!($layout::PyTupleObject, $($size).+),
            tuple_items: offset_of!($layout::PyTupleObject, ob_item),
            set: SetLayout {
                used: field!($layout::PySetObject, used),
                mask: field!($layout::PySetObject, mask),
                table: field!($layout::PySetObject, table),
                entry: entry_layout!($layout, setentry, key, hash),
            },
            cell: field!($layout::PyCellObject, ob_ref),
        }
    };
}

/// An entry of a hash table.
macro_rules! entry_layout {
    ($layout:ident, $entry:ident, $key:ident, $value:ident) => {
        EntryLayout {
            size: size_of::<$layout::$entry>(),
            key: offset_of!($layout::$entry, $key),
            value: offset_of!($layout::$entry, $value),
        }
    };
}

/// A dictionary whose keys have a struct of their own: from 3.4.
macro_rules! keys_dict_layout {
    ($layout:ident, first_value: $first:expr, $format:expr) => {
        DictLayout::Keys {
            used: field!($layout::PyDictObject, ma_used),
            keys: field!($layout::PyDictObject, ma_keys),
            values: field!($layout::PyDictObject, ma_values),
            first_value: $first,
            format: $format,
        }
    };
}

/// The objects of 3.4 to 3.10; `$format` is that of the keys of dictionaries.
macro_rules! objects_with_keys {
    ($layout:ident, $format:expr) => {
        objects_layout!(
            $layout,
            size: ob_base.ob_size,
            dict: keys_dict_layout!($layout, first_value: 0, $format),
            attributes: AttributesLayout::Dict,
            integer: signed_integer!($layout, ob_base.ob_size)
        )
    };
}

/// The keys of 3.4 and 3.5.
macro_rules! open_keys {
    ($layout:ident) => {
        KeysFormat::Open {
            size: field!($layout::PyDictKeysObject, dk_size),
            entries: offset_of!($layout::PyDictKeysObject, dk_entries),
            entry: entry_layout!($layout, PyDictKeyEntry, me_key, me_value),
        }
    };
}

/// The keys of 3.6 to 3.10.
macro_rules! compact_keys {
    ($layout:ident) => {
        KeysFormat::Compact {
            size: field!($layout::PyDictKeysObject, dk_size),
            used: field!($layout::PyDictKeysObject, dk_nentries),
            indices: size_of::<$layout::PyDictKeysObject>(),
            entry: entry_layout!($layout, PyDictKeyEntry, me_key, me_value),
        }
    };
}

/// The objects of 3.11 and later.
macro_rules! objects_with_kinds_of_keys {
    ($layout:ident, attributes: $attributes:expr, integer: $integer:expr) => {
        objects_layout!(
            $layout,
            size: ob_base.ob_size,
            dict: keys_dict_layout!(
                $layout,
                first_value: offset_of!($layout::PyDictValues, values),
                KeysFormat::Kinds {
                    log2_index_bytes: field!($layout::PyDictKeysObject, dk_log2_index_bytes),
                    kind: field!($layout::PyDictKeysObject, dk_kind),
                    used: field!($layout::PyDictKeysObject, dk_nentries),
                    indices: size_of::<$layout::PyDictKeysObject>(),
                    entry: entry_layout!($layout, PyDictKeyEntry, me_key, me_value),
                    text_entry: entry_layout!($layout, PyDictUnicodeEntry, me_key, me_value),
                }
            ),
            attributes: $attributes,
            integer: $integer
        )
    };
}

/// Integers up to 3.11.
macro_rules! signed_integer {
    ($layout:ident, $($size:ident).+) => {
        IntegerLayout {
            size: IntegerSize::Signed(field!($layout::PyLongObject, $($size).+)),
            digits: offset_of!($layout::PyLongObject, ob_digit),
        }
    };
}

/// Integers from 3.12 on.
macro_rules! tagged_integer {
    ($layout:ident) => {
        IntegerLayout {
            size: IntegerSize::Tag(field!($layout::PyLongObject, long_value.lv_tag)),
            digits: offset_of!($layout::PyLongObject, long_value.ob_digit),
        }
    };
}

/// Attributes that are not in a dictionary: from 3.11.
macro_rules! managed_layout {
    ($layout:ident) => {
        ManagedLayout {
            flag: $layout::Py_TPFLAGS_MANAGED_DICT as u64,
            keys: field!($layout::PyHeapTypeObject, ht_cached_keys),
        }
    };
}

/// The objects of 3.13 and later, whose attributes may stand behind them.
macro_rules! objects_with_inline_values {
    ($layout:ident, dict: $words:literal) => {
        objects_with_kinds_of_keys!(
            $layout,
            attributes: AttributesLayout::Inline {
                managed: managed_layout!($layout),
                has_values: $layout::Py_TPFLAGS_INLINE_VALUES as u64,
                dict_before: $words,
                first_value: offset_of!($layout::PyDictValues, values),
                is_valid: field!($layout::PyDictValues, valid),
            },
            integer: tagged_integer!($layout)
        )
    };
}

/// `sys.modules` and the dictionary of `sys`.
macro_rules! system_layout {
    ($layout:ident, $($modules:ident).+) => {
        SystemPlace::Known(SystemLayout {
            modules: field!($layout::PyInterpreterState, $($modules).+),
            sys: field!($layout::PyInterpreterState, sysdict),
        })
    };
}

/// The same, where the process says it: patch releases have moved them.
macro_rules! system_that_is_told {
    ($layout:ident) => {
        SystemPlace::Told {
            modules: offset_of!(
                $layout::_PyRuntimeState,
                debug_offsets.interpreter_state.imports_modules
            ),
            sys: offset_of!($layout::_PyRuntimeState, debug_offsets.interpreter_state.sysdict),
        }
    };
}

/// Variables of 3.4 to 3.10.
macro_rules! variables_in_three_tuples {
    ($layout:ident, by_name: $by_name:expr) => {
        VariablesLayout {
            values: offset_of!($layout::PyFrameObject, f_localsplus),
            tag: 0,
            positional: field!($layout::PyCodeObject, co_argcount),
            by_name: $by_name,
            flags: field!($layout::PyCodeObject, co_flags),
            names: VariableNames::Three {
                locals: field!($layout::PyCodeObject, co_varnames),
                cells: field!($layout::PyCodeObject, co_cellvars),
                free: field!($layout::PyCodeObject, co_freevars),
            },
        }
    };
}

/// Variables of 3.11 and later.
macro_rules! variables_in_one_tuple {
    ($layout:ident, tag: $tag:expr) => {
        VariablesLayout {
            values: offset_of!($layout::_PyInterpreterFrame, localsplus),
            tag: $tag as u64,
            positional: field!($layout::PyCodeObject, co_argcount),
            by_name: Some(field!($layout::PyCodeObject, co_kwonlyargcount)),
            flags: field!($layout::PyCodeObject, co_flags),
            names: VariableNames::One {
                names: field!($layout::PyCodeObject, co_localsplusnames),
                kinds: field!($layout::PyCodeObject, co_localspluskinds),
            },
        }
    };
}
