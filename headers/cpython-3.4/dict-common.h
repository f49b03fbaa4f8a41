/*
 * The keys of a dict: an open hash table.
 * Facts: Objects/dictobject.c, v3.4.10.
 */
#ifndef PYFLAME_CPYTHON_3_4_DICT_COMMON_H
#define PYFLAME_CPYTHON_3_4_DICT_COMMON_H

#include "object.h"
#include "dictobject.h"

typedef struct PyDictKeyEntry {
    Py_hash_t me_hash;
    PyObject *me_key;
    PyObject *me_value;
} PyDictKeyEntry;

struct PyDictKeysObject {
    Py_ssize_t dk_refcnt;
    /* The number of entries. */
    Py_ssize_t dk_size;
    void *dk_lookup;
    Py_ssize_t dk_usable;
    PyDictKeyEntry dk_entries[1];
};

#endif
