/*
 * dict.
 * Facts: Include/cpython/dictobject.h, v3.9.18.
 */
#ifndef PYFLAME_CPYTHON_3_9_DICTOBJECT_H
#define PYFLAME_CPYTHON_3_9_DICTOBJECT_H

#include "object.h"

typedef struct PyDictKeysObject PyDictKeysObject;

typedef struct PyDictObject {
    PyObject ob_base;
    Py_ssize_t ma_used;
    unsigned long ma_version_tag;
    PyDictKeysObject *ma_keys;
    /* Null: the values stand beside their keys. */
    PyObject **ma_values;
} PyDictObject;

#endif
