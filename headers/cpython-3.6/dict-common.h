/*
 * The keys of a dict: a hash table of indices, and entries in their order.
 * Facts: Objects/dict-common.h, v3.6.15.
 */
#ifndef PYFLAME_CPYTHON_3_6_DICT_COMMON_H
#define PYFLAME_CPYTHON_3_6_DICT_COMMON_H

#include "object.h"
#include "dictobject.h"

typedef struct PyDictKeyEntry {
    Py_hash_t me_hash;
    PyObject *me_key;
    PyObject *me_value;
} PyDictKeyEntry;

struct PyDictKeysObject {
    Py_ssize_t dk_refcnt;
    /* The number of indices, of 1, 2, 4 or 8 bytes each. */
    Py_ssize_t dk_size;
    void *dk_lookup;
    Py_ssize_t dk_usable;
    Py_ssize_t dk_nentries;
    /* The indices start here, without a field of their own; the entries follow them. */
};

#endif
