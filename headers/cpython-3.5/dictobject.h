/*
 * dict.
 * Facts: Include/dictobject.h, v3.5.10.
 */
#ifndef PYFLAME_CPYTHON_3_5_DICTOBJECT_H
#define PYFLAME_CPYTHON_3_5_DICTOBJECT_H

#include "object.h"

typedef struct PyDictKeysObject PyDictKeysObject;

typedef struct PyDictObject {
    PyObject ob_base;
    Py_ssize_t ma_used;
    PyDictKeysObject *ma_keys;
    /* Null: the values stand beside their keys. */
    PyObject **ma_values;
} PyDictObject;

#endif
