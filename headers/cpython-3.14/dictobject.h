/*
 * dict.
 * Facts: Include/cpython/dictobject.h, v3.14.10.
 */
#ifndef PYFLAME_CPYTHON_3_14_DICTOBJECT_H
#define PYFLAME_CPYTHON_3_14_DICTOBJECT_H

#include "object.h"

typedef struct PyDictKeysObject PyDictKeysObject;
typedef struct PyDictValues PyDictValues;

typedef struct PyDictObject {
    PyObject ob_base;
    Py_ssize_t ma_used;
    uint64_t _ma_watcher_tag;
    PyDictKeysObject *ma_keys;
    /* Null: the values stand beside their keys. */
    PyDictValues *ma_values;
} PyDictObject;

#endif
