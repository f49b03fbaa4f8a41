/*
 * dict: an open hash table.
 * Facts: Include/dictobject.h, v2.7.18.
 */
#ifndef PYFLAME_CPYTHON_2_7_DICTOBJECT_H
#define PYFLAME_CPYTHON_2_7_DICTOBJECT_H

#include "object.h"

typedef struct PyDictEntry {
    Py_ssize_t me_hash;
    PyObject *me_key;
    /* Null in an entry that is free or was deleted. */
    PyObject *me_value;
} PyDictEntry;

/* Up to the last field needed. */
typedef struct PyDictObject {
    OBJECT_HEAD
    Py_ssize_t ma_fill;
    Py_ssize_t ma_used;
    /* One less than the number of entries. */
    Py_ssize_t ma_mask;
    PyDictEntry *ma_table;
} PyDictObject;

#endif
