/*
 * The keys of a dict: a hash table of indices, and entries in their order.
 * Facts: Include/internal/pycore_dict.h, v3.15.2.
 */
#ifndef PYFLAME_CPYTHON_3_15_PYCORE_DICT_H
#define PYFLAME_CPYTHON_3_15_PYCORE_DICT_H

#include "object.h"
#include "dictobject.h"

typedef struct PyDictKeyEntry {
    Py_hash_t me_hash;
    PyObject *me_key;
    PyObject *me_value;
} PyDictKeyEntry;

/* The entry of a table whose keys are all str. */
typedef struct PyDictUnicodeEntry {
    PyObject *me_key;
    PyObject *me_value;
} PyDictUnicodeEntry;

/* Values of dk_kind. */
enum {
    DICT_KEYS_GENERAL = 0,
    DICT_KEYS_UNICODE = 1,
    DICT_KEYS_SPLIT = 2
};

struct PyDictKeysObject {
    Py_ssize_t dk_refcnt;
    uint8_t dk_log2_size;
    /* The bytes that all indices take together. */
    uint8_t dk_log2_index_bytes;
    uint8_t dk_kind;
#ifdef Py_GIL_DISABLED
    PyMutex dk_mutex;
#endif
    uint32_t dk_version;
    Py_ssize_t dk_usable;
    Py_ssize_t dk_nentries;
    /* The indices start here, without a field of their own; the entries follow them. */
};

/* Values whose keys are elsewhere. */
struct PyDictValues {
    uint8_t capacity;
    uint8_t size;
    uint8_t embedded;
    /* 0: there is a dictionary, and it has values of its own. */
    uint8_t valid;
    PyObject *values[1];
};

#endif
